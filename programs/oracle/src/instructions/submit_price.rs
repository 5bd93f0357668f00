use {
    crate::{clock::now, Feed, PriceSubmitted},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::log_event,
};

#[derive(Accounts)]
pub struct SubmitPrice {
    /// One of the feed's publishers.
    pub publisher: Signer,
    #[account(mut)]
    pub feed: Account<Feed>,
}

impl SubmitPrice {
    pub fn run(ctx: &mut Context<Self>, price: u64, observed_at: i64) -> Result<()> {
        let publisher = *ctx.accounts.publisher.address();
        let feed = &mut ctx.accounts.feed;
        let timestamp = now()?;
        let round = feed.submit(&publisher, price, observed_at, timestamp)?;
        log_event(PriceSubmitted {
            feed: *feed.address(),
            publisher,
            submitted: price,
            observed_at,
            median: round.median,
            price: feed.price,
            published_at: feed.published_at,
            timestamp,
            fresh: round.fresh,
            outcome: round.outcome.code(),
            padding: [0; 6],
        });
        feed.invariant()
    }
}
