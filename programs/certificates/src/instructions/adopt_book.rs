use {
    crate::{funds::refund, meter::Meter, Book, BookAdopted, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::CERTIFICATES_CONFIG,
};

#[derive(Accounts)]
pub struct AdoptBook {
    #[account(address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: Account<Config>,
    /// The registry's account of the meter.
    pub meter: UncheckedAccount,
    #[account(mut, constraint = book.meter == *meter.address() @ CertificatesError::WrongBook)]
    pub book: Account<Book>,
    /// The owner whom the book names until now.
    #[account(mut, address = book.owner @ CertificatesError::WrongFormerOwner)]
    pub former_owner: UncheckedAccount,
}

impl AdoptBook {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let meter = Meter::read(&accounts.meter)?;
        let former_owner = accounts.book.owner;
        let (total, period_start) = boundary(&accounts.book, &meter)?;
        let refunded_lamports = refund(&mut accounts.book, &accounts.former_owner)?;
        let address = *accounts.book.address();
        let book: &mut Book = &mut accounts.book;
        let lapsed = book.lapse_until(total, period_start)?;
        book.owner = meter.owner;
        book.transfers = meter.transfers;
        book.auto_issue = 0;
        book.auto_issue_min_nkwh = 0;
        emit!(BookAdopted {
            book: address,
            meter: book.meter,
            meter_id: book.meter_id,
            former_owner,
            owner: book.owner,
            next_total: book.next_total,
            lapsed,
            period_start,
            refunded_lamports,
            timestamp: Clock::get()?.unix_timestamp,
        });
        book.invariant_with(meter.settled)
    }
}

/// Up to where the meter's energy was a former owner's, and until when that was produced. The registry notes both at
/// each transfer. It did not always: of a transfer that it did not count nothing is known but that it is over, and all
/// that is settled now lapses.
fn boundary(book: &Book, meter: &Meter) -> Result<(u64, u32)> {
    if meter.transfers != book.transfers {
        return Ok((meter.settled_at_transfer, meter.end_at_transfer));
    }
    require!(meter.owner != book.owner, CertificatesError::NothingToAdopt);
    meter.require_settled()?;
    Ok((meter.settled, meter.last_end))
}
