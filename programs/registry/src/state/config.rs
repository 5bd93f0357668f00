use {
    crate::RegistryError,
    anchor_lang::prelude::*,
    gridtokenx_shared::registry_config_layout::{
        REGISTRY_CONFIG_ADMIN_OFFSET, REGISTRY_CONFIG_DISCRIMINATOR, REGISTRY_CONFIG_REGISTRAR_OFFSET,
    },
};

/// What of a meter's totals counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Each interval's surplus: the rise of `surplus_total`.
    IntervalSurplus,
    /// Production less consumption over all time, as far as it is above what it ever was.
    NetOverAllTime,
}

impl Policy {
    #[inline(always)]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::IntervalSurplus),
            1 => Some(Self::NetOverAllTime),
            _ => None,
        }
    }
}

/// The registry's roles, limits and switches. `["config"]`
#[account]
pub struct Config {
    /// Names the other roles and the limits; hands itself over in two steps.
    pub admin: Address,
    /// Zero when no handover is under way.
    pub pending_admin: Address,
    /// Attests users and meters; never the collector.
    pub registrar: Address,
    /// Can only pause and suspend.
    pub guardian: Address,
    /// sha256(genesis hash, registry program id): the network that a meter's consent names.
    pub network: [u8; 32],
    pub users: u64,
    pub meters: u64,
    pub max_rated_watts: u32,
    /// 0 each interval's surplus, 1 net over all time; fixed at initialisation.
    pub policy: u8,
    pub paused: u8,
    pub bump: u8,
    pub mint_authority_bump: u8,
    /// The most that a meter without a cap of its own mints in a day (UTC), in nkWh; 0: no cap.
    pub daily_mint_cap: u64,
    /// Room for what comes later without moving accounts.
    pub reserved: [u64; 7],
}

// energy-token and certificates read these places without depending on this crate.
const _: () = {
    assert!(core::mem::offset_of!(Config, admin) + 8 == REGISTRY_CONFIG_ADMIN_OFFSET);
    assert!(core::mem::offset_of!(Config, registrar) + 8 == REGISTRY_CONFIG_REGISTRAR_OFFSET);
    let mut i = 0;
    while i < 8 {
        assert!(Config::DISCRIMINATOR[i] == REGISTRY_CONFIG_DISCRIMINATOR[i]);
        i += 1;
    }
};

impl Config {
    #[inline(always)]
    pub fn require_running(&self) -> Result<()> {
        require!(self.paused == 0, RegistryError::Paused);
        Ok(())
    }

    #[inline(always)]
    pub fn policy(&self) -> Result<Policy> {
        Policy::from_code(self.policy).ok_or(RegistryError::PolicyInvalid.into())
    }

    pub fn is_registrar_or_admin(&self, authority: &Address) -> bool {
        *authority == self.registrar || *authority == self.admin
    }

    /// Called at the end of each instruction that changes the configuration.
    pub fn invariant(&self) -> Result<()> {
        let zero = Address::default();
        require!(
            self.admin != zero
                && self.registrar != zero
                && self.guardian != zero
                && self.max_rated_watts > 0
                && self.paused <= 1
                && Policy::from_code(self.policy).is_some(),
            RegistryError::InvariantViolated
        );
        Ok(())
    }
}
