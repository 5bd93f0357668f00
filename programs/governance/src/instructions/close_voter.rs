use {
    crate::{clock::now, close, GovernanceError, Voter, VoterClosed},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::Described,
};

#[derive(Accounts)]
pub struct CloseVoter {
    pub wallet: Signer,
    #[account(mut)]
    pub voter: Described<Voter>,
    /// Whoever paid for the voter account.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
}

impl CloseVoter {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let wallet = *accounts.wallet.address();
        let voter = Voter::open(&accounts.voter, &wallet)?;
        require!(voter.deposited == 0, GovernanceError::DepositLeft);
        // Nothing deposited holds nothing.
        require!(voter.locks == 0, GovernanceError::InvariantViolated);
        require!(*accounts.rent_payer.address() == voter.rent_payer, GovernanceError::WrongRentPayer);
        drop(voter);
        emit!(VoterClosed { wallet, timestamp: now()? });
        close(&accounts.voter, &accounts.rent_payer)
    }
}
