use {
    crate::{clock::now, spl, tally::quorum_of, Config, GovernanceError, Proposal, ProposalActivated, Status, Voter},
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_anchor_shared::Described,
    gridtokenx_shared::addresses::{GOVERNANCE_CONFIG, GOV_MINT},
};

#[derive(Accounts)]
pub struct ActivateProposal {
    pub proposer: Signer,
    #[account(address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
    #[account(address = GOV_MINT @ GovernanceError::WrongMint)]
    pub mint: UncheckedAccount,
    pub voter: Described<Voter>,
    #[account(mut)]
    pub proposal: Described<Proposal>,
}

impl ActivateProposal {
    pub fn run(ctx: &mut Context<Self>, instructions_hash: [u8; 32]) -> Result<()> {
        let accounts = &ctx.accounts;
        let config = &accounts.config;
        let timestamp = now()?;
        config.require_running(timestamp)?;
        let proposer = *accounts.proposer.address();
        let mut proposal = Proposal::open(&accounts.proposal)?;
        proposal.require_draft_of(&proposer)?;
        require!(proposal.instructions > 0, GovernanceError::NoInstructions);
        require!(proposal.instructions_hash == instructions_hash, GovernanceError::HashMismatch);
        // The deposit is held since the draft was made, but the settings may have changed.
        let voter = Voter::read(&accounts.voter, &proposer)?;
        require!(voter.deposited >= config.proposal_deposit, GovernanceError::ProposalDepositTooSmall);

        let after =
            |start: i64, seconds: u32| start.checked_add(seconds as i64).ok_or(GovernanceError::ArithmeticOverflow);
        proposal.supply = spl::supply(&accounts.mint)?;
        proposal.quorum = quorum_of(proposal.supply, config.quorum_bps);
        proposal.threshold_bps = config.threshold_bps;
        proposal.voting_starts_at = timestamp;
        proposal.voting_ends_at = after(timestamp, config.voting_seconds)?;
        proposal.executable_at = after(proposal.voting_ends_at, config.timelock_seconds)?;
        proposal.expires_at = after(proposal.executable_at, config.execution_seconds)?;
        proposal.status = Status::Voting as u8;
        emit!(ProposalActivated::new(accounts.proposal.address(), &proposal));
        proposal.invariant()
    }
}
