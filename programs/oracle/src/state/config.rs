use {crate::OracleError, anchor_lang::prelude::*};

/// Who says what the oracle's feeds are. `["config"]`
#[account]
pub struct Config {
    /// Makes and changes feeds and names the guardian; hands itself over in two steps.
    pub authority: Address,
    /// Zero when no handover is under way.
    pub pending_authority: Address,
    /// Can only pause feeds.
    pub guardian: Address,
    /// Feeds ever made.
    pub feeds: u32,
    pub bump: u8,
    pub padding: [u8; 3],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

impl Config {
    /// Called at the end of each instruction that changes the configuration.
    pub fn invariant(&self) -> Result<()> {
        let zero = Address::default();
        require!(self.authority != zero && self.guardian != zero, OracleError::InvariantViolated);
        Ok(())
    }
}
