use {
    crate::{
        open, read,
        tally::{Choice, Tally},
        GovernanceError,
    },
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_shared::money::Bps,
};

/// Where a proposal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// Its proposer adds instructions.
    Draft = 0,
    Voting = 1,
    /// It passed; its instructions wait for the timelock, then to be executed.
    Queued = 2,
    /// Every instruction was executed.
    Executed = 3,
    Defeated = 4,
    Cancelled = 5,
}

/// Instructions that GOV holders vote on. `["proposal", number u64 little-endian]`
#[account]
pub struct Proposal {
    /// From 1; never used again.
    pub id: u64,
    pub proposer: Address,
    /// Pays for this account and those of its instructions, and gets their lamports back.
    pub rent_payer: Address,
    /// UTF-8, zero-padded.
    pub title: [u8; 64],
    /// Where the description is; UTF-8, zero-padded, may be empty.
    pub uri: [u8; 128],
    /// sha256 of the description.
    pub description_hash: [u8; 32],
    /// Each instruction is hashed after the hash of those before it: sha256(hash, program, accounts, data as borsh).
    pub instructions_hash: [u8; 32],
    /// Votes, in base units of GOV.
    pub yes: u64,
    pub no: u64,
    pub abstain: u64,
    /// All GOV there was when voting began.
    pub supply: u64,
    /// The weight that has to take part.
    pub quorum: u64,
    pub created_at: i64,
    pub voting_starts_at: i64,
    /// From this time on no vote counts.
    pub voting_ends_at: i64,
    /// From this time on its instructions can be executed.
    pub executable_at: i64,
    /// From this time on they no longer can.
    pub expires_at: i64,
    /// More than this share of yes and no has to be yes.
    pub threshold_bps: u16,
    /// 0 draft, 1 voting, 2 queued, 3 executed, 4 defeated, 5 cancelled.
    pub status: u8,
    /// How many it holds.
    pub instructions: u8,
    /// How many of them, from the first, were executed.
    pub executed: u8,
    pub bump: u8,
    pub padding: [u8; 2],
}

impl Proposal {
    #[inline(always)]
    pub fn open(view: &AccountView) -> Result<Account<Self>> {
        open::<Self>(view, GovernanceError::ProposalClosed)
    }

    /// As [`Self::open`], to be read only.
    #[inline(always)]
    pub fn read(view: &AccountView) -> Result<Account<Self>> {
        read::<Self>(view, GovernanceError::ProposalClosed)
    }

    #[inline(always)]
    pub fn is(&self, status: Status) -> bool {
        self.status == status as u8
    }

    pub fn require_draft_of(&self, proposer: &Address) -> Result<()> {
        require!(self.proposer == *proposer, GovernanceError::NotProposer);
        require!(self.is(Status::Draft), GovernanceError::NotDraft);
        Ok(())
    }

    /// Whether votes count now.
    #[inline(always)]
    pub fn is_voting(&self, now: i64) -> bool {
        self.is(Status::Voting) && now < self.voting_ends_at
    }

    #[inline(always)]
    pub fn require_voting(&self, now: i64) -> Result<()> {
        require!(self.is(Status::Voting), GovernanceError::NotVoting);
        require!(now < self.voting_ends_at, GovernanceError::VotingEnded);
        Ok(())
    }

    #[inline(always)]
    pub fn tally(&self) -> Tally {
        Tally { yes: self.yes, no: self.no, abstain: self.abstain }
    }

    #[inline(always)]
    fn set_tally(&mut self, tally: Tally) {
        self.yes = tally.yes;
        self.no = tally.no;
        self.abstain = tally.abstain;
    }

    #[inline(always)]
    pub fn count(&mut self, choice: Choice, weight: u64) -> Result<()> {
        let mut tally = self.tally();
        tally.add(choice, weight)?;
        self.set_tally(tally);
        Ok(())
    }

    /// Takes a vote back.
    #[inline(always)]
    pub fn discount(&mut self, choice: u8, weight: u64) -> Result<()> {
        let mut tally = self.tally();
        tally.remove(Choice::from_code(choice).ok_or(GovernanceError::InvariantViolated)?, weight)?;
        self.set_tally(tally);
        Ok(())
    }

    pub fn has_passed(&self) -> bool {
        // A stored threshold is one that was valid.
        Bps::new(self.threshold_bps).is_some_and(|threshold| self.tally().passes(self.quorum, threshold))
    }

    /// Whether nothing can happen to it any more.
    pub fn is_finished(&self, now: i64) -> bool {
        self.is(Status::Executed)
            || self.is(Status::Defeated)
            || self.is(Status::Cancelled)
            || (self.is(Status::Queued) && now >= self.expires_at)
    }

    /// Called at the end of each instruction that changes a proposal.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        let Some(votes) = self.tally().total() else { return Err(GovernanceError::InvariantViolated.into()) };
        let done = self.is(Status::Executed);
        require!(
            self.status <= Status::Cancelled as u8
                && votes <= self.supply
                && self.executed <= self.instructions
                && done == (self.executed == self.instructions && self.instructions > 0)
                && self.voting_starts_at <= self.voting_ends_at
                && self.voting_ends_at <= self.executable_at
                && self.executable_at <= self.expires_at,
            GovernanceError::InvariantViolated
        );
        Ok(())
    }
}
