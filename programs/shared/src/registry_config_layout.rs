//! How energy-token and certificates read the registry's configuration without depending on that program. Offsets count
//! the discriminator; the registry asserts at compile time that its `Config` is laid out so.

/// sha256("account:Config"), first eight bytes.
pub const REGISTRY_CONFIG_DISCRIMINATOR: [u8; 8] = [155, 12, 170, 224, 30, 250, 204, 130];
/// Where the registrar's 32 bytes start: behind the admin and the pending admin.
pub const REGISTRY_CONFIG_REGISTRAR_OFFSET: usize = 8 + 64;
/// Where the admin's 32 bytes start.
pub const REGISTRY_CONFIG_ADMIN_OFFSET: usize = 8;

/// The registry's admin; `None` for data that is no configuration. The caller checks the account's address.
#[inline(always)]
pub fn admin(data: &[u8]) -> Option<&[u8; 32]> {
    if data.get(..8)? != REGISTRY_CONFIG_DISCRIMINATOR {
        return None;
    }
    data.get(REGISTRY_CONFIG_ADMIN_OFFSET..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_configurations_only() {
        let mut data = [7u8; 60];
        data[..8].copy_from_slice(&REGISTRY_CONFIG_DISCRIMINATOR);
        assert_eq!(admin(&data), Some(&[7; 32]));
        assert_eq!(admin(&data[..39]), None);
        assert_eq!(admin(&data[..7]), None);
        data[0] ^= 1;
        assert_eq!(admin(&data), None);
    }
}
