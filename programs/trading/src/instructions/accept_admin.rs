use {
    crate::{clock::now, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
};

#[derive(Accounts)]
pub struct AcceptAdmin {
    #[account(address = market.pending_admin @ TradingError::NotPendingAdmin)]
    pub new_admin: Signer,
    #[account(mut)]
    pub market: Account<Market>,
}

impl AcceptAdmin {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let new_admin = *ctx.accounts.new_admin.address();
        let market = &mut ctx.accounts.market;
        market.admin = new_admin;
        market.pending_admin = Address::default();
        emit!(MarketChanged::new(market.address(), market, now()?.seconds));
        market.invariant()
    }
}
