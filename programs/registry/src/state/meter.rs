//! A meter's account and all arithmetic on it. Nothing here touches an account or a syscall: the host tests run it.

use {
    crate::{Policy, RegistryError},
    anchor_lang::prelude::*,
    bytemuck::{Pod, Zeroable},
    gridtokenx_shared::{
        energy::{allowed_rise, Nkwh, Seconds, Watts},
        limits::{HOLD_SLOTS, MAX_FUTURE_SECONDS, MAX_SEQUENCE_JUMP},
        message::Reading,
        meter_layout::{METER_DISCRIMINATOR, METER_OWNER_OFFSET},
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
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

// energy-token reads the owner at this place without depending on this crate.
const _: () = assert!(core::mem::offset_of!(Meter, owner) + 8 == METER_OWNER_OFFSET);
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
            let context = format!("GTX_TEST_SEED={seed}, life {life}, {policy:?}");
            for _ in 0..120 {
                match random.below(10) {
                    0 => {
                        meter.settle();
                        meter.minted = meter.settled;
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
        let broken: [fn(&mut Meter); 5] = [
            |meter| meter.minted = 1,
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
