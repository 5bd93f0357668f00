//! How energy-token and certificates read a meter account of the registry without depending on that program. The
//! registry asserts at compile time that its `Meter` is laid out so. Offsets count the discriminator.

/// sha256("account:Meter"), first eight bytes.
pub const METER_DISCRIMINATOR: [u8; 8] = [5, 115, 227, 240, 63, 166, 206, 182];
/// Where the owner's 32 bytes start, discriminator included.
pub const METER_OWNER_OFFSET: usize = 8 + 32;
/// Bytes of a meter account.
pub const METER_BYTES: usize = 360;
/// The meter's id, 32 bytes.
pub const METER_ID_OFFSET: usize = 8;
/// Energy in nkWh, u64 each.
pub const METER_ELIGIBLE_OFFSET: usize = 176;
pub const METER_SETTLED_OFFSET: usize = 184;
pub const METER_HELD_OFFSET: usize = 200;
/// i64 Unix seconds.
pub const METER_REGISTERED_AT_OFFSET: usize = 208;
/// The end of the last accepted interval, u32 Unix seconds.
pub const METER_LAST_END_OFFSET: usize = 280;
/// u8; 1 is suspended.
pub const METER_STATUS_OFFSET: usize = 288;
pub const METER_STATUS_SUSPENDED: u8 = 1;
/// The bump of the meter's address, u8.
pub const METER_BUMP_OFFSET: usize = 289;
/// What was settled when the meter last changed owners, u64 nkWh; everything up to there was a former owner's.
pub const METER_SETTLED_AT_TRANSFER_OFFSET: usize = 344;
/// `last_end` at that time, u32.
pub const METER_END_AT_TRANSFER_OFFSET: usize = 352;
/// How often the meter changed owners, u32.
pub const METER_TRANSFERS_OFFSET: usize = 356;
