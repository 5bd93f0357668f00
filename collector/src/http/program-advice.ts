/** What a wallet's owner can do about a refusal, by the name that the program, or the chain itself, gave it. */
const ADVICE: Record<string, string> = {
  // trading
  Paused: 'The market is paused. Orders can still be cancelled; try again when it is open.',
  AmountNotInLots: "Choose an amount that is a multiple of the market's lot size.",
  PriceNotInTicks: "Choose a price that is a multiple of the market's tick size.",
  QuoteOverflow: 'Choose a smaller amount or a lower price.',
  ExpiryInvalid: 'Choose a time of expiry in the future, within 366 days.',
  OrderIdNotHigher: 'Another order of this wallet came first. Build the transaction anew.',
  OrderIdJump: 'Build the transaction anew.',
  TraderNotOpen: 'Build the transaction anew: it has to open the trader account for this market first.',
  OrderClosed: 'The order was filled, cancelled or returned. Look at the book again.',
  OrderFilled: 'The order was filled. Look at the book again.',
  Expired: 'The order has expired. Look at the book again.',
  NotOrderOwner: 'Only the wallet that made the order can cancel it.',
  SelfTrade: 'Take an order of another wallet, or cancel this one.',
  PriceMismatch: 'The order has another price. Build the transaction anew.',
  AmountTooSmall:
    'Others were faster and less is left. Build the transaction anew, with a lower least amount.',
  FeeTooHigh: "The market's fee was raised. Look at it, and build the transaction anew.",
  ZeroQuote: 'Choose a larger amount.',
  TokenAccountUnusable:
    'A token account is missing, frozen or restricted. Build the transaction anew, or choose another order.',
  WrongTreasury: 'The market was changed. Build the transaction anew.',
  WrongFeed: 'The market was changed. Build the transaction anew.',
  FeedPaused: 'The price feed is paused. Try again later.',
  FeedStale: 'The price feed is too old. Try again when a new price has been published.',
  OutOfBand: "The price is too far from the feed's. Choose another order, or try again later.",
  // registry
  NotAuthorized: "Sign with the wallet that may do this; of held energy the registrar's or the admin's.",
  // token programs and the chain itself
  InsufficientFunds: 'The wallet has not enough of the token. Look at its balances.',
  InsufficientFundsForFee: 'The wallet has not enough SOL for the fee. Send it some.',
  InsufficientFundsForRent: 'The wallet has not enough SOL for the rent of new accounts. Send it some.',
  AccountNotFound: 'The wallet has no SOL for the fee. Send it some.',
  ResultWithNegativeLamports: 'The wallet has not enough SOL for the rent of new accounts. Send it some.',
  BlockhashNotFound: 'It waited too long for its signature. Build it anew and sign within a minute.',
};

/** A sentence for `what_to_do`. */
export function adviceFor(reason: string | undefined): string {
  const known = reason !== undefined && Object.hasOwn(ADVICE, reason) ? ADVICE[reason] : undefined;
  return known ?? "Look the program's error up in the documentation of the programs and correct its cause.";
}
