use {
    crate::{clock::now, Config, GovernanceError, Proposal, ProposalCreated, Status, Voter},
    anchor_lang::{accounts::Account, find_program_address, prelude::*},
    gridtokenx_anchor_shared::{create, Described},
    gridtokenx_shared::{addresses::GOVERNANCE_CONFIG, seeds},
};

pub struct ProposalText {
    pub title: [u8; 64],
    pub uri: [u8; 128],
    pub description_hash: [u8; 32],
}

/// Zero-padded UTF-8; `None` for anything else.
fn text(bytes: &[u8]) -> Option<&str> {
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    if bytes[length..].iter().any(|byte| *byte != 0) {
        return None;
    }
    core::str::from_utf8(&bytes[..length]).ok()
}

#[derive(Accounts)]
pub struct CreateProposal {
    /// Pays the rent of the proposal and of its instructions, and gets it back when they are closed.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub proposer: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub voter: Described<Voter>,
    /// `["proposal", number of the last one plus 1, u64 little-endian]`
    #[account(mut)]
    pub proposal: Described<Proposal>,
    pub system_program: Program<System>,
}

impl CreateProposal {
    pub fn run(ctx: &mut Context<Self>, args: ProposalText) -> Result<()> {
        let accounts = &mut ctx.accounts;
        let timestamp = now()?;
        let config = &mut accounts.config;
        config.require_running(timestamp)?;
        let title = text(&args.title).ok_or(GovernanceError::TextInvalid)?;
        require!(!title.is_empty() && text(&args.uri).is_some(), GovernanceError::TextInvalid);
        let proposer = *accounts.proposer.address();
        let mut voter = Voter::open(&accounts.voter, &proposer)?;
        require!(voter.deposited >= config.proposal_deposit, GovernanceError::ProposalDepositTooSmall);
        voter.lock()?;

        let id = config.proposals.checked_add(1).ok_or(GovernanceError::ArithmeticOverflow)?;
        config.proposals = id;
        let number = id.to_le_bytes();
        let (address, bump) = find_program_address(&[seeds::PROPOSAL, &number], &crate::ID);
        require!(*accounts.proposal.address() == address, GovernanceError::WrongProposal);
        let mut proposal = create::<Proposal>(
            &accounts.payer,
            &accounts.proposal,
            &[seeds::PROPOSAL, &number, &[bump]],
            GovernanceError::AccountExists,
        )?;
        proposal.id = id;
        proposal.proposer = proposer;
        proposal.rent_payer = *accounts.payer.address();
        proposal.title = args.title;
        proposal.uri = args.uri;
        proposal.description_hash = args.description_hash;
        proposal.created_at = timestamp;
        proposal.status = Status::Draft as u8;
        proposal.bump = bump;
        emit!(ProposalCreated {
            proposal: address,
            id,
            proposer,
            rent_payer: proposal.rent_payer,
            title: args.title,
            uri: args.uri,
            description_hash: args.description_hash,
            timestamp,
        });
        proposal.invariant()?;
        voter.invariant()?;
        config.invariant()
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_utf8_and_zero_padded() {
        assert_eq!(text(b"fee\0\0"), Some("fee"));
        assert_eq!(text(b"\0\0"), Some(""));
        assert_eq!(text("ค่า".as_bytes()), Some("ค่า"));
        assert_eq!(text(b"a\0b"), None);
        assert_eq!(text(&[0xff, 0]), None);
        // A character cut in half.
        assert_eq!(text(&"ค่า".as_bytes()[..4]), None);
    }
}
