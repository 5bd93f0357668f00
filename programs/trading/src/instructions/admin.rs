use {
    crate::{clock::now, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
};

/// `propose_admin`, `set_guardian`, `set_fee` and `set_band`: one setting each, by the market's admin alone.
#[derive(Accounts)]
pub struct AdminOnly {
    #[account(address = market.admin @ TradingError::NotAdmin)]
    pub admin: Signer,
    #[account(mut)]
    pub market: Account<Market>,
}

impl AdminOnly {
    /// The zero address withdraws an earlier proposal.
    pub fn propose_admin(ctx: &mut Context<Self>, new_admin: Address) -> Result<()> {
        ctx.accounts.market.pending_admin = new_admin;
        Self::finish(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<Self>, new_guardian: Address) -> Result<()> {
        require!(new_guardian != Address::default(), TradingError::AuthorityInvalid);
        ctx.accounts.market.guardian = new_guardian;
        Self::finish(ctx)
    }

    pub fn set_fee(ctx: &mut Context<Self>, fee_bps: u16) -> Result<()> {
        Market::fee(fee_bps)?;
        ctx.accounts.market.fee_bps = fee_bps;
        Self::finish(ctx)
    }

    pub fn set_band(ctx: &mut Context<Self>, feed: Address, band_bps: u16) -> Result<()> {
        let market = &mut ctx.accounts.market;
        market.feed = feed;
        market.band_bps = band_bps;
        market.require_band()?;
        Self::finish(ctx)
    }

    fn finish(ctx: &mut Context<Self>) -> Result<()> {
        let market = &ctx.accounts.market;
        emit!(MarketChanged::new(market.address(), market, now()?.seconds));
        market.invariant()
    }
}
