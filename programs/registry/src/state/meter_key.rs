use {crate::RegistryError, anchor_lang::prelude::*};

/// Marks an Ed25519 key as used by a meter, for ever: these accounts are never closed. `["meter-key", public key]`
#[account]
pub struct MeterKey {
    pub meter: Address,
    pub public_key: Address,
    /// When it became the meter's key.
    pub since: i64,
    /// When another key took its place; 0 before that.
    pub until: i64,
    pub active: u8,
    pub bump: u8,
    pub padding: [u8; 6],
}

impl MeterKey {
    /// From `now` on, the key is that of `meter`.
    pub fn begin(&mut self, meter: Address, public_key: Address, now: i64, bump: u8) {
        self.meter = meter;
        self.public_key = public_key;
        self.since = now;
        self.active = 1;
        self.bump = bump;
    }

    /// From `now` on, the key is nobody's, and can never be anybody's again.
    pub fn end(&mut self, now: i64) {
        self.until = now;
        self.active = 0;
    }

    /// Called at the end of each instruction that changes a key.
    pub fn invariant(&self) -> Result<()> {
        require!(self.active <= 1 && (self.active == 0 || self.until == 0), RegistryError::InvariantViolated);
        Ok(())
    }
}
