use {
    crate::TradingError,
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        energy::Nkwh,
        money::{quote, Grx, Price, Rounding},
    },
};

/// Which way an order goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// GRID is escrowed.
    Sell,
    /// GRX is escrowed.
    Buy,
}

impl Side {
    #[inline(always)]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Sell),
            1 => Some(Self::Buy),
            _ => None,
        }
    }

    #[inline(always)]
    pub fn code(self) -> u8 {
        match self {
            Self::Sell => 0,
            Self::Buy => 1,
        }
    }
}

/// An order in the book. It exists while something of it is open (or still to be returned); filled, cancelled and
/// returned orders are closed. `["order", owner, order id u64 little-endian]`
#[account]
pub struct Order {
    pub market: Address,
    /// The maker: the seller of a sell order, the buyer of a buy order.
    pub owner: Address,
    /// Gets the lamports of both accounts back.
    pub rent_payer: Address,
    /// The token account that holds what is offered; it is its own authority. `["escrow", order]`
    pub escrow: Address,
    /// The owner's associated GRID account: what a buy order receives, what a sell order gets back.
    pub base_account: Address,
    /// The owner's associated GRX account: what a sell order receives, what a buy order gets back.
    pub quote_account: Address,
    pub order_id: u64,
    /// Base units of GRX for 1 GRID.
    pub price: u64,
    /// Base units of GRID at the start.
    pub amount: u64,
    /// Base units of GRID not yet traded.
    pub remaining: u64,
    /// What the escrow holds for this order: GRID (sell) or GRX (buy). Whoever sends it more makes the owner a gift.
    pub escrowed: u64,
    pub created_at: i64,
    /// Which of two orders is older; of one slot, the sell order.
    pub created_slot: u64,
    /// From this time on it only goes back.
    pub expires_at: i64,
    /// The most that a sell order pays: a fee that rises later does not concern it.
    pub fee_bps: u16,
    /// 0 sells, 1 buys.
    pub side: u8,
    pub bump: u8,
    pub escrow_bump: u8,
    pub padding: [u8; 3],
}

impl Order {
    #[inline(always)]
    pub fn side(&self) -> Side {
        // `invariant` keeps other codes out.
        if self.side == 0 {
            Side::Sell
        } else {
            Side::Buy
        }
    }

    /// Where what is left in the escrow goes.
    #[inline(always)]
    pub fn refund_account(&self) -> &Address {
        match self.side() {
            Side::Sell => &self.base_account,
            Side::Buy => &self.quote_account,
        }
    }

    /// Where what the owner traded for goes.
    #[inline(always)]
    pub fn receive_account(&self) -> &Address {
        match self.side() {
            Side::Sell => &self.quote_account,
            Side::Buy => &self.base_account,
        }
    }

    /// What the escrow must hold so that `remaining` can be traded however it is split.
    #[inline(always)]
    pub fn needed(&self) -> Option<u64> {
        match self.side() {
            Side::Sell => Some(self.remaining),
            Side::Buy => self.worst_quote().map(|Grx(grx)| grx),
        }
    }

    /// The most that all of `remaining` can cost at this order's own price.
    #[inline(always)]
    pub fn worst_quote(&self) -> Option<Grx> {
        quote(Nkwh(self.remaining), Price(self.price), Rounding::Up)
    }

    /// Called at the end of each instruction that changes an order.
    #[inline(always)]
    pub fn invariant(&self) -> Result<()> {
        let needed = self.needed().ok_or(TradingError::InvariantViolated)?;
        let covered = match self.side() {
            Side::Sell => self.escrowed == needed,
            Side::Buy => self.escrowed >= needed,
        };
        require!(self.side <= 1 && self.remaining <= self.amount && covered, TradingError::InvariantViolated);
        Ok(())
    }
}
