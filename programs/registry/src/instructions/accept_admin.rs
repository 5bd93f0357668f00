use {
    crate::{Config, ConfigChanged, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct AcceptAdmin {
    #[account(address = config.pending_admin @ RegistryError::NotPendingAdmin)]
    pub new_admin: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
}

impl AcceptAdmin {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let new_admin = *ctx.accounts.new_admin.address();
        let config = &mut ctx.accounts.config;
        config.admin = new_admin;
        config.pending_admin = Address::default();
        emit!(ConfigChanged::from(&**config));
        config.invariant()
    }
}
