pub mod config;
pub mod feed;

pub use {config::*, feed::*};

use {
    crate::OracleError,
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
    taken: OracleError,
) -> Result<Account<T>>
where
    T: Pod + Zeroable + Owner + Discriminator,
{
    if !target.owned_by(&System::id()) || target.data_len() != 0 {
        return Err(taken.into());
    }
    create_account_signed(payer, target, 8 + size_of::<T>(), &crate::ID, address_seeds)?;
    let mut view = *target;
    view.try_borrow_mut()?[..8].copy_from_slice(T::DISCRIMINATOR);
    // SAFETY: the account was empty until here, so nothing else refers to its data.
    unsafe { Account::load_mut(view) }
}
