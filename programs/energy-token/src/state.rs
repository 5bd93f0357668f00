use {crate::EnergyTokenError, anchor_lang::prelude::*};

/// The program's counters, and the SPL authority of the GRID mint. `["config"]`
#[account]
pub struct Config {
    /// Base units ever minted.
    pub total_minted: u64,
    /// Base units ever destroyed through this program, retired ones included.
    pub total_burned: u64,
    /// Of those, the ones retired as a meter owner's consumption.
    pub total_retired: u64,
    pub bump: u8,
    pub mint_bump: u8,
    pub padding: [u8; 6],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

impl Config {
    /// Called at the end of each instruction that changes the counters.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.total_retired <= self.total_burned && self.total_burned <= self.total_minted,
            EnergyTokenError::InvariantViolated
        );
        Ok(())
    }
}

/// What `get_supply` returns. Holders can also burn with the SPL Token program itself, which this program cannot
/// see: the mint's supply is `minted - burned` less whatever they burned there.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct Supply {
    pub minted: u64,
    pub burned: u64,
    pub retired: u64,
}
