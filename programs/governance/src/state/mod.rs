pub mod config;
pub mod proposal;
pub mod stored;
pub mod vote;
pub mod voter;

pub use {config::*, proposal::*, stored::*, vote::*, voter::*};

use {
    crate::GovernanceError,
    anchor_lang::{
        accounts::Account,
        bytemuck::{Pod, Zeroable},
        prelude::*,
        AnchorAccount, Owner,
    },
};

/// An account that may have been closed, or never been made, to be changed: `missing` is the error then.
#[inline(always)]
pub(crate) fn open<T>(view: &AccountView, missing: GovernanceError) -> Result<Account<T>>
where
    T: Pod + Zeroable + Owner + Discriminator,
{
    if !view.owned_by(&crate::ID) {
        return Err(missing.into());
    }
    // SAFETY: each instruction opens at most one account of each kind, so no other reference to this data exists.
    // `load_mut` checks owner, size and discriminator.
    unsafe { Account::<T>::load_mut(*view) }.map_err(|_| missing.into())
}

/// As [`open`], to be read only.
#[inline(always)]
pub(crate) fn read<T>(view: &AccountView, missing: GovernanceError) -> Result<Account<T>>
where
    T: Pod + Zeroable + Owner + Discriminator,
{
    if !view.owned_by(&crate::ID) {
        return Err(missing.into());
    }
    Account::<T>::load(*view).map_err(|_| missing.into())
}

/// Closes an account of this program; its lamports go to `rent_payer`, whom the caller has checked. After the last call
/// to another program: the runtime balances lamports at each call, over the accounts of that call.
#[inline(never)]
pub(crate) fn close(view: &AccountView, rent_payer: &AccountView) -> Result<()> {
    let (mut from, mut to) = (*view, *rent_payer);
    let sum = to.lamports().checked_add(from.lamports()).ok_or(GovernanceError::ArithmeticOverflow)?;
    to.set_lamports(sum);
    from.set_lamports(0);
    // SAFETY: the callers have given up their references to this account.
    unsafe {
        // What is read in the same transaction after this must not look like the account that was.
        from.borrow_unchecked_mut()[..8].fill(u8::MAX);
        from.close_unchecked();
    }
    Ok(())
}
