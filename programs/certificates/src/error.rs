use anchor_lang::prelude::*;

#[error_code]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub enum CertificatesError {
    // Setting up and roles
    #[msg("only the program's upgrade authority can initialise it")]
    NotUpgradeAuthority,
    #[msg("the program is initialised already")]
    AlreadyInitialized,
    #[msg("an authority cannot be the zero address")]
    AuthorityInvalid,
    #[msg("only the admin can do this")]
    NotAdmin,
    #[msg("only the proposed admin can accept")]
    NotPendingAdmin,
    #[msg("this authority may not do this")]
    NotAuthorized,
    #[msg("certificates are paused")]
    Paused,
    #[msg("not the configuration account")]
    WrongConfig,
    #[msg("not the program data account of this program")]
    WrongProgramData,
    #[msg("not the registry's configuration account")]
    WrongRegistryConfig,
    #[msg("the registry's registrar has not signed")]
    NotRegistrar,

    // Books
    #[msg("not a meter of the registry")]
    WrongMeter,
    #[msg("the meter belongs to another wallet")]
    NotMeterOwner,
    #[msg("the meter is suspended")]
    MeterSuspended,
    #[msg("energy of the meter is eligible and not settled yet, or held for review")]
    MeterNotSettled,
    #[msg("the meter has a book already")]
    BookExists,
    #[msg("not this meter's book")]
    WrongBook,
    #[msg("the book belongs to another wallet")]
    NotBookOwner,
    #[msg("the meter has changed owners since: the book must be adopted first")]
    BookNotAdopted,
    #[msg("the book is its meter's owner's already")]
    NothingToAdopt,
    #[msg("the lamports left for rent go back to the former owner")]
    WrongFormerOwner,
    #[msg("the source is a number from 1 to 8")]
    SourceInvalid,
    #[msg("the book has that source already")]
    SourceUnchanged,
    #[msg("a book starts within what is settled for this owner, in the period before the last reading's end")]
    StartInvalid,
    #[msg("the owner has not opted in")]
    NotOptedIn,
    #[msg("the book has too few lamports left for rent")]
    FundsTooLow,

    // Certificates
    #[msg("everything that is settled is certified")]
    NothingToCertify,
    #[msg("less is settled and not certified than the owner wants in a certificate")]
    BelowMinimum,
    #[msg("more energy than is settled and not certified")]
    NotSettled,
    #[msg("the amount must be above zero")]
    ZeroAmount,
    #[msg("a part must be smaller than the whole")]
    PartTooLarge,
    #[msg("not the address of the book's next certificate")]
    WrongCertificate,
    #[msg("not the address of this certificate's retirement record")]
    WrongRetirement,
    #[msg("the certificate is of another meter's book")]
    CertificateOfOtherBook,
    #[msg("the account exists already")]
    AccountExists,
    #[msg("the certificate has another holder")]
    NotHolder,
    #[msg("the new holder must be another wallet, and not the zero address")]
    HolderInvalid,
    #[msg("the rent goes back to whoever paid it")]
    WrongRentPayer,
    #[msg("a retirement names a beneficiary: UTF-8 without control characters, zero-padded")]
    BeneficiaryInvalid,
    #[msg("the reason is UTF-8 without control characters, zero-padded")]
    ReasonInvalid,

    // Arithmetic
    #[msg("a number would pass its range")]
    ArithmeticOverflow,
    #[msg("the account's numbers contradict each other")]
    InvariantViolated,
}
