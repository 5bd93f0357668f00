use {
    crate::{clock::now, GovernanceError, Proposal, ProposalCancelled, Status, Voter},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
};

#[derive(Accounts)]
pub struct CancelProposal {
    pub proposer: Signer,
    #[account(mut)]
    pub voter: Described<Voter>,
    #[account(mut)]
    pub proposal: Described<Proposal>,
}

impl CancelProposal {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let timestamp = now()?;
        let proposer = *accounts.proposer.address();
        let mut proposal = Proposal::open(&accounts.proposal)?;
        require!(proposal.proposer == proposer, GovernanceError::NotProposer);
        if !proposal.is(Status::Draft) {
            proposal.require_voting(timestamp)?;
        }
        proposal.status = Status::Cancelled as u8;
        let mut voter = Voter::open(&accounts.voter, &proposer)?;
        voter.unlock()?;
        emit!(ProposalCancelled { proposal: *accounts.proposal.address(), id: proposal.id, timestamp });
        voter.invariant()?;
        proposal.invariant()
    }
}
