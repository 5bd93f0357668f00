//! One file per instruction: its accounts, its checks, its handler.

pub mod activate_proposal;
pub mod add_instruction;
pub mod by_governance;
pub mod cancel_proposal;
pub mod cast_vote;
pub mod close_proposal;
pub mod close_vote;
pub mod close_voter;
pub mod create_proposal;
pub mod deposit;
pub mod execute_instruction;
pub mod finalize_proposal;
pub mod initialize;
pub mod pause;
pub mod withdraw;

pub use {
    activate_proposal::*, add_instruction::*, by_governance::*, cancel_proposal::*, cast_vote::*, close_proposal::*,
    close_vote::*, close_voter::*, create_proposal::*, deposit::*, execute_instruction::*, finalize_proposal::*,
    initialize::*, pause::*, withdraw::*,
};
