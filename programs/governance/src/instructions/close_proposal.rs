use {
    crate::{clock::now, close, GovernanceError, Proposal, ProposalInstruction, ProposalRemoved},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
};

#[derive(Accounts)]
pub struct CloseProposal {
    #[account(mut)]
    pub proposal: Described<Proposal>,
    /// Whoever paid for the proposal.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

/// Whether an account holds the instruction of this proposal at this place: discriminator, proposal, index.
fn is_instruction(view: &AccountView, proposal: &Address, index: usize) -> Result<bool> {
    if !view.owned_by(&crate::ID) {
        return Ok(false);
    }
    let data = view.try_borrow()?;
    Ok(data.len() > 40
        && data[..8] == *ProposalInstruction::DISCRIMINATOR
        && data[8..40] == *proposal.as_array()
        && data[40] as usize == index)
}

impl CloseProposal {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let instructions = ctx.remaining_accounts()?;
        let accounts = &ctx.accounts;
        let timestamp = now()?;
        let proposal = Proposal::open(&accounts.proposal)?;
        require!(proposal.is_finished(timestamp), GovernanceError::NotFinished);
        require!(*accounts.rent_payer.address() == proposal.rent_payer, GovernanceError::WrongRentPayer);
        let address = *accounts.proposal.address();
        require!(instructions.len() == proposal.instructions as usize, GovernanceError::WrongInstruction);
        for (index, view) in instructions.iter().enumerate() {
            require!(is_instruction(view, &address, index)?, GovernanceError::WrongInstruction);
            require!(view.is_writable(), ErrorCode::ConstraintMut);
        }
        emit!(ProposalRemoved { proposal: address, id: proposal.id, status: proposal.status, timestamp });
        drop(proposal);
        for view in &instructions {
            close(view, &accounts.rent_payer)?;
        }
        close(&accounts.proposal, &accounts.rent_payer)
    }
}
