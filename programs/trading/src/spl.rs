//! The calls to the SPL Token program, laid out on the stack, and what is read from its accounts. Layouts: spl-token's
//! `TokenInstruction` (3 Transfer, 9 CloseAccount, 18 InitializeAccount3), `Account` and `Mint`.

use {
    anchor_lang::{prelude::*, Id},
    gridtokenx_shared::seeds,
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

const TRANSFER: u8 = 3;
const CLOSE_ACCOUNT: u8 = 9;
const INITIALIZE_ACCOUNT3: u8 = 18;
/// Bytes of a token account.
pub const TOKEN_ACCOUNT_BYTES: usize = 165;
const ACCOUNT_OWNER: usize = 32;
const ACCOUNT_AMOUNT: usize = 64;
const ACCOUNT_STATE: usize = 108;
const INITIALIZED: u8 = 1;
/// Bytes of a mint.
const MINT_BYTES: usize = 82;
const MINT_DECIMALS: usize = 44;
const MINT_IS_INITIALIZED: usize = 45;
/// GRX has as many as GRID.
const DECIMALS: u8 = 9;

#[inline(always)]
fn key_at(data: &[u8], offset: usize) -> Option<&[u8; 32]> {
    data.get(offset..).and_then(|rest| rest.first_chunk())
}

/// Whether this is a token account of the SPL Token program that can send and receive: initialised and not frozen.
#[inline(always)]
fn is_usable(account: &AccountView, data: &[u8]) -> bool {
    account.owned_by(&Token::id()) && data.len() == TOKEN_ACCOUNT_BYTES && data[ACCOUNT_STATE] == INITIALIZED
}

/// Whether tokens can go to this account and are its owner's then. An account's authority can be given away without
/// its address changing: such an account is not usable.
#[inline(always)]
pub fn is_usable_by(account: &AccountView, owner: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    is_usable(account, &data) && key_at(&data, ACCOUNT_OWNER) == Some(owner.as_array())
}

/// Whether this is a usable token account of `mint`, whoever owns it.
#[inline(always)]
pub fn is_usable_of(account: &AccountView, mint: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    is_usable(account, &data) && key_at(&data, 0) == Some(mint.as_array())
}

/// Whether this is an initialised SPL Token mint with nine decimals.
pub fn is_quote_mint(mint: &AccountView) -> bool {
    let Ok(data) = mint.try_borrow() else { return false };
    mint.owned_by(&Token::id())
        && data.len() == MINT_BYTES
        && data[MINT_IS_INITIALIZED] == 1
        && data[MINT_DECIMALS] == DECIMALS
}

/// What a token account holds.
#[inline(always)]
pub fn balance(account: &AccountView) -> Result<u64> {
    let data = account.try_borrow()?;
    let bytes = data.get(ACCOUNT_AMOUNT..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_le_bytes(*bytes.ok_or(ProgramError::AccountDataTooSmall)?))
}

/// Moves tokens with the signature that `authority` gave to this transaction. The token program checks mints, balance
/// and authority.
#[inline(never)]
pub fn transfer(from: &AccountView, to: &AccountView, authority: &AccountView, amount: u64) {
    move_tokens(from, to, authority, amount, &[]);
}

/// The one layout of Transfer. Nothing to move is no call.
#[inline(always)]
fn move_tokens(from: &AccountView, to: &AccountView, authority: &AccountView, amount: u64, signers: &[Signer]) {
    if amount == 0 {
        return;
    }
    let mut data = [0; 9];
    data[0] = TRANSFER;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    // SAFETY: no reference into any of these accounts' data is used across the call: token accounts are only read by
    // the functions above, which give their borrow back, and orders and markets are not passed on.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(from.address()),
                    InstructionAccount::writable(to.address()),
                    InstructionAccount::readonly_signer(authority.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(from), CpiAccount::from(to), CpiAccount::from(authority)],
            signers,
        );
    }
}

/// Makes a fresh account a token account of `mint` with `owner` as its authority.
#[inline(never)]
pub fn initialize_account(account: &AccountView, mint: &AccountView, owner: &Address) {
    let mut data = [0; 33];
    data[0] = INITIALIZE_ACCOUNT3;
    data[1..].copy_from_slice(owner.as_ref());
    // SAFETY: as in `move_tokens`.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(account.address()),
                    InstructionAccount::readonly(mint.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(account), CpiAccount::from(mint)],
            &[],
        );
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
    /// Sends `amount` out of the escrow.
    #[inline(never)]
    pub fn pay(&self, to: &AccountView, amount: u64) {
        let bump = [self.bump];
        let signer_seeds = [Seed::from(seeds::ESCROW), Seed::from(self.order.as_ref()), Seed::from(&bump)];
        move_tokens(self.account, to, self.account, amount, &[Signer::from(&signer_seeds)]);
    }

    /// Closes the escrow, which must be empty; its lamports go to `rent_payer`.
    #[inline(never)]
    pub fn close(&self, rent_payer: &AccountView) {
        let bump = [self.bump];
        let signer_seeds = [Seed::from(seeds::ESCROW), Seed::from(self.order.as_ref()), Seed::from(&bump)];
        // SAFETY: as in `move_tokens`.
        unsafe {
            invoke_signed_unchecked(
                &InstructionView {
                    program_id: &Token::id(),
                    accounts: &[
                        InstructionAccount::writable(self.account.address()),
                        InstructionAccount::writable(rent_payer.address()),
                        InstructionAccount::readonly_signer(self.account.address()),
                    ],
                    data: &[CLOSE_ACCOUNT],
                },
                &[CpiAccount::from(self.account), CpiAccount::from(rent_payer)],
                &[Signer::from(&signer_seeds)],
            );
        }
    }
}
