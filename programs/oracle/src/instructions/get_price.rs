use {
    crate::{clock::now, Feed, PriceNow},
    anchor_lang::prelude::*,
};

#[derive(Accounts)]
pub struct GetPrice {
    pub feed: Account<Feed>,
}

impl GetPrice {
    pub fn run(ctx: &mut Context<Self>) -> Result<PriceNow> {
        Ok(ctx.accounts.feed.price_now(now()?)?)
    }
}
