//! Energy and power as types, so that only arithmetic that makes sense compiles. The back end has no 128-bit
//! multiplication or division: everything here stays within 64 bits and is compared with `u128` by the tests.

use crate::limits::MAX_ELAPSED_SECONDS;

/// An amount of energy in nano-kilowatt-hours; 1 nkWh is one base unit of GRID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nkwh(pub u64);

impl Nkwh {
    pub const ZERO: Self = Self(0);

    #[inline(always)]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    #[inline(always)]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    #[inline(always)]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        if self.0 > other.0 {
            self
        } else {
            other
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

/// A meter's rated power, as attested by the registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watts(pub u32);

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u32);

/// The most energy that counts for a meter of `rated` power after `elapsed`: `rated x elapsed x 1.1`, with
/// `elapsed` capped at 366 days, rounded down, and `u64::MAX` where it is larger than that.
///
/// 1 W s is 1 / 3.6e6 kWh, so W s x 1e9 / 3.6e6 x 1.1 = W s x 2750 / 9 nkWh. The quotient and the remainder of
/// the division by 9 are multiplied apart, which keeps the result exact without a 128-bit product.
#[inline(always)]
pub fn allowed_rise(rated: Watts, elapsed: Seconds) -> Nkwh {
    const NUMERATOR: u64 = 2_750;
    const DENOMINATOR: u64 = 9;
    let seconds = if elapsed.0 < MAX_ELAPSED_SECONDS { elapsed.0 } else { MAX_ELAPSED_SECONDS };
    // u32 x u32 always fits.
    let watt_seconds = (rated.0 as u64).wrapping_mul(seconds as u64);
    let quotient = watt_seconds / DENOMINATOR;
    let remainder = watt_seconds % DENOMINATOR;
    if quotient >= u64::MAX / NUMERATOR {
        // Within one NUMERATOR of the largest u64 or beyond it: no total of a meter can rise by more.
        return Nkwh(u64::MAX);
    }
    // quotient + 1 <= u64::MAX / NUMERATOR, and the second term is below NUMERATOR: neither can overflow.
    Nkwh(quotient.wrapping_mul(NUMERATOR).wrapping_add(remainder.wrapping_mul(NUMERATOR) / DENOMINATOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_u128(rated: u32, elapsed: u32) -> u64 {
        let seconds = elapsed.min(MAX_ELAPSED_SECONDS) as u128;
        let nkwh = rated as u128 * seconds * 1_000_000_000 * 11 / (3_600_000 * 10);
        nkwh.min(u64::MAX as u128) as u64
    }

    /// splitmix64: enough to spread the inputs, and the seed in a failure message repeats it.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn known_amounts() {
        // 5 kW for 15 minutes is 1.25 kWh; a tenth more counts.
        assert_eq!(allowed_rise(Watts(5_000), Seconds(900)), Nkwh(1_375_000_000));
        assert_eq!(allowed_rise(Watts(0), Seconds(900)), Nkwh(0));
        assert_eq!(allowed_rise(Watts(5_000), Seconds(0)), Nkwh(0));
        // 1 W for 1 s is 305.55... nkWh with the tenth, rounded down.
        assert_eq!(allowed_rise(Watts(1), Seconds(1)), Nkwh(305));
    }

    #[test]
    fn elapsed_is_capped_at_366_days() {
        let cap = allowed_rise(Watts(10_000), Seconds(MAX_ELAPSED_SECONDS));
        assert_eq!(allowed_rise(Watts(10_000), Seconds(MAX_ELAPSED_SECONDS + 1)), cap);
        assert_eq!(allowed_rise(Watts(10_000), Seconds(u32::MAX)), cap);
        assert!(allowed_rise(Watts(10_000), Seconds(MAX_ELAPSED_SECONDS - 1)) < cap);
    }

    #[test]
    fn agrees_with_u128_at_the_edges() {
        let edges = [0, 1, 2, 8, 9, 10, 17, 18, 899, 900, 31_622_399, 31_622_400, 31_622_401, u32::MAX - 1, u32::MAX];
        for rated in edges {
            for elapsed in edges {
                assert_eq!(
                    allowed_rise(Watts(rated), Seconds(elapsed)).0,
                    with_u128(rated, elapsed),
                    "{rated} {elapsed}"
                );
            }
        }
    }

    #[test]
    fn agrees_with_u128_everywhere() {
        let seed = std::env::var("GTX_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos() as u64
        });
        let mut state = seed;
        for _ in 0..200_000 {
            let rated = (random(&mut state) >> (random(&mut state) % 32)) as u32;
            let elapsed = (random(&mut state) >> (random(&mut state) % 32)) as u32;
            assert_eq!(
                allowed_rise(Watts(rated), Seconds(elapsed)).0,
                with_u128(rated, elapsed),
                "{rated} W, {elapsed} s; GTX_TEST_SEED={seed}"
            );
        }
    }

    #[test]
    fn near_the_largest_u64() {
        // Where the quotient meets the limit: exact below it, saturated from there on.
        let mut rated = u32::MAX;
        while with_u128(rated, MAX_ELAPSED_SECONDS) == u64::MAX {
            rated -= 1 << 16;
        }
        for watts in rated.saturating_sub(70_000)..rated + 70_000 {
            let expected = with_u128(watts, MAX_ELAPSED_SECONDS);
            let actual = allowed_rise(Watts(watts), Seconds(MAX_ELAPSED_SECONDS)).0;
            assert!(actual == expected || (actual == u64::MAX && expected > u64::MAX - 2_750 * 2), "{watts}");
        }
    }

    #[test]
    fn sums_and_differences_do_not_wrap() {
        assert_eq!(Nkwh(u64::MAX).checked_add(Nkwh(1)), None);
        assert_eq!(Nkwh(1).checked_add(Nkwh(2)), Some(Nkwh(3)));
        assert_eq!(Nkwh(1).checked_sub(Nkwh(2)), None);
        assert_eq!(Nkwh(1).saturating_sub(Nkwh(2)), Nkwh::ZERO);
    }
}
