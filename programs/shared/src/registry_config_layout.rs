//! How certificates reads the registry's configuration without depending on that program. Offsets count the
//! discriminator.

/// sha256("account:Config"), first eight bytes.
pub const REGISTRY_CONFIG_DISCRIMINATOR: [u8; 8] = [155, 12, 170, 224, 30, 250, 204, 130];
/// Where the registrar's 32 bytes start: behind the admin and the pending admin.
pub const REGISTRY_CONFIG_REGISTRAR_OFFSET: usize = 8 + 64;
