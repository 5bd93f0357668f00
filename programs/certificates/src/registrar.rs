use {
    crate::CertificatesError,
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        addresses::REGISTRY_ID,
        registry_config_layout::{REGISTRY_CONFIG_DISCRIMINATOR, REGISTRY_CONFIG_REGISTRAR_OFFSET},
    },
};

/// Whether `signer`, who has signed, is the registry's registrar. The caller checks that `config` is at the address of
/// the registry's configuration.
pub fn require_registrar(config: &AccountView, signer: &Address) -> Result<()> {
    require!(config.owned_by(&REGISTRY_ID), CertificatesError::WrongRegistryConfig);
    let data = config.try_borrow()?;
    require!(
        data.len() >= REGISTRY_CONFIG_REGISTRAR_OFFSET + 32 && data[..8] == REGISTRY_CONFIG_DISCRIMINATOR,
        CertificatesError::WrongRegistryConfig
    );
    require!(
        data[REGISTRY_CONFIG_REGISTRAR_OFFSET..REGISTRY_CONFIG_REGISTRAR_OFFSET + 32] == signer.as_array()[..],
        CertificatesError::NotRegistrar
    );
    Ok(())
}
