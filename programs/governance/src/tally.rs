//! Votes and what they come to: pure, and tested off the chain.

use {crate::GovernanceError, gridtokenx_shared::money::Bps};

/// What a voter says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    No,
    Yes,
    /// Counts for the quorum alone.
    Abstain,
}

impl Choice {
    #[inline(always)]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::No),
            1 => Some(Self::Yes),
            2 => Some(Self::Abstain),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn code(self) -> u8 {
        match self {
            Self::No => 0,
            Self::Yes => 1,
            Self::Abstain => 2,
        }
    }
}

/// Weights by choice, in base units of GOV.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub yes: u64,
    pub no: u64,
    pub abstain: u64,
}

impl Tally {
    #[inline(always)]
    fn of(&mut self, choice: Choice) -> &mut u64 {
        match choice {
            Choice::No => &mut self.no,
            Choice::Yes => &mut self.yes,
            Choice::Abstain => &mut self.abstain,
        }
    }

    #[inline(always)]
    pub fn add(&mut self, choice: Choice, weight: u64) -> Result<(), GovernanceError> {
        let sum = self.of(choice);
        *sum = sum.checked_add(weight).ok_or(GovernanceError::ArithmeticOverflow)?;
        Ok(())
    }

    /// Takes back what `add` counted.
    #[inline(always)]
    pub fn remove(&mut self, choice: Choice, weight: u64) -> Result<(), GovernanceError> {
        let sum = self.of(choice);
        *sum = sum.checked_sub(weight).ok_or(GovernanceError::InvariantViolated)?;
        Ok(())
    }

    /// `None` where the sum passes 2^64 - 1, which the supply of GOV keeps from happening.
    #[inline(always)]
    pub fn total(&self) -> Option<u64> {
        self.yes.checked_add(self.no)?.checked_add(self.abstain)
    }

    /// Whether at least `quorum` took part, and more than `threshold` of those who said yes or no said yes.
    #[inline(always)]
    pub fn passes(&self, quorum: u64, threshold: Bps) -> bool {
        let (Some(total), Some(decided)) = (self.total(), self.yes.checked_add(self.no)) else { return false };
        // More than a fraction is more than that fraction rounded down: weights are whole numbers.
        total >= quorum && self.yes > threshold.of(decided)
    }
}

/// The least weight that makes `share_bps` of `supply`, rounded up, and at least 1.
#[inline(always)]
pub fn quorum_of(supply: u64, share_bps: u16) -> u64 {
    // A share rounded up leaves the rest rounded down, and that is at most the supply.
    let rest = Bps::new(Bps::WHOLE.saturating_sub(share_bps)).unwrap_or_default().of(supply);
    supply.wrapping_sub(rest).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bps(value: u16) -> Bps {
        Bps::new(value).expect("a share")
    }

    /// splitmix64.
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

    #[test]
    fn quorums_are_rounded_up_and_never_nothing() {
        assert_eq!(quorum_of(10_000, 400), 400);
        assert_eq!(quorum_of(10_001, 400), 401);
        assert_eq!(quorum_of(1, 1), 1);
        assert_eq!(quorum_of(0, 400), 1);
        assert_eq!(quorum_of(u64::MAX, 10_000), u64::MAX);
    }

    #[test]
    fn a_tie_fails_and_so_does_silence() {
        let tally = |yes, no, abstain| Tally { yes, no, abstain };
        let majority = bps(5_000);
        assert!(!tally(5, 5, 0).passes(1, majority));
        assert!(tally(6, 5, 0).passes(1, majority));
        assert!(tally(1, 0, 0).passes(1, majority));
        assert!(!tally(0, 0, 100).passes(1, majority));
        assert!(!tally(0, 0, 0).passes(1, majority));
        // Abstentions count for the quorum only.
        assert!(!tally(6, 3, 0).passes(10, majority));
        assert!(tally(6, 3, 1).passes(10, majority));
        // Two thirds.
        assert!(!tally(6_667, 3_333, 0).passes(1, bps(6_667)));
        assert!(tally(6_668, 3_332, 0).passes(1, bps(6_667)));
        // What cannot be added up is no result.
        assert!(!tally(u64::MAX, 1, 0).passes(1, majority));
    }

    #[test]
    fn agrees_with_u128_everywhere() {
        let seed = seed();
        let mut state = seed;
        for _ in 0..200_000 {
            let weight = |state: &mut u64| random(state) >> (2 + random(state) % 62);
            let tally = Tally { yes: weight(&mut state), no: weight(&mut state), abstain: weight(&mut state) };
            let (supply, share) =
                (random(&mut state) >> (random(&mut state) % 64), (random(&mut state) % 10_001) as u16);
            let quorum = quorum_of(supply, share);
            let exact = (supply as u128 * share as u128).div_ceil(10_000).max(1);
            assert_eq!(quorum as u128, exact, "seed {seed}: {share} of {supply}");
            let (yes, no, abstain) = (tally.yes as u128, tally.no as u128, tally.abstain as u128);
            let expected = yes + no + abstain >= quorum as u128 && yes * 10_000 > share as u128 * (yes + no);
            assert_eq!(tally.passes(quorum, bps(share)), expected, "seed {seed}: {tally:?} {share}");
        }
    }

    #[test]
    fn removing_undoes_adding() {
        let mut tally = Tally::default();
        tally.add(Choice::Yes, 3).expect("fits");
        tally.add(Choice::Abstain, 4).expect("fits");
        tally.remove(Choice::Yes, 3).expect("was there");
        assert_eq!(tally, Tally { yes: 0, no: 0, abstain: 4 });
        assert_eq!(tally.remove(Choice::No, 1), Err(GovernanceError::InvariantViolated));
        assert_eq!(tally.add(Choice::Abstain, u64::MAX), Err(GovernanceError::ArithmeticOverflow));
    }
}
