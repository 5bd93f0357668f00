pub mod market;
pub mod order;
pub mod trader;

pub use {market::*, order::*, trader::*};

use {
    crate::TradingError,
    anchor_lang::{
        accounts::Account,
        bytemuck::{Pod, Zeroable},
        create_account_signed,
        prelude::*,
        Id, Owner,
    },
};

/// Creates a program-derived account of this program, also where somebody sent lamports to its address before.
/// `address_seeds` end with the bump. `taken` is the error for an account that exists.
#[inline(always)]
pub(crate) fn create<T>(
    payer: &AccountView,
    target: &AccountView,
    address_seeds: &[&[u8]],
    taken: TradingError,
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
pub(crate) fn allocate(new: &Allocation, taken: TradingError) -> Result<()> {
    if !new.target.owned_by(&System::id()) || new.target.data_len() != 0 {
        return Err(taken.into());
    }
    create_account_signed(new.payer, new.target, new.space, new.owner, new.address_seeds)
}
