//! The meter key's own consent (`GTXM`) to belong to an owner on this network.

use {
    crate::{signature::SignedMessages, Config, RegistryError},
    anchor_lang::{accounts::SysvarInstructions, prelude::*},
    gridtokenx_shared::message::{OwnerMessage, OWNER_MESSAGE_BYTES},
};

/// Requires that `public_key` signed, in the instruction before this one, that `meter_id` belongs to `owner` on the
/// network of `config`.
pub fn require_consent(
    instructions: &SysvarInstructions,
    config: &Config,
    public_key: &Address,
    meter_id: &[u8; 32],
    owner: &Address,
) -> Result<()> {
    let signed = SignedMessages::before_this(instructions, 1)?.get::<OWNER_MESSAGE_BYTES>(0)?;
    require!(signed.public_key == public_key.as_array(), RegistryError::KeyMismatch);
    let consent = OwnerMessage::decode(signed.message).ok_or(RegistryError::MessageInvalid)?;
    require!(
        consent.network == config.network && consent.meter_id == meter_id && consent.owner == owner.as_array(),
        RegistryError::ConsentMismatch
    );
    Ok(())
}
