//! What the programs tell the outside. Events on the hot path are plain bytes (`bytemuck`), which costs least; on
//! the wire both kinds look alike. Energies are nkWh, times Unix seconds.

use {crate::Config, anchor_lang::prelude::*};

/// The configuration after a change, whole.
#[event]
pub struct ConfigChanged {
    pub admin: Address,
    pub pending_admin: Address,
    pub registrar: Address,
    pub guardian: Address,
    pub network: [u8; 32],
    pub max_rated_watts: u32,
    pub daily_mint_cap: u64,
    pub policy: u8,
    pub paused: bool,
}

impl From<&Config> for ConfigChanged {
    fn from(config: &Config) -> Self {
        Self {
            admin: config.admin,
            pending_admin: config.pending_admin,
            registrar: config.registrar,
            guardian: config.guardian,
            network: config.network,
            max_rated_watts: config.max_rated_watts,
            daily_mint_cap: config.daily_mint_cap,
            policy: config.policy,
            paused: config.paused != 0,
        }
    }
}

#[event]
pub struct PausedSet {
    pub paused: bool,
    pub authority: Address,
    pub timestamp: i64,
}

#[event]
pub struct UserRegistered {
    pub user: Address,
    pub wallet: Address,
    pub timestamp: i64,
}

#[event]
pub struct UserVerified {
    pub user: Address,
    pub wallet: Address,
    pub verified: bool,
    pub timestamp: i64,
}

#[event]
pub struct MeterRegistered {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub public_key: Address,
    pub token_account: Address,
    pub rated_watts: u32,
    pub timestamp: i64,
}

#[event]
pub struct MeterKeyRotated {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub old_public_key: Address,
    pub new_public_key: Address,
    pub timestamp: i64,
}

#[event]
pub struct MeterTransferred {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub old_owner: Address,
    pub new_owner: Address,
    pub token_account: Address,
    pub timestamp: i64,
}

/// `status`: 0 active, 1 suspended, 2 active again from the next reading on, which counts nothing.
#[event]
pub struct MeterStatusChanged {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub status: u8,
    pub authority: Address,
    pub timestamp: i64,
}

/// A meter got a daily cap of its own; 0: the registry's again.
#[event]
pub struct MeterCapChanged {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub daily_mint_cap: u64,
    pub authority: Address,
    pub timestamp: i64,
}

/// A signed reading was accepted; all of its 48 bytes can be put together again from here.
#[event(bytemuck)]
pub struct MeterReadingSubmitted {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub public_key: Address,
    pub sequence: u64,
    pub produced_total: u64,
    pub consumed_total: u64,
    pub surplus_total: u64,
    /// Became eligible.
    pub counted: u64,
    /// Beyond rated power: waits for release or write-off.
    pub held: u64,
    pub interval_start: u32,
    pub interval_end: u32,
    pub flags: u32,
    /// 1 when this reading only set a new base.
    pub rebased: u32,
}

/// A meter's settled balance rose.
#[event(bytemuck)]
pub struct MeterBalanceSettled {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub new_tokens: u64,
    pub total_settled: u64,
    pub timestamp: i64,
}

/// The day's cap put a mint off, whole or part: `deferred` is settled and still to be minted.
#[event(bytemuck)]
pub struct MintDeferred {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub deferred: u64,
    /// On the day `day`, this mint included.
    pub minted_today: u64,
    pub total_minted: u64,
    /// Days since 1 January 1970 (UTC).
    pub day: u64,
}

/// Energy beyond rated power was put aside. `sequence` is what release and write-off name.
#[event(bytemuck)]
pub struct EnergyHeld {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub sequence: u64,
    pub amount: u64,
    pub total_held: u64,
}

#[event]
pub struct HeldReleased {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub sequence: u64,
    pub amount: u64,
    pub authority: Address,
    pub timestamp: i64,
}

#[event]
pub struct HeldWrittenOff {
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub sequence: u64,
    pub amount: u64,
    pub authority: Address,
    pub timestamp: i64,
}
