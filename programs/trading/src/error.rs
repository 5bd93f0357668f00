use anchor_lang::prelude::*;

#[error_code]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub enum TradingError {
    // Markets and roles
    #[msg("only the program's upgrade authority can open a market")]
    NotUpgradeAuthority,
    #[msg("there is a market for this quote mint already")]
    MarketExists,
    #[msg("only the market's admin can do this")]
    NotAdmin,
    #[msg("only the proposed admin can accept")]
    NotPendingAdmin,
    #[msg("this authority may not do this")]
    NotAuthorized,
    #[msg("an authority cannot be the zero address")]
    AuthorityInvalid,
    #[msg("the market is paused")]
    Paused,
    #[msg("not the program data account of this program")]
    WrongProgramData,
    #[msg("not the mint that is escrowed here")]
    WrongMint,
    #[msg("the quote mint must be a mint of one of the two SPL token programs with nine decimals, and not GRID")]
    QuoteMintInvalid,
    #[msg("lot and tick must be above zero, and one lot at one tick must be worth at least one base unit")]
    LotOrTickInvalid,
    #[msg("the fee is at most 1,000 basis points")]
    FeeInvalid,
    #[msg("a band needs a feed and 1 to 10,000 basis points; without a feed it is 0")]
    BandInvalid,
    #[msg("the treasury must be a usable token account of the quote mint")]
    TreasuryInvalid,

    // Making an order
    #[msg("side 0 sells, side 1 buys")]
    SideInvalid,
    #[msg("the amount must be above zero and a multiple of the lot size")]
    AmountNotInLots,
    #[msg("the price must be above zero and a multiple of the tick size")]
    PriceNotInTicks,
    #[msg("amount x price passes 2^64 - 1 base units of GRX")]
    QuoteOverflow,
    #[msg("an order expires in the future, within 366 days")]
    ExpiryInvalid,
    #[msg("the order id is not higher than this owner's last one")]
    OrderIdNotHigher,
    #[msg("the order id is more than 1,000,000 above this owner's last one")]
    OrderIdJump,
    #[msg("the account exists already")]
    AccountExists,
    #[msg("not this owner's trader account")]
    WrongTrader,

    // Trading
    #[msg("the order belongs to another market")]
    WrongMarket,
    #[msg("there is no such order: it was filled, cancelled or returned")]
    OrderClosed,
    #[msg("the order is filled; only what is left in its escrow is still to be returned")]
    OrderFilled,
    #[msg("the order has expired")]
    Expired,
    #[msg("the order has not expired")]
    NotExpired,
    #[msg("the order belongs to another wallet")]
    NotOrderOwner,
    #[msg("nobody trades with themselves")]
    SelfTrade,
    #[msg("the order has another price")]
    PriceMismatch,
    #[msg("less is left than the taker wants at least")]
    AmountTooSmall,
    #[msg("the fee is higher than the taker accepts")]
    FeeTooHigh,
    #[msg("the amount is worth less than one base unit of GRX")]
    ZeroQuote,
    #[msg("the first order must sell and the second buy")]
    SideMismatch,
    #[msg("the orders do not cross: the seller asks more than the buyer bids")]
    NotCrossing,
    #[msg("not the order's escrow")]
    WrongEscrow,
    #[msg("not the token account that the order names")]
    WrongTokenAccount,
    #[msg("the token account is missing, frozen, no longer its owner's, or asks for more than a transfer")]
    TokenAccountUnusable,
    #[msg("not the market's treasury")]
    WrongTreasury,
    #[msg("the rent goes back to whoever paid it")]
    WrongRentPayer,
    #[msg("one to five pairs, nine accounts each")]
    PairCount,

    // Price band
    #[msg("not the market's price feed")]
    WrongFeed,
    #[msg("not a feed of the oracle program")]
    FeedInvalid,
    #[msg("the price feed is paused")]
    FeedPaused,
    #[msg("the price feed is stale or has no price yet")]
    FeedStale,
    #[msg("the price is outside the market's band around the feed's price")]
    OutOfBand,

    // Arithmetic
    #[msg("a number would pass its range")]
    ArithmeticOverflow,
    #[msg("the account's numbers contradict each other")]
    InvariantViolated,

    // Token programs and traders
    #[msg("the quote mint has an extension other than metadata: its tokens might not arrive as they are sent")]
    QuoteMintExtended,
    #[msg("not the token program of what is traded")]
    WrongTokenProgram,
    #[msg("open_trader comes first: the owner has no trader account, or one for another market's quote mint")]
    TraderNotOpen,
}
