//! What the program tells the outside; proposals, votes and deposits can be put together from these. Amounts and weights
//! are base units of GOV, times Unix seconds.

use {
    crate::{Config, Proposal, Settings},
    anchor_lang::prelude::*,
};

/// Settings and guardian after initialisation or a change, whole.
#[event]
pub struct GovernanceChanged {
    pub guardian: Address,
    pub supply: u64,
    pub settings: Settings,
    pub timestamp: i64,
}

impl GovernanceChanged {
    pub fn new(config: &Config, timestamp: i64) -> Self {
        Self { guardian: config.guardian, supply: config.supply, settings: config.settings(), timestamp }
    }
}

/// The guardian stopped proposals and executions for a while.
#[event]
pub struct GovernancePaused {
    pub guardian: Address,
    pub paused_until: i64,
    pub pause_allowed_at: i64,
    pub timestamp: i64,
}

#[event(bytemuck)]
pub struct GovDeposited {
    pub wallet: Address,
    pub amount: u64,
    /// The wallet's deposit after it.
    pub deposited: u64,
    /// All deposits after it.
    pub total_deposited: u64,
    pub timestamp: i64,
}

#[event(bytemuck)]
pub struct GovWithdrawn {
    pub wallet: Address,
    /// Where it went.
    pub destination: Address,
    pub amount: u64,
    /// The wallet's deposit after it.
    pub deposited: u64,
    /// All deposits after it.
    pub total_deposited: u64,
    pub timestamp: i64,
}

#[event]
pub struct VoterClosed {
    pub wallet: Address,
    pub timestamp: i64,
}

#[event]
pub struct ProposalCreated {
    pub proposal: Address,
    pub id: u64,
    pub proposer: Address,
    pub rent_payer: Address,
    pub title: [u8; 64],
    pub uri: [u8; 128],
    pub description_hash: [u8; 32],
    pub timestamp: i64,
}

#[event]
pub struct InstructionAdded {
    pub proposal: Address,
    pub instruction: Address,
    pub program_id: Address,
    pub index: u8,
    /// Over the instructions up to this one.
    pub instructions_hash: [u8; 32],
    pub timestamp: i64,
}

/// Voting began: nothing of the proposal changes any more but its votes.
#[event]
pub struct ProposalActivated {
    pub proposal: Address,
    pub id: u64,
    pub instructions: u8,
    pub instructions_hash: [u8; 32],
    pub supply: u64,
    pub quorum: u64,
    pub threshold_bps: u16,
    pub voting_ends_at: i64,
    pub executable_at: i64,
    pub expires_at: i64,
    pub timestamp: i64,
}

impl ProposalActivated {
    pub fn new(address: &Address, proposal: &Proposal) -> Self {
        Self {
            proposal: *address,
            id: proposal.id,
            instructions: proposal.instructions,
            instructions_hash: proposal.instructions_hash,
            supply: proposal.supply,
            quorum: proposal.quorum,
            threshold_bps: proposal.threshold_bps,
            voting_ends_at: proposal.voting_ends_at,
            executable_at: proposal.executable_at,
            expires_at: proposal.expires_at,
            timestamp: proposal.voting_starts_at,
        }
    }
}

/// A vote was made, or changed: then the previous one, which this one replaces, is named.
#[event(bytemuck)]
pub struct VoteCast {
    pub proposal: Address,
    pub wallet: Address,
    pub weight: u64,
    /// 0 when it is the first.
    pub previous_weight: u64,
    /// The proposal's votes after it.
    pub yes: u64,
    pub no: u64,
    pub abstain: u64,
    pub timestamp: i64,
    /// 0 no, 1 yes, 2 abstain.
    pub choice: u8,
    pub previous_choice: u8,
    pub padding: [u8; 6],
}

#[event]
pub struct VoteClosed {
    pub proposal: Address,
    pub wallet: Address,
    pub timestamp: i64,
}

#[event]
pub struct ProposalCancelled {
    pub proposal: Address,
    pub id: u64,
    pub timestamp: i64,
}

/// Voting is over: 2 passed and waits for execution, 4 defeated.
#[event]
pub struct ProposalFinalized {
    pub proposal: Address,
    pub id: u64,
    pub status: u8,
    pub yes: u64,
    pub no: u64,
    pub abstain: u64,
    pub timestamp: i64,
}

#[event]
pub struct InstructionExecuted {
    pub proposal: Address,
    pub id: u64,
    pub index: u8,
    pub program_id: Address,
    /// The last one: the proposal is done.
    pub done: bool,
    pub timestamp: i64,
}

#[event]
pub struct ProposalRemoved {
    pub proposal: Address,
    pub id: u64,
    /// As it was; a queued one (2) had expired.
    pub status: u8,
    pub timestamp: i64,
}
