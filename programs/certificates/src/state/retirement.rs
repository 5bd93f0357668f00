use anchor_lang::prelude::*;

/// For whom a certificate was retired. No instruction changes or closes it. `["retirement", certificate]`
#[account]
pub struct Retirement {
    /// The certificate's address, where nothing will ever be again.
    pub certificate: Address,
    pub meter: Address,
    pub meter_id: [u8; 32],
    pub producer: Address,
    /// The last holder, who retired it.
    pub retired_by: Address,
    pub attested_by: Address,
    pub serial: u64,
    pub split_from: u64,
    pub from_total: u64,
    pub to_total: u64,
    pub issued_at: i64,
    pub retired_at: i64,
    pub period_start: u32,
    pub period_end: u32,
    /// UTF-8, zero-padded.
    pub beneficiary: [u8; 96],
    /// UTF-8, zero-padded.
    pub reason: [u8; 128],
    pub source: u8,
    pub bump: u8,
    pub padding: [u8; 6],
}
