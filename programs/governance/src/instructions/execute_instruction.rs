use {
    crate::{clock::now, Config, GovernanceError, InstructionExecuted, Proposal, ProposalInstruction, Status},
    anchor_lang::{
        __alloc::vec::Vec,
        accounts::{Account, BorshAccount},
        prelude::*,
    },
    gridtokenx_anchor_shared::Described,
    gridtokenx_shared::{
        addresses::{GOVERNANCE_CONFIG, GOVERNANCE_SIGNER_BUMP},
        seeds,
    },
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

#[derive(Accounts)]
pub struct ExecuteInstruction {
    #[account(address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub proposal: Described<Proposal>,
    /// The next one.
    pub instruction: BorshAccount<ProposalInstruction>,
    /// The program that it names.
    pub target_program: UncheckedAccount,
}

impl ExecuteInstruction {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let given = ctx.remaining_accounts()?;
        let accounts = &ctx.accounts;
        let timestamp = now()?;
        accounts.config.require_running(timestamp)?;
        let mut proposal = Proposal::open(&accounts.proposal)?;
        require!(proposal.is(Status::Queued), GovernanceError::NotQueued);
        require!(timestamp >= proposal.executable_at, GovernanceError::Timelocked);
        require!(timestamp < proposal.expires_at, GovernanceError::Expired);
        let stored = &accounts.instruction;
        let proposal_address = *accounts.proposal.address();
        require!(
            stored.proposal == proposal_address && stored.index == proposal.executed,
            GovernanceError::WrongInstruction
        );
        require!(*accounts.target_program.address() == stored.program_id, GovernanceError::WrongProgram);
        let matches = given.len() == stored.accounts.len()
            && given
                .iter()
                .zip(&stored.accounts)
                .all(|(view, named)| *view.address() == named.address && (view.is_writable() || !named.is_writable()));
        require!(matches, GovernanceError::WrongAccounts);

        // Booked before the call: whatever the other program does, this instruction is not run again.
        proposal.executed = stored.index.checked_add(1).ok_or(GovernanceError::ArithmeticOverflow)?;
        let done = proposal.executed == proposal.instructions;
        if done {
            proposal.status = Status::Executed as u8;
        }
        proposal.invariant()?;
        let id = proposal.id;
        drop(proposal);
        call(stored, &given);
        emit!(InstructionExecuted {
            proposal: proposal_address,
            id,
            index: stored.index,
            program_id: stored.program_id,
            done,
            timestamp,
        });
        Ok(())
    }
}

/// The only place that signs with the governance address: a stored instruction, as it was voted on.
#[inline(never)]
fn call(stored: &ProposalInstruction, given: &[AccountView]) {
    let accounts: Vec<InstructionAccount> = stored
        .accounts
        .iter()
        .map(|named| InstructionAccount::new(&named.address, named.is_writable(), named.is_signer()))
        .collect();
    let views: Vec<CpiAccount> = given.iter().map(CpiAccount::from).collect();
    let bump = [GOVERNANCE_SIGNER_BUMP];
    let signer_seeds = [Seed::from(seeds::GOVERNANCE), Seed::from(&bump)];
    // SAFETY: no reference into the data of an account that the call can write is used after it: the proposal cannot be
    // among them, the stored instruction was copied when it was read, and the configuration is not read again.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView { program_id: &stored.program_id, accounts: &accounts, data: &stored.data },
            &views,
            &[Signer::from(&signer_seeds)],
        );
    }
}
