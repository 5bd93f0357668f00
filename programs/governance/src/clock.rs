use anchor_lang::prelude::*;

/// The chain's clock in Unix seconds.
#[inline(always)]
pub fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}
