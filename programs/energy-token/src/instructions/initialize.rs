use {
    crate::{metadata, Config, EnergyTokenError},
    anchor_lang::{create_account_signed, prelude::*, programs::Token2022, Id},
    gridtokenx_shared::{
        addresses::{
            ENERGY_TOKEN_PROGRAM_DATA, GRID_MINT, GRID_MINT_BUMP, TOKEN_2022_ID, TOKEN_CONFIG, TOKEN_CONFIG_BUMP,
            UPGRADEABLE_LOADER_ID,
        },
        program_data::upgrade_authority,
        seeds, token,
    },
    pinocchio_system::instructions::Transfer,
};

#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority; pays.
    #[account(mut)]
    pub authority: Signer,
    #[account(mut, address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(mut, address = GRID_MINT @ EnergyTokenError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(
        address = ENERGY_TOKEN_PROGRAM_DATA @ EnergyTokenError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ EnergyTokenError::WrongProgramData
    )]
    pub program_data: UncheckedAccount,
    pub token_program: Program<Token2022>,
    pub system_program: Program<System>,
}

impl Initialize {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let authority = {
            let data = accounts.program_data.try_borrow()?;
            upgrade_authority(&data) == Some(accounts.authority.address().as_array())
        };
        require!(authority, EnergyTokenError::NotUpgradeAuthority);
        for new in [&accounts.config, &accounts.mint] {
            require!(new.owned_by(&System::id()) && new.data_len() == 0, EnergyTokenError::AlreadyInitialized);
        }

        create_account_signed(
            &accounts.authority,
            &accounts.config,
            8 + size_of::<Config>(),
            &crate::ID,
            &[seeds::CONFIG, &[TOKEN_CONFIG_BUMP]],
        )?;
        let mut view = *accounts.config.account();
        let mut data = view.try_borrow_mut()?;
        data[..8].copy_from_slice(Config::DISCRIMINATOR);
        let config: &mut Config = anchor_lang::bytemuck::from_bytes_mut(&mut data[8..]);
        config.bump = TOKEN_CONFIG_BUMP;
        config.mint_bump = GRID_MINT_BUMP;
        config.invariant()?;
        drop(data);

        create_account_signed(
            &accounts.authority,
            &accounts.mint,
            token::MINT_WITH_POINTER_BYTES,
            &TOKEN_2022_ID,
            &[seeds::MINT, &[GRID_MINT_BUMP]],
        )?;
        // Token-2022 wants a mint of exactly the size without metadata, and makes it longer itself, without paying.
        let missing = metadata::rent(metadata::MINT_BYTES)?.saturating_sub(accounts.mint.lamports());
        if missing > 0 {
            Transfer { from: &accounts.authority, to: &accounts.mint, lamports: missing }.invoke()?;
        }
        token::initialize_own_metadata_pointer(&accounts.mint);
        token::initialize_mint(&TOKEN_2022_ID, &accounts.mint, metadata::DECIMALS, &TOKEN_CONFIG);
        metadata::create(&accounts.mint, &accounts.config);
        Ok(())
    }
}
