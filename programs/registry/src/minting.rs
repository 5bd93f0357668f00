//! Settling a meter and having energy-token mint what is due.

use {
    crate::{events::log_event, Meter, MeterBalanceSettled, RegistryError},
    anchor_lang::{prelude::*, Id},
    gridtokenx_shared::{
        addresses::{ENERGY_TOKEN_ID, MINT_AUTHORITY_BUMP},
        seeds,
    },
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

/// Where an SPL token account keeps its owner.
const TOKEN_OWNER_OFFSET: usize = 32;

/// The accounts that every mint needs, their addresses checked by each instruction's constraints.
#[derive(Clone, Copy)]
pub struct Minting<'a> {
    pub mint_authority: &'a AccountView,
    pub token_config: &'a AccountView,
    pub grid_mint: &'a AccountView,
    pub token_program: &'a AccountView,
}

/// Raises `settled` to `eligible` and mints everything settled and not yet minted to the owner's token account.
/// Returns the amount minted; 0 changes nothing.
#[inline(always)]
pub fn settle_and_mint(
    (address, meter): (&Address, &mut Meter),
    token_account: &AccountView,
    minting: Minting,
    now: i64,
) -> Result<u64> {
    require!(*token_account.address() == meter.token_account, RegistryError::WrongTokenAccount);
    let settlement = meter.settle();
    if settlement.due.is_zero() {
        return Ok(0);
    }
    require_owned(token_account, &meter.owner)?;
    if !settlement.new_tokens.is_zero() {
        log_event(MeterBalanceSettled {
            meter: *address,
            meter_id: meter.meter_id,
            owner: meter.owner,
            new_tokens: settlement.new_tokens.0,
            total_settled: meter.settled,
            timestamp: now,
        });
    }
    meter.minted = meter.settled;
    mint(address, token_account, minting, settlement.due.0);
    Ok(settlement.due.0)
}

/// An owner can hand over the authority of an associated token account without its address changing. Tokens must not
/// follow: a thief who tricked the owner into that would receive all that the meter produces from then on.
#[inline(always)]
fn require_owned(token_account: &AccountView, owner: &Address) -> Result<()> {
    require!(token_account.owned_by(&Token::id()), RegistryError::TokenAccountUnusable);
    let data = token_account.try_borrow()?;
    require!(
        data.get(TOKEN_OWNER_OFFSET..).and_then(|rest| rest.first_chunk()) == Some(owner.as_array()),
        RegistryError::TokenAccountUnusable
    );
    Ok(())
}

/// Calls energy-token's `mint_from_production(meter, amount)` as the registry's mint authority.
#[inline(never)]
fn mint(meter: &Address, token_account: &AccountView, minting: Minting, amount: u64) {
    let mut data = [0; 8 + 32 + 8];
    data[..8].copy_from_slice(energy_token::instruction::MintFromProduction::DISCRIMINATOR);
    data[8..40].copy_from_slice(meter.as_ref());
    data[40..].copy_from_slice(&amount.to_le_bytes());
    let Minting { mint_authority, token_config, grid_mint, token_program } = minting;
    let bump = [MINT_AUTHORITY_BUMP];
    let signer_seeds = [Seed::from(seeds::MINT_AUTHORITY), Seed::from(&bump)];
    // SAFETY: none of these accounts' data is referred to across the call; the meter is not passed on.
    unsafe {
        invoke_signed_unchecked(
            &InstructionView {
                program_id: &ENERGY_TOKEN_ID,
                accounts: &[
                    InstructionAccount::readonly_signer(mint_authority.address()),
                    InstructionAccount::writable(token_config.address()),
                    InstructionAccount::writable(grid_mint.address()),
                    InstructionAccount::writable(token_account.address()),
                    InstructionAccount::readonly(token_program.address()),
                ],
                data: &data,
            },
            &[
                CpiAccount::from(mint_authority),
                CpiAccount::from(token_config),
                CpiAccount::from(grid_mint),
                CpiAccount::from(token_account),
                CpiAccount::from(token_program),
            ],
            &[Signer::from(&signer_seeds)],
        );
    }
}
