use anchor_lang::prelude::*;

#[error_code]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub enum OracleError {
    // Roles
    #[msg("only the program's upgrade authority can initialise")]
    NotUpgradeAuthority,
    #[msg("the oracle is initialised already")]
    AlreadyInitialized,
    #[msg("not the program data account of this program")]
    WrongProgramData,
    #[msg("not the oracle's configuration")]
    WrongConfig,
    #[msg("only the oracle's authority can do this")]
    NotAuthority,
    #[msg("only the proposed authority can accept")]
    NotPendingAuthority,
    #[msg("this authority may not do this")]
    NotAuthorized,
    #[msg("an authority cannot be the zero address")]
    AuthorityInvalid,

    // Feeds
    #[msg("there is a feed of this symbol already")]
    FeedExists,
    #[msg("a symbol is 1 to 16 of A-Z, 0-9, '/', '.', '-' and '_', padded with zeros")]
    SymbolInvalid,
    #[msg("a price counts for 1 to 86,400 seconds")]
    MaxAgeInvalid,
    #[msg("the guard's time is at least the price's maximum age and at most seven days")]
    GuardInvalid,
    #[msg("the deviation is 1 to 10,000 basis points")]
    DeviationInvalid,
    #[msg("1 to 8 fresh publishers make a price")]
    MinPublishersInvalid,
    #[msg("more publishers override the guard than make a price, at most 8; 0: none do")]
    OverrideInvalid,
    #[msg("a publisher cannot be the zero address")]
    PublisherInvalid,
    #[msg("this key is a publisher of the feed already")]
    PublisherExists,
    #[msg("the feed has eight publishers already")]
    TooManyPublishers,
    #[msg("this key is no publisher of the feed")]
    NotPublisher,
    #[msg("the feed is paused")]
    FeedPaused,

    // Submissions and prices
    #[msg("a price is above zero")]
    PriceZero,
    #[msg("the observation lies in the future")]
    ObservedInFuture,
    #[msg("the observation is not later than this publisher's last one")]
    ObservedNotLater,
    #[msg("the observation is too old to count")]
    ObservationStale,
    #[msg("the price is stale, or there is none yet")]
    PriceStale,

    // Arithmetic
    #[msg("a number would pass its range")]
    ArithmeticOverflow,
    #[msg("the account's numbers contradict each other")]
    InvariantViolated,
}
