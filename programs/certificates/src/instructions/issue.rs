use {
    crate::{
        issuing::{issue, meter_of, Issuing},
        Book, Certificate, CertificatesError, Config,
    },
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct Issue {
    /// Pays the rent of the certificate, and gets it back when it is retired.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = book.owner @ CertificatesError::NotBookOwner)]
    pub owner: Signer,
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    /// The registry's account of the meter.
    pub meter: UncheckedAccount,
    #[account(mut)]
    pub book: Account<Book>,
    /// `["certificate", book, the book's next serial]`
    #[account(mut)]
    pub certificate: Described<Certificate>,
    pub system_program: Program<System>,
}

impl Issue {
    pub fn run(ctx: &mut Context<Self>, energy_nkwh: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = meter_of(&accounts.book, &accounts.meter)?;
        let issuing = Issuing {
            payer: &accounts.payer,
            certificate: &accounts.certificate,
            rent_payer: *accounts.payer.address(),
            automatic: false,
        };
        issue(&mut accounts.book, &meter, energy_nkwh, &issuing)
    }
}
