use {crate::RegistryError, anchor_lang::prelude::*};

/// A wallet that owns meters. `["user", wallet]`
#[account]
pub struct User {
    pub wallet: Address,
    pub registered_at: i64,
    /// Meters that the wallet owns now.
    pub meters: u32,
    /// Set by the registrar; only a verified user's readings count.
    pub verified: u8,
    pub bump: u8,
    pub padding: [u8; 2],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 32],
}

impl User {
    /// Called at the end of each instruction that changes a user.
    pub fn invariant(&self) -> Result<()> {
        require!(self.wallet != Address::default() && self.verified <= 1, RegistryError::InvariantViolated);
        Ok(())
    }
}
