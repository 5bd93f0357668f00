use {
    crate::{
        funds,
        issuing::{issue, meter_of, Issuing},
        Book, Certificate, CertificatesError, Config,
    },
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct IssueFor {
    /// Anybody.
    #[account(mut)]
    pub payer: Signer,
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

impl IssueFor {
    pub fn run(ctx: &mut Context<Self>, from_book: bool) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = meter_of(&accounts.book, &accounts.meter)?;
        let book = &accounts.book;
        require!(book.auto_issue != 0, CertificatesError::NotOptedIn);
        let energy = book.available(meter.settled)?;
        require!(energy > 0, CertificatesError::NothingToCertify);
        require!(energy >= book.auto_issue_min_nkwh, CertificatesError::BelowMinimum);
        let before = accounts.payer.lamports();
        let issuing = Issuing {
            payer: &accounts.payer,
            certificate: &accounts.certificate,
            rent_payer: if from_book { book.owner } else { *accounts.payer.address() },
            automatic: true,
        };
        issue(&mut accounts.book, &meter, energy, &issuing)?;
        if from_book {
            // After the last call to another program: the runtime balances lamports at each call.
            let spent = before.checked_sub(accounts.payer.lamports());
            let spent = spent.ok_or(CertificatesError::ArithmeticOverflow)?;
            require!(spent <= funds::left(&accounts.book)?, CertificatesError::FundsTooLow);
            funds::pay(&mut accounts.book, &accounts.payer, spent)?;
        }
        Ok(())
    }
}
