//! Prices, money and shares of it as types. The back end has no 128-bit multiplication or division: the product of an
//! amount and a price is built from 32-bit limbs, and the tests compare every function with `u128`.

use crate::energy::Nkwh;

/// An amount of GRX in base units; GRX has 9 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Grx(pub u64);

impl Grx {
    pub const ZERO: Self = Self(0);

    #[inline(always)]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        if self.0 < other.0 {
            self
        } else {
            other
        }
    }

    #[inline(always)]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// GRX base units for 1 GRID (10^9 base units, 1 kWh).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Price(pub u64);

/// A share in hundredths of a percent, at most all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bps(u16);

impl Bps {
    pub const WHOLE: u16 = 10_000;

    /// `None` above 10,000.
    #[inline(always)]
    pub fn new(bps: u16) -> Option<Self> {
        if bps <= Self::WHOLE {
            Some(Self(bps))
        } else {
            None
        }
    }

    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        if self.0 < other.0 {
            self
        } else {
            other
        }
    }

    /// This share of `value`, rounded down. Never more than `value`.
    #[inline(always)]
    pub fn of(self, value: u64) -> u64 {
        const WHOLE: u64 = Bps::WHOLE as u64;
        let share = self.0 as u64;
        // Exact: value = 10,000 q + r. Neither product can overflow, since q x share <= q x 10,000 <= value.
        (value / WHOLE).wrapping_mul(share).wrapping_add((value % WHOLE).wrapping_mul(share) / WHOLE)
    }
}

/// Whom a fraction of a base unit favours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    Up,
    Down,
}

const BASE_UNITS_PER_GRID: u64 = 1_000_000_000;
const LOW: u64 = 0xffff_ffff;

/// The 128-bit product as its high and low 64 bits.
#[inline(always)]
fn wide_product(left: u64, right: u64) -> (u64, u64) {
    let (left_high, left_low) = (left >> 32, left & LOW);
    let (right_high, right_low) = (right >> 32, right & LOW);
    // Each factor is below 2^32, so each product fits.
    let low = left_low.wrapping_mul(right_low);
    let cross_a = left_low.wrapping_mul(right_high);
    let cross_b = left_high.wrapping_mul(right_low);
    let high = left_high.wrapping_mul(right_high);
    // Below 3 x 2^32.
    let middle = (low >> 32).wrapping_add(cross_a & LOW).wrapping_add(cross_b & LOW);
    (
        high.wrapping_add(cross_a >> 32).wrapping_add(cross_b >> 32).wrapping_add(middle >> 32),
        (low & LOW) | (middle << 32),
    )
}

/// What `amount` costs at `price`: amount x price / 10^9, rounded as told. `None` where it passes 2^64 - 1.
#[inline(always)]
pub fn quote(amount: Nkwh, price: Price, rounding: Rounding) -> Option<Grx> {
    let (high, low) = wide_product(amount.0, price.0);
    if high >= BASE_UNITS_PER_GRID {
        return None;
    }
    // Long division in base 2^32. A remainder is below 10^9 < 2^30, so that each partial dividend fits 64 bits and each
    // digit of the quotient 32.
    let upper = (high << 32) | (low >> 32);
    let lower = ((upper % BASE_UNITS_PER_GRID) << 32) | (low & LOW);
    let quotient = ((upper / BASE_UNITS_PER_GRID) << 32) | (lower / BASE_UNITS_PER_GRID);
    if rounding == Rounding::Up && lower % BASE_UNITS_PER_GRID != 0 {
        return match quotient.checked_add(1) {
            Some(rounded) => Some(Grx(rounded)),
            None => None,
        };
    }
    Some(Grx(quotient))
}

/// Whether `price` is within `band` of `reference`, both ends included.
#[inline(always)]
pub fn in_band(price: Price, reference: Price, band: Bps) -> bool {
    let distance =
        if price.0 > reference.0 { price.0.wrapping_sub(reference.0) } else { reference.0.wrapping_sub(price.0) };
    distance <= band.of(reference.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_u128(amount: u64, price: u64, rounding: Rounding) -> Option<u64> {
        let product = amount as u128 * price as u128;
        let scale = BASE_UNITS_PER_GRID as u128;
        let quotient = if rounding == Rounding::Up { product.div_ceil(scale) } else { product / scale };
        u64::try_from(quotient).ok()
    }

    fn both(amount: u64, price: u64) {
        assert_eq!(wide_product(amount, price), {
            let product = amount as u128 * price as u128;
            ((product >> 64) as u64, product as u64)
        });
        for rounding in [Rounding::Up, Rounding::Down] {
            let ours = quote(Nkwh(amount), Price(price), rounding).map(|grx| grx.0);
            assert_eq!(ours, with_u128(amount, price, rounding), "{amount} x {price} {rounding:?}");
        }
    }

    /// splitmix64, as in `energy.rs`.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn seed() -> u64 {
        std::env::var("GTX_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos() as u64
        })
    }

    #[test]
    fn known_quotes() {
        // 10 GRID at 3 GRX.
        assert_eq!(quote(Nkwh(10_000_000_000), Price(3_000_000_000), Rounding::Up), Some(Grx(30_000_000_000)));
        // A third of a base unit.
        assert_eq!(quote(Nkwh(333_333_333), Price(1), Rounding::Down), Some(Grx(0)));
        assert_eq!(quote(Nkwh(333_333_333), Price(1), Rounding::Up), Some(Grx(1)));
        // 10^9 x u64::MAX / 10^9 is the largest that fits.
        assert_eq!(quote(Nkwh(1_000_000_000), Price(u64::MAX), Rounding::Up), Some(Grx(u64::MAX)));
        assert_eq!(quote(Nkwh(1_000_000_001), Price(u64::MAX), Rounding::Down), None);
        assert_eq!(quote(Nkwh(u64::MAX), Price(u64::MAX), Rounding::Down), None);
    }

    #[test]
    fn quotes_agree_with_u128_at_the_edges() {
        let mut edges = vec![0, 1, 2, 999_999_999, 1_000_000_000, 1_000_000_001, u64::MAX - 1, u64::MAX];
        for bit in 0..64 {
            edges.extend([(1u64 << bit).wrapping_sub(1), 1 << bit, (1 << bit) + 1]);
        }
        for amount in &edges {
            for price in &edges {
                both(*amount, *price);
            }
        }
        // Where the quotient is u64::MAX and something remains, rounding up does not fit.
        let mut passed = 0;
        for price in BASE_UNITS_PER_GRID + 1..BASE_UNITS_PER_GRID + 2_000 {
            let largest = u64::MAX as u128 * BASE_UNITS_PER_GRID as u128;
            let amount = largest.div_ceil(price as u128) as u64;
            both(amount, price);
            let down = quote(Nkwh(amount), Price(price), Rounding::Down);
            passed += (down == Some(Grx(u64::MAX)) && quote(Nkwh(amount), Price(price), Rounding::Up).is_none()) as u32;
        }
        assert!(passed > 1_000);
    }

    #[test]
    fn quotes_agree_with_u128_everywhere() {
        let seed = seed();
        let mut state = seed;
        println!("GTX_TEST_SEED={seed}");
        for _ in 0..500_000 {
            let amount = random(&mut state) >> (random(&mut state) % 64);
            let price = random(&mut state) >> (random(&mut state) % 64);
            both(amount, price);
        }
    }

    #[test]
    fn shares_agree_with_u128_and_never_pass_the_whole() {
        let seed = seed();
        let mut state = seed;
        println!("GTX_TEST_SEED={seed}");
        for _ in 0..200_000 {
            let value = random(&mut state) >> (random(&mut state) % 64);
            let bps = (random(&mut state) % 10_001) as u16;
            let share = Bps::new(bps).expect("at most 10,000").of(value);
            assert_eq!(share as u128, value as u128 * bps as u128 / 10_000, "seed {seed}: {bps} of {value}");
            assert!(share <= value);
        }
        assert_eq!(Bps::new(10_000).expect("the whole").of(u64::MAX), u64::MAX);
        assert_eq!(Bps::new(10_001), None);
    }

    #[test]
    fn bands_include_their_ends() {
        let band = Bps::new(500).expect("5 percent");
        let reference = Price(3_000_000_000);
        assert!(in_band(Price(3_150_000_000), reference, band));
        assert!(!in_band(Price(3_150_000_001), reference, band));
        assert!(in_band(Price(2_850_000_000), reference, band));
        assert!(!in_band(Price(2_849_999_999), reference, band));
        assert!(in_band(Price(u64::MAX), Price(u64::MAX), Bps::default()));
        assert!(!in_band(Price(0), Price(u64::MAX), Bps::new(9_999).expect("a share")));
    }

    #[test]
    fn parts_never_cost_less_than_the_whole_rounded_down_nor_more_than_rounded_up_plus_one_each() {
        let seed = seed();
        let mut state = seed;
        println!("GTX_TEST_SEED={seed}");
        for _ in 0..100_000 {
            let (a, b) = (random(&mut state) >> 20, random(&mut state) >> 20);
            let price = random(&mut state) >> 34;
            let at = |amount: u64, rounding| quote(Nkwh(amount), Price(price), rounding).expect("fits").0;
            // What lets a buy order pay a fill rounded down and still cover its rest.
            assert!(at(a, Rounding::Down) + at(b, Rounding::Up) <= at(a + b, Rounding::Up), "seed {seed}");
            assert!(at(a, Rounding::Up) + at(b, Rounding::Up) >= at(a + b, Rounding::Up), "seed {seed}");
            assert!(at(a, Rounding::Up) + at(b, Rounding::Up) <= at(a + b, Rounding::Up) + 1, "seed {seed}");
        }
    }
}
