use {
    crate::{
        clock::now,
        consent::require_consent,
        grid_token_account,
        minting::{settle_and_mint, Minting},
        Config, Meter, MeterTransferred, RegistryError, User, STATUS_SUSPENDED,
    },
    anchor_lang::{accounts::SysvarInstructions, prelude::*, programs::Token2022},
    gridtokenx_shared::addresses::{ENERGY_TOKEN_ID, GRID_MINT, MINT_AUTHORITY, REGISTRY_CONFIG, TOKEN_CONFIG},
};

#[derive(Accounts)]
pub struct TransferMeter {
    #[account(address = meter.owner @ RegistryError::NotMeterOwner)]
    pub old_owner: Signer,
    #[account(address = config.registrar @ RegistryError::NotRegistrar)]
    pub registrar: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
    #[account(mut, constraint = old_user.wallet == meter.owner @ RegistryError::UserMismatch)]
    pub old_user: Account<User>,
    /// The user whom the key's consent names.
    #[account(mut)]
    pub new_user: Account<User>,
    pub instructions: Sysvar<SysvarInstructions>,
    /// The old owner's; used only when something is due.
    #[account(mut)]
    pub owner_token_account: UncheckedAccount,
    #[account(address = MINT_AUTHORITY @ RegistryError::WrongMintAuthority)]
    pub mint_authority: UncheckedAccount,
    #[account(mut, address = TOKEN_CONFIG @ RegistryError::WrongTokenConfig)]
    pub token_config: UncheckedAccount,
    #[account(mut, address = GRID_MINT @ RegistryError::WrongMint)]
    pub grid_mint: UncheckedAccount,
    #[account(address = ENERGY_TOKEN_ID @ RegistryError::WrongEnergyTokenProgram)]
    pub energy_token_program: UncheckedAccount,
    pub token_program: Program<Token2022>,
}

impl TransferMeter {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter_address = *accounts.meter.address();
        let meter: &mut Meter = &mut accounts.meter;
        require!(meter.status != STATUS_SUSPENDED, RegistryError::MeterSuspended);
        require!(meter.held == 0, RegistryError::HeldEnergyPending);
        let new_owner = accounts.new_user.wallet;
        require_consent(&accounts.instructions, &accounts.config, &meter.public_key, &meter.meter_id, &new_owner)?;

        let timestamp = now()?;
        let minting = Minting {
            mint_authority: &accounts.mint_authority,
            token_config: &accounts.token_config,
            grid_mint: &accounts.grid_mint,
            token_program: &accounts.token_program,
            daily_mint_cap: accounts.config.daily_mint_cap,
        };
        let minted = settle_and_mint((&meter_address, meter), &accounts.owner_token_account, &minting, timestamp)?;
        // What the cap puts off is the old owner's: the meter cannot leave before it is paid.
        require!(minted.deferred == 0, RegistryError::DailyMintCapReached);

        meter.settled_at_transfer = meter.settled;
        meter.end_at_transfer = meter.last_end;
        meter.transfers = meter.transfers.checked_add(1).ok_or(RegistryError::ArithmeticOverflow)?;
        let old_owner = meter.owner;
        meter.owner = new_owner;
        meter.token_account = grid_token_account(&new_owner);
        let old_user = &mut accounts.old_user;
        old_user.meters = old_user.meters.checked_sub(1).ok_or(RegistryError::InvariantViolated)?;
        let new_user = &mut accounts.new_user;
        new_user.meters = new_user.meters.checked_add(1).ok_or(RegistryError::ArithmeticOverflow)?;
        emit!(MeterTransferred {
            meter: meter_address,
            meter_id: meter.meter_id,
            old_owner,
            new_owner,
            token_account: meter.token_account,
            timestamp,
        });
        accounts.old_user.invariant()?;
        accounts.new_user.invariant()?;
        accounts.meter.invariant()
    }
}
