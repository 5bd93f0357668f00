use {
    crate::{clock::now, Config, Feed, FeedChanged, FeedSettings, OracleError, PublisherChanged},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::ORACLE_CONFIG,
};

/// `set_feed`, `add_publisher` and `remove_publisher`: by the oracle's authority alone, also while the feed is paused.
#[derive(Accounts)]
pub struct FeedAuthority {
    #[account(address = config.authority @ OracleError::NotAuthority)]
    pub authority: Signer,
    #[account(address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub feed: Account<Feed>,
}

impl FeedAuthority {
    pub fn set_feed(ctx: &mut Context<Self>, settings: FeedSettings) -> Result<()> {
        let timestamp = now()?;
        let feed = &mut ctx.accounts.feed;
        feed.set(&settings)?;
        feed.work_out_or_expire(timestamp)?;
        Self::finish(ctx, timestamp)
    }

    pub fn add_publisher(ctx: &mut Context<Self>, publisher: Address) -> Result<()> {
        let timestamp = now()?;
        let feed = &mut ctx.accounts.feed;
        feed.add_publisher(publisher)?;
        emit!(PublisherChanged { feed: *feed.address(), publisher, added: true, timestamp });
        Self::finish(ctx, timestamp)
    }

    pub fn remove_publisher(ctx: &mut Context<Self>, publisher: Address) -> Result<()> {
        let timestamp = now()?;
        let feed = &mut ctx.accounts.feed;
        feed.remove_publisher(&publisher)?;
        feed.work_out_or_expire(timestamp)?;
        emit!(PublisherChanged { feed: *feed.address(), publisher, added: false, timestamp });
        Self::finish(ctx, timestamp)
    }

    fn finish(ctx: &mut Context<Self>, timestamp: i64) -> Result<()> {
        let feed = &ctx.accounts.feed;
        emit!(FeedChanged::new(feed.address(), feed, timestamp));
        feed.whole_invariant()
    }
}
