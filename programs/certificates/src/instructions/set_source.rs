use {
    crate::{issuing::meter_of, registrar::require_registrar, Book, CertificatesError, Config, SourceAttested},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::{CERTIFICATES_CONFIG, REGISTRY_CONFIG},
};

#[derive(Accounts)]
pub struct SetSource {
    /// The registry's registrar.
    pub registrar: Signer,
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    #[account(address = REGISTRY_CONFIG @ CertificatesError::WrongRegistryConfig)]
    pub registry_config: UncheckedAccount,
    /// The registry's account of the meter.
    pub meter: UncheckedAccount,
    #[account(mut)]
    pub book: Account<Book>,
}

impl SetSource {
    pub fn run(ctx: &mut Context<Self>, source: u8) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let attested_by = *accounts.registrar.address();
        require_registrar(&accounts.registry_config, &attested_by)?;
        Book::require_source(source)?;
        let address = *accounts.book.address();
        let book: &mut Book = &mut accounts.book;
        let meter = meter_of(book, &accounts.meter)?;
        require!(source != book.source, CertificatesError::SourceUnchanged);
        // What was read before must not be certified under the new source.
        meter.require_settled()?;
        let lapsed = book.lapse_until(meter.settled, meter.last_end)?;
        book.source = source;
        book.attested_by = attested_by;
        emit!(SourceAttested {
            book: address,
            meter: book.meter,
            meter_id: book.meter_id,
            attested_by,
            source,
            next_total: book.next_total,
            lapsed,
            period_start: book.period_start,
            timestamp: Clock::get()?.unix_timestamp,
        });
        book.invariant_with(meter.settled)
    }
}
