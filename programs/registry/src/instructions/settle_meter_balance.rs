use {
    crate::{clock::now, Config, Meter, MeterBalanceSettled, RegistryError, STATUS_SUSPENDED},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct SettleMeterBalance {
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
}

impl SettleMeterBalance {
    pub fn run(ctx: &mut Context<Self>) -> Result<u64> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = &mut accounts.meter;
        require!(meter.status != STATUS_SUSPENDED, RegistryError::MeterSuspended);
        let new_tokens = meter.settle().new_tokens;
        require!(!new_tokens.is_zero(), RegistryError::NoUnsettledBalance);
        log_event(MeterBalanceSettled {
            meter: *meter.address(),
            meter_id: meter.meter_id,
            owner: meter.owner,
            new_tokens: new_tokens.0,
            total_settled: meter.settled,
            timestamp: now()?,
        });
        meter.invariant()?;
        Ok(new_tokens.0)
    }
}
