//! A meter's book and all arithmetic on it. Nothing here touches an account or a syscall: the host tests run it.

use {crate::CertificatesError, anchor_lang::prelude::*};

type Checked<T> = core::result::Result<T, CertificatesError>;

/// Sources of energy: 1 solar, 2 wind, 3 hydro, 4 biomass (biogas, landfill and sewage gas included), 5 geothermal, 6
/// marine, 7 storage (a battery behind the meter: as what charged it, which nobody measured), 8 other.
pub const SOURCES: u8 = 8;

/// How far a meter's settled total is certified. Never closed. `["book", meter]`
#[account]
pub struct Book {
    pub meter: Address,
    pub meter_id: [u8; 32],
    /// Whose energy is certified: the meter's owner, until the meter changes owners.
    pub owner: Address,
    /// The registrar who attested the source.
    pub attested_by: Address,
    /// Up to here of the meter's `settled` everything is certified or lapsed: where the next certificate begins.
    pub next_total: u64,
    /// Energy in certificates, live and retired.
    pub certified_total: u64,
    /// Energy that no certificate will ever be issued for.
    pub lapsed_total: u64,
    pub live_total: u64,
    pub retired_total: u64,
    /// The serial of the next certificate, from 1.
    pub next_serial: u64,
    /// Certificates of this book that exist.
    pub live_certificates: u64,
    /// The least that `issue_for` certifies at once.
    pub auto_issue_min_nkwh: u64,
    pub opened_at: i64,
    /// Everything from `next_total` on was produced after this time.
    pub period_start: u32,
    /// The meter's count of transfers that the book knows of.
    pub transfers: u32,
    /// What the registrar attested: see `SOURCES`.
    pub source: u8,
    /// The owner has opted in to `issue_for`.
    pub auto_issue: u8,
    pub bump: u8,
    pub padding: [u8; 5],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

/// A stretch of the meter's settled total, and when it was produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from_total: u64,
    pub to_total: u64,
    pub period_start: u32,
    pub period_end: u32,
}

impl Book {
    pub fn require_source(source: u8) -> Checked<()> {
        if source == 0 || source > SOURCES {
            return Err(CertificatesError::SourceInvalid);
        }
        Ok(())
    }

    /// What is settled and not certified.
    #[inline(always)]
    pub fn available(&self, settled: u64) -> Checked<u64> {
        settled.checked_sub(self.next_total).ok_or(CertificatesError::InvariantViolated)
    }

    /// Takes the next `energy` of `settled`. `all_settled` says that nothing produced before `last_end` is still to be
    /// settled: then the next certificate's period starts there, and until then with this one's.
    #[inline(always)]
    pub fn certify(&mut self, energy: u64, settled: u64, last_end: u32, all_settled: bool) -> Checked<Stretch> {
        if energy == 0 {
            return Err(CertificatesError::ZeroAmount);
        }
        if energy > self.available(settled)? {
            return Err(CertificatesError::NotSettled);
        }
        let from_total = self.next_total;
        let stretch = Stretch {
            from_total,
            to_total: sum(from_total, energy)?,
            period_start: self.period_start,
            period_end: last_end,
        };
        self.next_total = stretch.to_total;
        self.certified_total = sum(self.certified_total, energy)?;
        self.live_total = sum(self.live_total, energy)?;
        if all_settled && self.next_total == settled {
            self.period_start = last_end;
        }
        Ok(stretch)
    }

    /// Gives up what lies before `total`: it was produced before `period_start`.
    pub fn lapse_until(&mut self, total: u64, period_start: u32) -> Checked<u64> {
        let lapsed = total.checked_sub(self.next_total).ok_or(CertificatesError::InvariantViolated)?;
        self.next_total = total;
        self.lapsed_total = sum(self.lapsed_total, lapsed)?;
        self.period_start = period_start;
        Ok(lapsed)
    }

    /// Counts a new certificate; returns its serial.
    #[inline(always)]
    pub fn take_serial(&mut self) -> Checked<u64> {
        let serial = self.next_serial;
        self.next_serial = sum(serial, 1)?;
        self.live_certificates = sum(self.live_certificates, 1)?;
        Ok(serial)
    }

    /// Counts a certificate as retired.
    #[inline(always)]
    pub fn retire(&mut self, energy: u64) -> Checked<()> {
        self.live_total = self.live_total.checked_sub(energy).ok_or(CertificatesError::InvariantViolated)?;
        self.retired_total = sum(self.retired_total, energy)?;
        self.live_certificates = self.live_certificates.checked_sub(1).ok_or(CertificatesError::InvariantViolated)?;
        Ok(())
    }

    /// Called at the end of each instruction that changes a book.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.certified_total.checked_add(self.lapsed_total) == Some(self.next_total)
                && self.live_total.checked_add(self.retired_total) == Some(self.certified_total)
                && (self.live_certificates == 0) == (self.live_total == 0)
                && self.live_certificates < self.next_serial
                && self.owner != Address::default()
                && self.auto_issue <= 1
                && Self::require_source(self.source).is_ok(),
            CertificatesError::InvariantViolated
        );
        Ok(())
    }

    /// The same where the meter is at hand: nothing is certified that is not settled.
    #[inline(always)]
    pub fn invariant_with(&self, settled: u64) -> Result<()> {
        require!(self.next_total <= settled, CertificatesError::InvariantViolated);
        self.invariant()
    }
}

#[inline(always)]
fn sum(a: u64, b: u64) -> Checked<u64> {
    a.checked_add(b).ok_or(CertificatesError::ArithmeticOverflow)
}

#[cfg(test)]
mod tests {
    use {super::*, anchor_lang::bytemuck::Zeroable};

    fn book() -> Book {
        Book { owner: Address::new_from_array([1; 32]), source: 1, next_serial: 1, period_start: 100, ..Book::zeroed() }
    }

    #[test]
    fn takes_what_is_settled_once() {
        let mut book = book();
        assert_eq!(book.certify(0, 10, 200, true), Err(CertificatesError::ZeroAmount));
        assert_eq!(book.certify(11, 10, 200, true), Err(CertificatesError::NotSettled));
        let first = book.certify(4, 10, 200, true);
        assert_eq!(first, Ok(Stretch { from_total: 0, to_total: 4, period_start: 100, period_end: 200 }));
        // The rest was produced in the same period, and perhaps later.
        let second = book.certify(6, 10, 300, true);
        assert_eq!(second, Ok(Stretch { from_total: 4, to_total: 10, period_start: 100, period_end: 300 }));
        assert_eq!(book.certify(1, 10, 300, true), Err(CertificatesError::NotSettled));
        assert_eq!(book.period_start, 300);
        assert_eq!(book.certify(1, 9, 300, true), Err(CertificatesError::InvariantViolated));
    }

    #[test]
    fn a_period_goes_on_until_all_its_energy_is_settled() {
        let mut book = book();
        assert!(book.certify(10, 10, 200, false).is_ok());
        assert_eq!(book.period_start, 100);
        let later = book.certify(5, 15, 200, true);
        assert_eq!(later, Ok(Stretch { from_total: 10, to_total: 15, period_start: 100, period_end: 200 }));
        assert_eq!(book.period_start, 200);
    }

    #[test]
    fn what_lapses_is_never_certified() {
        let mut book = book();
        book.take_serial().expect("a serial");
        book.certify(4, 10, 200, true).expect("a stretch");
        assert_eq!(book.lapse_until(10, 200), Ok(6));
        assert!(book.invariant().is_ok());
        assert_eq!(book.certify(1, 10, 200, true), Err(CertificatesError::NotSettled));
        assert_eq!(book.lapse_until(9, 200), Err(CertificatesError::InvariantViolated));
        assert_eq!(book.certify(3, 13, 300, true).map(|stretch| stretch.from_total), Ok(10));
        assert_eq!((book.certified_total, book.lapsed_total, book.next_total), (7, 6, 13));
    }

    #[test]
    fn the_invariant_notices_contradictions() {
        let broken: [fn(&mut Book); 9] = [
            |book| book.next_total = 1,
            |book| book.certified_total = 1,
            |book| book.lapsed_total = 1,
            |book| book.live_total = 1,
            |book| book.live_certificates = 1,
            |book| book.owner = Address::default(),
            |book| book.auto_issue = 2,
            |book| book.source = 0,
            |book| book.source = SOURCES + 1,
        ];
        for breaks in broken {
            let mut book = book();
            assert!(book.invariant().is_ok());
            breaks(&mut book);
            assert!(book.invariant().is_err());
        }
        assert!(book().invariant_with(0).is_ok());
        let mut book = book();
        book.take_serial().expect("a serial");
        book.certify(4, 4, 200, true).expect("a stretch");
        assert!(book.invariant_with(4).is_ok());
        assert!(book.invariant_with(3).is_err());
        let full = Book { next_total: u64::MAX, certified_total: u64::MAX, live_total: u64::MAX, ..book };
        assert!(Book { next_serial: u64::MAX, ..full }.take_serial().is_err());
    }
}
