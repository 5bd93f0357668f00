//! What the program tells the outside; every book, every certificate and its whole history can be put together from
//! these. Energy in nkWh, times in Unix seconds. The events of certificates are plain bytes (`bytemuck`), which costs
//! least; on the wire both kinds look alike.

use {crate::Config, anchor_lang::prelude::*};

/// The configuration after it was made or changed, whole.
#[event]
pub struct CertificatesConfigChanged {
    pub admin: Address,
    pub pending_admin: Address,
    pub guardian: Address,
    pub paused: bool,
    pub timestamp: i64,
}

impl CertificatesConfigChanged {
    pub fn new(config: &Config, timestamp: i64) -> Self {
        Self {
            admin: config.admin,
            pending_admin: config.pending_admin,
            guardian: config.guardian,
            paused: config.paused != 0,
            timestamp,
        }
    }
}

/// From `next_total` on the meter's energy can be certified for its owner.
#[event]
pub struct BookOpened {
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub attested_by: Address,
    pub next_total: u64,
    pub period_start: u32,
    pub source: u8,
    pub timestamp: i64,
}

/// A book went to its meter's new owner, who has not opted in to anything yet.
#[event]
pub struct BookAdopted {
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub former_owner: Address,
    pub owner: Address,
    pub next_total: u64,
    /// What former owners had not certified.
    pub lapsed: u64,
    pub period_start: u32,
    /// Lamports that went back to the former owner.
    pub refunded_lamports: u64,
    pub timestamp: i64,
}

/// The registrar attested another source.
#[event]
pub struct SourceAttested {
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub attested_by: Address,
    pub source: u8,
    pub next_total: u64,
    /// What was not certified under the source before.
    pub lapsed: u64,
    pub period_start: u32,
    pub timestamp: i64,
}

/// An owner opted in to or out of `issue_for`.
#[event]
pub struct AutoIssueSet {
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub enabled: bool,
    pub min_energy_nkwh: u64,
    pub timestamp: i64,
}

/// An owner took lamports for rent back.
#[event]
pub struct FundsWithdrawn {
    pub book: Address,
    pub meter: Address,
    pub owner: Address,
    pub lamports: u64,
    pub timestamp: i64,
}

/// A certificate came into being; its holder is the producer.
#[event(bytemuck)]
pub struct CertificateIssued {
    pub certificate: Address,
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub producer: Address,
    pub attested_by: Address,
    pub serial: u64,
    pub from_total: u64,
    pub to_total: u64,
    /// Of the meter, this certificate included.
    pub certified_total: u64,
    pub timestamp: i64,
    pub period_start: u32,
    pub period_end: u32,
    pub source: u8,
    /// By `issue_for`.
    pub automatic: u8,
    pub padding: [u8; 6],
}

/// The last part of a certificate became one of its own, of the same holder.
#[event(bytemuck)]
pub struct CertificateSplit {
    pub certificate: Address,
    pub part: Address,
    pub book: Address,
    pub meter: Address,
    pub holder: Address,
    pub serial: u64,
    pub part_serial: u64,
    /// Where the certificate begins, still.
    pub from_total: u64,
    /// Where it ends now, and the part begins.
    pub split_total: u64,
    /// Where the part ends.
    pub to_total: u64,
    pub timestamp: i64,
}

/// A certificate has another holder.
#[event(bytemuck)]
pub struct CertificateTransferred {
    pub certificate: Address,
    pub book: Address,
    pub meter: Address,
    pub old_holder: Address,
    pub new_holder: Address,
    pub serial: u64,
    pub from_total: u64,
    pub to_total: u64,
    pub timestamp: i64,
}

/// A certificate was retired for a beneficiary; the record says so for ever.
#[event(bytemuck)]
pub struct CertificateRetired {
    pub certificate: Address,
    pub retirement: Address,
    pub book: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub producer: Address,
    pub retired_by: Address,
    pub serial: u64,
    pub from_total: u64,
    pub to_total: u64,
    /// Of the meter, this certificate included.
    pub retired_total: u64,
    pub timestamp: i64,
    pub period_start: u32,
    pub period_end: u32,
    /// UTF-8, zero-padded.
    pub beneficiary: [u8; 96],
    pub reason: [u8; 128],
    pub source: u8,
    pub padding: [u8; 7],
}
