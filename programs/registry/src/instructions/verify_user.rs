use {
    crate::{clock::now, Config, RegistryError, User, UserVerified},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::REGISTRY_CONFIG,
};

#[derive(Accounts)]
pub struct VerifyUser {
    #[account(address = config.registrar @ RegistryError::NotRegistrar)]
    pub registrar: Signer,
    #[account(address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub user: Account<User>,
}

impl VerifyUser {
    pub fn run(ctx: &mut Context<Self>, verified: bool) -> Result<()> {
        let user = &mut ctx.accounts.user;
        user.verified = verified as u8;
        emit!(UserVerified { user: *user.address(), wallet: user.wallet, verified, timestamp: now()? });
        user.invariant()
    }
}
