use {
    crate::{clock::now, consent::require_consent, Config, Meter, MeterKey, MeterKeyRotated, RegistryError},
    anchor_lang::{accounts::SysvarInstructions, prelude::*},
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{addresses::REGISTRY_CONFIG, seeds},
};

#[derive(Accounts)]
#[instruction(new_public_key: Address)]
pub struct RotateMeterKey {
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = meter.owner @ RegistryError::NotMeterOwner)]
    pub owner: Signer,
    #[account(address = config.registrar @ RegistryError::NotRegistrar)]
    pub registrar: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
    #[account(
        mut,
        constraint = old_meter_key.meter == *meter.address() && old_meter_key.public_key == meter.public_key
            @ RegistryError::WrongMeterKey
    )]
    pub old_meter_key: Account<MeterKey>,
    #[account(mut, seeds = [seeds::METER_KEY, new_public_key.as_ref()], bump)]
    pub new_meter_key: UncheckedAccount,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

impl RotateMeterKey {
    pub fn run(ctx: &mut Context<Self>, new_public_key: Address) -> Result<()> {
        let bump = ctx.bumps.new_meter_key;
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = &mut accounts.meter;
        require_consent(&accounts.instructions, &accounts.config, &new_public_key, &meter.meter_id, &meter.owner)?;

        let timestamp = now()?;
        let meter_address = *meter.address();
        let mut new_key = create::<MeterKey>(
            &accounts.payer,
            &accounts.new_meter_key,
            &[seeds::METER_KEY, new_public_key.as_ref(), &[bump]],
            RegistryError::KeyAlreadyUsed,
        )?;
        new_key.begin(meter_address, new_public_key, timestamp, bump);
        accounts.old_meter_key.end(timestamp);

        let old_public_key = meter.public_key;
        meter.public_key = new_public_key;
        emit!(MeterKeyRotated {
            meter: meter_address,
            meter_id: meter.meter_id,
            owner: meter.owner,
            old_public_key,
            new_public_key,
            timestamp,
        });
        new_key.invariant()?;
        accounts.old_meter_key.invariant()?;
        accounts.meter.invariant()
    }
}
