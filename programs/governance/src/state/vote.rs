use {
    crate::{tally::Choice, GovernanceError},
    anchor_lang::prelude::*,
};

/// One wallet's vote on one proposal. `["vote", proposal, wallet]`
#[account]
pub struct Vote {
    pub proposal: Address,
    pub wallet: Address,
    /// Gets the lamports back.
    pub rent_payer: Address,
    /// Base units of GOV that were counted.
    pub weight: u64,
    pub voted_at: i64,
    /// 0 no, 1 yes, 2 abstain.
    pub choice: u8,
    pub bump: u8,
    pub padding: [u8; 6],
}

impl Vote {
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        require!(self.weight > 0 && Choice::from_code(self.choice).is_some(), GovernanceError::InvariantViolated);
        Ok(())
    }
}
