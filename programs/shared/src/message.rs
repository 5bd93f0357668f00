//! What a meter key signs: the 48-byte reading (`GTX1`) and the 100-byte consent to an owner (`GTXM`).
//! Both are little-endian, without padding, and verified by Solana's Ed25519 program as they are.

/// Bytes of a signed reading.
pub const READING_BYTES: usize = 48;
/// Bytes of an owner message.
pub const OWNER_MESSAGE_BYTES: usize = 100;
const READING_MAGIC: [u8; 4] = *b"GTX1";
const OWNER_MAGIC: [u8; 4] = *b"GTXM";

/// A decoded reading. Energies are nkWh since the meter's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub flags: u32,
    pub sequence: u64,
    pub interval_start: u32,
    pub interval_end: u32,
    pub produced_total: u64,
    pub consumed_total: u64,
    pub surplus_total: u64,
}

#[inline(always)]
fn u32_at(message: &[u8; READING_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes([message[offset], message[offset + 1], message[offset + 2], message[offset + 3]])
}

#[inline(always)]
fn u64_at(message: &[u8; READING_BYTES], offset: usize) -> u64 {
    (u32_at(message, offset) as u64) | ((u32_at(message, offset + 4) as u64) << 32)
}

impl Reading {
    /// `None` unless the message starts with `GTX1`.
    #[inline(always)]
    pub fn decode(message: &[u8; READING_BYTES]) -> Option<Self> {
        if message[..4] != READING_MAGIC {
            return None;
        }
        Some(Self {
            flags: u32_at(message, 4),
            sequence: u64_at(message, 8),
            interval_start: u32_at(message, 16),
            interval_end: u32_at(message, 20),
            produced_total: u64_at(message, 24),
            consumed_total: u64_at(message, 32),
            surplus_total: u64_at(message, 40),
        })
    }
}

/// A meter key's consent: this meter, on this network, belongs to this wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerMessage<'a> {
    pub network: &'a [u8],
    pub meter_id: &'a [u8],
    pub owner: &'a [u8],
}

impl<'a> OwnerMessage<'a> {
    /// `None` unless the message starts with `GTXM`.
    #[inline(always)]
    pub fn decode(message: &'a [u8; OWNER_MESSAGE_BYTES]) -> Option<Self> {
        if message[..4] != OWNER_MAGIC {
            return None;
        }
        Some(Self { network: &message[4..36], meter_id: &message[36..68], owner: &message[68..100] })
    }
}

/// Whether a zero-padded meter id obeys `^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`, which fits MQTT topics and file names.
pub fn is_meter_id(id: &[u8; 32]) -> bool {
    if !id[0].is_ascii_alphanumeric() {
        return false;
    }
    let mut ended = false;
    for byte in &id[1..] {
        let allowed = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if *byte == 0 {
            ended = true;
        } else if ended || !allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(text: &str) -> [u8; 32] {
        let mut id = [0; 32];
        id[..text.len()].copy_from_slice(text.as_bytes());
        id
    }

    #[test]
    fn decodes_a_reading() {
        let mut message = [0u8; READING_BYTES];
        message[..4].copy_from_slice(b"GTX1");
        message[4..8].copy_from_slice(&7u32.to_le_bytes());
        message[8..16].copy_from_slice(&0x0102_0304_0506_0708u64.to_le_bytes());
        message[16..20].copy_from_slice(&1_700_000_100u32.to_le_bytes());
        message[20..24].copy_from_slice(&1_700_001_000u32.to_le_bytes());
        message[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
        message[32..40].copy_from_slice(&10_000_000_000u64.to_le_bytes());
        message[40..48].copy_from_slice(&15_000_000_000u64.to_le_bytes());
        assert_eq!(
            Reading::decode(&message),
            Some(Reading {
                flags: 7,
                sequence: 0x0102_0304_0506_0708,
                interval_start: 1_700_000_100,
                interval_end: 1_700_001_000,
                produced_total: u64::MAX,
                consumed_total: 10_000_000_000,
                surplus_total: 15_000_000_000,
            })
        );
        message[3] = b'2';
        assert_eq!(Reading::decode(&message), None);
    }

    #[test]
    fn decodes_an_owner_message() {
        let mut message = [0u8; OWNER_MESSAGE_BYTES];
        message[..4].copy_from_slice(b"GTXM");
        message[4..36].fill(1);
        message[36..68].fill(2);
        message[68..].fill(3);
        let decoded = OwnerMessage::decode(&message).expect("the magic is right");
        assert_eq!((decoded.network, decoded.meter_id, decoded.owner), (&[1; 32][..], &[2; 32][..], &[3; 32][..]));
        message[3] = b'A';
        assert_eq!(OwnerMessage::decode(&message), None);
    }

    #[test]
    fn meter_ids() {
        for good in ["M", "METER-001", "a.b_c-9", "01234567890123456789012345678901"] {
            assert!(is_meter_id(&padded(good)), "{good}");
        }
        for bad in ["", "-a", ".a", "_a", "a b", "a/b", "a+b", "a#b", "é", "a\0b"] {
            assert!(!is_meter_id(&padded(bad)), "{bad}");
        }
    }
}
