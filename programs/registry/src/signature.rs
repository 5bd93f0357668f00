//! Finds what meters signed: the Ed25519 instruction right before this one in the transaction. The runtime has
//! verified every signature in it before any program runs; what is left is to make sure that the bytes it verified
//! are the bytes that are read here.
//!
//! Data of an Ed25519 instruction: count u8, padding u8, then for each signature seven u16: signature offset and
//! instruction, key offset and instruction, message offset, size and instruction. An instruction index of u16::MAX
//! means the Ed25519 instruction itself; any other index could point at bytes that are not looked at here.

use {
    crate::RegistryError,
    anchor_lang::{accounts::SysvarInstructions, prelude::*},
};

const ED25519_PROGRAM_ID: Address = anchor_lang::address!("Ed25519SigVerify111111111111111111111111111");
const HEADER_BYTES: usize = 2;
const ENTRY_BYTES: usize = 14;
const KEY_BYTES: usize = 32;
const THIS_INSTRUCTION: u16 = u16::MAX;

/// The signed messages of one Ed25519 instruction.
pub struct SignedMessages<'a> {
    data: &'a [u8],
    /// The instruction's own index in the transaction.
    index: u16,
}

/// Who signed what.
pub struct Signed<'a, const BYTES: usize> {
    pub public_key: &'a [u8; KEY_BYTES],
    pub message: &'a [u8; BYTES],
}

impl<'a> SignedMessages<'a> {
    /// The Ed25519 instruction right before the current one, holding exactly `count` signatures.
    #[inline(always)]
    pub fn before_this(instructions: &'a SysvarInstructions, count: usize) -> Result<Self> {
        let current = instructions.load_current_index();
        require!(current > 0, RegistryError::SignatureMissing);
        let index = current - 1;
        let instruction = instructions.load_instruction_at(index as usize)?;
        require!(*instruction.get_program_id() == ED25519_PROGRAM_ID, RegistryError::SignatureMissing);
        // SAFETY: the slice that `get_instruction_data` returns points into the sysvar account's data, which the
        // guard inside `instructions` keeps borrowed for 'a; only the method's signature ties it to the local.
        let data: &'a [u8] = unsafe { core::mem::transmute(instruction.get_instruction_data()) };
        require!(
            data.len() >= HEADER_BYTES + count * ENTRY_BYTES && data[0] as usize == count,
            RegistryError::SignatureCount
        );
        Ok(Self { data, index })
    }

    /// Signature `entry`, whose message must have `BYTES` bytes.
    #[inline(always)]
    pub fn get<const BYTES: usize>(&self, entry: usize) -> Result<Signed<'a, BYTES>> {
        let field = |position: usize| {
            let at = HEADER_BYTES + entry * ENTRY_BYTES + 2 * position;
            u16::from_le_bytes([self.data[at], self.data[at + 1]])
        };
        let here = |index: u16| index == THIS_INSTRUCTION || index == self.index;
        require!(here(field(1)) && here(field(3)) && here(field(6)), RegistryError::SignatureOffsets);
        require!(field(5) as usize == BYTES, RegistryError::MessageInvalid);
        let key = field(2) as usize;
        let message = field(4) as usize;
        let public_key = self.data.get(key..).and_then(|rest| rest.first_chunk());
        let message = self.data.get(message..).and_then(|rest| rest.first_chunk());
        match (public_key, message) {
            (Some(public_key), Some(message)) => Ok(Signed { public_key, message }),
            _ => Err(RegistryError::SignatureOffsets.into()),
        }
    }
}
