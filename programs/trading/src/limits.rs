//! The fixed limits of trading.

/// A tenth: whatever the market's admin sets, no seller loses more.
pub const MAX_FEE_BPS: u16 = 1_000;
/// An order, and the rent of its accounts, comes back within this time at the latest.
pub const MAX_ORDER_SECONDS: i64 = 366 * 86_400;
/// An order id may skip at most this many numbers, so that one mistake cannot use up an owner's ids.
pub const MAX_ORDER_ID_JUMP: u64 = 1_000_000;
/// Pairs in one `cross_orders`: with a sixth, the token programs' and our own log lines would pass the 10,000 bytes at
/// which a validator cuts logs, and the last trades' events would be lost.
pub const MAX_PAIRS: usize = 5;
