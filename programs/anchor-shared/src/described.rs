use {
    anchor_lang::{__alloc::vec::Vec, accounts::Account, prelude::*, AnchorAccount, IdlAccountType},
    core::{marker::PhantomData, ops::Deref},
};

/// An account that its instruction looks at itself, with errors of its own (it may have been closed, or not be there
/// yet), and that the IDL describes as a `T` all the same.
pub struct Described<T> {
    view: AccountView,
    described_as: PhantomData<T>,
}

impl<T> AnchorAccount for Described<T> {
    type Data = AccountView;

    #[inline(always)]
    fn load(view: AccountView) -> Result<Self> {
        Ok(Self { view, described_as: PhantomData })
    }

    #[inline(always)]
    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl<T> Deref for Described<T> {
    type Target = AccountView;

    #[inline(always)]
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl<T> IdlAccountType for Described<T>
where
    Account<T>: IdlAccountType,
    T: anchor_lang::bytemuck::Pod + anchor_lang::bytemuck::Zeroable + anchor_lang::Owner + Discriminator,
{
    fn __register_idl_deps(accounts: &mut Vec<&'static str>, types: &mut Vec<&'static str>) {
        Account::<T>::__register_idl_deps(accounts, types);
    }
}
