//! What wallets show of GRID. It stands in the mint itself, so that no third party's program is needed on any cluster.

use {
    crate::EnergyTokenError,
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        addresses::TOKEN_CONFIG_BUMP,
        seeds,
        token::{self, MetadataField, MAX_METADATA_VALUE_BYTES},
    },
    pinocchio::{
        cpi::{Seed, Signer},
        sysvars::rent::Rent,
    },
};

pub const NAME: &str = "GRID";
pub const SYMBOL: &str = "GRID";
/// 1 GRID is 1 kWh, and a base unit is 1 nkWh.
pub const DECIMALS: u8 = 9;
/// The one further field: what a whole token stands for.
pub const UNIT: (&str, &str) = ("unit", "1 kWh");

/// Bytes of the mint with its metadata, as it is created.
pub const MINT_BYTES: usize = token::MINT_WITH_POINTER_BYTES
    + token::metadata_bytes(NAME.len(), SYMBOL.len(), 0, token::metadata_field_bytes(UNIT.0.len(), UNIT.1.len()));

/// Writes name, symbol and unit into the fresh mint. `config` is the mint's authority and, from here on, the only one who
/// can change its metadata.
#[inline(never)]
pub fn create(mint: &AccountView, config: &AccountView) {
    let bump = [TOKEN_CONFIG_BUMP];
    let signer_seeds = [Seed::from(seeds::CONFIG), Seed::from(&bump)];
    token::initialize_metadata(mint, config, NAME, SYMBOL, &[Signer::from(&signer_seeds)]);
    token::set_metadata(mint, config, MetadataField::Key(UNIT.0), UNIT.1, &[Signer::from(&signer_seeds)]);
}

#[inline(never)]
pub fn set_uri(mint: &AccountView, config: &AccountView, uri: &str) -> Result<()> {
    let allowed = uri.len() <= MAX_METADATA_VALUE_BYTES && uri.bytes().all(|byte| byte.is_ascii_graphic());
    require!(allowed, EnergyTokenError::UriInvalid);
    let bump = [TOKEN_CONFIG_BUMP];
    let signer_seeds = [Seed::from(seeds::CONFIG), Seed::from(&bump)];
    token::set_metadata(mint, config, MetadataField::Uri, uri, &[Signer::from(&signer_seeds)]);
    // Token-2022 leaves this to the runtime, which would not say whose rent is missing.
    require!(mint.lamports() >= rent(mint.data_len())?, EnergyTokenError::RentMissing);
    Ok(())
}

/// What an account of this size has to hold.
pub fn rent(bytes: usize) -> Result<u64> {
    Ok(Rent::get()?.try_minimum_balance(bytes)?)
}
