use {
    crate::{CertificatesConfigChanged, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct AcceptAdmin {
    #[account(address = config.pending_admin @ CertificatesError::NotPendingAdmin)]
    pub new_admin: Signer,
    #[account(mut, address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
}

impl AcceptAdmin {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let new_admin = *ctx.accounts.new_admin.address();
        let config = &mut ctx.accounts.config;
        config.admin = new_admin;
        config.pending_admin = Address::default();
        emit!(CertificatesConfigChanged::new(config, Clock::get()?.unix_timestamp));
        config.invariant()
    }
}
