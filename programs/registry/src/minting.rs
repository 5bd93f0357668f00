//! Settling a meter and having energy-token mint what is due.

use {
    crate::{Day, Meter, MeterBalanceSettled, MintDeferred, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::{
        addresses::{ENERGY_TOKEN_ID, MINT_AUTHORITY_BUMP, TOKEN_2022_ID},
        energy::Nkwh,
        seeds, token,
    },
    pinocchio::{
        cpi::{invoke_signed_unchecked, CpiAccount, Seed, Signer},
        instruction::{InstructionAccount, InstructionView},
    },
};

/// The accounts that every mint needs, their addresses checked by each instruction's constraints.
#[derive(Clone, Copy)]
pub struct Minting<'a> {
    pub mint_authority: &'a AccountView,
    pub token_config: &'a AccountView,
    pub grid_mint: &'a AccountView,
    pub token_program: &'a AccountView,
    /// The registry's daily cap.
    pub daily_mint_cap: u64,
}

/// What came of it.
#[derive(Clone, Copy)]
pub struct Minted {
    pub amount: u64,
    /// What the day's cap put off: it stays settled and unminted.
    pub deferred: u64,
}

/// Raises `settled` to `eligible` and mints what is settled and not yet minted to the owner's token account, as far as
/// the day's cap lets it. Where nothing was due, nothing changes.
#[inline(always)]
pub fn settle_and_mint(
    (address, meter): (&Address, &mut Meter),
    token_account: &AccountView,
    minting: &Minting,
    now: i64,
) -> Result<Minted> {
    require!(*token_account.address() == meter.token_account, RegistryError::WrongTokenAccount);
    let settlement = meter.settle();
    if settlement.due.is_zero() {
        return Ok(Minted { amount: 0, deferred: 0 });
    }
    // An associated account of Token-2022 never changes its owner. That it is the owner's is looked at all the same:
    // a mint to somebody else could not be taken back.
    require!(token::is_owned_by(token_account, &TOKEN_2022_ID, &meter.owner), RegistryError::TokenAccountUnusable);
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
    let day = Day::of(now).ok_or(RegistryError::ArithmeticOverflow)?;
    let amount = meter.mint(settlement.due, day, Nkwh(minting.daily_mint_cap))?;
    let deferred = settlement.due.saturating_sub(amount);
    if !amount.is_zero() {
        mint(address, token_account, minting, amount.0);
    }
    if !deferred.is_zero() {
        put_off(address, meter, deferred, day);
    }
    Ok(Minted { amount: amount.0, deferred: deferred.0 })
}

#[inline(never)]
fn put_off(address: &Address, meter: &Meter, deferred: Nkwh, day: Day) {
    log_event(MintDeferred {
        meter: *address,
        meter_id: meter.meter_id,
        deferred: deferred.0,
        minted_today: meter.minted_today,
        total_minted: meter.minted,
        day: day.0,
    });
}

/// Calls energy-token's `mint_from_production(meter, amount)` as the registry's mint authority.
#[inline(never)]
fn mint(meter: &Address, token_account: &AccountView, minting: &Minting, amount: u64) {
    let mut data = [0; 8 + 32 + 8];
    data[..8].copy_from_slice(energy_token::instruction::MintFromProduction::DISCRIMINATOR);
    data[8..40].copy_from_slice(meter.as_ref());
    data[40..].copy_from_slice(&amount.to_le_bytes());
    let Minting { mint_authority, token_config, grid_mint, token_program, .. } = *minting;
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
