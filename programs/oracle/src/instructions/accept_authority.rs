use {
    crate::{clock::now, Config, OracleChanged, OracleError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::ORACLE_CONFIG,
};

#[derive(Accounts)]
pub struct AcceptAuthority {
    #[account(address = config.pending_authority @ OracleError::NotPendingAuthority)]
    pub new_authority: Signer,
    #[account(mut, address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: Account<Config>,
}

impl AcceptAuthority {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let new_authority = *ctx.accounts.new_authority.address();
        let config = &mut ctx.accounts.config;
        config.authority = new_authority;
        config.pending_authority = Address::default();
        emit!(OracleChanged::new(config, now()?));
        config.invariant()
    }
}
