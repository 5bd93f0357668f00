//! governance: who holds GOV decides. Deposits weigh votes, and are held until the votes are over; a proposal carries
//! instructions of other programs, which the governance address signs once it has passed and waited.

extern crate sbf_shim;

mod clock;
mod error;
mod events;
mod instructions;
pub mod limits;
mod spl;
mod state;
pub mod tally;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use anchor_lang::{__alloc::vec::Vec, prelude::*};

/// This program's address; `GTX_GOVERNANCE_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::GOVERNANCE_ID as ID;

// The instructions that most wallets send come first: the dispatcher compares in this order.
#[program]
pub mod governance {
    use super::*;

    /// Votes on a proposal with all that is deposited: 0 no, 1 yes, 2 abstain. Voting again replaces the vote, with the
    /// deposit as it is then. The deposit is held until the vote is closed, which waits for the end of voting.
    pub fn vote(ctx: &mut Context<CastVote>, choice: u8) -> Result<()> {
        CastVote::run(ctx, choice)
    }

    /// Moves GOV into the vault, where it weighs the wallet's votes.
    pub fn deposit(ctx: &mut Context<Deposit>, amount: u64) -> Result<()> {
        Deposit::run(ctx, amount)
    }

    /// Moves GOV back to the wallet; refused while a vote or a proposal of the wallet's holds it. Works while governance
    /// is paused.
    pub fn withdraw(ctx: &mut Context<Withdraw>, amount: u64) -> Result<()> {
        Withdraw::run(ctx, amount)
    }

    /// Removes the record of a vote whose proposal is no longer voted on, and frees the deposit of it. The rent goes
    /// back to whoever paid it. Anybody can call it.
    pub fn close_vote(ctx: &mut Context<CloseVote>) -> Result<()> {
        CloseVote::run(ctx)
    }

    /// Makes a draft, to which its proposer adds instructions. Needs the proposer's deposit, and holds it until the
    /// proposal is decided or cancelled.
    pub fn create_proposal(
        ctx: &mut Context<CreateProposal>,
        title: [u8; 64],
        uri: [u8; 128],
        description_hash: [u8; 32],
    ) -> Result<()> {
        CreateProposal::run(ctx, ProposalText { title, uri, description_hash })
    }

    /// Adds an instruction to a draft, behind those it has: a program, up to 16 accounts, up to 512 bytes. Only the
    /// governance address can be named as a signer.
    pub fn add_instruction(
        ctx: &mut Context<AddInstruction>,
        program_id: Address,
        accounts: Vec<ProposalAccount>,
        data: Vec<u8>,
    ) -> Result<()> {
        AddInstruction::run(ctx, Call { program_id: &program_id, accounts: &accounts, data: &data })
    }

    /// Begins the voting on a draft: from here on its instructions, which the proposer names by their hash, and the rules
    /// under which it passes stay as they are.
    pub fn activate_proposal(ctx: &mut Context<ActivateProposal>, instructions_hash: [u8; 32]) -> Result<()> {
        ActivateProposal::run(ctx, instructions_hash)
    }

    /// The proposer gives up a draft, or a proposal before its voting ends.
    pub fn cancel_proposal(ctx: &mut Context<CancelProposal>) -> Result<()> {
        CancelProposal::run(ctx)
    }

    /// Says, after the end of voting, whether a proposal has passed. Anybody can call it.
    pub fn finalize_proposal(ctx: &mut Context<FinalizeProposal>) -> Result<()> {
        FinalizeProposal::run(ctx)
    }

    /// Executes the next instruction of a proposal that passed, signed by the governance address: between the timelock
    /// and the expiry, in order, each once. What fails can be tried again. The accounts of the instruction follow the
    /// named ones, in its order. Anybody can call it.
    pub fn execute_instruction(ctx: &mut Context<ExecuteInstruction>) -> Result<()> {
        ExecuteInstruction::run(ctx)
    }

    /// Removes a proposal that is executed, defeated, cancelled or expired, with its instructions, which follow the named
    /// accounts in order. The rent goes back to whoever paid it. Anybody can call it.
    pub fn close_proposal(ctx: &mut Context<CloseProposal>) -> Result<()> {
        CloseProposal::run(ctx)
    }

    /// Removes a wallet's voter account when nothing is deposited. The rent goes back to whoever paid it.
    pub fn close_voter(ctx: &mut Context<CloseVoter>) -> Result<()> {
        CloseVoter::run(ctx)
    }

    /// The guardian stops proposals and executions for the time that the settings name. Votes, withdrawals and closing go
    /// on. It ends by itself; nobody can lengthen it, and the next pause waits until a proposal had the time to pass.
    pub fn pause(ctx: &mut Context<Pause>) -> Result<()> {
        Pause::run(ctx)
    }

    /// Changes the settings. Only a proposal can.
    pub fn set_settings(ctx: &mut Context<ByGovernance>, settings: Settings) -> Result<()> {
        ByGovernance::set_settings(ctx, settings)
    }

    /// Names another guardian, who can pause at once. Only a proposal can.
    pub fn set_guardian(ctx: &mut Context<ByGovernance>, new_guardian: Address) -> Result<()> {
        ByGovernance::set_guardian(ctx, new_guardian)
    }

    /// Creates the configuration, the GOV mint and the vault, and mints all GOV there will ever be to `owner`. Only the
    /// program's upgrade authority can call it.
    pub fn initialize(ctx: &mut Context<Initialize>, settings: Settings, guardian: Address, supply: u64) -> Result<()> {
        Initialize::run(ctx, InitializeArgs { settings, guardian, supply })
    }
}
