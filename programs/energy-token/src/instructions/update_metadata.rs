use {
    crate::{metadata, EnergyTokenError, MetadataUpdated},
    alloc::string::String,
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_shared::{
        addresses::{GRID_MINT, REGISTRY_CONFIG, REGISTRY_ID, TOKEN_CONFIG},
        registry_config_layout,
    },
};

#[derive(Accounts)]
pub struct UpdateMetadata {
    /// The registry's admin: one hand-over there concerns this too.
    pub admin: Signer,
    #[account(
        address = REGISTRY_CONFIG @ EnergyTokenError::WrongRegistryConfig,
        owner = REGISTRY_ID @ EnergyTokenError::WrongRegistryConfig
    )]
    pub registry_config: UncheckedAccount,
    /// Signs as the mint's authority.
    #[account(address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(mut, address = GRID_MINT @ EnergyTokenError::WrongMint)]
    pub mint: UncheckedAccount,
    pub token_program: Program<Token2022>,
}

impl UpdateMetadata {
    pub fn run(ctx: &mut Context<Self>, uri: &str) -> Result<()> {
        let accounts = &ctx.accounts;
        let is_admin = {
            let data = accounts.registry_config.try_borrow()?;
            registry_config_layout::admin(&data) == Some(accounts.admin.address().as_array())
        };
        require!(is_admin, EnergyTokenError::NotAdmin);
        metadata::set_uri(&accounts.mint, &accounts.config, uri)?;
        emit!(MetadataUpdated { mint: GRID_MINT, uri: String::from(uri), authority: *accounts.admin.address() });
        Ok(())
    }
}
