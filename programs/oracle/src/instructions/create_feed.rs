use {
    crate::{clock::now, Config, Feed, FeedChanged, FeedSettings, OracleError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{addresses::ORACLE_CONFIG, seeds},
};

#[derive(Accounts)]
#[instruction(symbol: [u8; 16])]
pub struct CreateFeed {
    /// Anybody who pays for the account; the authority may be a program's address, which has nothing.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = config.authority @ OracleError::NotAuthority)]
    pub authority: Signer,
    #[account(mut, address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, seeds = [seeds::FEED, &symbol], bump)]
    pub feed: UncheckedAccount,
    pub system_program: Program<System>,
}

impl CreateFeed {
    pub fn run(ctx: &mut Context<Self>, symbol: [u8; 16], settings: FeedSettings) -> Result<()> {
        let bump = ctx.bumps.feed;
        let accounts = &mut ctx.accounts;
        Feed::require_symbol(&symbol)?;
        let mut feed =
            create::<Feed>(&accounts.payer, &accounts.feed, &[seeds::FEED, &symbol, &[bump]], OracleError::FeedExists)?;
        let timestamp = now()?;
        feed.symbol = symbol;
        feed.bump = bump;
        feed.created_at = timestamp;
        feed.set(&settings)?;
        let config = &mut accounts.config;
        config.feeds = config.feeds.checked_add(1).ok_or(OracleError::ArithmeticOverflow)?;
        emit!(FeedChanged::new(feed.address(), &feed, timestamp));
        config.invariant()?;
        feed.whole_invariant()
    }
}
