//! oracle: price feeds. Several publishers submit what they observe; a feed's price is the median of the fresh
//! submissions, and a move beyond the guard has to be agreed on or waited for.

extern crate sbf_shim;

mod clock;
mod error;
mod events;
mod instructions;
pub mod limits;
mod state;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use anchor_lang::prelude::*;

/// This program's address; `GTX_ORACLE_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::ORACLE_ID as ID;

// What runs all day comes first: the dispatcher compares in this order.
#[program]
pub mod oracle {
    use super::*;

    /// A publisher says what it observed: base units of GRX for 1 GRID, and when. Later than its last observation, not in
    /// the future, and not older than what counts. The feed's price is then worked out anew; the event tells whether it
    /// moved, and if not, why.
    pub fn submit_price(ctx: &mut Context<SubmitPrice>, price: u64, observed_at: i64) -> Result<()> {
        SubmitPrice::run(ctx, price, observed_at)
    }

    /// The price as return data; refused while the feed is paused, stale or without a price.
    pub fn get_price(ctx: &mut Context<GetPrice>) -> Result<PriceNow> {
        GetPrice::run(ctx)
    }

    /// Only the program's upgrade authority can; it becomes the oracle's authority.
    pub fn initialize(ctx: &mut Context<Initialize>, guardian: Address) -> Result<()> {
        Initialize::run(ctx, guardian)
    }

    /// Makes a feed, without publishers. Feeds are never closed: whoever knows one by its address finds the same one there
    /// for ever.
    pub fn create_feed(
        ctx: &mut Context<CreateFeed>,
        symbol: [u8; 16],
        max_age_seconds: u32,
        guard_seconds: u32,
        max_deviation_bps: u16,
        min_publishers: u8,
        override_publishers: u8,
    ) -> Result<()> {
        CreateFeed::run(
            ctx,
            symbol,
            FeedSettings { max_age_seconds, guard_seconds, max_deviation_bps, min_publishers, override_publishers },
        )
    }

    /// Changes a feed's settings, all at once. The price is worked out anew under them; where it cannot be, the feed is
    /// stale until it can.
    pub fn set_feed(
        ctx: &mut Context<FeedAuthority>,
        max_age_seconds: u32,
        guard_seconds: u32,
        max_deviation_bps: u16,
        min_publishers: u8,
        override_publishers: u8,
    ) -> Result<()> {
        FeedAuthority::set_feed(
            ctx,
            FeedSettings { max_age_seconds, guard_seconds, max_deviation_bps, min_publishers, override_publishers },
        )
    }

    /// Lets a key submit to a feed: up to eight can.
    pub fn add_publisher(ctx: &mut Context<FeedAuthority>, publisher: Address) -> Result<()> {
        FeedAuthority::add_publisher(ctx, publisher)
    }

    /// Takes a publisher and its submission out of a feed. The price is worked out anew without it; where it cannot be,
    /// the feed is stale until it can.
    pub fn remove_publisher(ctx: &mut Context<FeedAuthority>, publisher: Address) -> Result<()> {
        FeedAuthority::remove_publisher(ctx, publisher)
    }

    /// Stops or resumes a feed: submissions and everybody who reads the price. The guardian can only stop.
    pub fn set_paused(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
        SetPaused::run(ctx, paused)
    }

    pub fn set_guardian(ctx: &mut Context<AuthorityOnly>, new_guardian: Address) -> Result<()> {
        AuthorityOnly::set_guardian(ctx, new_guardian)
    }

    /// Names the oracle's next authority, which must accept; the zero address withdraws the proposal.
    pub fn propose_authority(ctx: &mut Context<AuthorityOnly>, new_authority: Address) -> Result<()> {
        AuthorityOnly::propose_authority(ctx, new_authority)
    }

    /// The proposed authority takes over. It only signs: a program-derived address can.
    pub fn accept_authority(ctx: &mut Context<AcceptAuthority>) -> Result<()> {
        AcceptAuthority::run(ctx)
    }
}
