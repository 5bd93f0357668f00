use {
    crate::{clock::now, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
};

#[derive(Accounts)]
pub struct SetPaused {
    /// The market's admin; the guardian can only pause.
    pub authority: Signer,
    #[account(mut)]
    pub market: Account<Market>,
}

impl SetPaused {
    pub fn run(ctx: &mut Context<Self>, paused: bool) -> Result<()> {
        let authority = *ctx.accounts.authority.address();
        let market = &mut ctx.accounts.market;
        require!(authority == market.admin || (paused && authority == market.guardian), TradingError::NotAuthorized);
        market.paused = paused as u8;
        emit!(MarketChanged::new(market.address(), market, now()?.seconds));
        market.invariant()
    }
}
