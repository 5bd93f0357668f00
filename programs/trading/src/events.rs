//! What the program tells the outside; an order book, its history and every balance can be put together from these.
//! Amounts are base units (GRID, which is nkWh, or GRX), prices GRX base units for 1 GRID, times Unix seconds. Events
//! of orders are plain bytes (`bytemuck`), which costs least; on the wire both kinds look alike.

use {crate::Market, anchor_lang::prelude::*};

/// A market after it was opened or changed, whole.
#[event]
pub struct MarketChanged {
    pub market: Address,
    pub admin: Address,
    pub pending_admin: Address,
    pub guardian: Address,
    pub base_mint: Address,
    pub quote_mint: Address,
    pub treasury: Address,
    pub feed: Address,
    pub lot_size: u64,
    pub tick_size: u64,
    pub fee_bps: u16,
    pub band_bps: u16,
    pub paused: bool,
    pub timestamp: i64,
}

impl MarketChanged {
    pub fn new(address: &Address, market: &Market, timestamp: i64) -> Self {
        Self {
            market: *address,
            admin: market.admin,
            pending_admin: market.pending_admin,
            guardian: market.guardian,
            base_mint: market.base_mint,
            quote_mint: market.quote_mint,
            treasury: market.treasury,
            feed: market.feed,
            lot_size: market.lot_size,
            tick_size: market.tick_size,
            fee_bps: market.fee_bps,
            band_bps: market.band_bps,
            paused: market.paused != 0,
            timestamp,
        }
    }
}

/// An order came into the book; what it offers is in its escrow.
#[event(bytemuck)]
pub struct OrderCreated {
    pub market: Address,
    pub order: Address,
    pub owner: Address,
    pub rent_payer: Address,
    pub order_id: u64,
    pub price: u64,
    /// GRID.
    pub amount: u64,
    /// GRID of a sell order, GRX of a buy order.
    pub escrowed: u64,
    pub expires_at: i64,
    pub timestamp: i64,
    pub slot: u64,
    pub fee_bps: u16,
    /// 0 sells, 1 buys.
    pub side: u8,
    pub padding: [u8; 5],
}

/// GRID changed hands. One of `sell_order` and `buy_order` is zero when that side took the other's order directly.
#[event(bytemuck)]
pub struct TradeExecuted {
    pub market: Address,
    pub seller: Address,
    pub buyer: Address,
    pub sell_order: Address,
    pub buy_order: Address,
    pub sell_order_id: u64,
    pub buy_order_id: u64,
    pub price: u64,
    /// GRID that the buyer received.
    pub amount: u64,
    /// GRX that the buyer paid.
    pub quote: u64,
    /// GRX of it that the treasury received; the seller received the rest.
    pub fee: u64,
    /// GRID that the sell order still offers; 0 also without one.
    pub sell_remaining: u64,
    /// GRID that the buy order still wants; 0 also without one.
    pub buy_remaining: u64,
    /// GRID that came back to the seller from a filled sell order's escrow: a gift of somebody's.
    pub sell_refunded: u64,
    /// GRX that came back to the buyer from a filled buy order's escrow: what better prices and rounding left.
    pub buy_refunded: u64,
    pub timestamp: i64,
    /// Which side came to the other's order: 0 the seller, 1 the buyer.
    pub taker_side: u8,
    /// 1: the order was filled and its accounts are closed.
    pub sell_closed: u8,
    pub buy_closed: u8,
    pub padding: [u8; 5],
}

/// An owner took an order back.
#[event(bytemuck)]
pub struct OrderCancelled {
    pub market: Address,
    pub order: Address,
    pub owner: Address,
    /// Where the refund went.
    pub destination: Address,
    pub order_id: u64,
    /// GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned.
    pub remaining: u64,
    /// GRID of a sell order, GRX of a buy order.
    pub refunded: u64,
    pub timestamp: i64,
    pub side: u8,
    pub padding: [u8; 7],
}

/// An expired order went back to its owner; anybody can bring that about.
#[event(bytemuck)]
pub struct OrderExpired {
    pub market: Address,
    pub order: Address,
    pub owner: Address,
    /// Where the refund went.
    pub destination: Address,
    pub order_id: u64,
    /// GRID not traded; 0 when the order was filled before and only its escrow's rest was to be returned.
    pub remaining: u64,
    /// GRID of a sell order, GRX of a buy order.
    pub refunded: u64,
    pub timestamp: i64,
    pub side: u8,
    pub padding: [u8; 7],
}

/// A pair of `cross_orders` that was left as it was while others traded.
#[event(bytemuck)]
pub struct PairSkipped {
    pub sell_order: Address,
    pub buy_order: Address,
    /// The error that the pair alone would have had.
    pub error_code: u32,
    pub pair: u32,
}
