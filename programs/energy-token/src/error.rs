use anchor_lang::prelude::*;

#[error_code]
pub enum EnergyTokenError {
    #[msg("only the program's upgrade authority can initialise it")]
    NotUpgradeAuthority,
    #[msg("the account exists already")]
    AlreadyInitialized,
    #[msg("only the registry's mint authority can mint")]
    NotRegistry,
    #[msg("not the configuration account of this program")]
    WrongConfig,
    #[msg("not the GRID mint")]
    WrongMint,
    #[msg("not the program data account of this program")]
    WrongProgramData,
    #[msg("the amount is zero")]
    ZeroAmount,
    #[msg("a counter would pass 2^64 - 1")]
    ArithmeticOverflow,
    #[msg("not a meter account of the registry")]
    WrongMeter,
    #[msg("the meter belongs to another wallet")]
    NotMeterOwner,
    #[msg("the account's counters contradict each other")]
    InvariantViolated,
    #[msg("not the registry's configuration account")]
    WrongRegistryConfig,
    #[msg("only the registry's admin can do this")]
    NotAdmin,
    #[msg("the URI is at most 200 bytes of ASCII without blanks or control characters")]
    UriInvalid,
    #[msg("the mint lacks the rent for its new size: send it lamports first")]
    RentMissing,
}
