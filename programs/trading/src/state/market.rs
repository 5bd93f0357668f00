use {
    crate::{limits::MAX_FEE_BPS, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_shared::{
        energy::Nkwh,
        money::{quote, Bps, Price, Rounding},
        token::is_token_program,
    },
};

/// Where GRID is traded against one quote token. `["market", quote mint]`
#[account]
pub struct Market {
    /// Sets fee, treasury, band and guardian; hands itself over in two steps.
    pub admin: Address,
    /// Zero when no handover is under way.
    pub pending_admin: Address,
    /// Can only pause.
    pub guardian: Address,
    /// GRID.
    pub base_mint: Address,
    /// GRX: what GRID is paid with.
    pub quote_mint: Address,
    /// The quote token account that receives the fee.
    pub treasury: Address,
    /// The oracle's price feed; zero when the market has no band.
    pub feed: Address,
    /// Amounts are multiples of this many base units of GRID; fixed.
    pub lot_size: u64,
    /// Prices are multiples of this many base units of GRX for 1 GRID; fixed.
    pub tick_size: u64,
    pub created_at: i64,
    /// Of the quote, taken from what the seller receives.
    pub fee_bps: u16,
    /// Trades are within this share of the feed's price, both ends included.
    pub band_bps: u16,
    pub paused: u8,
    pub bump: u8,
    pub padding: [u8; 2],
    /// The token program of the quote mint: the classic one or Token-2022. GRID's is Token-2022.
    pub quote_token_program: Address,
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 32],
}

impl Market {
    #[inline(always)]
    pub fn require_running(&self) -> Result<()> {
        require!(self.paused == 0, TradingError::Paused);
        Ok(())
    }

    /// A fee that this market could have.
    #[inline(always)]
    pub fn fee(bps: u16) -> Result<Bps> {
        if bps > MAX_FEE_BPS {
            return Err(TradingError::FeeInvalid.into());
        }
        Bps::new(bps).ok_or(TradingError::FeeInvalid.into())
    }

    /// One lot at one tick is worth at least one base unit, so that no part of an order is ever worth nothing.
    pub fn require_lot_and_tick(&self) -> Result<()> {
        let worth = quote(Nkwh(self.lot_size), Price(self.tick_size), Rounding::Down);
        require!(
            self.lot_size > 0 && self.tick_size > 0 && worth.is_some_and(|grx| !grx.is_zero()),
            TradingError::LotOrTickInvalid
        );
        Ok(())
    }

    pub fn require_band(&self) -> Result<()> {
        let fits = if self.feed == Address::default() {
            self.band_bps == 0
        } else {
            self.band_bps > 0 && self.band_bps <= Bps::WHOLE
        };
        require!(fits, TradingError::BandInvalid);
        Ok(())
    }

    /// Called at the end of each instruction that changes the market.
    pub fn invariant(&self) -> Result<()> {
        let zero = Address::default();
        require!(
            self.admin != zero
                && self.guardian != zero
                && self.treasury != zero
                && self.base_mint != self.quote_mint
                && is_token_program(&self.quote_token_program)
                && self.fee_bps <= MAX_FEE_BPS
                && self.paused <= 1,
            TradingError::InvariantViolated
        );
        self.require_lot_and_tick()?;
        self.require_band()
    }
}
