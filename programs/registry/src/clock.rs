use {crate::RegistryError, anchor_lang::prelude::*};

/// The chain's clock in Unix seconds.
#[inline(always)]
pub fn now() -> Result<i64> {
    Ok(Clock::get()?.unix_timestamp)
}

/// The chain's clock as intervals count it.
pub fn now_u32(now: i64) -> Result<u32> {
    u32::try_from(now).map_err(|_| RegistryError::ArithmeticOverflow.into())
}
