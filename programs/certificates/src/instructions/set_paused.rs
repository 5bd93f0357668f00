use {
    crate::{CertificatesConfigChanged, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct SetPaused {
    /// The admin; the guardian can only pause.
    pub authority: Signer,
    #[account(mut, address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
}

impl SetPaused {
    pub fn run(ctx: &mut Context<Self>, paused: bool) -> Result<()> {
        let authority = *ctx.accounts.authority.address();
        let config = &mut ctx.accounts.config;
        require!(
            authority == config.admin || (paused && authority == config.guardian),
            CertificatesError::NotAuthorized
        );
        config.paused = paused as u8;
        emit!(CertificatesConfigChanged::new(config, Clock::get()?.unix_timestamp));
        config.invariant()
    }
}
