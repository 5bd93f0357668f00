use {
    crate::{
        band::{band_of, Band},
        clock::now,
        closing::{self, Emptied},
        limits::MAX_PAIRS,
        matching::{book, cross, Fill},
        spl::{self, Escrow},
        Market, Order, PairSkipped, TradeExecuted, TradingError,
    },
    anchor_lang::{accounts::Account, prelude::*, programs::Token2022},
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::{
        addresses::TOKEN_2022_ID,
        money::Bps,
        token::{is_usable_by, is_usable_of},
    },
};

/// Accounts that each pair brings, all writable, in the order of [`Pair`].
const ACCOUNTS_PER_PAIR: usize = 9;

#[derive(Accounts)]
pub struct CrossOrders {
    pub market: Account<Market>,
    #[account(mut, unsafe(dup))]
    pub treasury: UncheckedAccount,
    /// The market's price feed; the system program for a market without one.
    pub feed: UncheckedAccount,
    /// GRID's.
    pub base_token_program: Program<Token2022>,
    #[account(address = market.quote_token_program @ TradingError::WrongTokenProgram)]
    pub quote_token_program: UncheckedAccount,
}

/// What a pair brings.
struct Pair<'a> {
    sell_order: &'a AccountView,
    sell_escrow: &'a AccountView,
    buy_order: &'a AccountView,
    buy_escrow: &'a AccountView,
    /// The seller's associated GRX account: receives.
    seller_quote: &'a AccountView,
    /// The buyer's associated GRID account: receives.
    buyer_base: &'a AccountView,
    /// The buyer's associated GRX account: gets back what a filled buy order did not need. It need not exist.
    buyer_quote: &'a AccountView,
    sell_rent_payer: &'a AccountView,
    buy_rent_payer: &'a AccountView,
}

/// What all pairs share.
struct Terms<'a> {
    market: &'a Address,
    treasury: &'a AccountView,
    treasury_usable: bool,
    quote_token_program: &'a Address,
    fee: Bps,
    band: Option<Band>,
    timestamp: i64,
}

/// The two orders and their trade.
struct Trade {
    sell: Account<Order>,
    buy: Account<Order>,
    fill: Fill,
}

impl CrossOrders {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let remaining = ctx.remaining_accounts()?;
        let accounts = &ctx.accounts;
        let market = &accounts.market;
        market.require_running()?;
        let count = remaining.len() / ACCOUNTS_PER_PAIR;
        require!(
            count >= 1 && count <= MAX_PAIRS && remaining.len() == count * ACCOUNTS_PER_PAIR,
            TradingError::PairCount
        );
        for account in &remaining {
            require!(account.is_writable(), ErrorCode::ConstraintMut);
        }
        require!(*accounts.treasury.address() == market.treasury, TradingError::WrongTreasury);
        let timestamp = now()?.seconds;
        let terms = Terms {
            market: market.address(),
            treasury: &accounts.treasury,
            treasury_usable: is_usable_of(&accounts.treasury, &market.quote_token_program, &market.quote_mint),
            quote_token_program: &market.quote_token_program,
            fee: Market::fee(market.fee_bps)?,
            band: band_of(market, &accounts.feed, timestamp)?,
            timestamp,
        };

        let mut traded = false;
        let mut first_refusal = None;
        // Which accounts of `remaining` are orders to close, and who paid for them.
        let mut filled = [(0usize, 0usize); 2 * MAX_PAIRS];
        let mut filled_count = 0;
        for index in 0..count {
            let at = index * ACCOUNTS_PER_PAIR;
            let pair = Pair::of(&remaining[at..at + ACCOUNTS_PER_PAIR]);
            match pair.check(&terms) {
                Ok(trade) => {
                    traded = true;
                    let (sell_closed, buy_closed) = pair.settle(trade, &terms)?;
                    for (closed, order, rent_payer) in [(sell_closed, at, at + 7), (buy_closed, at + 2, at + 8)] {
                        if closed {
                            filled[filled_count] = (order, rent_payer);
                            filled_count += 1;
                        }
                    }
                }
                Err(error) => {
                    first_refusal.get_or_insert(error);
                    pair.skipped(error, index);
                }
            }
        }
        if let (false, Some(error)) = (traded, first_refusal) {
            return Err(error.into());
        }
        for (order, rent_payer) in &filled[..filled_count] {
            closing::close(&remaining[*order], &remaining[*rent_payer])?;
        }
        Ok(())
    }
}

impl<'a> Pair<'a> {
    #[inline(always)]
    fn of(accounts: &'a [AccountView]) -> Self {
        Self {
            sell_order: &accounts[0],
            sell_escrow: &accounts[1],
            buy_order: &accounts[2],
            buy_escrow: &accounts[3],
            seller_quote: &accounts[4],
            buyer_base: &accounts[5],
            buyer_quote: &accounts[6],
            sell_rent_payer: &accounts[7],
            buy_rent_payer: &accounts[8],
        }
    }

    /// Everything that can be wrong with a pair, before anything is changed: a pair that has become impossible does not
    /// stop the others.
    #[inline(never)]
    fn check(&self, terms: &Terms) -> core::result::Result<Trade, TradingError> {
        if self.sell_order.address() == self.buy_order.address() {
            return Err(TradingError::SideMismatch);
        }
        let sell = closing::open(self.sell_order)?;
        let buy = closing::open(self.buy_order)?;
        for (order, escrow, rent_payer) in
            [(&sell, self.sell_escrow, self.sell_rent_payer), (&buy, self.buy_escrow, self.buy_rent_payer)]
        {
            if order.market != *terms.market {
                return Err(TradingError::WrongMarket);
            }
            if terms.timestamp >= order.expires_at {
                return Err(TradingError::Expired);
            }
            if *rent_payer.address() != order.rent_payer {
                return Err(TradingError::WrongRentPayer);
            }
            closing::require_escrow(order, escrow)?;
        }
        let fill = cross(&sell, &buy, terms.fee)?;
        Band::check(terms.band, fill.price)?;
        if *self.seller_quote.address() != sell.quote_account
            || *self.buyer_base.address() != buy.base_account
            || *self.buyer_quote.address() != buy.quote_account
        {
            return Err(TradingError::WrongTokenAccount);
        }
        if !is_usable_by(self.seller_quote, terms.quote_token_program, &sell.owner)
            || !is_usable_by(self.buyer_base, &TOKEN_2022_ID, &buy.owner)
        {
            return Err(TradingError::TokenAccountUnusable);
        }
        if !fill.fee.is_zero() && !terms.treasury_usable {
            return Err(TradingError::TreasuryInvalid);
        }
        Ok(Trade { sell, buy, fill })
    }

    /// Moves the tokens and empties filled escrows. Says which orders are to be closed, at the end of the instruction.
    #[inline(never)]
    fn settle(&self, trade: Trade, terms: &Terms) -> Result<(bool, bool)> {
        let Trade { mut sell, mut buy, fill } = trade;
        book(&mut sell, &fill)?;
        book(&mut buy, &fill)?;
        let sell_escrow =
            Escrow { account: self.sell_escrow, order: self.sell_order.address(), bump: sell.escrow_bump };
        let buy_escrow = Escrow { account: self.buy_escrow, order: self.buy_order.address(), bump: buy.escrow_bump };
        sell_escrow.pay(self.buyer_base, fill.amount.0);
        buy_escrow.pay(self.seller_quote, fill.proceeds());
        buy_escrow.pay(terms.treasury, fill.fee.0);

        let mut sell_end = Emptied { refunded: 0, closed: false };
        // A gift in the seller's escrow waits for `expire_order`, which brings the account it goes to.
        if sell.remaining == 0 && spl::balance(self.sell_escrow)? == 0 {
            sell_end = closing::empty(&mut sell, sell_escrow, self.seller_quote, self.sell_rent_payer)?;
        }
        let mut buy_end = Emptied { refunded: 0, closed: false };
        if buy.remaining == 0 {
            buy_end = closing::empty(&mut buy, buy_escrow, self.buyer_quote, self.buy_rent_payer)?;
        }
        log_event(TradeExecuted {
            market: *terms.market,
            seller: sell.owner,
            buyer: buy.owner,
            sell_order: *self.sell_order.address(),
            buy_order: *self.buy_order.address(),
            sell_order_id: sell.order_id,
            buy_order_id: buy.order_id,
            price: fill.price.0,
            amount: fill.amount.0,
            quote: fill.quote.0,
            fee: fill.fee.0,
            sell_remaining: sell.remaining,
            buy_remaining: buy.remaining,
            sell_refunded: sell_end.refunded,
            buy_refunded: buy_end.refunded,
            timestamp: terms.timestamp,
            taker_side: fill.taker.code(),
            sell_closed: sell_end.closed as u8,
            buy_closed: buy_end.closed as u8,
            padding: [0; 5],
        });
        sell.invariant()?;
        buy.invariant()?;
        Ok((sell_end.closed, buy_end.closed))
    }

    #[inline(never)]
    fn skipped(&self, error: TradingError, index: usize) {
        let code = match anchor_lang::Error::from(error) {
            anchor_lang::Error::Custom(code) => code,
            _ => error as u32,
        };
        log_event(PairSkipped {
            sell_order: *self.sell_order.address(),
            buy_order: *self.buy_order.address(),
            error_code: code,
            pair: index as u32,
        });
    }
}
