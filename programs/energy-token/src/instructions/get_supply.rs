use {
    crate::{Config, EnergyTokenError, Supply},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::TOKEN_CONFIG,
};

#[derive(Accounts)]
pub struct GetSupply {
    #[account(address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: Account<Config>,
}

impl GetSupply {
    pub fn run(ctx: &mut Context<Self>) -> Result<Supply> {
        let config = &ctx.accounts.config;
        Ok(Supply { minted: config.total_minted, burned: config.total_burned, retired: config.total_retired })
    }
}
