use {
    crate::{clock::now, Config, HeldReleased, HeldWrittenOff, Meter, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

/// `release_held` and `write_off_held`: the two ends that held energy can come to.
#[derive(Accounts)]
pub struct ReviewHeld {
    /// Registrar or admin.
    #[account(constraint = config.is_registrar_or_admin(authority.address()) @ RegistryError::NotAuthorized)]
    pub authority: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl ReviewHeld {
    pub fn release(ctx: &mut Context<Self>, sequence: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = &mut accounts.meter;
        let amount = meter.release_held(sequence)?.0;
        emit!(HeldReleased {
            meter: *meter.address(),
            meter_id: meter.meter_id,
            sequence,
            amount,
            authority: *accounts.authority.address(),
            timestamp: now()?,
        });
        meter.invariant()
    }

    pub fn write_off(ctx: &mut Context<Self>, sequence: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        let meter = &mut accounts.meter;
        let amount = meter.write_off_held(sequence)?.0;
        emit!(HeldWrittenOff {
            meter: *meter.address(),
            meter_id: meter.meter_id,
            sequence,
            amount,
            authority: *accounts.authority.address(),
            timestamp: now()?,
        });
        meter.invariant()
    }
}
