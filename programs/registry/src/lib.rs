//! registry: users, meters, and what meters signed. Energy becomes eligible for GRID only here, and only where the
//! runtime has verified a registered meter's Ed25519 signature over its reading.

extern crate sbf_shim;

mod clock;
mod consent;
mod error;
mod events;
mod instructions;
mod minting;
mod readings;
mod signature;
mod state;
mod token_account;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;
use token_account::grid_token_account;

use anchor_lang::prelude::*;

/// This program's address; `GTX_REGISTRY_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::REGISTRY_ID as ID;

// The instructions that run all day come first: the dispatcher compares in this order.
#[program]
pub mod registry {
    use super::*;

    /// Accepts one to five meters' signed readings and mints what becomes due. Signature i of the Ed25519 instruction
    /// right before belongs to meter i; each meter brings three accounts: meter (writable), its owner's user account,
    /// the owner's GRID account (writable). A meter with nothing to mint, or whose day's cap is reached, is accepted
    /// without a mint.
    pub fn submit_and_mint(ctx: &mut Context<SubmitAndMint>) -> Result<()> {
        SubmitAndMint::run(ctx)
    }

    /// Accepts one signed reading; the Ed25519 instruction right before holds its signature.
    pub fn submit_meter_reading(ctx: &mut Context<SubmitMeterReading>) -> Result<()> {
        SubmitMeterReading::run(ctx)
    }

    /// Settles all that is eligible and mints all that is settled to the owner, as far as the day's cap lets it; returns
    /// the amount minted. Anybody can call it: the destination is fixed.
    pub fn settle_and_mint_tokens(ctx: &mut Context<SettleAndMintTokens>) -> Result<u64> {
        SettleAndMintTokens::run(ctx)
    }

    /// Settles all that is eligible without minting it; returns by how much the settled balance rose.
    pub fn settle_meter_balance(ctx: &mut Context<SettleMeterBalance>) -> Result<u64> {
        SettleMeterBalance::run(ctx)
    }

    /// Returns what a settlement would settle now.
    pub fn get_unsettled_balance(ctx: &mut Context<GetUnsettledBalance>) -> Result<u64> {
        GetUnsettledBalance::run(ctx)
    }

    /// Sets the registry up. Only the program's upgrade authority can; it becomes the admin.
    pub fn initialize(
        ctx: &mut Context<Initialize>,
        network: [u8; 32],
        policy: u8,
        registrar: Address,
        guardian: Address,
        max_rated_watts: u32,
    ) -> Result<()> {
        Initialize::run(ctx, InitializeArgs { network, policy, registrar, guardian, max_rated_watts })
    }

    /// Registers a wallet, which signs.
    pub fn register_user(ctx: &mut Context<RegisterUser>) -> Result<()> {
        RegisterUser::run(ctx)
    }

    /// The registrar verifies a user, or takes that back.
    pub fn verify_user(ctx: &mut Context<VerifyUser>, verified: bool) -> Result<()> {
        VerifyUser::run(ctx, verified)
    }

    /// Registers a meter for its owner. The registrar attests that the key sits in a real meter of that power; the
    /// key's own consent (GTXM) is in the Ed25519 instruction right before.
    pub fn register_meter(
        ctx: &mut Context<RegisterMeter>,
        meter_id: [u8; 32],
        public_key: Address,
        rated_watts: u32,
    ) -> Result<()> {
        RegisterMeter::run(ctx, meter_id, public_key, rated_watts)
    }

    /// Replaces a meter's key for ever. The new key's consent (GTXM) is in the Ed25519 instruction right before.
    pub fn rotate_meter_key(ctx: &mut Context<RotateMeterKey>, new_public_key: Address) -> Result<()> {
        RotateMeterKey::run(ctx, new_public_key)
    }

    /// Gives a meter to another user, after minting what is due to the old owner. The key's consent (GTXM) to the new
    /// owner is in the Ed25519 instruction right before.
    pub fn transfer_meter(ctx: &mut Context<TransferMeter>) -> Result<()> {
        TransferMeter::run(ctx)
    }

    /// 0 activates a suspended meter, whose next reading counts nothing; 1 suspends.
    pub fn set_meter_status(ctx: &mut Context<SetMeterStatus>, status: u8) -> Result<()> {
        SetMeterStatus::run(ctx, status)
    }

    /// Makes the energy held under a sequence eligible.
    pub fn release_held(ctx: &mut Context<ReviewHeld>, sequence: u64) -> Result<()> {
        ReviewHeld::release(ctx, sequence)
    }

    /// Gives up the energy held under a sequence.
    pub fn write_off_held(ctx: &mut Context<ReviewHeld>, sequence: u64) -> Result<()> {
        ReviewHeld::write_off(ctx, sequence)
    }

    /// Stops or resumes everything that registers, counts, settles or mints. The guardian can only stop.
    pub fn set_paused(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
        SetPaused::run(ctx, paused)
    }

    /// Names the next admin, who must accept; the zero address withdraws the proposal.
    pub fn propose_admin(ctx: &mut Context<AdminOnly>, new_admin: Address) -> Result<()> {
        AdminOnly::propose_admin(ctx, new_admin)
    }

    /// The proposed admin takes over.
    pub fn accept_admin(ctx: &mut Context<AcceptAdmin>) -> Result<()> {
        AcceptAdmin::run(ctx)
    }

    pub fn set_registrar(ctx: &mut Context<AdminOnly>, new_registrar: Address) -> Result<()> {
        AdminOnly::set_registrar(ctx, new_registrar)
    }

    pub fn set_guardian(ctx: &mut Context<AdminOnly>, new_guardian: Address) -> Result<()> {
        AdminOnly::set_guardian(ctx, new_guardian)
    }

    /// The largest rated power that a meter can be registered with from now on, and the most that a meter without a cap
    /// of its own mints in a day (UTC), in nkWh; 0: no cap.
    pub fn set_limits(ctx: &mut Context<AdminOnly>, max_rated_watts: u32, daily_mint_cap: u64) -> Result<()> {
        AdminOnly::set_limits(ctx, max_rated_watts, daily_mint_cap)
    }

    /// The most that this meter mints in a day (UTC), in nkWh, whatever the registry's cap is; 0: the registry's. What
    /// is above a cap stays settled, and is minted on a later day.
    pub fn set_meter_cap(ctx: &mut Context<SetMeterCap>, daily_mint_cap: u64) -> Result<()> {
        SetMeterCap::run(ctx, daily_mint_cap)
    }
}
