//! GOV and its vault: the shared calls to the SPL Token program, and those that only governance makes. Layouts:
//! spl-token's `TokenInstruction` (6 SetAuthority) and `Mint`; the associated token account program's 1 CreateIdempotent.

pub use gridtokenx_shared::token::{ACCOUNT_BYTES, MINT_BYTES};
use {
    anchor_lang::{prelude::*, programs::AssociatedToken, Id},
    gridtokenx_shared::{
        addresses::{GOV_MINT, GOV_MINT_BUMP, GOV_VAULT_BUMP, TOKEN_ID},
        seeds, token,
    },
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

const SET_AUTHORITY: u8 = 6;
const CREATE_IDEMPOTENT: u8 = 1;
/// GOV has as many as GRID.
const DECIMALS: u8 = 9;
const MINT_SUPPLY: usize = 36;

/// All GOV there is. The caller has checked the address of the mint.
pub fn supply(mint: &AccountView) -> Result<u64> {
    let data = mint.try_borrow()?;
    let bytes = data.get(MINT_SUPPLY..).and_then(|rest| rest.first_chunk());
    Ok(u64::from_le_bytes(*bytes.ok_or(ProgramError::AccountDataTooSmall)?))
}

/// Whether this is a usable token account that belongs to `owner`, of whatever mint: a transfer checks the mint.
pub fn is_usable_by(account: &AccountView, owner: &Address) -> bool {
    token::is_usable_by(account, &TOKEN_ID, owner)
}

/// Moves tokens into the vault with the signature that their owner gave to this transaction. The token program checks
/// mint, balance and authority.
pub fn put(source: &AccountView, vault: &AccountView, owner: &AccountView, amount: u64) {
    token::transfer(&TOKEN_ID, [source, vault, owner], amount, &[]);
}

/// Moves tokens out of the vault, which is its own authority. The only place that signs with its address.
#[inline(never)]
pub fn take(vault: &AccountView, destination: &AccountView, amount: u64) {
    let bump = [GOV_VAULT_BUMP];
    let signer_seeds = [Seed::from(seeds::VAULT), Seed::from(&bump)];
    token::transfer(&TOKEN_ID, [vault, destination, vault], amount, &[Signer::from(&signer_seeds)]);
}

/// Makes a fresh account the GOV mint: nine decimals, itself as authority, nobody who could freeze.
pub fn initialize_mint(mint: &AccountView) {
    token::initialize_mint(&TOKEN_ID, mint, DECIMALS, &GOV_MINT);
}

/// Makes a fresh account a token account of `mint` that is its own authority.
pub fn initialize_vault(vault: &AccountView, mint: &AccountView) {
    token::initialize_account(&TOKEN_ID, vault, mint, vault.address());
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
        // SAFETY: no reference into any of these accounts' data is used across the call.
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
    token::mint_to(&TOKEN_ID, [mint, destination, mint], amount, &signers);
    // SAFETY: no reference into the mint's data is used across the call.
    // Authority type 0 is the one that mints; after it, no new authority.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &TOKEN_ID,
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
