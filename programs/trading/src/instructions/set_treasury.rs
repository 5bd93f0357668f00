use {
    crate::{clock::now, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_shared::token::is_usable_of,
};

#[derive(Accounts)]
pub struct SetTreasury {
    #[account(address = market.admin @ TradingError::NotAdmin)]
    pub admin: Signer,
    #[account(mut)]
    pub market: Account<Market>,
    /// A token account of the quote mint.
    pub treasury: UncheckedAccount,
}

impl SetTreasury {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &mut ctx.accounts;
        let market = &mut accounts.market;
        let usable = is_usable_of(&accounts.treasury, &market.quote_token_program, &market.quote_mint);
        require!(usable, TradingError::TreasuryInvalid);
        market.treasury = *accounts.treasury.address();
        emit!(MarketChanged::new(market.address(), market, now()?.seconds));
        market.invariant()
    }
}
