use {
    crate::{clock::now, Config, PausedSet, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct SetPaused {
    /// The admin; the guardian can only pause.
    pub authority: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
}

impl SetPaused {
    pub fn run(ctx: &mut Context<Self>, paused: bool) -> Result<()> {
        let authority = *ctx.accounts.authority.address();
        let config = &mut ctx.accounts.config;
        require!(authority == config.admin || (paused && authority == config.guardian), RegistryError::NotAuthorized);
        config.paused = paused as u8;
        emit!(PausedSet { paused, authority, timestamp: now()? });
        config.invariant()
    }
}
