use {
    crate::{clock::now, spl, Config, GovDeposited, GovernanceError, Voter},
    anchor_lang::{accounts::Account, find_program_address, prelude::*},
    gridtokenx_anchor_shared::{create, log_event, Described},
    gridtokenx_shared::{
        addresses::{GOVERNANCE_CONFIG, GOV_VAULT},
        seeds,
    },
};

#[derive(Accounts)]
pub struct Deposit {
    /// Pays the rent of the voter account, and gets it back when that is closed.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub wallet: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
    /// Made with the wallet's first deposit, at the payer's cost. `["voter", wallet]`
    #[account(mut)]
    pub voter: Described<Voter>,
    /// The wallet's GOV account.
    #[account(mut)]
    pub source: UncheckedAccount,
    #[account(mut, address = GOV_VAULT @ GovernanceError::WrongVault)]
    pub vault: UncheckedAccount,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

impl Deposit {
    pub fn run(ctx: &mut Context<Self>, amount: u64) -> Result<()> {
        let accounts = &mut ctx.accounts;
        require!(amount > 0, GovernanceError::AmountZero);
        let wallet = *accounts.wallet.address();
        // A delegate would vote with another's tokens.
        require!(spl::is_usable_by(&accounts.source, &wallet), GovernanceError::TokenAccountUnusable);
        let mut voter = voter(&accounts.payer, &accounts.voter, &wallet)?;
        voter.deposited = voter.deposited.checked_add(amount).ok_or(GovernanceError::ArithmeticOverflow)?;
        let config = &mut accounts.config;
        config.deposited = config.deposited.checked_add(amount).ok_or(GovernanceError::ArithmeticOverflow)?;
        spl::put(&accounts.source, &accounts.vault, &accounts.wallet, amount);
        log_event(GovDeposited {
            wallet,
            amount,
            deposited: voter.deposited,
            total_deposited: config.deposited,
            timestamp: now()?,
        });
        voter.invariant()?;
        config.invariant()
    }
}

/// The wallet's voter account, made when it is not there.
#[inline(always)]
fn voter(payer: &AccountView, target: &AccountView, wallet: &Address) -> Result<Account<Voter>> {
    if target.owned_by(&crate::ID) {
        return Voter::open(target, wallet);
    }
    let (address, bump) = find_program_address(&[seeds::VOTER, wallet.as_ref()], &crate::ID);
    require!(*target.address() == address, GovernanceError::WrongVoter);
    let address_seeds: [&[u8]; 3] = [seeds::VOTER, wallet.as_ref(), &[bump]];
    let mut voter = create::<Voter>(payer, target, &address_seeds, GovernanceError::AccountExists)?;
    voter.wallet = *wallet;
    voter.rent_payer = *payer.address();
    voter.bump = bump;
    Ok(voter)
}
