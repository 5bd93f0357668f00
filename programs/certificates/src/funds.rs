//! A book's lamports beyond its own rent: what its owner put there for the rent of certificates. Anybody can send
//! lamports to a book's address.

use {
    crate::{Book, CertificatesError},
    anchor_lang::{accounts::Account, prelude::*},
};

/// What the account can spare.
#[inline(always)]
pub fn left(book: &Account<Book>) -> Result<u64> {
    let view = book.account();
    Ok(view.lamports().saturating_sub(Rent::get()?.try_minimum_balance(view.data_len())?))
}

/// Moves lamports out of the book. The caller checks that they can be spared; no call to another program may follow.
#[inline(always)]
pub fn pay(book: &mut Account<Book>, to: &AccountView, lamports: u64) -> Result<()> {
    let (mut from, mut to) = (*book.account(), *to);
    let rest = from.lamports().checked_sub(lamports).ok_or(CertificatesError::FundsTooLow)?;
    let sum = to.lamports().checked_add(lamports).ok_or(CertificatesError::ArithmeticOverflow)?;
    from.set_lamports(rest);
    to.set_lamports(sum);
    Ok(())
}

/// Gives what is left to the former owner; returns how much. An account that is not there yet cannot take less than its
/// own rent: so little stays in the book.
pub fn refund(book: &mut Account<Book>, to: &AccountView) -> Result<u64> {
    let lamports = left(book)?;
    let least = Rent::get()?.try_minimum_balance(to.data_len())?;
    if lamports == 0 || to.lamports().saturating_add(lamports) < least {
        return Ok(0);
    }
    pay(book, to, lamports)?;
    Ok(lamports)
}
