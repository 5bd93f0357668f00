use {
    crate::{clock::now, spl, Config, GovWithdrawn, GovernanceError, Voter},
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_anchor_shared::{log_event, Described},
    gridtokenx_shared::addresses::{GOVERNANCE_CONFIG, GOV_VAULT},
};

#[derive(Accounts)]
pub struct Withdraw {
    pub wallet: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub voter: Described<Voter>,
    #[account(mut, address = GOV_VAULT @ GovernanceError::WrongVault)]
    pub vault: UncheckedAccount,
    /// Any GOV account of the wallet's.
    #[account(mut)]
    pub destination: UncheckedAccount,
    pub token_program: Program<Token>,
}

impl Withdraw {
    pub fn run(ctx: &mut Context<Self>, amount: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        require!(amount > 0, GovernanceError::AmountZero);
        let wallet = *accounts.wallet.address();
        let mut voter = Voter::open(&accounts.voter, &wallet)?;
        require!(voter.locks == 0, GovernanceError::DepositLocked);
        require!(spl::is_usable_by(&accounts.destination, &wallet), GovernanceError::TokenAccountUnusable);
        voter.deposited = voter.deposited.checked_sub(amount).ok_or(GovernanceError::DepositTooSmall)?;
        let config = &mut accounts.config;
        config.deposited = config.deposited.checked_sub(amount).ok_or(GovernanceError::InvariantViolated)?;
        spl::take(&accounts.vault, &accounts.destination, amount);
        log_event(GovWithdrawn {
            wallet,
            destination: *accounts.destination.address(),
            amount,
            deposited: voter.deposited,
            total_deposited: config.deposited,
            timestamp: now()?,
        });
        voter.invariant()?;
        config.invariant()
    }
}
