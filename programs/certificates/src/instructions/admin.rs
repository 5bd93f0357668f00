use {
    crate::{CertificatesConfigChanged, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

/// `propose_admin` and `set_guardian`: by the admin alone.
#[derive(Accounts)]
pub struct AdminOnly {
    #[account(address = config.admin @ CertificatesError::NotAdmin)]
    pub admin: Signer,
    #[account(mut, address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
}

impl AdminOnly {
    /// The zero address withdraws an earlier proposal.
    pub fn propose_admin(ctx: &mut Context<Self>, new_admin: Address) -> Result<()> {
        ctx.accounts.config.pending_admin = new_admin;
        Self::finish(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<Self>, new_guardian: Address) -> Result<()> {
        require!(new_guardian != Address::default(), CertificatesError::AuthorityInvalid);
        ctx.accounts.config.guardian = new_guardian;
        Self::finish(ctx)
    }

    fn finish(ctx: &mut Context<Self>) -> Result<()> {
        let config = &ctx.accounts.config;
        emit!(CertificatesConfigChanged::new(config, Clock::get()?.unix_timestamp));
        config.invariant()
    }
}
