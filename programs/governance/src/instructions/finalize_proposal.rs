use {
    crate::{clock::now, GovernanceError, Proposal, ProposalFinalized, Status, Voter},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
};

#[derive(Accounts)]
pub struct FinalizeProposal {
    #[account(mut)]
    pub proposal: Described<Proposal>,
    /// The proposer's voter account.
    #[account(mut)]
    pub voter: Described<Voter>,
}

impl FinalizeProposal {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let timestamp = now()?;
        let mut proposal = Proposal::open(&accounts.proposal)?;
        require!(proposal.is(Status::Voting), GovernanceError::NotVoting);
        require!(timestamp >= proposal.voting_ends_at, GovernanceError::VotingOpen);
        let status = if proposal.has_passed() { Status::Queued } else { Status::Defeated };
        proposal.status = status as u8;
        let mut voter = Voter::open(&accounts.voter, &proposal.proposer)?;
        voter.unlock()?;
        emit!(ProposalFinalized {
            proposal: *accounts.proposal.address(),
            id: proposal.id,
            status: status as u8,
            yes: proposal.yes,
            no: proposal.no,
            abstain: proposal.abstain,
            timestamp,
        });
        voter.invariant()?;
        proposal.invariant()
    }
}
