//! The fixed limits of the protocol.

/// A reading may skip at most this many sequence numbers: one stolen signature cannot use up a meter's numbers.
pub const MAX_SEQUENCE_JUMP: u64 = 1_000_000;
/// A reading's end may be at most this far ahead of the chain's clock.
pub const MAX_FUTURE_SECONDS: i64 = 120;
/// Rated power is credited for at most this long, however long a meter was silent.
pub const MAX_ELAPSED_SECONDS: u32 = 366 * 86_400;
/// Meters in one `submit_and_mint`.
pub const MAX_BATCH: usize = 5;
/// Held amounts that a meter keeps apart; further excess joins the newest.
pub const HOLD_SLOTS: usize = 4;
