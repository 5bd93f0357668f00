use anchor_lang::prelude::*;

#[error_code]
pub enum RegistryError {
    // Setting up and roles
    #[msg("only the program's upgrade authority can initialise it")]
    NotUpgradeAuthority,
    #[msg("the registry is initialised already")]
    AlreadyInitialized,
    #[msg("the policy is 0 (each interval's surplus) or 1 (net over all time)")]
    PolicyInvalid,
    #[msg("the largest rated power must be above zero")]
    LimitInvalid,
    #[msg("an authority cannot be the zero address")]
    AuthorityInvalid,
    #[msg("the registry is paused")]
    Paused,
    #[msg("only the admin can do this")]
    NotAdmin,
    #[msg("only the proposed admin can accept")]
    NotPendingAdmin,
    #[msg("the registrar has not signed")]
    NotRegistrar,
    #[msg("this authority may not do this")]
    NotAuthorized,
    #[msg("not the registry's configuration account")]
    WrongConfig,
    #[msg("not the registry's program data account")]
    WrongProgramData,

    // Users and meters
    #[msg("the wallet is registered already")]
    UserAlreadyRegistered,
    #[msg("the owner is not verified")]
    UserNotVerified,
    #[msg("the user account is another wallet's")]
    UserMismatch,
    #[msg("a meter id is 1 to 32 of A-Z a-z 0-9 . _ -, starting with a letter or digit, zero-padded")]
    MeterIdInvalid,
    #[msg("the meter id is registered already")]
    MeterAlreadyRegistered,
    #[msg("the key belongs or belonged to a meter")]
    KeyAlreadyUsed,
    #[msg("the key account is not that of the meter's current key")]
    WrongMeterKey,
    #[msg("rated power must be above zero and within the registry's limit")]
    RatedPowerInvalid,
    #[msg("the meter belongs to another wallet")]
    NotMeterOwner,
    #[msg("status 0 activates, status 1 suspends")]
    StatusInvalid,
    #[msg("the meter has that status already")]
    StatusUnchanged,
    #[msg("the meter is suspended")]
    MeterSuspended,

    // Signatures
    #[msg("the instruction before this one must be the Ed25519 program's")]
    SignatureMissing,
    #[msg("there must be one signature for each meter, and no other")]
    SignatureCount,
    #[msg("signature, key and message must lie in the Ed25519 instruction itself")]
    SignatureOffsets,
    #[msg("the signature is another key's, not the meter's")]
    KeyMismatch,
    #[msg("the signed message has the wrong length or magic")]
    MessageInvalid,
    #[msg("the meter's consent names another network, meter or owner")]
    ConsentMismatch,

    // Readings
    #[msg("the sequence is not higher than the last one")]
    SequenceNotHigher,
    #[msg("the sequence is more than 1,000,000 above the last one")]
    SequenceJump,
    #[msg("the interval does not end after its start")]
    IntervalInvalid,
    #[msg("the interval does not end after the last accepted one")]
    EndNotLater,
    #[msg("the interval ends more than 2 minutes ahead of the chain's clock")]
    EndInFuture,
    #[msg("a total fell")]
    TotalsDecreased,
    #[msg("the surplus is outside max(0, produced - consumed) to produced")]
    TotalsInconsistent,
    #[msg("one to five meters, three accounts each")]
    BatchSize,
    #[msg("a meter appears twice")]
    DuplicateMeter,

    // Settling and minting
    #[msg("nothing to settle")]
    NoUnsettledBalance,
    #[msg("held energy must be released or written off first")]
    HeldEnergyPending,
    #[msg("no energy is held under this sequence")]
    HoldNotFound,
    #[msg("not the owner's GRID token account")]
    WrongTokenAccount,
    #[msg("the owner's GRID token account is missing or no longer the owner's")]
    TokenAccountUnusable,
    #[msg("not the registry's mint authority")]
    WrongMintAuthority,
    #[msg("not energy-token's configuration account")]
    WrongTokenConfig,
    #[msg("not the GRID mint")]
    WrongMint,
    #[msg("not the energy-token program")]
    WrongEnergyTokenProgram,

    // Arithmetic
    #[msg("a counter would pass its range")]
    ArithmeticOverflow,
    #[msg("the account's counters contradict each other")]
    InvariantViolated,

    // The daily cap
    #[msg("the meter has minted as much as it may today; the rest can be minted from tomorrow (UTC) on")]
    DailyMintCapReached,
}
