//! What `issue` and `issue_for` have in common.

use {
    crate::{meter::Meter, Book, Certificate, CertificateIssued, CertificatesError},
    anchor_lang::{accounts::Account, find_program_address, prelude::*},
    gridtokenx_anchor_shared::{create, log_event},
    gridtokenx_shared::seeds,
};

/// The accounts of an issue.
pub struct Issuing<'a> {
    pub payer: &'a AccountView,
    pub certificate: &'a AccountView,
    pub rent_payer: Address,
    pub automatic: bool,
}

/// The meter of a book that its owner runs: nothing happened since that the book has to learn of first.
#[inline(always)]
pub fn meter_of(book: &Book, account: &AccountView) -> Result<Meter> {
    require!(book.meter == *account.address(), CertificatesError::WrongBook);
    let meter = Meter::read(account)?;
    require!(meter.owner == book.owner && meter.transfers == book.transfers, CertificatesError::BookNotAdopted);
    meter.require_active()?;
    Ok(meter)
}

/// Issues a certificate for the next `energy` of the meter's settled total to the book's owner.
#[inline(never)]
pub fn issue(book: &mut Account<Book>, meter: &Meter, energy: u64, issuing: &Issuing) -> Result<()> {
    let book_address = *book.address();
    let book: &mut Book = book;
    let stretch = book.certify(energy, meter.settled, meter.last_end, meter.is_settled())?;
    let serial = book.take_serial()?;
    let mut certificate = create_certificate(issuing.payer, issuing.certificate, &book_address, serial)?;
    let issued_at = Clock::get()?.unix_timestamp;
    certificate.book = book_address;
    certificate.meter = book.meter;
    certificate.meter_id = book.meter_id;
    certificate.producer = book.owner;
    certificate.holder = book.owner;
    certificate.attested_by = book.attested_by;
    certificate.rent_payer = issuing.rent_payer;
    certificate.serial = serial;
    certificate.from_total = stretch.from_total;
    certificate.to_total = stretch.to_total;
    certificate.issued_at = issued_at;
    certificate.period_start = stretch.period_start;
    certificate.period_end = stretch.period_end;
    certificate.source = book.source;
    log_event(CertificateIssued {
        certificate: *issuing.certificate.address(),
        book: book_address,
        meter: book.meter,
        meter_id: book.meter_id,
        producer: book.owner,
        attested_by: book.attested_by,
        serial,
        from_total: stretch.from_total,
        to_total: stretch.to_total,
        certified_total: book.certified_total,
        timestamp: issued_at,
        period_start: stretch.period_start,
        period_end: stretch.period_end,
        source: book.source,
        automatic: issuing.automatic as u8,
        padding: [0; 6],
    });
    certificate.invariant()?;
    book.invariant_with(meter.settled)
}

/// The account of a book's next certificate.
#[inline(always)]
pub fn create_certificate(
    payer: &AccountView,
    target: &AccountView,
    book: &Address,
    serial: u64,
) -> Result<Account<Certificate>> {
    let number = serial.to_le_bytes();
    let (address, bump) = find_program_address(&[seeds::CERTIFICATE, book.as_ref(), &number], &crate::ID);
    require!(*target.address() == address, CertificatesError::WrongCertificate);
    let address_seeds: [&[u8]; 4] = [seeds::CERTIFICATE, book.as_ref(), &number, &[bump]];
    let mut certificate = create::<Certificate>(payer, target, &address_seeds, CertificatesError::AccountExists)?;
    certificate.bump = bump;
    Ok(certificate)
}
