use {
    crate::{Certificate, CertificateTransferred, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct Transfer {
    #[account(address = certificate.holder @ CertificatesError::NotHolder)]
    pub holder: Signer,
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub certificate: Account<Certificate>,
}

impl Transfer {
    pub fn run(ctx: &mut Context<Self>, new_holder: Address) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let address = *accounts.certificate.address();
        let certificate: &mut Certificate = &mut accounts.certificate;
        let old_holder = certificate.holder;
        require!(new_holder != Address::default() && new_holder != old_holder, CertificatesError::HolderInvalid);
        certificate.holder = new_holder;
        log_event(CertificateTransferred {
            certificate: address,
            book: certificate.book,
            meter: certificate.meter,
            old_holder,
            new_holder,
            serial: certificate.serial,
            from_total: certificate.from_total,
            to_total: certificate.to_total,
            timestamp: Clock::get()?.unix_timestamp,
        });
        certificate.invariant()
    }
}
