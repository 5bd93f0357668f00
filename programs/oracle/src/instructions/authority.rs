use {
    crate::{clock::now, Config, OracleChanged, OracleError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::ORACLE_CONFIG,
};

/// `propose_authority` and `set_guardian`: by the oracle's authority alone.
#[derive(Accounts)]
pub struct AuthorityOnly {
    #[account(address = config.authority @ OracleError::NotAuthority)]
    pub authority: Signer,
    #[account(mut, address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: Account<Config>,
}

impl AuthorityOnly {
    /// The zero address withdraws an earlier proposal.
    pub fn propose_authority(ctx: &mut Context<Self>, new_authority: Address) -> Result<()> {
        ctx.accounts.config.pending_authority = new_authority;
        Self::finish(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<Self>, new_guardian: Address) -> Result<()> {
        require!(new_guardian != Address::default(), OracleError::AuthorityInvalid);
        ctx.accounts.config.guardian = new_guardian;
        Self::finish(ctx)
    }

    fn finish(ctx: &mut Context<Self>) -> Result<()> {
        let config = &ctx.accounts.config;
        emit!(OracleChanged::new(config, now()?));
        config.invariant()
    }
}
