//! The fixed limits of governance.

/// Instructions of one proposal.
pub const MAX_INSTRUCTIONS: u8 = 8;
/// Accounts of one instruction: an execution fits a transaction without a lookup table.
pub const MAX_ACCOUNTS: usize = 16;
/// Bytes of data of one instruction.
pub const MAX_DATA: usize = 512;

/// What settings can be. No setting may leave governance unable to change it again.
pub const MIN_VOTING_SECONDS: u32 = 60;
pub const MAX_VOTING_SECONDS: u32 = 90 * 86_400;
pub const MAX_TIMELOCK_SECONDS: u32 = 90 * 86_400;
pub const MIN_EXECUTION_SECONDS: u32 = 60;
pub const MAX_EXECUTION_SECONDS: u32 = 90 * 86_400;
pub const MIN_PAUSE_SECONDS: u32 = 60;
pub const MAX_PAUSE_SECONDS: u32 = 30 * 86_400;
/// Half of all GOV: lost tokens must not make every proposal fail.
pub const MAX_QUORUM_BPS: u16 = 5_000;
/// A majority at least: a proposal and its opposite cannot both pass.
pub const MIN_THRESHOLD_BPS: u16 = 5_000;
pub const MAX_THRESHOLD_BPS: u16 = 9_999;
/// The deposit to propose is at most this part of all GOV.
pub const PROPOSAL_DEPOSIT_PART: u64 = 10;
