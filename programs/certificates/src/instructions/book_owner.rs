use {
    crate::{funds, AutoIssueSet, Book, CertificatesError, FundsWithdrawn},
    anchor_lang::prelude::*,
};

/// `set_auto_issue` and `withdraw_funds`: by the book's owner alone.
#[derive(Accounts)]
pub struct BookOwnerOnly {
    #[account(mut, address = book.owner @ CertificatesError::NotBookOwner)]
    pub owner: Signer,
    #[account(mut)]
    pub book: Account<Book>,
}

impl BookOwnerOnly {
    pub fn set_auto_issue(ctx: &mut Context<Self>, enabled: bool, min_energy_nkwh: u64) -> Result<()> {
        let address = *ctx.accounts.book.address();
        let book: &mut Book = &mut ctx.accounts.book;
        book.auto_issue = enabled as u8;
        book.auto_issue_min_nkwh = min_energy_nkwh;
        emit!(AutoIssueSet {
            book: address,
            meter: book.meter,
            meter_id: book.meter_id,
            owner: book.owner,
            enabled,
            min_energy_nkwh,
            timestamp: Clock::get()?.unix_timestamp,
        });
        book.invariant()
    }

    pub fn withdraw_funds(ctx: &mut Context<Self>, lamports: u64) -> Result<()> {
        require!(lamports > 0, CertificatesError::ZeroAmount);
        let accounts = &mut ctx.accounts;
        require!(lamports <= funds::left(&accounts.book)?, CertificatesError::FundsTooLow);
        funds::pay(&mut accounts.book, &accounts.owner, lamports)?;
        emit!(FundsWithdrawn {
            book: *accounts.book.address(),
            meter: accounts.book.meter,
            owner: accounts.book.owner,
            lamports,
            timestamp: Clock::get()?.unix_timestamp,
        });
        accounts.book.invariant()
    }
}
