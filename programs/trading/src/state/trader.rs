use {
    crate::{limits::MAX_ORDER_ID_JUMP, TradingError},
    anchor_lang::prelude::*,
};

/// A wallet's last order id, and its token accounts, so that each is worked out once. Never closed: an order's address,
/// once used, is never used again. `["trader", wallet]`
#[account]
pub struct Trader {
    pub wallet: Address,
    /// The wallet's associated GRID account.
    pub base_account: Address,
    /// The quote mint of the market for which it was opened last.
    pub quote_mint: Address,
    /// The wallet's associated account of that mint.
    pub quote_account: Address,
    pub last_order_id: u64,
    pub bump: u8,
    pub padding: [u8; 7],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 32],
}

impl Trader {
    /// Ids only rise, by at most 1,000,000.
    #[inline(always)]
    pub fn use_order_id(&mut self, order_id: u64) -> Result<()> {
        let jump = order_id.checked_sub(self.last_order_id).unwrap_or(0);
        require!(jump > 0, TradingError::OrderIdNotHigher);
        require!(jump <= MAX_ORDER_ID_JUMP, TradingError::OrderIdJump);
        self.last_order_id = order_id;
        Ok(())
    }
}
