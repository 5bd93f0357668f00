//! How other programs read a price feed of the oracle (`["feed", symbol, 16 bytes zero-padded]`) without depending on
//! that program, which asserts at compile time that its `Feed` begins so.

/// sha256("account:Feed"), first eight bytes.
pub const FEED_DISCRIMINATOR: [u8; 8] = [69, 191, 16, 227, 132, 187, 84, 227];
/// Each offset counts the discriminator.
pub const FEED_SYMBOL_OFFSET: usize = 8;
/// Base units of GRX for 1 GRID, u64.
pub const FEED_PRICE_OFFSET: usize = 24;
/// When the price came about, i64 Unix seconds; 0 before the first.
pub const FEED_PUBLISHED_AT_OFFSET: usize = 32;
/// How long a price counts, u32.
pub const FEED_MAX_AGE_SECONDS_OFFSET: usize = 40;
/// u8.
pub const FEED_PAUSED_OFFSET: usize = 44;

/// What a reader of a feed needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    pub price: u64,
    pub published_at: i64,
    pub max_age_seconds: u32,
    pub paused: bool,
}

impl Feed {
    /// `None` for data that is no feed. The caller checks that the account belongs to the oracle program.
    #[inline(always)]
    pub fn read(data: &[u8]) -> Option<Self> {
        if data.len() <= FEED_PAUSED_OFFSET || data[..8] != FEED_DISCRIMINATOR {
            return None;
        }
        Some(Self {
            price: u64::from_le_bytes(*data[FEED_PRICE_OFFSET..].first_chunk()?),
            published_at: i64::from_le_bytes(*data[FEED_PUBLISHED_AT_OFFSET..].first_chunk()?),
            max_age_seconds: u32::from_le_bytes(*data[FEED_MAX_AGE_SECONDS_OFFSET..].first_chunk()?),
            paused: data[FEED_PAUSED_OFFSET] != 0,
        })
    }

    /// Whether there is a price, and it is at most `max_age_seconds` old.
    #[inline(always)]
    pub fn is_fresh(&self, now: i64) -> bool {
        self.price > 0 && self.published_at > 0 && now.saturating_sub(self.published_at) <= self.max_age_seconds as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_feeds_only_and_knows_their_age() {
        let mut data = [0u8; 100];
        data[..8].copy_from_slice(&FEED_DISCRIMINATOR);
        data[24..32].copy_from_slice(&3_000_000_000u64.to_le_bytes());
        data[32..40].copy_from_slice(&1_000i64.to_le_bytes());
        data[40..44].copy_from_slice(&60u32.to_le_bytes());
        let feed = Feed::read(&data).expect("a feed");
        assert_eq!(feed, Feed { price: 3_000_000_000, published_at: 1_000, max_age_seconds: 60, paused: false });
        assert!(feed.is_fresh(1_000) && feed.is_fresh(1_060) && !feed.is_fresh(1_061));
        assert!(!Feed { price: 0, ..feed }.is_fresh(1_000));
        assert!(!Feed { published_at: 0, ..feed }.is_fresh(30));
        data[44] = 1;
        assert!(Feed::read(&data).expect("a feed").paused);
        assert_eq!(Feed::read(&data[..44]), None);
        data[0] ^= 1;
        assert_eq!(Feed::read(&data), None);
    }
}
