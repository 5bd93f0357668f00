use {
    crate::{Book, CertificatesError},
    anchor_lang::prelude::*,
};

/// A certificate that can be transferred, divided and retired: a stretch of a meter's settled total that no other
/// certificate has. It exists while it is live. `["certificate", book, serial u64 little-endian]`
#[account]
pub struct Certificate {
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    /// For whose energy it was issued.
    pub producer: Address,
    pub holder: Address,
    /// The registrar who attested meter and source.
    pub attested_by: Address,
    /// Gets the account's lamports back.
    pub rent_payer: Address,
    /// Of the book; never used again.
    pub serial: u64,
    /// The certificate that this one is a part of; 0 for one that was issued whole.
    pub split_from: u64,
    /// nkWh of the meter's settled total.
    pub from_total: u64,
    pub to_total: u64,
    pub issued_at: i64,
    /// The energy was produced between these times, Unix seconds.
    pub period_start: u32,
    pub period_end: u32,
    /// 1 solar, 2 wind, 3 hydro, 4 biomass, 5 geothermal, 6 marine, 7 storage, 8 other.
    pub source: u8,
    pub bump: u8,
    pub padding: [u8; 6],
}

impl Certificate {
    /// nkWh.
    #[inline(always)]
    pub fn energy(&self) -> Result<u64> {
        self.to_total.checked_sub(self.from_total).ok_or(CertificatesError::InvariantViolated.into())
    }

    /// Called at the end of each instruction that changes a certificate.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.from_total < self.to_total
                && self.period_start < self.period_end
                && self.split_from < self.serial
                && self.holder != Address::default()
                && Book::require_source(self.source).is_ok(),
            CertificatesError::InvariantViolated
        );
        Ok(())
    }
}
