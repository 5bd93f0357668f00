//! The fixed limits of the oracle.

/// Publishers of one feed.
pub const MAX_PUBLISHERS: usize = 8;
/// A price counts for a day at most.
pub const MAX_AGE_SECONDS: u32 = 86_400;
/// The guard lapses after a week at the latest.
pub const MAX_GUARD_SECONDS: u32 = 7 * 86_400;
/// Characters of a symbol.
pub const SYMBOL_BYTES: usize = 16;
