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
        ensure(
            reading.interval_end as i64 <= now.saturating_add(MAX_FUTURE_SECONDS),
            RegistryError::EndInFuture,
        )?;

        let risen = |new: u64, old: u64| Nkwh(new).checked_sub(Nkwh(old)).ok_or(RegistryError::TotalsDecreased);
        let produced = risen(reading.produced_total, self.produced_total)?;
        let consumed = risen(reading.consumed_total, self.consumed_total)?;
        let surplus = risen(reading.surplus_total, self.surplus_total)?;
        ensure(
            produced.saturating_sub(consumed) <= surplus && surplus <= produced,
            RegistryError::TotalsInconsistent,
        )?;

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
