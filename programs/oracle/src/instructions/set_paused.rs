use {
    crate::{clock::now, Config, Feed, FeedChanged, OracleError},
    anchor_lang::prelude::*,
    gridtokenx_shared::addresses::ORACLE_CONFIG,
};

#[derive(Accounts)]
pub struct SetPaused {
    /// The oracle's authority; the guardian can only pause.
    pub authority: Signer,
    #[account(address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut)]
    pub feed: Account<Feed>,
}

impl SetPaused {
    pub fn run(ctx: &mut Context<Self>, paused: bool) -> Result<()> {
        let authority = *ctx.accounts.authority.address();
        let config = &ctx.accounts.config;
        require!(authority == config.authority || (paused && authority == config.guardian), OracleError::NotAuthorized);
        let feed = &mut ctx.accounts.feed;
        feed.paused = paused as u8;
        emit!(FeedChanged::new(feed.address(), feed, now()?));
        feed.whole_invariant()
    }
}
