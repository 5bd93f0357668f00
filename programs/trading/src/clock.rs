use anchor_lang::prelude::*;

/// When something happens: the chain's clock in Unix seconds, and its slot, which orders what falls into one second.
#[derive(Clone, Copy)]
pub struct Now {
    pub seconds: i64,
    pub slot: u64,
}

#[inline(always)]
pub fn now() -> Result<Now> {
    let clock = Clock::get()?;
    Ok(Now { seconds: clock.unix_timestamp, slot: clock.slot })
}
