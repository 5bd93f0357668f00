//! A feed's account and all arithmetic on it. Nothing here touches an account or a syscall: the host tests run it.

use {
    crate::{
        limits::{MAX_AGE_SECONDS, MAX_GUARD_SECONDS, MAX_PUBLISHERS, SYMBOL_BYTES},
        OracleError,
    },
    anchor_lang::prelude::*,
    bytemuck::{Pod, Zeroable},
    core::mem::offset_of,
    gridtokenx_shared::{
        feed_layout,
        money::{in_band, Bps, Price},
    },
};

type Checked<T> = core::result::Result<T, OracleError>;

/// A publisher of a feed and its last submission. Publisher zero: a free slot. Price 0: nothing submitted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable, IdlType)]
#[repr(C)]
pub struct Submission {
    pub publisher: Address,
    pub price: u64,
    pub observed_at: i64,
}

/// A price feed. Never closed. Others read its first fields by `programs/shared/src/feed_layout.rs`.
/// `["feed", symbol, zero-padded to 16 bytes]`
#[account]
pub struct Feed {
    pub symbol: [u8; 16],
    /// Base units of GRX for 1 GRID; 0 before the first.
    pub price: u64,
    /// So many publishers as a price needs observed no earlier than this; 0: readers refuse the price.
    pub published_at: i64,
    /// How old an observation, and with it the price, may be.
    pub max_age_seconds: u32,
    pub paused: u8,
    pub bump: u8,
    pub publisher_count: u8,
    /// So many fresh submissions make a price.
    pub min_publishers: u8,
    /// The guard's window; also the time without a new price after which it lapses.
    pub guard_seconds: u32,
    /// How far the price may move in a window.
    pub max_deviation_bps: u16,
    /// So many fresh submissions beyond the guard, on one side, pass it; 0: none do.
    pub override_publishers: u8,
    pub padding: u8,
    /// When the price was last worked out, whatever it is.
    pub accepted_at: i64,
    /// The price with which the guard's window began.
    pub reference_price: u64,
    pub reference_at: i64,
    pub created_at: i64,
    /// How often the price was worked out.
    pub updates: u64,
    /// The first `publisher_count` are in use.
    pub submissions: [Submission; MAX_PUBLISHERS],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

// What other programs rely on.
const _: () = {
    assert!(8 + offset_of!(Feed, symbol) == feed_layout::FEED_SYMBOL_OFFSET);
    assert!(8 + offset_of!(Feed, price) == feed_layout::FEED_PRICE_OFFSET);
    assert!(8 + offset_of!(Feed, published_at) == feed_layout::FEED_PUBLISHED_AT_OFFSET);
    assert!(8 + offset_of!(Feed, max_age_seconds) == feed_layout::FEED_MAX_AGE_SECONDS_OFFSET);
    assert!(8 + offset_of!(Feed, paused) == feed_layout::FEED_PAUSED_OFFSET);
    let (discriminator, wanted) = (<Feed as Discriminator>::DISCRIMINATOR, feed_layout::FEED_DISCRIMINATOR);
    assert!(discriminator.len() == wanted.len());
    let mut i = 0;
    while i < wanted.len() {
        assert!(discriminator[i] == wanted[i]);
        i += 1;
    }
};

/// What the authority chooses for a feed.
pub struct FeedSettings {
    pub max_age_seconds: u32,
    pub guard_seconds: u32,
    pub max_deviation_bps: u16,
    pub min_publishers: u8,
    pub override_publishers: u8,
}

/// What working out the price led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The price is the median now.
    Published,
    /// Too few publishers are fresh.
    TooFew,
    /// The median is beyond the guard.
    Guarded,
}

impl Outcome {
    #[inline(always)]
    pub fn code(self) -> u8 {
        match self {
            Self::Published => 0,
            Self::TooFew => 1,
            Self::Guarded => 2,
        }
    }
}

/// What came of the fresh submissions. The median of none is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    pub fresh: u8,
    pub median: u64,
    pub outcome: Outcome,
}

/// What `get_price` returns.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct PriceNow {
    /// Base units of GRX for 1 GRID.
    pub price: u64,
    pub published_at: i64,
    /// The last second in which the price counts, unless a newer one comes.
    pub fresh_until: i64,
}

/// Numbers in rising order, at most as many as there are publishers.
struct Sorted<T> {
    items: [T; MAX_PUBLISHERS],
    length: usize,
}

impl<T: Copy + PartialOrd + Default> Sorted<T> {
    #[inline(always)]
    fn new() -> Self {
        Self { items: [T::default(); MAX_PUBLISHERS], length: 0 }
    }

    /// The caller inserts no more than `MAX_PUBLISHERS`.
    #[inline(always)]
    fn insert(&mut self, item: T) {
        let mut at = self.length;
        while at > 0 && self.items[at - 1] > item {
            self.items[at] = self.items[at - 1];
            at -= 1;
        }
        self.items[at] = item;
        self.length += 1;
    }

    #[inline(always)]
    fn as_slice(&self) -> &[T] {
        &self.items[..self.length]
    }
}

/// The middle one of an odd number of prices in rising order; of an even number the mean of the two in the middle,
/// rounded down; 0 of none.
#[inline(always)]
pub fn median(sorted: &[u64]) -> u64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0,
        length if length % 2 == 1 => sorted[middle],
        _ => {
            let (low, high) = (sorted[middle - 1], sorted[middle]);
            // The sum of the two could pass 2^64.
            low.wrapping_add(high.wrapping_sub(low) / 2)
        }
    }
}

impl Feed {
    pub fn require_symbol(symbol: &[u8; SYMBOL_BYTES]) -> Checked<()> {
        let length = symbol.iter().position(|byte| *byte == 0).unwrap_or(SYMBOL_BYTES);
        let (text, rest) = symbol.split_at(length);
        let allowed = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"/.-_".contains(byte);
        if text.is_empty() || !text.iter().all(allowed) || rest.iter().any(|byte| *byte != 0) {
            return Err(OracleError::SymbolInvalid);
        }
        Ok(())
    }

    pub fn require_settings(settings: &FeedSettings) -> Checked<()> {
        let FeedSettings { max_age_seconds, guard_seconds, max_deviation_bps, min_publishers, override_publishers } =
            *settings;
        let most = MAX_PUBLISHERS as u8;
        if max_age_seconds == 0 || max_age_seconds > MAX_AGE_SECONDS {
            return Err(OracleError::MaxAgeInvalid);
        }
        // Readers refuse a stale price before the guard lapses, not after.
        if guard_seconds < max_age_seconds || guard_seconds > MAX_GUARD_SECONDS {
            return Err(OracleError::GuardInvalid);
        }
        if max_deviation_bps == 0 || max_deviation_bps > Bps::WHOLE {
            return Err(OracleError::DeviationInvalid);
        }
        if min_publishers == 0 || min_publishers > most {
            return Err(OracleError::MinPublishersInvalid);
        }
        if override_publishers != 0 && (override_publishers <= min_publishers || override_publishers > most) {
            return Err(OracleError::OverrideInvalid);
        }
        Ok(())
    }

    pub fn settings(&self) -> FeedSettings {
        FeedSettings {
            max_age_seconds: self.max_age_seconds,
            guard_seconds: self.guard_seconds,
            max_deviation_bps: self.max_deviation_bps,
            min_publishers: self.min_publishers,
            override_publishers: self.override_publishers,
        }
    }

    pub fn set(&mut self, settings: &FeedSettings) -> Checked<()> {
        Self::require_settings(settings)?;
        self.max_age_seconds = settings.max_age_seconds;
        self.guard_seconds = settings.guard_seconds;
        self.max_deviation_bps = settings.max_deviation_bps;
        self.min_publishers = settings.min_publishers;
        self.override_publishers = settings.override_publishers;
        Ok(())
    }

    #[inline(always)]
    pub fn publishers(&self) -> &[Submission] {
        // `invariant` keeps the count within the array; the smaller one saves a panic's code.
        let count = (self.publisher_count as usize).min(MAX_PUBLISHERS);
        &self.submissions[..count]
    }

    #[inline(always)]
    fn index_of(&self, publisher: &Address) -> Checked<usize> {
        self.publishers().iter().position(|each| each.publisher == *publisher).ok_or(OracleError::NotPublisher)
    }

    pub fn add_publisher(&mut self, publisher: Address) -> Checked<()> {
        if publisher == Address::default() {
            return Err(OracleError::PublisherInvalid);
        }
        if self.index_of(&publisher).is_ok() {
            return Err(OracleError::PublisherExists);
        }
        let free = self.publisher_count as usize;
        if free >= MAX_PUBLISHERS {
            return Err(OracleError::TooManyPublishers);
        }
        self.submissions[free] = Submission { publisher, price: 0, observed_at: 0 };
        self.publisher_count += 1;
        Ok(())
    }

    pub fn remove_publisher(&mut self, publisher: &Address) -> Checked<()> {
        let index = self.index_of(publisher)?;
        let last = self.publisher_count as usize - 1;
        self.submissions[index] = self.submissions[last];
        self.submissions[last] = Submission::zeroed();
        self.publisher_count -= 1;
        Ok(())
    }

    /// Whether something of this time still counts. The caller keeps the future out.
    #[inline(always)]
    fn counts(&self, observed_at: i64, now: i64) -> bool {
        now.saturating_sub(observed_at) <= self.max_age_seconds as i64
    }

    /// Takes a publisher's submission in and works out the price.
    #[inline(always)]
    pub fn submit(&mut self, publisher: &Address, price: u64, observed_at: i64, now: i64) -> Checked<Round> {
        if self.paused != 0 {
            return Err(OracleError::FeedPaused);
        }
        let index = self.index_of(publisher)?;
        if price == 0 {
            return Err(OracleError::PriceZero);
        }
        if observed_at > now {
            return Err(OracleError::ObservedInFuture);
        }
        if observed_at <= self.submissions[index].observed_at {
            return Err(OracleError::ObservedNotLater);
        }
        if !self.counts(observed_at, now) {
            return Err(OracleError::ObservationStale);
        }
        self.submissions[index].price = price;
        self.submissions[index].observed_at = observed_at;
        self.work_out(now)
    }

    /// The median of the fresh submissions becomes the price when there are enough of them and the guard lets it.
    #[inline(always)]
    pub fn work_out(&mut self, now: i64) -> Checked<Round> {
        let mut prices = Sorted::<u64>::new();
        let mut times = Sorted::<i64>::new();
        for each in self.publishers() {
            if each.price > 0 && self.counts(each.observed_at, now) {
                prices.insert(each.price);
                times.insert(each.observed_at);
            }
        }
        let (fresh, enough) = (prices.length, self.min_publishers as usize);
        let median = median(prices.as_slice());
        let round = |outcome| Round { fresh: fresh as u8, median, outcome };
        // `require_settings` asks for one publisher at least.
        if fresh < enough || fresh == 0 {
            return Ok(round(Outcome::TooFew));
        }
        if !self.passes_guard(median, prices.as_slice(), now) {
            return Ok(round(Outcome::Guarded));
        }
        self.price = median;
        self.published_at = times.items[fresh - enough];
        self.accepted_at = now;
        self.updates = self.updates.checked_add(1).ok_or(OracleError::ArithmeticOverflow)?;
        Ok(round(Outcome::Published))
    }

    /// Within a window of `guard_seconds` the price stays near the one with which the window began. Two ways lead past
    /// that, so that no true move is kept out for ever: enough publishers agree on it, or no price was accepted for as
    /// long as a window, during which readers refused the old one and the guardian had time to look.
    #[inline(always)]
    fn passes_guard(&mut self, median: u64, sorted: &[u64], now: i64) -> bool {
        let window = self.guard_seconds as i64;
        let lapsed = self.price == 0 || now.saturating_sub(self.accepted_at) >= window;
        if !lapsed {
            if now.saturating_sub(self.reference_at) >= window {
                self.reference_price = self.price;
                self.reference_at = now;
            }
            if self.is_near(median) {
                return true;
            }
            let rises = median > self.reference_price;
            let beyond = |price: &&u64| !self.is_near(**price) && (**price > self.reference_price) == rises;
            let agreeing = sorted.iter().filter(beyond).count();
            if self.override_publishers == 0 || agreeing < self.override_publishers as usize {
                return false;
            }
        }
        self.reference_price = median;
        self.reference_at = now;
        true
    }

    #[inline(always)]
    fn is_near(&self, price: u64) -> bool {
        Bps::new(self.max_deviation_bps).is_some_and(|share| in_band(Price(price), Price(self.reference_price), share))
    }

    /// After a change of publishers or settings: a price that cannot be worked out under them counts no longer. It stays
    /// as what the guard compares with.
    pub fn work_out_or_expire(&mut self, now: i64) -> Checked<()> {
        if self.work_out(now)?.outcome != Outcome::Published {
            self.published_at = 0;
        }
        Ok(())
    }

    /// The price, if readers may rely on it now.
    #[inline(always)]
    pub fn price_now(&self, now: i64) -> Checked<PriceNow> {
        if self.paused != 0 {
            return Err(OracleError::FeedPaused);
        }
        if self.price == 0 || self.published_at <= 0 || !self.counts(self.published_at, now) {
            return Err(OracleError::PriceStale);
        }
        Ok(PriceNow {
            price: self.price,
            published_at: self.published_at,
            fresh_until: self.published_at.saturating_add(self.max_age_seconds as i64),
        })
    }

    /// Called at the end of each submission: what it can have changed.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        let (published, accepted) = (self.published_at, self.accepted_at);
        require!(
            self.publisher_count as usize <= MAX_PUBLISHERS
                && (self.price == 0) == (self.updates == 0)
                && (self.price == 0) == (self.reference_price == 0)
                && published <= accepted
                && (published == 0 || self.price > 0),
            OracleError::InvariantViolated
        );
        Ok(())
    }

    /// Called at the end of each instruction of the authority's: everything.
    pub fn whole_invariant(&self) -> Result<()> {
        self.invariant()?;
        let used = self.publishers();
        let distinct = used.iter().enumerate().all(|(i, each)| {
            each.publisher != Address::default() && used[..i].iter().all(|other| other.publisher != each.publisher)
        });
        let rest_is_free = self.submissions[used.len()..].iter().all(|each| *each == Submission::zeroed());
        require!(distinct && rest_is_free && self.paused <= 1, OracleError::InvariantViolated);
        Self::require_symbol(&self.symbol)?;
        Ok(Self::require_settings(&self.settings())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn key(index: u8) -> Address {
        Address::new_from_array([index; 32])
    }

    fn feed(publishers: u8) -> Feed {
        let mut feed = Feed::zeroed();
        feed.symbol[..3].copy_from_slice(b"GRX");
        feed.set(&FeedSettings {
            max_age_seconds: 300,
            guard_seconds: 900,
            max_deviation_bps: 1_000,
            min_publishers: 2,
            override_publishers: 3,
        })
        .expect("settings");
        for index in 1..=publishers {
            feed.add_publisher(key(index)).expect("room");
        }
        feed
    }

    #[test]
    fn the_median_never_overflows() {
        assert_eq!(median(&[]), 0);
        assert_eq!(median(&[7]), 7);
        assert_eq!(median(&[3, 6]), 4);
        assert_eq!(median(&[1, 2, 9]), 2);
        assert_eq!(median(&[u64::MAX - 1, u64::MAX]), u64::MAX - 1);
        assert_eq!(median(&[0, u64::MAX]), u64::MAX / 2);
        let edges = [1, 2, 3, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
        for low in edges {
            for high in edges.into_iter().filter(|high| *high >= low) {
                let mean = (low as u128 + high as u128) / 2;
                assert_eq!(median(&[low, high]) as u128, mean);
                assert_eq!(median(&[1, low, high, u64::MAX]) as u128, mean);
            }
        }
    }

    #[test]
    fn sorts_whatever_comes() {
        let mut sorted = Sorted::<u64>::new();
        for item in [5, 1, 5, 9, 2, 2, 8, 0] {
            sorted.insert(item);
        }
        assert_eq!(sorted.as_slice(), [0, 1, 2, 2, 5, 5, 8, 9]);
    }

    #[test]
    fn a_price_is_as_old_as_the_observations_that_it_needs() {
        let mut feed = feed(3);
        feed.submit(&key(1), 100, NOW - 50, NOW).expect("taken");
        feed.submit(&key(2), 100, NOW - 20, NOW).expect("taken");
        assert_eq!(feed.published_at, NOW - 50);
        feed.submit(&key(3), 100, NOW - 30, NOW).expect("taken");
        assert_eq!(feed.published_at, NOW - 30);
        assert!(feed.price_now(NOW + 270).is_ok());
        assert_eq!(feed.price_now(NOW + 271).err(), Some(OracleError::PriceStale));
    }

    #[test]
    fn publishers_come_and_go() {
        let mut feed = feed(8);
        assert_eq!(feed.add_publisher(key(9)), Err(OracleError::TooManyPublishers));
        assert_eq!(feed.remove_publisher(&key(9)), Err(OracleError::NotPublisher));
        for index in [8, 1, 4, 2, 3, 7, 6, 5] {
            feed.remove_publisher(&key(index)).expect("there");
            assert!(feed.whole_invariant().is_ok());
        }
        assert_eq!(feed.publisher_count, 0);
        assert!(feed.submissions.iter().all(|each| *each == Submission::zeroed()));
    }
}
