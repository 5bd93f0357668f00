use {
    crate::{
        clock::{now, now_u32},
        consent::require_consent,
        grid_token_account, Config, Meter, MeterKey, MeterRegistered, RegistryError, User,
    },
    anchor_lang::{accounts::SysvarInstructions, prelude::*},
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{addresses::REGISTRY_CONFIG, message::is_meter_id, seeds},
};

#[derive(Accounts)]
#[instruction(meter_id: [u8; 32], public_key: Address)]
pub struct RegisterMeter {
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub owner: Signer,
    #[account(address = config.registrar @ RegistryError::NotRegistrar)]
    pub registrar: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, constraint = user.wallet == *owner.address() @ RegistryError::UserMismatch)]
    pub user: Account<User>,
    #[account(mut, seeds = [seeds::METER, meter_id.as_ref()], bump)]
    pub meter: UncheckedAccount,
    #[account(mut, seeds = [seeds::METER_KEY, public_key.as_ref()], bump)]
    pub meter_key: UncheckedAccount,
    pub instructions: Sysvar<SysvarInstructions>,
    pub system_program: Program<System>,
}

impl RegisterMeter {
    pub fn run(ctx: &mut Context<Self>, meter_id: [u8; 32], public_key: Address, rated_watts: u32) -> Result<()> {
        let (meter_bump, key_bump) = (ctx.bumps.meter, ctx.bumps.meter_key);
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        require!(accounts.user.verified == 1, RegistryError::UserNotVerified);
        require!(is_meter_id(&meter_id), RegistryError::MeterIdInvalid);
        require!(rated_watts > 0 && rated_watts <= accounts.config.max_rated_watts, RegistryError::RatedPowerInvalid);
        let owner = *accounts.owner.address();
        require_consent(&accounts.instructions, &accounts.config, &public_key, &meter_id, &owner)?;

        let timestamp = now()?;
        let mut meter = create::<Meter>(
            &accounts.payer,
            &accounts.meter,
            &[seeds::METER, &meter_id, &[meter_bump]],
            RegistryError::MeterAlreadyRegistered,
        )?;
        meter.meter_id = meter_id;
        meter.owner = owner;
        meter.public_key = public_key;
        meter.token_account = grid_token_account(&owner);
        meter.registered_at = timestamp;
        meter.last_end = now_u32(timestamp)?;
        meter.rated_watts = rated_watts;
        meter.bump = meter_bump;

        let mut key = create::<MeterKey>(
            &accounts.payer,
            &accounts.meter_key,
            &[seeds::METER_KEY, public_key.as_ref(), &[key_bump]],
            RegistryError::KeyAlreadyUsed,
        )?;
        key.begin(*meter.address(), public_key, timestamp, key_bump);

        let user = &mut accounts.user;
        user.meters = user.meters.checked_add(1).ok_or(RegistryError::ArithmeticOverflow)?;
        let config = &mut accounts.config;
        config.meters = config.meters.checked_add(1).ok_or(RegistryError::ArithmeticOverflow)?;
        emit!(MeterRegistered {
            meter: *meter.address(),
            meter_id,
            owner,
            public_key,
            token_account: meter.token_account,
            rated_watts,
            timestamp,
        });
        key.invariant()?;
        user.invariant()?;
        config.invariant()?;
        meter.invariant()
    }
}
