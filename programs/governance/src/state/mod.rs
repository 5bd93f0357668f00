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
        create_account_signed,
        prelude::*,
        AnchorAccount, Id, Owner,
    },
};

/// Creates a program-derived account of this program, also where somebody sent lamports to its address before.
/// `address_seeds` end with the bump. `taken` is the error for an account that exists.
#[inline(always)]
pub(crate) fn create<T>(
    payer: &AccountView,
    target: &AccountView,
    address_seeds: &[&[u8]],
    taken: GovernanceError,
) -> Result<Account<T>>
where
    T: Pod + Zeroable + Owner + Discriminator,
{
    let owner = crate::ID;
    allocate(&Allocation { payer, target, space: 8 + size_of::<T>(), owner: &owner, address_seeds }, taken)?;
    let mut view = *target;
    view.try_borrow_mut()?[..8].copy_from_slice(T::DISCRIMINATOR);
    // SAFETY: the account was empty until here, so nothing else refers to its data.
    unsafe { Account::load_mut(view) }
}

/// One reference instead of six arguments: the back end has registers for five.
pub(crate) struct Allocation<'a> {
    pub payer: &'a AccountView,
    pub target: &'a AccountView,
    pub space: usize,
    pub owner: &'a Address,
    pub address_seeds: &'a [&'a [u8]],
}

#[inline(never)]
pub(crate) fn allocate(new: &Allocation, taken: GovernanceError) -> Result<()> {
    if !new.target.owned_by(&System::id()) || new.target.data_len() != 0 {
        return Err(taken.into());
    }
    create_account_signed(new.payer, new.target, new.space, new.owner, new.address_seeds)
}

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
