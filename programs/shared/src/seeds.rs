//! Every seed of a program-derived address, in one place.

/// Registry and energy-token each have one configuration account under this seed.
pub const CONFIG: &[u8] = b"config";
/// The registry's signer towards energy-token; it holds no data.
pub const MINT_AUTHORITY: &[u8] = b"mint-authority";
/// energy-token's SPL mint.
pub const MINT: &[u8] = b"mint";
/// `[USER, wallet]`
pub const USER: &[u8] = b"user";
/// `[METER, meter id, zero-padded to 32 bytes]`
pub const METER: &[u8] = b"meter";
/// `[METER_KEY, Ed25519 public key]`
pub const METER_KEY: &[u8] = b"meter-key";

/// Trading: `[MARKET, quote mint]`
pub const MARKET: &[u8] = b"market";
/// Trading: `[TRADER, wallet]`
pub const TRADER: &[u8] = b"trader";
/// Trading: `[ORDER, owner's wallet, order id u64 little-endian]`
pub const ORDER: &[u8] = b"order";
/// Trading: `[ESCROW, order]`
pub const ESCROW: &[u8] = b"escrow";

/// Certificates: `[BOOK, meter's account]`
pub const BOOK: &[u8] = b"book";
/// Certificates: `[CERTIFICATE, book, serial u64 little-endian]`
pub const CERTIFICATE: &[u8] = b"certificate";
/// Certificates: `[RETIREMENT, certificate]`
pub const RETIREMENT: &[u8] = b"retirement";

/// Oracle: `[FEED, symbol, zero-padded to 16 bytes]`
pub const FEED: &[u8] = b"feed";

/// Governance: the token account of all deposits; it is its own authority and signs for withdrawals alone.
pub const VAULT: &[u8] = b"vault";
/// Governance: the signer of executed proposals; it holds no data.
pub const GOVERNANCE: &[u8] = b"governance";
/// Governance: `[VOTER, wallet]`
pub const VOTER: &[u8] = b"voter";
/// Governance: `[PROPOSAL, number u64 little-endian]`
pub const PROPOSAL: &[u8] = b"proposal";
/// Governance: `[INSTRUCTION, proposal, index u8]`
pub const INSTRUCTION: &[u8] = b"instruction";
/// Governance: `[VOTE, proposal, wallet]`
pub const VOTE: &[u8] = b"vote";
