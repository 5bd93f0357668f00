//! The calls to the SPL Token program, laid out on the stack. Instruction layouts: spl-token's
//! `TokenInstruction` (7 MintTo, 8 Burn, 20 InitializeMint2).

use {
    anchor_lang::{prelude::*, Id},
    gridtokenx_shared::{addresses::TOKEN_CONFIG_BUMP, seeds},
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

const MINT_TO: u8 = 7;
const BURN: u8 = 8;
const INITIALIZE_MINT2: u8 = 20;
/// 1 GRID is 1 kWh, and a base unit is 1 nkWh.
pub const DECIMALS: u8 = 9;
/// Bytes of an SPL mint.
pub const MINT_BYTES: usize = 82;

/// Mints to `destination` in the name of the configuration account. The token program checks that `destination` is
/// an initialised, unfrozen account of this mint, and that the supply does not overflow.
#[inline(always)]
pub fn mint_to(mint: &AccountView, destination: &AccountView, config: &AccountView, amount: u64) {
    let mut data = [0; 9];
    data[0] = MINT_TO;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    let bump = [TOKEN_CONFIG_BUMP];
    let signer_seeds = [Seed::from(seeds::CONFIG), Seed::from(&bump)];
    // SAFETY: no reference into any of the three accounts' data is used across the call: the configuration is
    // passed read-only, and the mint and the destination are never borrowed here.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::writable(destination.address()),
                    InstructionAccount::readonly_signer(config.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(mint), CpiAccount::from(destination), CpiAccount::from(config)],
            &[Signer::from(&signer_seeds)],
        );
    }
}

/// Burns from `source` with the signature that `owner` gave to this transaction.
#[inline(never)]
pub fn burn(source: &AccountView, mint: &AccountView, owner: &AccountView, amount: u64) {
    let mut data = [0; 9];
    data[0] = BURN;
    data[1..].copy_from_slice(&amount.to_le_bytes());
    // SAFETY: as in `mint_to`.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &Token::id(),
                accounts: &[
                    InstructionAccount::writable(source.address()),
                    InstructionAccount::writable(mint.address()),
                    InstructionAccount::readonly_signer(owner.address()),
                ],
                data: &data,
            },
            &[CpiAccount::from(source), CpiAccount::from(mint), CpiAccount::from(owner)],
            &[],
        );
    }
}

/// Makes a fresh account the GRID mint: nine decimals, the configuration as authority, nobody who could freeze.
#[inline(never)]
pub fn initialize_mint(mint: &AccountView, authority: &Address) {
    let mut data = [0; 35];
    data[0] = INITIALIZE_MINT2;
    data[1] = DECIMALS;
    data[2..34].copy_from_slice(authority.as_ref());
    // SAFETY: as in `mint_to`.
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
