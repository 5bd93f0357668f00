//! What the program tells the outside; every price and every setting can be put together from these. Prices are GRX base
//! units for 1 GRID, times Unix seconds. A submission's event is plain bytes (`bytemuck`), which costs least; on the wire
//! both kinds look alike.

use {
    crate::{Config, Feed},
    anchor_lang::prelude::*,
};

/// The oracle's roles after they were set or changed.
#[event]
pub struct OracleChanged {
    pub authority: Address,
    pub pending_authority: Address,
    pub guardian: Address,
    pub feeds: u32,
    pub timestamp: i64,
}

impl OracleChanged {
    pub fn new(config: &Config, timestamp: i64) -> Self {
        Self {
            authority: config.authority,
            pending_authority: config.pending_authority,
            guardian: config.guardian,
            feeds: config.feeds,
            timestamp,
        }
    }
}

/// A feed after it was made or changed, without its submissions.
#[event]
pub struct FeedChanged {
    pub feed: Address,
    pub symbol: [u8; 16],
    pub price: u64,
    /// 0: readers refuse the price.
    pub published_at: i64,
    pub max_age_seconds: u32,
    pub guard_seconds: u32,
    pub max_deviation_bps: u16,
    pub min_publishers: u8,
    pub override_publishers: u8,
    pub publishers: u8,
    pub paused: bool,
    pub timestamp: i64,
}

impl FeedChanged {
    pub fn new(address: &Address, feed: &Feed, timestamp: i64) -> Self {
        Self {
            feed: *address,
            symbol: feed.symbol,
            price: feed.price,
            published_at: feed.published_at,
            max_age_seconds: feed.max_age_seconds,
            guard_seconds: feed.guard_seconds,
            max_deviation_bps: feed.max_deviation_bps,
            min_publishers: feed.min_publishers,
            override_publishers: feed.override_publishers,
            publishers: feed.publisher_count,
            paused: feed.paused != 0,
            timestamp,
        }
    }
}

/// A publisher was added to a feed or removed from it. A `FeedChanged` of the same transaction tells the rest.
#[event]
pub struct PublisherChanged {
    pub feed: Address,
    pub publisher: Address,
    pub added: bool,
    pub timestamp: i64,
}

/// A publisher submitted. `outcome` 0: the feed's price is the median now; 1: too few fresh publishers; 2: the median is
/// beyond the guard. In the last two the feed's price and its time are as they were.
#[event(bytemuck)]
pub struct PriceSubmitted {
    pub feed: Address,
    pub publisher: Address,
    /// What the publisher submitted.
    pub submitted: u64,
    pub observed_at: i64,
    /// Of the fresh submissions, this one among them.
    pub median: u64,
    /// The feed's price and its time afterwards.
    pub price: u64,
    pub published_at: i64,
    pub timestamp: i64,
    pub fresh: u8,
    pub outcome: u8,
    pub padding: [u8; 6],
}
