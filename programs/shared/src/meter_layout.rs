//! How energy-token reads a meter account of the registry without depending on that program. The registry
//! asserts at compile time that its `Meter` is laid out so.

/// sha256("account:Meter"), first eight bytes.
pub const METER_DISCRIMINATOR: [u8; 8] = [5, 115, 227, 240, 63, 166, 206, 182];
/// Where the owner's 32 bytes start, discriminator included.
pub const METER_OWNER_OFFSET: usize = 8 + 32;
