//! trading: orders for GRID against GRX. What an order offers lies in an escrow of its own, which only this program can
//! open; a trade moves GRID, GRX and the fee at once or not at all.

extern crate sbf_shim;

mod band;
mod clock;
mod closing;
mod error;
mod events;
mod instructions;
pub mod limits;
pub mod matching;
mod spl;
mod state;

pub use error::*;
pub use events::*;
pub use instructions::*;
pub use state::*;

use anchor_lang::prelude::*;

/// This program's address; `GTX_TRADING_ID` at build time chooses another.
pub use gridtokenx_shared::addresses::TRADING_ID as ID;

// The instructions that run all day come first: the dispatcher compares in this order.
#[program]
pub mod trading {
    use super::*;

    /// Fills an order, whole or part, at its price, which the taker names: at most `amount`, at least `min_amount` base
    /// units of GRID. A taker that sells pays the fee and names the highest it accepts.
    pub fn match_order(
        ctx: &mut Context<MatchOrder>,
        price: u64,
        amount: u64,
        min_amount: u64,
        max_fee_bps: u16,
    ) -> Result<()> {
        MatchOrder::run(ctx, MatchArgs { price, amount, min_amount, max_fee_bps })
    }

    /// Makes an order and moves what it offers into its escrow: GRID of a sell order (side 0), GRX of a buy order (side
    /// 1) for the whole amount, rounded up. Ids only rise per owner. The bumps are those of the order's and the escrow's
    /// address: to search for them here would cost an unforeseeable number of compute units.
    #[allow(clippy::too_many_arguments)]
    pub fn create_order(
        ctx: &mut Context<CreateOrder>,
        order_id: u64,
        side: u8,
        amount: u64,
        price: u64,
        expires_at: i64,
        order_bump: u8,
        escrow_bump: u8,
    ) -> Result<()> {
        CreateOrder::run(ctx, OrderArgs { order_id, side, amount, price, expires_at, order_bump, escrow_bump })
    }

    /// Opens a wallet's trader account for a market, before its first order there; again, in another market, before its
    /// next order there.
    pub fn open_trader(ctx: &mut Context<OpenTrader>) -> Result<()> {
        OpenTrader::run(ctx)
    }

    /// Takes an order back: what is left in its escrow goes to a token account of the owner's, the rent to whoever paid
    /// it. Works at any time.
    pub fn cancel_order(ctx: &mut Context<CancelOrder>) -> Result<()> {
        CancelOrder::run(ctx)
    }

    /// Trades one to five pairs of resting orders that cross, each at the price of the older order. Anybody can call it.
    /// Each pair brings nine writable accounts: sell order, its escrow, buy order, its escrow, the seller's GRX account,
    /// the buyer's GRID account, the buyer's GRX account, who paid for the sell order, who paid for the buy order. A pair
    /// that cannot trade is left out as long as another one can (PairSkipped).
    pub fn cross_orders(ctx: &mut Context<CrossOrders>) -> Result<()> {
        CrossOrders::run(ctx)
    }

    /// Returns an expired order to its owner's associated account, and the rent to whoever paid it. Also returns what is
    /// left of an order that was filled while its owner's account could not take the rest. Anybody can call it.
    pub fn expire_order(ctx: &mut Context<ExpireOrder>) -> Result<()> {
        ExpireOrder::run(ctx)
    }

    /// Opens the market of GRID against a quote mint. Only the program's upgrade authority can; it becomes the admin. Lot
    /// and tick are fixed for ever. The zero address as feed means no price band.
    pub fn create_market(
        ctx: &mut Context<CreateMarket>,
        guardian: Address,
        lot_size: u64,
        tick_size: u64,
        fee_bps: u16,
        feed: Address,
        band_bps: u16,
    ) -> Result<()> {
        CreateMarket::run(ctx, MarketArgs { guardian, lot_size, tick_size, fee_bps, feed, band_bps })
    }

    /// Stops or resumes making, matching and crossing orders; cancelling and returning them goes on. The guardian can
    /// only stop.
    pub fn set_paused(ctx: &mut Context<SetPaused>, paused: bool) -> Result<()> {
        SetPaused::run(ctx, paused)
    }

    /// The share of the quote that sellers pay. Sell orders made before never pay more than when they were made.
    pub fn set_fee(ctx: &mut Context<AdminOnly>, fee_bps: u16) -> Result<()> {
        AdminOnly::set_fee(ctx, fee_bps)
    }

    /// The price feed around which trades must be, and how far from it. The zero address and 0 remove the band.
    pub fn set_band(ctx: &mut Context<AdminOnly>, feed: Address, band_bps: u16) -> Result<()> {
        AdminOnly::set_band(ctx, feed, band_bps)
    }

    /// The account that receives the fees.
    pub fn set_treasury(ctx: &mut Context<SetTreasury>) -> Result<()> {
        SetTreasury::run(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<AdminOnly>, new_guardian: Address) -> Result<()> {
        AdminOnly::set_guardian(ctx, new_guardian)
    }

    /// Names the market's next admin, who must accept; the zero address withdraws the proposal.
    pub fn propose_admin(ctx: &mut Context<AdminOnly>, new_admin: Address) -> Result<()> {
        AdminOnly::propose_admin(ctx, new_admin)
    }

    /// The proposed admin takes over.
    pub fn accept_admin(ctx: &mut Context<AcceptAdmin>) -> Result<()> {
        AcceptAdmin::run(ctx)
    }
}
