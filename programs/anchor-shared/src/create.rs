use anchor_lang::{
    accounts::Account,
    bytemuck::{Pod, Zeroable},
    create_account_signed,
    prelude::*,
    Id, Owner,
};

/// Creates a program-derived account of the program that `T` belongs to, also where somebody sent lamports to its address
/// before. `address_seeds` end with the bump. `taken` is the error for an account that exists.
#[inline(always)]
pub fn create<T>(
    payer: &AccountView,
    target: &AccountView,
    address_seeds: &[&[u8]],
    taken: impl Into<ProgramError>,
) -> Result<Account<T>>
where
    T: Pod + Zeroable + Owner + Discriminator,
{
    allocate(&Allocation { payer, target, space: 8 + size_of::<T>(), owner: &T::OWNER, address_seeds }, taken)?;
    let mut view = *target;
    view.try_borrow_mut()?[..8].copy_from_slice(T::DISCRIMINATOR);
    // SAFETY: the account was empty until here, so nothing else refers to its data.
    unsafe { Account::load_mut(view) }
}

/// One reference instead of six arguments: the back end has registers for five.
pub struct Allocation<'a> {
    pub payer: &'a AccountView,
    pub target: &'a AccountView,
    pub space: usize,
    pub owner: &'a Address,
    pub address_seeds: &'a [&'a [u8]],
}

/// Creates an account of zeros that belongs to `owner`. `taken` is the error for one that exists.
#[inline(always)]
pub fn allocate(new: &Allocation, taken: impl Into<ProgramError>) -> Result<()> {
    if !new.target.owned_by(&System::id()) || new.target.data_len() != 0 {
        return Err(taken.into());
    }
    make(new)
}

#[inline(never)]
fn make(new: &Allocation) -> Result<()> {
    create_account_signed(new.payer, new.target, new.space, new.owner, new.address_seeds)
}
