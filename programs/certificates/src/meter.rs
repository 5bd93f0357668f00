//! What certificates reads of the registry's meters. It never writes to them.

use {
    crate::CertificatesError,
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        addresses::REGISTRY_ID,
        meter_layout::{
            METER_BUMP_OFFSET, METER_BYTES, METER_DISCRIMINATOR, METER_ELIGIBLE_OFFSET, METER_END_AT_TRANSFER_OFFSET,
            METER_HELD_OFFSET, METER_ID_OFFSET, METER_LAST_END_OFFSET, METER_OWNER_OFFSET, METER_REGISTERED_AT_OFFSET,
            METER_SETTLED_AT_TRANSFER_OFFSET, METER_SETTLED_OFFSET, METER_STATUS_OFFSET, METER_STATUS_SUSPENDED,
            METER_TRANSFERS_OFFSET,
        },
        seeds,
    },
};

/// A meter's numbers at this moment. Energy in nkWh, times in Unix seconds.
#[derive(Clone, Copy)]
pub struct Meter {
    pub meter_id: [u8; 32],
    pub owner: Address,
    pub eligible: u64,
    pub settled: u64,
    pub held: u64,
    pub registered_at: i64,
    pub last_end: u32,
    pub suspended: bool,
    bump: u8,
    /// What former owners' energy came to, and until when it was produced; 0 where the meter never changed owners.
    pub settled_at_transfer: u64,
    pub end_at_transfer: u32,
    pub transfers: u32,
}

impl Meter {
    /// The meter in this account, which must be the registry's.
    #[inline(always)]
    pub fn read(account: &AccountView) -> Result<Self> {
        require!(account.owned_by(&REGISTRY_ID), CertificatesError::WrongMeter);
        let data = account.try_borrow()?;
        require!(data.len() >= METER_BYTES && data[..8] == METER_DISCRIMINATOR, CertificatesError::WrongMeter);
        let u32_at =
            |offset: usize| u32::from_le_bytes([data[offset], data[offset + 1], data[offset + 2], data[offset + 3]]);
        let u64_at = |offset: usize| (u32_at(offset) as u64) | ((u32_at(offset + 4) as u64) << 32);
        let mut meter_id = [0; 32];
        meter_id.copy_from_slice(&data[METER_ID_OFFSET..METER_ID_OFFSET + 32]);
        let mut owner = [0; 32];
        owner.copy_from_slice(&data[METER_OWNER_OFFSET..METER_OWNER_OFFSET + 32]);
        Ok(Self {
            meter_id,
            owner: Address::new_from_array(owner),
            eligible: u64_at(METER_ELIGIBLE_OFFSET),
            settled: u64_at(METER_SETTLED_OFFSET),
            held: u64_at(METER_HELD_OFFSET),
            registered_at: u64_at(METER_REGISTERED_AT_OFFSET) as i64,
            last_end: u32_at(METER_LAST_END_OFFSET),
            suspended: data[METER_STATUS_OFFSET] == METER_STATUS_SUSPENDED,
            bump: data[METER_BUMP_OFFSET],
            settled_at_transfer: u64_at(METER_SETTLED_AT_TRANSFER_OFFSET),
            end_at_transfer: u32_at(METER_END_AT_TRANSFER_OFFSET),
            transfers: u32_at(METER_TRANSFERS_OFFSET),
        })
    }

    /// Whether the account is at the address that the registry derives for its id.
    pub fn require_address(&self, account: &AccountView) -> Result<()> {
        let address = create_program_address(&[seeds::METER, &self.meter_id, &[self.bump]], &REGISTRY_ID)?;
        require!(*account.address() == address, CertificatesError::WrongMeter);
        Ok(())
    }

    /// All that was produced until `last_end` is settled: what is settled later was produced later.
    #[inline(always)]
    pub fn is_settled(&self) -> bool {
        self.eligible == self.settled && self.held == 0
    }

    pub fn require_settled(&self) -> Result<()> {
        require!(self.is_settled(), CertificatesError::MeterNotSettled);
        Ok(())
    }

    #[inline(always)]
    pub fn require_active(&self) -> Result<()> {
        require!(!self.suspended, CertificatesError::MeterSuspended);
        Ok(())
    }
}
