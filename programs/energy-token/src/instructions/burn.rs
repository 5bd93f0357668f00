use {
    crate::{Config, EnergyTokenError, TokensBurned},
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::{
        addresses::{GRID_MINT, TOKEN_2022_ID, TOKEN_CONFIG},
        token,
    },
};

#[derive(Accounts)]
pub struct Burn {
    pub owner: Signer,
    #[account(mut, address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, address = GRID_MINT @ EnergyTokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// A GRID account of the signer; the token program checks mint, owner and balance.
    #[account(mut)]
    pub token_account: UncheckedAccount,
    pub token_program: Program<Token2022>,
}

impl Burn {
    pub fn run(ctx: &mut Context<Self>, amount: u64) -> Result<()> {
        require!(amount > 0, EnergyTokenError::ZeroAmount);
        let accounts = &mut ctx.accounts;
        token::burn(&TOKEN_2022_ID, [&accounts.token_account, &accounts.mint, &accounts.owner], amount);
        let total_burned =
            accounts.config.total_burned.checked_add(amount).ok_or(EnergyTokenError::ArithmeticOverflow)?;
        accounts.config.total_burned = total_burned;
        log_event(TokensBurned {
            owner: *accounts.owner.address(),
            token_account: *accounts.token_account.address(),
            amount,
            total_burned,
        });
        accounts.config.invariant()
    }
}
