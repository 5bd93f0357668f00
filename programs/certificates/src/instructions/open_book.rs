use {
    crate::{meter::Meter, registrar::require_registrar, Book, BookOpened, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{
        addresses::{CERTIFICATES_CONFIG, REGISTRY_CONFIG},
        seeds,
    },
};

#[derive(Accounts)]
pub struct OpenBook {
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The meter's owner.
    pub owner: Signer,
    /// The registry's registrar.
    pub registrar: Signer,
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    #[account(address = REGISTRY_CONFIG @ CertificatesError::WrongRegistryConfig)]
    pub registry_config: UncheckedAccount,
    /// The registry's account of the meter.
    pub meter: UncheckedAccount,
    #[account(mut, seeds = [seeds::BOOK, meter.address().as_ref()], bump)]
    pub book: UncheckedAccount,
    pub system_program: Program<System>,
}

impl OpenBook {
    pub fn run(ctx: &mut Context<Self>, source: u8, start_total: u64, period_start: u32) -> Result<()> {
        let bump = ctx.bumps.book;
        let accounts = &ctx.accounts;
        accounts.config.require_running()?;
        let attested_by = *accounts.registrar.address();
        require_registrar(&accounts.registry_config, &attested_by)?;
        let meter = Meter::read(&accounts.meter)?;
        meter.require_address(&accounts.meter)?;
        meter.require_active()?;
        let owner = *accounts.owner.address();
        require!(meter.owner == owner, CertificatesError::NotMeterOwner);
        Book::require_source(source)?;
        meter.require_settled()?;
        require_start(&meter, start_total, period_start)?;

        let meter_address = *accounts.meter.address();
        let mut book = create::<Book>(
            &accounts.payer,
            &accounts.book,
            &[seeds::BOOK, meter_address.as_ref(), &[bump]],
            CertificatesError::BookExists,
        )?;
        let timestamp = Clock::get()?.unix_timestamp;
        book.meter = meter_address;
        book.meter_id = meter.meter_id;
        book.owner = owner;
        book.attested_by = attested_by;
        book.next_total = start_total;
        book.lapsed_total = start_total;
        book.next_serial = 1;
        book.opened_at = timestamp;
        book.period_start = period_start;
        book.transfers = meter.transfers;
        book.source = source;
        book.bump = bump;
        emit!(BookOpened {
            book: *book.address(),
            meter: meter_address,
            meter_id: meter.meter_id,
            owner,
            attested_by,
            next_total: start_total,
            period_start,
            source,
            timestamp,
        });
        book.invariant_with(meter.settled)
    }
}

/// What is settled can be certified from `start_total` on, and was produced from `period_start` on: in the meter's own
/// life and after its last change of owners. With nothing settled to certify the period starts with the next reading.
fn require_start(meter: &Meter, start_total: u64, period_start: u32) -> Result<()> {
    let fits = if start_total == meter.settled {
        period_start == meter.last_end
    } else {
        start_total < meter.settled
            && start_total >= meter.settled_at_transfer
            && period_start < meter.last_end
            && period_start >= meter.end_at_transfer
            && period_start as i64 >= meter.registered_at
    };
    require!(fits, CertificatesError::StartInvalid);
    Ok(())
}
