use {
    crate::{Config, ConfigChanged, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

/// `propose_admin`, `set_registrar`, `set_guardian` and `set_limits`: one setting each, by the admin alone.
#[derive(Accounts)]
pub struct AdminOnly {
    #[account(address = config.admin @ RegistryError::NotAdmin)]
    pub admin: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
}

impl AdminOnly {
    /// The zero address withdraws an earlier proposal.
    pub fn propose_admin(ctx: &mut Context<Self>, new_admin: Address) -> Result<()> {
        ctx.accounts.config.pending_admin = new_admin;
        Self::finish(ctx)
    }

    pub fn set_registrar(ctx: &mut Context<Self>, new_registrar: Address) -> Result<()> {
        require!(new_registrar != Address::default(), RegistryError::AuthorityInvalid);
        ctx.accounts.config.registrar = new_registrar;
        Self::finish(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<Self>, new_guardian: Address) -> Result<()> {
        require!(new_guardian != Address::default(), RegistryError::AuthorityInvalid);
        ctx.accounts.config.guardian = new_guardian;
        Self::finish(ctx)
    }

    pub fn set_limits(ctx: &mut Context<Self>, max_rated_watts: u32, daily_mint_cap: u64) -> Result<()> {
        require!(max_rated_watts > 0, RegistryError::LimitInvalid);
        let config = &mut ctx.accounts.config;
        config.max_rated_watts = max_rated_watts;
        config.daily_mint_cap = daily_mint_cap;
        Self::finish(ctx)
    }

    fn finish(ctx: &mut Context<Self>) -> Result<()> {
        let config = &ctx.accounts.config;
        emit!(ConfigChanged::from(&**config));
        config.invariant()
    }
}
