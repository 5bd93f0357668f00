use {crate::CertificatesError, anchor_lang::prelude::*};

/// The program's roles and its switch. `["config"]`
#[account]
pub struct Config {
    /// Names the guardian; hands itself over in two steps.
    pub admin: Address,
    /// Zero when no handover is under way.
    pub pending_admin: Address,
    /// Can only pause.
    pub guardian: Address,
    pub paused: u8,
    pub bump: u8,
    pub padding: [u8; 6],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

impl Config {
    #[inline(always)]
    pub fn require_running(&self) -> Result<()> {
        require!(self.paused == 0, CertificatesError::Paused);
        Ok(())
    }

    /// Called at the end of each instruction that changes the configuration.
    pub fn invariant(&self) -> Result<()> {
        let zero = Address::default();
        require!(self.admin != zero && self.guardian != zero && self.paused <= 1, CertificatesError::InvariantViolated);
        Ok(())
    }
}
