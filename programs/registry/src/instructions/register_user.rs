use {
    crate::{clock::now, Config, RegistryError, User, UserRegistered},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{addresses::REGISTRY_CONFIG, seeds},
};

#[derive(Accounts)]
pub struct RegisterUser {
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub wallet: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, seeds = [seeds::USER, wallet.address().as_ref()], bump)]
    pub user: UncheckedAccount,
    pub system_program: Program<System>,
}

impl RegisterUser {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let bump = ctx.bumps.user;
        let accounts = &mut ctx.accounts;
        accounts.config.require_running()?;
        let wallet = *accounts.wallet.address();
        let mut user = create::<User>(
            &accounts.payer,
            &accounts.user,
            &[seeds::USER, wallet.as_ref(), &[bump]],
            RegistryError::UserAlreadyRegistered,
        )?;
        let timestamp = now()?;
        user.wallet = wallet;
        user.registered_at = timestamp;
        user.bump = bump;
        user.invariant()?;

        let config = &mut accounts.config;
        config.users = config.users.checked_add(1).ok_or(RegistryError::ArithmeticOverflow)?;
        emit!(UserRegistered { user: *user.address(), wallet, timestamp });
        config.invariant()
    }
}
