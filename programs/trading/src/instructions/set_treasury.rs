use {
    crate::{clock::now, spl, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
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
        require!(spl::is_usable_of(&accounts.treasury, &market.quote_mint), TradingError::TreasuryInvalid);
        market.treasury = *accounts.treasury.address();
        emit!(MarketChanged::new(market.address(), market, now()?.seconds));
        market.invariant()
    }
}
