use {
    crate::{clock::now, limits::MAX_INSTRUCTIONS, Call, GovernanceError, InstructionAdded, Proposal},
    anchor_lang::{find_program_address, prelude::*},
    gridtokenx_anchor_shared::{allocate, Allocation, Described},
    gridtokenx_shared::seeds,
};

#[derive(Accounts)]
pub struct AddInstruction {
    /// Whoever pays for the proposal.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub proposer: Signer,
    #[account(mut)]
    pub proposal: Described<Proposal>,
    /// `["instruction", proposal, how many it has, u8]`
    #[account(mut)]
    pub instruction: UncheckedAccount,
    pub system_program: Program<System>,
}

impl AddInstruction {
    pub fn run(ctx: &mut Context<Self>, call: Call) -> Result<()> {
        let accounts = &ctx.accounts;
        let mut proposal = Proposal::open(&accounts.proposal)?;
        proposal.require_draft_of(accounts.proposer.address())?;
        require!(*accounts.payer.address() == proposal.rent_payer, GovernanceError::WrongRentPayer);
        require!(proposal.instructions < MAX_INSTRUCTIONS, GovernanceError::TooManyInstructions);
        let proposal_address = *accounts.proposal.address();
        call.require_allowed(&proposal_address)?;

        let index = proposal.instructions;
        let (address, bump) =
            find_program_address(&[seeds::INSTRUCTION, proposal_address.as_ref(), &[index]], &crate::ID);
        require!(*accounts.instruction.address() == address, GovernanceError::WrongInstruction);
        let owner = crate::ID;
        allocate(
            &Allocation {
                payer: &accounts.payer,
                target: &accounts.instruction,
                space: call.space(),
                owner: &owner,
                address_seeds: &[seeds::INSTRUCTION, proposal_address.as_ref(), &[index], &[bump]],
            },
            GovernanceError::AccountExists,
        )?;
        let mut view = *accounts.instruction.account();
        view.try_borrow_mut()?.copy_from_slice(&call.to_account(&proposal_address, index, bump));
        // Eight at most.
        proposal.instructions = index.wrapping_add(1);
        proposal.instructions_hash = call.chain(&proposal.instructions_hash);
        emit!(InstructionAdded {
            proposal: proposal_address,
            instruction: address,
            program_id: *call.program_id,
            index,
            instructions_hash: proposal.instructions_hash,
            timestamp: now()?,
        });
        proposal.invariant()
    }
}
