use {
    crate::{
        clock::now,
        minting::{settle_and_mint, Minting},
        Config, Meter, RegistryError, STATUS_SUSPENDED,
    },
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_shared::addresses::{ENERGY_TOKEN_ID, GRID_MINT, MINT_AUTHORITY, REGISTRY_CONFIG, TOKEN_CONFIG},
};

#[derive(Accounts)]
pub struct SettleAndMintTokens {
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub meter: Account<Meter>,
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

impl SettleAndMintTokens {
    pub fn run(ctx: &mut Context<Self>) -> Result<u64> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let address = *accounts.meter.address();
        let meter: &mut Meter = &mut accounts.meter;
        require!(meter.status != STATUS_SUSPENDED, RegistryError::MeterSuspended);
        let minting = Minting {
            mint_authority: &accounts.mint_authority,
            token_config: &accounts.token_config,
            grid_mint: &accounts.grid_mint,
            token_program: &accounts.token_program,
            daily_mint_cap: accounts.config.daily_mint_cap,
        };
        let minted = settle_and_mint((&address, meter), &accounts.owner_token_account, &minting, now()?)?;
        require!(minted.amount > 0 || minted.deferred > 0, RegistryError::NoUnsettledBalance);
        require!(minted.amount > 0, RegistryError::DailyMintCapReached);
        meter.invariant()?;
        Ok(minted.amount)
    }
}
