//! What a trade comes to: pure, and tested off the chain. The instructions check the accounts, ask here, then move
//! tokens.

use {
    crate::{Order, Side, TradingError},
    gridtokenx_shared::{
        energy::Nkwh,
        money::{quote, Bps, Grx, Price, Rounding},
    },
};

/// One trade. The buyer pays `quote`; of it the seller receives `proceeds()` and the treasury `fee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub amount: Nkwh,
    pub price: Price,
    pub quote: Grx,
    pub fee: Grx,
    /// Who came to the other's order.
    pub taker: Side,
}

impl Fill {
    /// The fee is at most a tenth, rounded down: this is never 0.
    #[inline(always)]
    pub fn proceeds(&self) -> u64 {
        self.quote.0.wrapping_sub(self.fee.0)
    }
}

/// What a taker names.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The order's price.
    pub price: Price,
    /// At most this much.
    pub amount: Nkwh,
    /// At least this much.
    pub min_amount: Nkwh,
    /// A taker that sells pays the fee: at most this share.
    pub max_fee: Bps,
}

/// A taker fills `order`, whole or part.
///
/// Rounded in favour of the order's owner: up when the taker buys, down when it sells. A sell order pays at most the
/// fee that the market had when it was made.
#[inline(always)]
pub fn take(order: &Order, wish: Wish, lot_size: u64, market_fee: Bps) -> Result<Fill, TradingError> {
    if order.remaining == 0 {
        return Err(TradingError::OrderFilled);
    }
    let price = Price(order.price);
    if price != wish.price {
        return Err(TradingError::PriceMismatch);
    }
    let amount = wish.amount.min(Nkwh(order.remaining));
    if amount < wish.min_amount {
        return Err(TradingError::AmountTooSmall);
    }
    // Lots are multiples from the start, so what remains always is one.
    if amount.is_zero() || (amount.0 != order.remaining && amount.0 % lot_size != 0) {
        return Err(TradingError::AmountNotInLots);
    }
    let (taker, rounding, fee) = match order.side() {
        Side::Sell => (Side::Buy, Rounding::Up, capped(order, market_fee)),
        Side::Buy if market_fee > wish.max_fee => return Err(TradingError::FeeTooHigh),
        Side::Buy => (Side::Sell, Rounding::Down, market_fee),
    };
    let quote = quote(amount, price, rounding).ok_or(TradingError::QuoteOverflow)?;
    filled(Fill { amount, price, quote, fee: Grx::ZERO, taker }, fee)
}

/// Two orders of different owners trade as much as both have left, at the price of the older one. The younger one is
/// the taker, for which the amount is rounded up when it buys (as far as its escrow covers its rest as well) and down
/// when it sells.
#[inline(always)]
pub fn cross(sell: &Order, buy: &Order, market_fee: Bps) -> Result<Fill, TradingError> {
    if sell.side() != Side::Sell || buy.side() != Side::Buy {
        return Err(TradingError::SideMismatch);
    }
    if sell.owner == buy.owner {
        return Err(TradingError::SelfTrade);
    }
    if sell.remaining == 0 || buy.remaining == 0 {
        return Err(TradingError::OrderFilled);
    }
    if sell.price > buy.price {
        return Err(TradingError::NotCrossing);
    }
    let amount = Nkwh(sell.remaining).min(Nkwh(buy.remaining));
    let (taker, price, quote) = if sell.created_slot <= buy.created_slot {
        let price = Price(sell.price);
        let quote = quote(amount, price, Rounding::Up).ok_or(TradingError::QuoteOverflow)?;
        (Side::Buy, price, quote.min(affordable(buy, amount)?))
    } else {
        let price = Price(buy.price);
        (Side::Sell, price, quote(amount, price, Rounding::Down).ok_or(TradingError::QuoteOverflow)?)
    };
    filled(Fill { amount, price, quote, fee: Grx::ZERO, taker }, capped(sell, market_fee))
}

/// What a buy order can pay for `amount` and still cover its rest at its own price. By its invariant that is at least
/// the amount's cost rounded down, and short of it rounded up by at most one base unit.
#[inline(always)]
fn affordable(buy: &Order, amount: Nkwh) -> Result<Grx, TradingError> {
    let rest = Nkwh(buy.remaining.checked_sub(amount.0).ok_or(TradingError::InvariantViolated)?);
    let reserved = quote(rest, Price(buy.price), Rounding::Up).ok_or(TradingError::QuoteOverflow)?;
    Grx(buy.escrowed).checked_sub(reserved).ok_or(TradingError::InvariantViolated)
}

#[inline(always)]
fn capped(sell: &Order, market_fee: Bps) -> Bps {
    // A stored fee is one that a market had.
    market_fee.min(Bps::new(sell.fee_bps).unwrap_or_default())
}

#[inline(always)]
fn filled(fill: Fill, fee: Bps) -> Result<Fill, TradingError> {
    if fill.quote.is_zero() {
        return Err(TradingError::ZeroQuote);
    }
    Ok(Fill { fee: Grx(fee.of(fill.quote.0)), ..fill })
}

/// Books a fill in an order.
#[inline(always)]
pub fn book(order: &mut Order, fill: &Fill) -> Result<(), TradingError> {
    let paid = match order.side() {
        Side::Sell => fill.amount.0,
        Side::Buy => fill.quote.0,
    };
    order.remaining = order.remaining.checked_sub(fill.amount.0).ok_or(TradingError::ArithmeticOverflow)?;
    order.escrowed = order.escrowed.checked_sub(paid).ok_or(TradingError::ArithmeticOverflow)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use {super::*, anchor_lang::bytemuck::Zeroable, anchor_lang::prelude::Address};

    const LOT: u64 = 1_000;
    const TICK: u64 = 1_000_000;

    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn seed() -> u64 {
        let seed = std::env::var("GTX_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos() as u64
        });
        println!("GTX_TEST_SEED={seed}");
        seed
    }

    fn order(side: Side, price: u64, amount: u64, slot: u64) -> Order {
        let mut order = Order::zeroed();
        order.owner = Address::new_from_array([side.code() + 1; 32]);
        order.side = side.code();
        order.price = price;
        order.amount = amount;
        order.remaining = amount;
        order.created_slot = slot;
        order.fee_bps = 30;
        order.escrowed = order.needed().expect("fits");
        order
    }

    fn bps(value: u16) -> Bps {
        Bps::new(value).expect("a share")
    }

    fn wish(order: &Order, amount: u64) -> Wish {
        Wish { price: Price(order.price), amount: Nkwh(amount), min_amount: Nkwh(0), max_fee: bps(1_000) }
    }

    #[test]
    fn a_taker_gets_what_it_names_or_an_error() {
        let sell = order(Side::Sell, 3_000_000_000, 10_000_000_000, 1);
        let fill = take(&sell, wish(&sell, 4_000_000_000), LOT, bps(25)).expect("a fill");
        assert_eq!((fill.quote, fill.fee, fill.taker), (Grx(12_000_000_000), Grx(30_000_000), Side::Buy));
        assert_eq!(fill.proceeds(), 11_970_000_000);
        // No more than there is.
        assert_eq!(take(&sell, wish(&sell, u64::MAX), LOT, bps(25)).expect("a fill").amount, Nkwh(10_000_000_000));
        let refused = |wish| take(&sell, wish, LOT, bps(25)).expect_err("refused") as u32;
        let good = wish(&sell, 4_000_000_000);
        assert_eq!(refused(Wish { price: Price(2_999_999_999), ..good }), TradingError::PriceMismatch as u32);
        assert_eq!(refused(Wish { min_amount: Nkwh(4_000_000_001), ..good }), TradingError::AmountTooSmall as u32);
        assert_eq!(refused(wish(&sell, 4_000_000_001)), TradingError::AmountNotInLots as u32);
        assert_eq!(refused(wish(&sell, 0)), TradingError::AmountNotInLots as u32);
    }

    #[test]
    fn the_fee_of_a_sell_order_never_rises_and_of_a_selling_taker_is_named() {
        let sell = order(Side::Sell, 3_000_000_000, 10_000_000_000, 1);
        // Made at 30 basis points.
        assert_eq!(take(&sell, wish(&sell, 10_000), LOT, bps(1_000)).expect("a fill").fee, Grx(90));
        assert_eq!(take(&sell, wish(&sell, 10_000), LOT, bps(10)).expect("a fill").fee, Grx(30));
        let buy = order(Side::Buy, 3_000_000_000, 10_000_000_000, 1);
        let exact = Wish { max_fee: bps(40), ..wish(&buy, 10_000) };
        assert_eq!(take(&buy, exact, LOT, bps(40)).expect("a fill").fee, Grx(120));
        assert_eq!(take(&buy, exact, LOT, bps(41)).map_err(|error| error as u32), Err(TradingError::FeeTooHigh as u32));
    }

    #[test]
    fn crosses_at_the_older_price_and_the_sell_order_is_older_in_one_slot() {
        let at = |sell_slot, buy_slot| {
            let sell = order(Side::Sell, 3_000_000_000, 1_000_000_000, sell_slot);
            let buy = order(Side::Buy, 3_500_000_000, 2_000_000_000, buy_slot);
            let fill = cross(&sell, &buy, bps(0)).expect("a fill");
            (fill.price.0, fill.taker)
        };
        assert_eq!(at(1, 2), (3_000_000_000, Side::Buy));
        assert_eq!(at(2, 1), (3_500_000_000, Side::Sell));
        assert_eq!(at(1, 1), (3_000_000_000, Side::Buy));
    }

    #[test]
    fn rounding_is_up_when_the_taker_buys_and_down_when_it_sells() {
        // One base unit of GRID at 1.5 GRX costs one and a half base units.
        let sell = order(Side::Sell, 1_500_000_000, 3, 1);
        assert_eq!(take(&sell, wish(&sell, 1), 1, bps(0)).expect("a fill").quote, Grx(2));
        let buy = order(Side::Buy, 1_500_000_000, 3, 1);
        assert_eq!(take(&buy, wish(&buy, 1), 1, bps(0)).expect("a fill").quote, Grx(1));
        let dust = order(Side::Buy, 500_000_000, 3, 1);
        assert_eq!(
            take(&dust, wish(&dust, 1), 1, bps(0)).map_err(|error| error as u32),
            Err(TradingError::ZeroQuote as u32)
        );
    }

    /// However an order is split between takers and crossings, its escrow suffices, nobody gains from splitting at its
    /// owner's cost, and it can be filled to the end.
    #[test]
    fn random_splits_keep_every_escrow_covered() {
        let seed = seed();
        let mut state = seed;
        for round in 0..3_000 {
            let lot = [1, 7, LOT, 1_000_000][(random(&mut state) % 4) as usize];
            let bid = (random(&mut state) % 5_000 + 1) * TICK + random(&mut state) % 3;
            let lots = random(&mut state) % 1_000 + 1;
            // One lot at the lowest price that occurs is worth at least one base unit: what a market guarantees.
            let floor = 1_000_000_000u64.div_ceil(lot);
            let bid = bid.max(floor);
            let mut buy = order(Side::Buy, bid, lots * lot, 1 + random(&mut state) % 3);
            let start = buy.escrowed;
            let (mut paid, mut bought, mut fees) = (0u64, 0u64, 0u64);
            while buy.remaining > 0 {
                let part = (random(&mut state) % (buy.remaining / lot) + 1) * lot;
                let fill = if random(&mut state) % 2 == 0 {
                    take(&buy, wish(&buy, part), lot, bps(30)).expect("a fill")
                } else {
                    let ask = floor + random(&mut state) % (bid - floor + 1);
                    let mut sell = order(Side::Sell, ask, part, 1 + random(&mut state) % 3);
                    let fill = cross(&sell, &buy, bps(1_000)).expect("a fill");
                    book(&mut sell, &fill).expect("booked");
                    sell.invariant().expect("the seller's invariant");
                    assert_eq!((sell.remaining, sell.escrowed), (0, 0));
                    let exact = fill.amount.0 as u128 * fill.price.0 as u128;
                    let cost = fill.quote.0 as u128 * 1_000_000_000;
                    assert!(cost.abs_diff(exact) < 1_000_000_000, "seed {seed} round {round}: off by one unit or more");
                    assert!(fill.price.0 >= ask && fill.price.0 <= bid);
                    fill
                };
                assert!(fill.proceeds() > 0 && fill.fee.0 <= fill.quote.0 / 10);
                book(&mut buy, &fill).expect("booked");
                buy.invariant().unwrap_or_else(|_| panic!("seed {seed} round {round}: escrow does not cover the rest"));
                paid += fill.quote.0;
                bought += fill.amount.0;
                fees += fill.fee.0;
            }
            assert_eq!(bought, buy.amount);
            assert_eq!(paid + buy.escrowed, start, "seed {seed} round {round}");
            assert!(fees <= paid);
        }
    }
}
