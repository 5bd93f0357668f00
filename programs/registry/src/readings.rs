//! One signed reading, from its signature to the meter's counters.

use {
    crate::{signature::SignedMessages, EnergyHeld, Meter, MeterReadingSubmitted, Policy, RegistryError, User},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::message::{Reading, READING_BYTES},
};

/// Accepts signature number `entry` as a reading of `meter`, whose owner's account `user` must be.
#[inline(always)]
pub fn accept_reading(
    messages: &SignedMessages,
    entry: usize,
    (address, meter): (&Address, &mut Meter),
    user: &User,
    (now, policy): (i64, Policy),
) -> Result<()> {
    require!(user.wallet == meter.owner, RegistryError::UserMismatch);
    require!(user.verified == 1, RegistryError::UserNotVerified);
    let signed = messages.get::<READING_BYTES>(entry)?;
    require!(signed.public_key == meter.public_key.as_array(), RegistryError::KeyMismatch);
    let reading = Reading::decode(signed.message).ok_or(RegistryError::MessageInvalid)?;
    let accepted = meter.accept(&reading, now, policy)?;
    log_event(MeterReadingSubmitted {
        meter: *address,
        meter_id: meter.meter_id,
        public_key: meter.public_key,
        sequence: reading.sequence,
        produced_total: reading.produced_total,
        consumed_total: reading.consumed_total,
        surplus_total: reading.surplus_total,
        counted: accepted.counted.0,
        held: accepted.held.0,
        interval_start: reading.interval_start,
        interval_end: reading.interval_end,
        flags: reading.flags,
        rebased: accepted.rebased as u32,
    });
    if !accepted.held.is_zero() {
        log_event(EnergyHeld {
            meter: *address,
            meter_id: meter.meter_id,
            sequence: accepted.hold_sequence,
            amount: accepted.held.0,
            total_held: meter.held,
        });
    }
    Ok(())
}
