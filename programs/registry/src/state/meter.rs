//! A meter's account and all arithmetic on it. Nothing here touches an account or a syscall: the host tests run it.

use {
    crate::{Policy, RegistryError},
    anchor_lang::prelude::*,
    bytemuck::{Pod, Zeroable},
    gridtokenx_shared::{
        energy::{allowed_rise, Nkwh, Seconds, Watts},
        limits::{HOLD_SLOTS, MAX_FUTURE_SECONDS, MAX_SEQUENCE_JUMP},
        message::Reading,
        meter_layout::METER_DISCRIMINATOR,
    },
};

type Checked<T> = core::result::Result<T, RegistryError>;

pub const STATUS_ACTIVE: u8 = 0;
pub const STATUS_SUSPENDED: u8 = 1;
/// Active again after a suspension: the next reading only sets a new base.
pub const STATUS_REBASE: u8 = 2;

/// Energy beyond rated power, put aside under the sequence of the reading that claimed it. Amount 0: a free slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Hold {
    pub sequence: u64,
    pub amount: u64,
}

/// A meter. Never closed; sequence, totals and last end outlive keys and owners. `["meter", meter id]`
#[account]
pub struct Meter {
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub public_key: Address,
    /// The owner's associated GRID account, worked out once.
    pub token_account: Address,
    pub last_sequence: u64,
    pub produced_total: u64,
    pub consumed_total: u64,
    pub surplus_total: u64,
    /// How far the policy has counted: the surplus total, or the highest net production so far.
    pub basis: u64,
    /// May be settled.
    pub eligible: u64,
    /// May be minted.
    pub settled: u64,
    pub minted: u64,
    /// The sum of `holds`.
    pub held: u64,
    pub registered_at: i64,
    pub holds: [Hold; HOLD_SLOTS],
    /// End of the last accepted interval; the registration time before the first.
    pub last_end: u32,
    pub rated_watts: u32,
    /// 0 active, 1 suspended, 2 the next reading only sets a new base.
    pub status: u8,
    pub bump: u8,
    pub padding: [u8; 6],
    /// The most that is minted in a day (UTC), in nkWh; 0: the registry's.
    pub daily_mint_cap: u64,
    /// What was minted on the day `minted_on`.
    pub minted_today: u64,
    /// Days since 1 January 1970 (UTC).
    pub minted_on: u64,
    /// Room for what comes later without moving accounts.
    pub reserved: [u64; 3],
    /// What was settled when the meter last changed owners; all up to there was a former owner's.
    pub settled_at_transfer: u64,
    /// `last_end` at that time.
    pub end_at_transfer: u32,
    /// How often the meter changed owners.
    pub transfers: u32,
}

// energy-token and certificates read these places without depending on this crate.
const _: () = {
    use {core::mem::offset_of, gridtokenx_shared::meter_layout::*};
    assert!(offset_of!(Meter, meter_id) + 8 == METER_ID_OFFSET);
    assert!(offset_of!(Meter, owner) + 8 == METER_OWNER_OFFSET);
    assert!(offset_of!(Meter, eligible) + 8 == METER_ELIGIBLE_OFFSET);
    assert!(offset_of!(Meter, settled) + 8 == METER_SETTLED_OFFSET);
    assert!(offset_of!(Meter, held) + 8 == METER_HELD_OFFSET);
    assert!(offset_of!(Meter, registered_at) + 8 == METER_REGISTERED_AT_OFFSET);
    assert!(offset_of!(Meter, last_end) + 8 == METER_LAST_END_OFFSET);
    assert!(offset_of!(Meter, status) + 8 == METER_STATUS_OFFSET);
    assert!(offset_of!(Meter, bump) + 8 == METER_BUMP_OFFSET);
    assert!(offset_of!(Meter, settled_at_transfer) + 8 == METER_SETTLED_AT_TRANSFER_OFFSET);
    assert!(offset_of!(Meter, end_at_transfer) + 8 == METER_END_AT_TRANSFER_OFFSET);
    assert!(offset_of!(Meter, transfers) + 8 == METER_TRANSFERS_OFFSET);
    assert!(size_of::<Meter>() + 8 == METER_BYTES);
    assert!(STATUS_SUSPENDED == METER_STATUS_SUSPENDED);
};
const _: () = {
    let mut i = 0;
    while i < 8 {
        assert!(Meter::DISCRIMINATOR[i] == METER_DISCRIMINATOR[i]);
        i += 1;
    }
};

/// What a reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub counted: Nkwh,
    pub held: Nkwh,
    /// The sequence under which `held` can be released.
    pub hold_sequence: u64,
    pub rebased: bool,
}

/// What settling brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// By how much `settled` rose.
    pub new_tokens: Nkwh,
    /// Settled and not minted yet.
    pub due: Nkwh,
}

/// A day of the chain's clock, in days since 1 January 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub u64);

impl Day {
    /// `None` before 1970.
    #[inline(always)]
    pub fn of(now: i64) -> Option<Self> {
        const SECONDS: u64 = 86_400;
        // Unsigned, since the back end has no signed division.
        match u64::try_from(now) {
            Ok(seconds) => Some(Self(seconds / SECONDS)),
            Err(_) => None,
        }
    }
}

impl Meter {
    /// Checks a reading whose signature is verified, and books it. `now` is the chain's clock in Unix seconds.
    #[inline(always)]
    pub fn accept(&mut self, reading: &Reading, now: i64, policy: Policy) -> Checked<Accepted> {
        ensure(self.status != STATUS_SUSPENDED, RegistryError::MeterSuspended)?;
        ensure(reading.sequence > self.last_sequence, RegistryError::SequenceNotHigher)?;
        ensure(reading.sequence - self.last_sequence <= MAX_SEQUENCE_JUMP, RegistryError::SequenceJump)?;
        ensure(reading.interval_start < reading.interval_end, RegistryError::IntervalInvalid)?;
        ensure(reading.interval_end > self.last_end, RegistryError::EndNotLater)?;
        ensure(reading.interval_end as i64 <= now.saturating_add(MAX_FUTURE_SECONDS), RegistryError::EndInFuture)?;

        let risen = |new: u64, old: u64| Nkwh(new).checked_sub(Nkwh(old)).ok_or(RegistryError::TotalsDecreased);
        let produced = risen(reading.produced_total, self.produced_total)?;
        let consumed = risen(reading.consumed_total, self.consumed_total)?;
        let surplus = risen(reading.surplus_total, self.surplus_total)?;
        ensure(produced.saturating_sub(consumed) <= surplus && surplus <= produced, RegistryError::TotalsInconsistent)?;

        let basis = match policy {
            Policy::IntervalSurplus => Nkwh(reading.surplus_total),
            Policy::NetOverAllTime => {
                let net = Nkwh(reading.produced_total).saturating_sub(Nkwh(reading.consumed_total));
                net.max(Nkwh(self.basis))
            }
        };
        let rise = basis.saturating_sub(Nkwh(self.basis));

        let rebased = self.status == STATUS_REBASE;
        let (counted, excess) = if rebased {
            (Nkwh::ZERO, Nkwh::ZERO)
        } else {
            // interval_end > last_end was checked above.
            let elapsed = Seconds(reading.interval_end - self.last_end);
            let counted = rise.min(allowed_rise(Watts(self.rated_watts), elapsed));
            (counted, rise.saturating_sub(counted))
        };
        let eligible = Nkwh(self.eligible).checked_add(counted).ok_or(RegistryError::ArithmeticOverflow)?;
        let hold_sequence = if excess.is_zero() { 0 } else { self.hold(reading.sequence, excess)? };

        self.status = STATUS_ACTIVE;
        self.last_sequence = reading.sequence;
        self.last_end = reading.interval_end;
        self.produced_total = reading.produced_total;
        self.consumed_total = reading.consumed_total;
        self.surplus_total = reading.surplus_total;
        self.basis = basis.0;
        self.eligible = eligible.0;
        Ok(Accepted { counted, held: excess, hold_sequence, rebased })
    }

    /// Puts energy aside in a free slot; when none is free it joins the newest one under the newer sequence, so that
    /// a backlog of reviews never stops a home.
    #[inline(never)]
    fn hold(&mut self, sequence: u64, amount: Nkwh) -> Checked<u64> {
        let held = Nkwh(self.held).checked_add(amount).ok_or(RegistryError::ArithmeticOverflow)?;
        let mut chosen = 0;
        for slot in 0..HOLD_SLOTS {
            if self.holds[slot].amount == 0 {
                chosen = slot;
                break;
            }
            if self.holds[slot].sequence > self.holds[chosen].sequence {
                chosen = slot;
            }
        }
        let slot = &mut self.holds[chosen];
        // The sum fits because `held`, of which it is a part, does.
        slot.amount = Nkwh(slot.amount).checked_add(amount).ok_or(RegistryError::ArithmeticOverflow)?.0;
        slot.sequence = sequence;
        self.held = held.0;
        Ok(sequence)
    }

    /// Frees the slot of `sequence`; returns its amount.
    fn take_hold(&mut self, sequence: u64) -> Checked<Nkwh> {
        for slot in &mut self.holds {
            if slot.amount > 0 && slot.sequence == sequence {
                let amount = Nkwh(slot.amount);
                *slot = Hold { sequence: 0, amount: 0 };
                self.held = Nkwh(self.held).checked_sub(amount).ok_or(RegistryError::InvariantViolated)?.0;
                return Ok(amount);
            }
        }
        Err(RegistryError::HoldNotFound)
    }

    /// Makes held energy eligible.
    pub fn release_held(&mut self, sequence: u64) -> Checked<Nkwh> {
        let amount = self.take_hold(sequence)?;
        self.eligible = Nkwh(self.eligible).checked_add(amount).ok_or(RegistryError::ArithmeticOverflow)?.0;
        Ok(amount)
    }

    /// Gives held energy up.
    pub fn write_off_held(&mut self, sequence: u64) -> Checked<Nkwh> {
        self.take_hold(sequence)
    }

    /// Settled of all that is eligible, less what was settled before.
    #[inline(always)]
    pub fn unsettled(&self) -> Nkwh {
        Nkwh(self.eligible).saturating_sub(Nkwh(self.settled))
    }

    /// Raises `settled` to `eligible`.
    #[inline(always)]
    pub fn settle(&mut self) -> Settlement {
        let new_tokens = self.unsettled();
        self.settled = self.eligible;
        Settlement { new_tokens, due: Nkwh(self.settled).saturating_sub(Nkwh(self.minted)) }
    }

    /// What may still be minted on `day`, when `default_cap` is the registry's daily cap.
    #[inline(always)]
    pub fn mintable(&self, day: Day, default_cap: Nkwh) -> Nkwh {
        let cap = if self.daily_mint_cap > 0 { Nkwh(self.daily_mint_cap) } else { default_cap };
        if cap.is_zero() {
            return Nkwh(u64::MAX);
        }
        cap.saturating_sub(self.minted_on(day))
    }

    /// What was minted on `day`. A clock that went back, which no cluster's does, would not begin a day anew.
    #[inline(always)]
    fn minted_on(&self, day: Day) -> Nkwh {
        if day > Day(self.minted_on) {
            Nkwh::ZERO
        } else {
            Nkwh(self.minted_today)
        }
    }

    /// Takes what is due as far as the day's cap lets it; the rest stays settled and unminted, for another day.
    #[inline(always)]
    pub fn mint(&mut self, due: Nkwh, day: Day, default_cap: Nkwh) -> Checked<Nkwh> {
        let amount = due.min(self.mintable(day, default_cap));
        if amount.is_zero() {
            return Ok(amount);
        }
        let today = self.minted_on(day).checked_add(amount).ok_or(RegistryError::ArithmeticOverflow)?;
        self.minted = Nkwh(self.minted).checked_add(amount).ok_or(RegistryError::ArithmeticOverflow)?.0;
        self.minted_today = today.0;
        if day > Day(self.minted_on) {
            self.minted_on = day.0;
        }
        Ok(amount)
    }

    /// Called at the end of each instruction that changes a meter.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        let mut held = 0u64;
        for slot in &self.holds {
            held = held.checked_add(slot.amount).ok_or(RegistryError::InvariantViolated)?;
        }
        require!(
            self.minted <= self.settled
                && self.settled <= self.eligible
                && held == self.held
                && self.minted_today <= self.minted
                && self.surplus_total <= self.produced_total
                && self.status <= STATUS_REBASE,
            RegistryError::InvariantViolated
        );
        Ok(())
    }
}

#[inline(always)]
fn ensure(condition: bool, error: RegistryError) -> Checked<()> {
    if condition {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTERED: u32 = 1_700_000_000;

    fn meter() -> Meter {
        Meter { last_end: REGISTERED, rated_watts: 5_000, ..Meter::zeroed() }
    }

    /// splitmix64: enough to spread the inputs, and the seed in a failure message repeats it.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, limit: u64) -> u64 {
            self.next() % limit
        }
    }

    fn seed() -> u64 {
        std::env::var("GTX_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos() as u64
        })
    }

    /// What a meter should hold, in arithmetic that cannot overflow.
    #[derive(Default)]
    struct Model {
        produced: u128,
        consumed: u128,
        surplus: u128,
        basis: u128,
        eligible: u128,
        held: u128,
        gone: u128,
        day: u64,
        minted_today: u64,
        /// What the policy would have counted without a limit, new bases left out.
        risen: u128,
    }

    /// Random lives of a meter under both policies, compared with the model after every step.
    #[test]
    fn agrees_with_a_model_over_random_lives() {
        let seed = seed();
        for life in 0..400u64 {
            let mut random = Random(seed.wrapping_add(life));
            let policy = if random.below(2) == 0 { Policy::IntervalSurplus } else { Policy::NetOverAllTime };
            let mut meter = meter();
            let mut model = Model::default();
            let mut day = 19_000;
            let context = format!("GTX_TEST_SEED={seed}, life {life}, {policy:?}");
            for _ in 0..120 {
                match random.below(10) {
                    0 => {
                        let due = meter.settle().due;
                        // Later and later days, some of them again, with and without caps.
                        day += random.below(2);
                        let own = [0, 700_000_000, u64::MAX][random.below(3) as usize];
                        let default = Nkwh([0, 1_000_000_000][random.below(2) as usize]);
                        meter.daily_mint_cap = own;
                        let cap = if own > 0 { own } else { default.0 };
                        let before = meter.minted;
                        let minted = meter.mint(due, Day(day), default).unwrap_or_else(|_| panic!("{context}"));
                        assert_eq!(meter.minted - before, minted.0, "{context}");
                        if day > model.day {
                            model.minted_today = 0;
                            model.day = day;
                        }
                        let free = if cap == 0 { u64::MAX } else { cap.saturating_sub(model.minted_today) };
                        assert_eq!(minted.0, due.0.min(free), "{context}");
                        model.minted_today += minted.0;
                        // Nothing is lost: what is not minted stays due.
                        assert_eq!(meter.settle().due.0, due.0 - minted.0, "{context}");
                    }
                    1 => {
                        meter.settle();
                    }
                    2 => {
                        let slot = meter.holds[random.below(4) as usize];
                        let outcome = meter.release_held(slot.sequence);
                        assert_eq!(outcome.is_ok(), slot.amount > 0, "{context}");
                        model.held -= slot.amount as u128;
                        model.eligible += slot.amount as u128;
                    }
                    3 => {
                        let slot = meter.holds[random.below(4) as usize];
                        let outcome = meter.write_off_held(slot.sequence);
                        assert_eq!(outcome.is_ok(), slot.amount > 0, "{context}");
                        model.held -= slot.amount as u128;
                        model.gone += slot.amount as u128;
                    }
                    4 if random.below(4) == 0 => meter.status = STATUS_REBASE,
                    _ => {
                        let elapsed = 1 + random.below(4_000) as u32;
                        // Mostly within rated power, sometimes far beyond it.
                        let scale = if random.below(5) == 0 { 50_000_000_000 } else { 2_000_000_000 };
                        let made = random.below(scale);
                        let used = random.below(2_000_000_000);
                        let least = made.saturating_sub(used);
                        let surplus = least + random.below(made - least + 1);
                        let reading = Reading {
                            flags: 0,
                            sequence: meter.last_sequence + 1 + random.below(3),
                            interval_start: meter.last_end,
                            interval_end: meter.last_end + elapsed,
                            produced_total: meter.produced_total + made,
                            consumed_total: meter.consumed_total + used,
                            surplus_total: meter.surplus_total + surplus,
                        };
                        let rebase = meter.status == STATUS_REBASE;
                        let accepted = match meter.accept(&reading, reading.interval_end as i64, policy) {
                            Ok(accepted) => accepted,
                            Err(error) => panic!("refused with {} ({context})", error as u32),
                        };
                        model.produced += made as u128;
                        model.consumed += used as u128;
                        model.surplus += surplus as u128;
                        let basis = match policy {
                            Policy::IntervalSurplus => model.surplus,
                            Policy::NetOverAllTime => model.produced.saturating_sub(model.consumed).max(model.basis),
                        };
                        let rise = basis - model.basis;
                        model.basis = basis;
                        let allowed = 5_000 * elapsed as u128 * 1_000_000_000 * 11 / 36_000_000;
                        let counted = if rebase { 0 } else { rise.min(allowed) };
                        let excess = if rebase { 0 } else { rise - counted };
                        assert_eq!(
                            (accepted.counted.0 as u128, accepted.held.0 as u128),
                            (counted, excess),
                            "{context}"
                        );
                        assert_eq!(accepted.rebased, rebase, "{context}");
                        model.eligible += counted;
                        model.held += excess;
                        model.risen += counted + excess;
                    }
                }
                assert!(meter.invariant().is_ok(), "{context}");
                assert_eq!(meter.eligible as u128, model.eligible, "{context}");
                assert_eq!(meter.held as u128, model.held, "{context}");
                assert_eq!(meter.basis as u128, model.basis, "{context}");
                // Nothing comes from nowhere and nothing is counted twice.
                assert_eq!(model.eligible + model.held + model.gone, model.risen, "{context}");
                assert!(model.risen <= model.produced, "{context}");
            }
        }
    }

    #[test]
    fn a_day_is_one_of_utc() {
        assert_eq!(Day::of(0), Some(Day(0)));
        assert_eq!(Day::of(86_399), Some(Day(0)));
        assert_eq!(Day::of(86_400), Some(Day(1)));
        assert_eq!(Day::of(1_700_006_399), Some(Day(19_675)));
        assert_eq!(Day::of(1_700_006_400), Some(Day(19_676)));
        assert_eq!(Day::of(-1), None);
    }

    #[test]
    fn a_cap_is_reached_exactly_and_begins_anew_with_the_day() {
        let mut meter = Meter { eligible: 10, ..meter() };
        let due = |meter: &mut Meter| meter.settle().due;
        let mut mint = |day, cap| {
            let due = due(&mut meter);
            let minted = meter.mint(due, Day(day), Nkwh(cap)).map_err(|_| ()).expect("no overflow");
            (minted.0, meter.minted, meter.minted_today, meter.minted_on)
        };
        assert_eq!(mint(5, 4), (4, 4, 4, 5));
        assert_eq!(mint(5, 4), (0, 4, 4, 5));
        // A cap below what was minted already, a higher one, the same day in a clock that went back.
        assert_eq!(mint(5, 3), (0, 4, 4, 5));
        assert_eq!(mint(5, 5), (1, 5, 5, 5));
        assert_eq!(mint(4, 5), (0, 5, 5, 5));
        assert_eq!(mint(6, 2), (2, 7, 2, 6));
        assert_eq!(mint(6, 0), (3, 10, 5, 6));
        assert_eq!(mint(7, 2), (0, 10, 5, 6));
        // One's own cap goes before the registry's, higher or lower.
        let mut meter = Meter { eligible: 10, daily_mint_cap: 3, ..self::meter() };
        let due = meter.settle().due;
        assert!(matches!(meter.mint(due, Day(1), Nkwh(2)), Ok(Nkwh(3))));
        meter.daily_mint_cap = u64::MAX;
        let due = meter.settle().due;
        assert!(matches!(meter.mint(due, Day(1), Nkwh(1)), Ok(Nkwh(7))));
    }

    /// A refused reading leaves every byte as it was.
    #[test]
    fn a_refusal_changes_nothing() {
        let mut meter = meter();
        let good = Reading {
            flags: 0,
            sequence: 1,
            interval_start: REGISTERED,
            interval_end: REGISTERED + 900,
            produced_total: 10_000_000_000,
            consumed_total: 0,
            surplus_total: 10_000_000_000,
        };
        let now = good.interval_end as i64;
        let bad = [
            Reading { sequence: 0, ..good },
            Reading { sequence: 1_000_001, ..good },
            Reading { interval_start: good.interval_end, ..good },
            Reading { interval_end: REGISTERED, interval_start: 1, ..good },
            Reading { interval_end: REGISTERED + 900 + 121, ..good },
            Reading { surplus_total: good.produced_total + 1, ..good },
            Reading { surplus_total: good.produced_total - 1, ..good },
        ];
        for reading in bad {
            let before = bytemuck::bytes_of(&meter).to_vec();
            assert!(meter.accept(&reading, now, Policy::IntervalSurplus).is_err(), "{reading:?}");
            assert_eq!(bytemuck::bytes_of(&meter), before, "{reading:?}");
        }
        meter.eligible = u64::MAX;
        let before = bytemuck::bytes_of(&meter).to_vec();
        assert!(meter.accept(&good, now, Policy::IntervalSurplus).is_err());
        assert_eq!(bytemuck::bytes_of(&meter), before);
    }

    #[test]
    fn the_invariant_notices_contradictions() {
        let broken: [fn(&mut Meter); 6] = [
            |meter| meter.minted = 1,
            |meter| meter.minted_today = 1,
            |meter| meter.settled = 1,
            |meter| meter.held = 1,
            |meter| meter.surplus_total = 1,
            |meter| meter.status = 3,
        ];
        for breaks in broken {
            let mut meter = meter();
            assert!(meter.invariant().is_ok());
            breaks(&mut meter);
            assert!(meter.invariant().is_err());
        }
        let mut meter = meter();
        meter.holds = [Hold { sequence: 1, amount: u64::MAX }; HOLD_SLOTS];
        assert!(meter.invariant().is_err());
    }
}
