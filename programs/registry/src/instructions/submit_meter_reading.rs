use {
    crate::{clock::now, readings::accept_reading, signature::SignedMessages, Config, Meter, RegistryError, User},
    anchor_lang::{accounts::SysvarInstructions, prelude::*},
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct SubmitMeterReading {
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    /// The meter owner's.
    pub user: Account<User>,
    #[account(mut)]
    pub meter: Account<Meter>,
    pub instructions: Sysvar<SysvarInstructions>,
}

impl SubmitMeterReading {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let messages = SignedMessages::before_this(&accounts.instructions, 1)?;
        let address = *accounts.meter.address();
        let meter: &mut Meter = &mut accounts.meter;
        accept_reading(&messages, 0, (&address, meter), &accounts.user, (now()?, accounts.config.policy()?))?;
        meter.invariant()
    }
}
