use {
    crate::{
        clock::now, Config, Meter, MeterStatusChanged, RegistryError, STATUS_ACTIVE, STATUS_REBASE, STATUS_SUSPENDED,
    },
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct SetMeterStatus {
    /// Registrar or admin; the guardian can only suspend.
    pub authority: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SetMeterStatus {
    pub fn run(ctx: &mut Context<Self>, status: u8) -> Result<()> {
        let accounts = &mut ctx.accounts;
        let authority = *accounts.authority.address();
        let config = &accounts.config;
        require!(status == STATUS_ACTIVE || status == STATUS_SUSPENDED, RegistryError::StatusInvalid);
        let suspends = status == STATUS_SUSPENDED;
        require!(
            config.is_registrar_or_admin(&authority) || (suspends && authority == config.guardian),
            RegistryError::NotAuthorized
        );

        let meter = &mut accounts.meter;
        let suspended = meter.status == STATUS_SUSPENDED;
        require!(suspended != suspends, RegistryError::StatusUnchanged);
        // What was measured meanwhile must not count: the next reading only sets a new base.
        meter.status = if suspends { STATUS_SUSPENDED } else { STATUS_REBASE };
        emit!(MeterStatusChanged {
            meter: *meter.address(),
            meter_id: meter.meter_id,
            status: meter.status,
            authority,
            timestamp: now()?,
        });
        meter.invariant()
    }
}
