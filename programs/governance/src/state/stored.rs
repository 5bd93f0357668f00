use {
    crate::{
        instruction::{SetGuardian as SetGuardianCall, SetSettings as SetSettingsCall},
        limits::{MAX_ACCOUNTS, MAX_DATA},
        GovernanceError,
    },
    anchor_lang::{__alloc::vec::Vec, hash::sha256, prelude::*},
    gridtokenx_shared::addresses::{GOVERNANCE_SIGNER, GOV_VAULT},
};

/// [`ProposalAccount::flags`]: the account signs. Only the governance address can.
pub const SIGNER: u8 = 1;
/// [`ProposalAccount::flags`]: the account is written.
pub const WRITABLE: u8 = 2;

/// An account of an instruction.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct ProposalAccount {
    pub address: Address,
    /// 1 signs, 2 is written, 3 both.
    pub flags: u8,
}

impl ProposalAccount {
    #[inline(always)]
    pub fn is_signer(&self) -> bool {
        self.flags & SIGNER != 0
    }

    #[inline(always)]
    pub fn is_writable(&self) -> bool {
        self.flags & WRITABLE != 0
    }
}

/// One instruction of a proposal, never changed once it is added. `["instruction", proposal, index u8]`
#[account(borsh)]
pub struct ProposalInstruction {
    pub proposal: Address,
    /// Its place in the proposal, from 0.
    pub index: u8,
    pub bump: u8,
    pub program_id: Address,
    pub accounts: Vec<ProposalAccount>,
    pub data: Vec<u8>,
}

/// Bytes before those that the hash covers: discriminator, proposal, index, bump.
const HEADER: usize = 8 + 32 + 1 + 1;

/// What a proposer adds.
pub struct Call<'a> {
    pub program_id: &'a Address,
    pub accounts: &'a [ProposalAccount],
    pub data: &'a [u8],
}

impl Call<'_> {
    /// What a proposal may carry. `proposal` is its own address.
    pub fn require_allowed(&self, proposal: &Address) -> Result<()> {
        require!(
            self.accounts.len() <= MAX_ACCOUNTS && self.data.len() <= MAX_DATA,
            GovernanceError::InstructionInvalid
        );
        require!(*self.program_id != GOV_VAULT, GovernanceError::AccountForbidden);
        for account in self.accounts {
            require!(account.flags <= SIGNER | WRITABLE, GovernanceError::InstructionInvalid);
            require!(account.address != GOV_VAULT && account.address != *proposal, GovernanceError::AccountForbidden);
            require!(!account.is_signer() || account.address == GOVERNANCE_SIGNER, GovernanceError::SignerForbidden);
        }
        if *self.program_id == crate::ID {
            let allowed = [SetSettingsCall::DISCRIMINATOR, SetGuardianCall::DISCRIMINATOR];
            require!(
                allowed.iter().any(|discriminator| self.data.starts_with(discriminator)),
                GovernanceError::SelfCallForbidden
            );
        }
        Ok(())
    }

    /// As borsh writes program, accounts and data.
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.program_id.as_ref());
        bytes.extend_from_slice(&(self.accounts.len() as u32).to_le_bytes());
        for account in self.accounts {
            bytes.extend_from_slice(account.address.as_ref());
            bytes.push(account.flags);
        }
        bytes.extend_from_slice(&(self.data.len() as u32).to_le_bytes());
        bytes.extend_from_slice(self.data);
    }

    /// Bytes of the account that keeps it.
    pub fn space(&self) -> usize {
        HEADER + 32 + 4 + 33 * self.accounts.len() + 4 + self.data.len()
    }

    /// The account's data.
    pub fn to_account(&self, proposal: &Address, index: u8, bump: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.space());
        bytes.extend_from_slice(ProposalInstruction::DISCRIMINATOR);
        bytes.extend_from_slice(proposal.as_ref());
        bytes.push(index);
        bytes.push(bump);
        self.write(&mut bytes);
        bytes
    }

    /// The hash over a proposal's instructions up to this one: sha256(hash before, program, accounts, data).
    pub fn chain(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(32 + self.space());
        bytes.extend_from_slice(before);
        self.write(&mut bytes);
        sha256(&bytes)
    }
}
