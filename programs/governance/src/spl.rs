//! The calls to the SPL Token program, laid out on the stack, and what is read from its accounts. Layouts: spl-token's
//! `TokenInstruction` (3 Transfer, 6 SetAuthority, 7 MintTo, 18 InitializeAccount3, 20 InitializeMint2), `Account` and
//! `Mint`; the associated token account program's 1 CreateIdempotent.

use {
    anchor_lang::{prelude::*, programs::AssociatedToken, Id},
    gridtokenx_shared::{
        addresses::{GOV_MINT, GOV_MINT_BUMP, GOV_VAULT_BUMP},
        seeds,
    },
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

const TRANSFER: u8 = 3;
const SET_AUTHORITY: u8 = 6;
const MINT_TO: u8 = 7;
const INITIALIZE_ACCOUNT3: u8 = 18;
const INITIALIZE_MINT2: u8 = 20;
const CREATE_IDEMPOTENT: u8 = 1;
/// GOV has as many as GRID.
const DECIMALS: u8 = 9;
/// Bytes of a mint.
pub const MINT_BYTES: usize = 82;
const MINT_SUPPLY: usize = 36;
/// Bytes of a token account.
pub const TOKEN_ACCOUNT_BYTES: usize = 165;
const ACCOUNT_OWNER: usize = 32;
const ACCOUNT_STATE: usize = 108;
const INITIALIZED: u8 = 1;

/// All GOV there is. The caller has checked the address of the mint.
pub fn supply(mint: &AccountView) -> Result<u64> {
    let data = mint.try_borrow()?;
    let bytes = data.get(MINT_SUPPLY..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_le_bytes(*bytes.ok_or(ProgramError::AccountDataTooSmall)?))
}

/// Whether this is a usable token account that belongs to `owner`, of whatever mint: a transfer checks the mint.
pub fn is_usable_by(account: &AccountView, owner: &Address) -> bool {
    let Ok(data) = account.try_borrow() else { return false };
    account.owned_by(&Token::id())
        && data.len() == TOKEN_ACCOUNT_BYTES
        && data[ACCOUNT_STATE] == INITIALIZED
        && data[ACCOUNT_OWNER..].first_chunk() == Some(owner.as_array())
}

/// The one layout of Transfer.
#[inline(always)]
fn move_tokens(from: &AccountView, to: &AccountView, authority: &AccountView, amount: u64, signers: &[Signer]) {
    let mut data = [0; 9];
    data[0] = TRANSFER;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    // SAFETY: no reference into any of these accounts' data is used across the call: token accounts are only read by
    // the functions above, which give their borrow back.
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

/// Moves tokens into the vault with the signature that their owner gave to this transaction. The token program checks
/// mint, balance and authority.
#[inline(never)]
pub fn put(source: &AccountView, vault: &AccountView, owner: &AccountView, amount: u64) {
    move_tokens(source, vault, owner, amount, &[]);
}

/// Moves tokens out of the vault, which is its own authority. The only place that signs with its address.
#[inline(never)]
pub fn take(vault: &AccountView, destination: &AccountView, amount: u64) {
    let bump = [GOV_VAULT_BUMP];
    let signer_seeds = [Seed::from(seeds::VAULT), Seed::from(&bump)];
    move_tokens(vault, destination, vault, amount, &[Signer::from(&signer_seeds)]);
}

/// Makes a fresh account the GOV mint: nine decimals, itself as authority, nobody who could freeze.
#[inline(never)]
pub fn initialize_mint(mint: &AccountView) {
    let mut data = [0; 35];
    data[0] = INITIALIZE_MINT2;
    data[1] = DECIMALS;
    data[2..34].copy_from_slice(GOV_MINT.as_ref());
    // SAFETY: as in `move_tokens`.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[InstructionAccount::writable(mint.address())],
                data: &data,
            },
            &[CpiAccount::from(mint)],
            &[],
        );
    }
}

/// Makes a fresh account a token account of `mint` that is its own authority.
#[inline(never)]
pub fn initialize_vault(vault: &AccountView, mint: &AccountView) {
    let mut data = [0; 33];
    data[0] = INITIALIZE_ACCOUNT3;
    data[1..].copy_from_slice(vault.address().as_ref());
    // SAFETY: as in `move_tokens`.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(vault.address()),
                    InstructionAccount::readonly(mint.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(vault), CpiAccount::from(mint)],
            &[],
        );
    }
}

/// What creating an associated token account takes, in that program's order.
pub struct Associated<'a> {
    pub payer: &'a AccountView,
    pub account: &'a AccountView,
    pub wallet: &'a AccountView,
    pub mint: &'a AccountView,
    pub system_program: &'a AccountView,
    pub token_program: &'a AccountView,
}

impl Associated<'_> {
    /// The associated token program checks that `account` is the wallet's.
    #[inline(never)]
    pub fn create(&self) {
        // SAFETY: as in `move_tokens`.
        unsafe {
            invoke_signed_unchecked(
                &InstructionView {
                    program_id: &AssociatedToken::id(),
                    accounts: &[
                        InstructionAccount::writable_signer(self.payer.address()),
                        InstructionAccount::writable(self.account.address()),
                        InstructionAccount::readonly(self.wallet.address()),
                        InstructionAccount::readonly(self.mint.address()),
                        InstructionAccount::readonly(self.system_program.address()),
                        InstructionAccount::readonly(self.token_program.address()),
                    ],
                    data: &[CREATE_IDEMPOTENT],
                },
                &[
                    CpiAccount::from(self.payer),
                    CpiAccount::from(self.account),
                    CpiAccount::from(self.wallet),
                    CpiAccount::from(self.mint),
                    CpiAccount::from(self.system_program),
                    CpiAccount::from(self.token_program),
                ],
                &[],
            );
        }
    }
}

/// Mints all GOV there will ever be, then gives up the authority to mint.
#[inline(never)]
pub fn mint_once(mint: &AccountView, destination: &AccountView, amount: u64) {
    let bump = [GOV_MINT_BUMP];
    let signer_seeds = [Seed::from(seeds::MINT), Seed::from(&bump)];
    let signers = [Signer::from(&signer_seeds)];
    let mut data = [0; 9];
    data[0] = MINT_TO;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    // SAFETY (both): as in `move_tokens`.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::writable(destination.address()),
                    InstructionAccount::readonly_signer(mint.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(mint), CpiAccount::from(destination)],
            &signers,
        );
    }
    // Authority type 0 is the one that mints; after it, no new authority.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::readonly_signer(mint.address()),
                ],
                data: &[SET_AUTHORITY, 0, 0],
            },
            &[CpiAccount::from(mint)],
            &signers,
        );
    }
}
