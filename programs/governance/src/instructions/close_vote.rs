use {
    crate::{clock::now, close, open, GovernanceError, Proposal, Vote, VoteClosed, Voter},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
};

#[derive(Accounts)]
pub struct CloseVote {
    /// The proposal voted on. It may have been closed.
    pub proposal: Described<Proposal>,
    #[account(mut)]
    pub vote: Described<Vote>,
    /// The voter account of the vote's wallet.
    #[account(mut)]
    pub voter: Described<Voter>,
    /// Whoever paid for the vote.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

impl CloseVote {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let timestamp = now()?;
        let vote = open::<Vote>(&accounts.vote, GovernanceError::WrongVote)?;
        require!(vote.proposal == *accounts.proposal.address(), GovernanceError::WrongProposal);
        require!(vote.rent_payer == *accounts.rent_payer.address(), GovernanceError::WrongRentPayer);
        // A proposal that was closed is not voted on, and its number is never used again.
        if accounts.proposal.owned_by(&crate::ID) {
            require!(!Proposal::read(&accounts.proposal)?.is_voting(timestamp), GovernanceError::VotingOpen);
        }
        let mut voter = Voter::open(&accounts.voter, &vote.wallet)?;
        voter.unlock()?;
        emit!(VoteClosed { proposal: vote.proposal, wallet: vote.wallet, timestamp });
        voter.invariant()?;
        drop(vote);
        close(&accounts.vote, &accounts.rent_payer)
    }
}
