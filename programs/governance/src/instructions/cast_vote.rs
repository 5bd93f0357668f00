use {
    crate::{clock::now, open, tally::Choice, GovernanceError, Proposal, Vote, VoteCast, Voter},
    anchor_lang::{accounts::Account, find_program_address, prelude::*},
    gridtokenx_anchor_shared::{create, log_event, Described},
    gridtokenx_shared::seeds,
};

#[derive(Accounts)]
pub struct CastVote {
    /// Pays the rent of the vote, and gets it back when that is closed.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub wallet: Signer,
    #[account(mut)]
    pub voter: Described<Voter>,
    #[account(mut)]
    pub proposal: Described<Proposal>,
    /// Made with the wallet's first vote on this proposal. `["vote", proposal, wallet]`
    #[account(mut)]
    pub vote: Described<Vote>,
    pub system_program: Program<System>,
}

impl CastVote {
    pub fn run(ctx: &mut Context<Self>, choice: u8) -> Result<()> {
        let accounts = &ctx.accounts;
        let choice = Choice::from_code(choice).ok_or(GovernanceError::ChoiceInvalid)?;
        let timestamp = now()?;
        let wallet = *accounts.wallet.address();
        let mut voter = Voter::open(&accounts.voter, &wallet)?;
        require!(voter.deposited > 0, GovernanceError::NotDeposited);
        let mut proposal = Proposal::open(&accounts.proposal)?;
        proposal.require_voting(timestamp)?;
        let proposal_address = *accounts.proposal.address();
        let mut vote = vote(&accounts.payer, &accounts.vote, &proposal_address, &wallet)?;
        let (previous_choice, previous_weight) = (vote.choice, vote.weight);
        if previous_weight > 0 {
            proposal.discount(previous_choice, previous_weight)?;
        } else {
            voter.lock()?;
        }
        proposal.count(choice, voter.deposited)?;
        vote.weight = voter.deposited;
        vote.choice = choice.code();
        vote.voted_at = timestamp;
        log_event(VoteCast {
            proposal: proposal_address,
            wallet,
            weight: vote.weight,
            previous_weight,
            yes: proposal.yes,
            no: proposal.no,
            abstain: proposal.abstain,
            timestamp,
            choice: vote.choice,
            previous_choice,
            padding: [0; 6],
        });
        vote.invariant()?;
        voter.invariant()?;
        proposal.invariant()
    }
}

/// The wallet's vote on the proposal, made when it is not there. One that exists is known by program, kind, proposal and
/// wallet: only the lines below make any, and they derive the address.
#[inline(always)]
fn vote(payer: &AccountView, target: &AccountView, proposal: &Address, wallet: &Address) -> Result<Account<Vote>> {
    if target.owned_by(&crate::ID) {
        let vote = open::<Vote>(target, GovernanceError::WrongVote)?;
        require!(vote.proposal == *proposal && vote.wallet == *wallet, GovernanceError::WrongVote);
        return Ok(vote);
    }
    let (address, bump) = find_program_address(&[seeds::VOTE, proposal.as_ref(), wallet.as_ref()], &crate::ID);
    require!(*target.address() == address, GovernanceError::WrongVote);
    let address_seeds: [&[u8]; 4] = [seeds::VOTE, proposal.as_ref(), wallet.as_ref(), &[bump]];
    let mut vote = create::<Vote>(payer, target, &address_seeds, GovernanceError::AccountExists)?;
    vote.proposal = *proposal;
    vote.wallet = *wallet;
    vote.rent_payer = *payer.address();
    vote.bump = bump;
    Ok(vote)
}
