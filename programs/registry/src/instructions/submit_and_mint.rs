use {
    crate::{
        clock::now,
        minting::{settle_and_mint, Minting},
        readings::accept_reading,
        signature::SignedMessages,
        Config, Meter, RegistryError, User,
    },
    anchor_lang::{
        accounts::{Account, SysvarInstructions},
        prelude::*,
        programs::Token2022,
    },
    gridtokenx_shared::{
        addresses::{ENERGY_TOKEN_ID, GRID_MINT, MINT_AUTHORITY, REGISTRY_CONFIG, TOKEN_CONFIG},
        limits::MAX_BATCH,
    },
};

/// Accounts that each meter brings: meter, user, owner's token account.
const ACCOUNTS_PER_METER: usize = 3;

#[derive(Accounts)]
pub struct SubmitAndMint {
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    pub instructions: Sysvar<SysvarInstructions>,
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

impl SubmitAndMint {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        let accounts = &ctx.accounts;
        accounts.config.require_running()?;
        let count = remaining.len() / ACCOUNTS_PER_METER;
        require!(
            count >= 1 && count <= MAX_BATCH && remaining.len() == count * ACCOUNTS_PER_METER,
            RegistryError::BatchSize
        );
        let messages = SignedMessages::before_this(&accounts.instructions, count)?;
        let now = now()?;
        let policy = accounts.config.policy()?;
        let minting = Minting {
            mint_authority: &accounts.mint_authority,
            token_config: &accounts.token_config,
            grid_mint: &accounts.grid_mint,
            token_program: &accounts.token_program,
            daily_mint_cap: accounts.config.daily_mint_cap,
        };

        for entry in 0..count {
            let at = entry * ACCOUNTS_PER_METER;
            let (meter_view, user_view, token_account) = (&remaining[at], &remaining[at + 1], &remaining[at + 2]);
            for earlier in 0..entry {
                require!(
                    remaining[earlier * ACCOUNTS_PER_METER].address() != meter_view.address(),
                    RegistryError::DuplicateMeter
                );
            }
            require!(meter_view.is_writable(), ErrorCode::ConstraintMut);
            require!(token_account.is_writable(), ErrorCode::ConstraintMut);
            let user = Account::<User>::load(*user_view)?;
            // SAFETY: no other reference to this meter's data exists: it is neither an earlier meter of the batch nor
            // one of the declared accounts, which are of other types, and `load_mut` checks owner and discriminator.
            let mut account = unsafe { Account::<Meter>::load_mut(*meter_view)? };
            let meter: &mut Meter = &mut account;
            let address = meter_view.address();
            accept_reading(&messages, entry, (address, meter), &user, (now, policy))?;
            settle_and_mint((address, meter), token_account, &minting, now)?;
            meter.invariant()?;
        }
        Ok(())
    }
}
