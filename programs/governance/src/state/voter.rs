use {
    crate::{open, read, GovernanceError},
    anchor_lang::{accounts::Account, prelude::*},
};

/// What a wallet has deposited, and how many votes and proposals hold it there. `["voter", wallet]`
#[account]
pub struct Voter {
    pub wallet: Address,
    /// Gets the lamports back.
    pub rent_payer: Address,
    /// Base units of GOV: the weight of this wallet's votes.
    pub deposited: u64,
    /// Votes not yet closed, and proposals that are drafts or being voted on. Above 0 nothing can be withdrawn.
    pub locks: u32,
    pub bump: u8,
    pub padding: [u8; 3],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 32],
}

impl Voter {
    /// The account of `wallet`. Only `deposit` makes any, and it derives the address: program, kind and wallet tell
    /// them apart.
    #[inline(always)]
    pub fn open(view: &AccountView, wallet: &Address) -> Result<Account<Self>> {
        let voter = open::<Self>(view, GovernanceError::NotDeposited)?;
        require!(voter.wallet == *wallet, GovernanceError::WrongVoter);
        Ok(voter)
    }

    /// As [`Self::open`], to be read only.
    #[inline(always)]
    pub fn read(view: &AccountView, wallet: &Address) -> Result<Account<Self>> {
        let voter = read::<Self>(view, GovernanceError::NotDeposited)?;
        require!(voter.wallet == *wallet, GovernanceError::WrongVoter);
        Ok(voter)
    }

    #[inline(always)]
    pub fn lock(&mut self) -> Result<()> {
        self.locks = self.locks.checked_add(1).ok_or(GovernanceError::ArithmeticOverflow)?;
        Ok(())
    }

    #[inline(always)]
    pub fn unlock(&mut self) -> Result<()> {
        self.locks = self.locks.checked_sub(1).ok_or(GovernanceError::InvariantViolated)?;
        Ok(())
    }

    /// Called at the end of each instruction that changes a voter: what is held there is there.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        require!(self.locks == 0 || self.deposited > 0, GovernanceError::InvariantViolated);
        Ok(())
    }
}
