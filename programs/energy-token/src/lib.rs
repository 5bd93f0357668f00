//! energy-token: the GRID mint. One base unit is one nano-kilowatt-hour, and a token comes into being only when
//! the registry's program-derived signer asks for it, which it does only after checking a meter's signature.

extern crate sbf_shim;

mod error;
mod events;
mod instructions;
mod spl;
mod state;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use anchor_lang::prelude::*;

/// This program's address; `GTX_ENERGY_TOKEN_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::ENERGY_TOKEN_ID as ID;

#[program]
pub mod energy_token {
    use super::*;

    /// Mints GRID for settled production. Only the registry's mint authority can call it.
    pub fn mint_from_production(ctx: &mut Context<MintFromProduction>, meter: Address, amount: u64) -> Result<()> {
        MintFromProduction::run(ctx, meter, amount)
    }

    /// Creates the configuration and the GRID mint. Only the program's upgrade authority can call it.
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

    /// Returns what was minted, burned and, of that, retired, since the start.
    pub fn get_supply(ctx: &mut Context<GetSupply>) -> Result<Supply> {
        GetSupply::run(ctx)
    }
}
