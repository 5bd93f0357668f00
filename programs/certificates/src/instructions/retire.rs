use {
    crate::{
        text::{is_blank, is_text},
        Book, Certificate, CertificateRetired, CertificatesError, Config, Retirement,
    },
    anchor_lang::{find_program_address, prelude::*, AccountClose},
    gridtokenx_anchor_shared::{create, log_event, Described},
    gridtokenx_shared::{addresses::CERTIFICATES_CONFIG, seeds},
};

#[derive(Accounts)]
pub struct Retire {
    /// Pays the rent of the record, for good.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = certificate.holder @ CertificatesError::NotHolder)]
    pub holder: Signer,
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, constraint = certificate.book == *book.address() @ CertificatesError::CertificateOfOtherBook)]
    pub book: Account<Book>,
    #[account(mut)]
    pub certificate: Account<Certificate>,
    /// `["retirement", certificate]`
    #[account(mut)]
    pub retirement: Described<Retirement>,
    /// Whoever paid for the certificate's account.
    #[account(mut, unsafe(dup), address = certificate.rent_payer @ CertificatesError::WrongRentPayer)]
    pub rent_payer: UncheckedAccount,
    pub system_program: Program<System>,
}

impl Retire {
    pub fn run(ctx: &mut Context<Self>, beneficiary: [u8; 96], reason: [u8; 128]) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        require!(is_text(&beneficiary) && !is_blank(&beneficiary), CertificatesError::BeneficiaryInvalid);
        require!(is_text(&reason), CertificatesError::ReasonInvalid);
        let address = *accounts.certificate.address();
        let energy = accounts.certificate.energy()?;
        let book_address = *accounts.book.address();
        let book: &mut Book = &mut accounts.book;
        book.retire(energy)?;

        let (retirement_address, bump) = find_program_address(&[seeds::RETIREMENT, address.as_ref()], &crate::ID);
        require!(*accounts.retirement.address() == retirement_address, CertificatesError::WrongRetirement);
        let mut record = create::<Retirement>(
            &accounts.payer,
            &accounts.retirement,
            &[seeds::RETIREMENT, address.as_ref(), &[bump]],
            CertificatesError::AccountExists,
        )?;
        let timestamp = Clock::get()?.unix_timestamp;
        let certificate: &Certificate = &accounts.certificate;
        record.certificate = address;
        record.meter = certificate.meter;
        record.meter_id = certificate.meter_id;
        record.producer = certificate.producer;
        record.retired_by = certificate.holder;
        record.attested_by = certificate.attested_by;
        record.serial = certificate.serial;
        record.split_from = certificate.split_from;
        record.from_total = certificate.from_total;
        record.to_total = certificate.to_total;
        record.issued_at = certificate.issued_at;
        record.retired_at = timestamp;
        record.period_start = certificate.period_start;
        record.period_end = certificate.period_end;
        record.beneficiary = beneficiary;
        record.reason = reason;
        record.source = certificate.source;
        record.bump = bump;
        log_event(CertificateRetired {
            certificate: address,
            retirement: retirement_address,
            book: book_address,
            meter: record.meter,
            meter_id: record.meter_id,
            producer: record.producer,
            retired_by: record.retired_by,
            serial: record.serial,
            from_total: record.from_total,
            to_total: record.to_total,
            retired_total: book.retired_total,
            timestamp,
            period_start: record.period_start,
            period_end: record.period_end,
            beneficiary,
            reason,
            source: record.source,
            padding: [0; 7],
        });
        book.invariant()?;
        // After the last call to another program: the runtime balances lamports at each call.
        let rent_payer: AccountView = *accounts.rent_payer;
        accounts.certificate.close(rent_payer)
    }
}
