use {
    crate::{issuing::create_certificate, Book, Certificate, CertificateSplit, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::{log_event, Described},
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct Split {
    /// Pays the rent of the part, and gets it back when the part is retired.
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
    /// `["certificate", book, the book's next serial]`
    #[account(mut)]
    pub part: Described<Certificate>,
    pub system_program: Program<System>,
}

impl Split {
    pub fn run(ctx: &mut Context<Self>, energy_nkwh: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        require!(energy_nkwh > 0, CertificatesError::ZeroAmount);
        require!(energy_nkwh < accounts.certificate.energy()?, CertificatesError::PartTooLarge);
        let book_address = *accounts.book.address();
        let serial = accounts.book.take_serial()?;
        let mut part = create_certificate(&accounts.payer, &accounts.part, &book_address, serial)?;
        let address = *accounts.certificate.address();
        let whole: &mut Certificate = &mut accounts.certificate;
        let to_total = whole.to_total;
        let split_total = to_total.checked_sub(energy_nkwh).ok_or(CertificatesError::ArithmeticOverflow)?;
        whole.to_total = split_total;
        part.book = book_address;
        part.meter = whole.meter;
        part.meter_id = whole.meter_id;
        part.producer = whole.producer;
        part.holder = whole.holder;
        part.attested_by = whole.attested_by;
        part.rent_payer = *accounts.payer.address();
        part.serial = serial;
        part.split_from = whole.serial;
        part.from_total = split_total;
        part.to_total = to_total;
        part.issued_at = whole.issued_at;
        part.period_start = whole.period_start;
        part.period_end = whole.period_end;
        part.source = whole.source;
        log_event(CertificateSplit {
            certificate: address,
            part: *accounts.part.address(),
            book: book_address,
            meter: whole.meter,
            holder: whole.holder,
            serial: whole.serial,
            part_serial: serial,
            from_total: whole.from_total,
            split_total,
            to_total,
            timestamp: Clock::get()?.unix_timestamp,
        });
        whole.invariant()?;
        part.invariant()?;
        accounts.book.invariant()
    }
}
