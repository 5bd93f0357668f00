//! energy-token: the GRID mint. One base unit is one nano-kilowatt-hour, and a token comes into being only when
//! the registry's program-derived signer asks for it, which it does only after checking a meter's signature.

extern crate alloc;
extern crate sbf_shim;

mod error;
mod events;
mod instructions;
mod metadata;
mod state;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use {alloc::string::String, anchor_lang::prelude::*};

/// This program's address; `GTX_ENERGY_TOKEN_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::ENERGY_TOKEN_ID as ID;

#[program]
pub mod energy_token {
    use super::*;

    /// Mints GRID for settled production. Only the registry's mint authority can call it.
    pub fn mint_from_production(ctx: &mut Context<MintFromProduction>, meter: Address, amount: u64) -> Result<()> {
        MintFromProduction::run(ctx, meter, amount)
    }

    /// Creates the configuration and the GRID mint, a Token-2022 mint that carries its own metadata. Only the program's
    /// upgrade authority can call it.
    pub fn initialize(ctx: &mut Context<Initialize>) -> Result<()> {
        Initialize::run(ctx)
    }

    /// Destroys the signer's GRID.
    pub fn burn(ctx: &mut Context<Burn>, amount: u64) -> Result<()> {
        Burn::run(ctx, amount)
    }

    /// Destroys the signer's GRID as energy consumed at a meter of theirs.
    pub fn retire(ctx: &mut Context<Retire>, amount: u64) -> Result<()> {
        Retire::run(ctx, amount)
    }

    /// Says where wallets find more about GRID (a picture, a description); empty for nowhere. Only the registry's admin
    /// can; name, symbol and unit never change. A longer URI needs more rent: send the mint lamports before.
    pub fn update_metadata(ctx: &mut Context<UpdateMetadata>, uri: String) -> Result<()> {
        UpdateMetadata::run(ctx, &uri)
    }

    /// Returns what was minted, burned and, of that, retired, since the start.
    pub fn get_supply(ctx: &mut Context<GetSupply>) -> Result<Supply> {
        GetSupply::run(ctx)
    }
}
