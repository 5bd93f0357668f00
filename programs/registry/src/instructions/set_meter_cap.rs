use {
    crate::{clock::now, Config, Meter, MeterCapChanged, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct SetMeterCap {
    /// Registrar or admin.
    #[account(constraint = config.is_registrar_or_admin(authority.address()) @ RegistryError::NotAuthorized)]
    pub authority: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SetMeterCap {
    pub fn run(ctx: &mut Context<Self>, daily_mint_cap: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        let meter = &mut accounts.meter;
        meter.daily_mint_cap = daily_mint_cap;
        emit!(MeterCapChanged {
            meter: *meter.address(),
            meter_id: meter.meter_id,
            daily_mint_cap,
            authority: *accounts.authority.address(),
            timestamp: now()?,
        });
        meter.invariant()
    }
}
