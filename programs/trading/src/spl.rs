//! Orders' escrows, and transfers of what may be nothing. The calls themselves are the shared crate's.

use {
    anchor_lang::prelude::*,
    gridtokenx_shared::{seeds, token},
    pinocchio::cpi::{Seed, Signer},
};

/// GRX has as many as GRID.
pub const DECIMALS: u8 = 9;

/// What a token account holds.
#[inline(always)]
pub fn balance(account: &AccountView) -> Result<u64> {
    token::balance(account).ok_or(ProgramError::AccountDataTooSmall.into())
}

/// Moves tokens with the signature that `authority` gave to this transaction. Nothing to move is no call.
#[inline(never)]
pub fn transfer(program: &Address, accounts: &[&AccountView; 3], amount: u64) {
    if amount > 0 {
        token::transfer(program, *accounts, amount, &[]);
    }
}

/// An order's token account. It is its own authority: what this program signs with it concerns one order and no other.
#[derive(Clone, Copy)]
pub struct Escrow<'a> {
    pub account: &'a AccountView,
    pub order: &'a Address,
    pub bump: u8,
}

impl Escrow<'_> {
    /// The token program of what is escrowed. `require_escrow` has seen that it is one of the two.
    #[inline(always)]
    pub fn program(&self) -> Address {
        *self.account.owner()
    }

    /// Sends `amount` out of the escrow. Nothing to send is no call.
    #[inline(never)]
    pub fn pay(&self, to: &AccountView, amount: u64) {
        if amount == 0 {
            return;
        }
        let bump = [self.bump];
        let signer_seeds = [Seed::from(seeds::ESCROW), Seed::from(self.order.as_ref()), Seed::from(&bump)];
        let accounts = [self.account, to, self.account];
        token::transfer(&self.program(), accounts, amount, &[Signer::from(&signer_seeds)]);
    }

    /// Closes the escrow, which must be empty; its lamports go to `rent_payer`.
    #[inline(never)]
    pub fn close(&self, rent_payer: &AccountView) {
        let bump = [self.bump];
        let signer_seeds = [Seed::from(seeds::ESCROW), Seed::from(self.order.as_ref()), Seed::from(&bump)];
        let accounts = [self.account, rent_payer, self.account];
        token::close_account(&self.program(), accounts, &[Signer::from(&signer_seeds)]);
    }
}
