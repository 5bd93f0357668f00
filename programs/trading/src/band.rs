//! The price band: trades stay near what the oracle says.

use {
    crate::{Market, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        addresses::ORACLE_ID,
        feed_layout::Feed,
        money::{in_band, Bps, Price},
    },
};

/// Checks that `feed` is the market's, and says what trades may cost now. A market without a band names the zero
/// address, which is the system program's.
///
/// Without a fresh price there is no trade: orders can still be made, cancelled and returned.
#[inline(always)]
pub fn band_of(market: &Market, feed: &AccountView, now: i64) -> core::result::Result<Option<Band>, TradingError> {
    if *feed.address() != market.feed {
        return Err(TradingError::WrongFeed);
    }
    if market.feed == Address::default() {
        return Ok(None);
    }
    if !feed.owned_by(&ORACLE_ID) {
        return Err(TradingError::FeedInvalid);
    }
    let data = feed.try_borrow().map_err(|_| TradingError::FeedInvalid)?;
    let feed = Feed::read(&data).ok_or(TradingError::FeedInvalid)?;
    if feed.paused {
        return Err(TradingError::FeedPaused);
    }
    if !feed.is_fresh(now) {
        return Err(TradingError::FeedStale);
    }
    let share = Bps::new(market.band_bps).ok_or(TradingError::BandInvalid)?;
    Ok(Some(Band { reference: Price(feed.price), share }))
}

/// What the oracle says, and how far a trade may be from it.
#[derive(Clone, Copy)]
pub struct Band {
    reference: Price,
    share: Bps,
}

impl Band {
    #[inline(always)]
    pub fn check(band: Option<Self>, price: Price) -> core::result::Result<(), TradingError> {
        match band {
            Some(Self { reference, share }) if !in_band(price, reference, share) => Err(TradingError::OutOfBand),
            _ => Ok(()),
        }
    }
}
