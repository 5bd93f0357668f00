//! The upgradeable loader's program data account: `UpgradeableLoaderState::ProgramData` as the loader writes it.

const PROGRAM_DATA_VARIANT: [u8; 4] = 3u32.to_le_bytes();
/// Variant (4), slot of the last deployment (8), whether there is an authority (1), the authority (32).
const AUTHORITY_TAG: usize = 12;
const AUTHORITY: usize = AUTHORITY_TAG + 1;

/// Who may upgrade the program; `None` for a program that is final, or for other data.
#[inline(always)]
pub fn upgrade_authority(data: &[u8]) -> Option<&[u8; 32]> {
    if data.len() < AUTHORITY + 32 || data[..4] != PROGRAM_DATA_VARIANT || data[AUTHORITY_TAG] != 1 {
        return None;
    }
    data[AUTHORITY..].first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_authority_only_where_there_is_one() {
        let mut data = [0u8; 45];
        data[0] = 3;
        data[12] = 1;
        data[13..].fill(9);
        assert_eq!(upgrade_authority(&data), Some(&[9; 32]));
        assert_eq!(upgrade_authority(&data[..44]), None);
        data[12] = 0;
        assert_eq!(upgrade_authority(&data), None);
        data[12] = 1;
        data[0] = 1;
        assert_eq!(upgrade_authority(&data), None);
    }
}
