use {
    crate::{
        band::{band_of, Band},
        clock::now,
        closing::{self, Emptied},
        matching::{book, take, Fill, Wish},
        spl::{self, Escrow},
        Market, Order, Side, TradeExecuted, TradingError,
    },
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_anchor_shared::{log_event, Described},
    gridtokenx_shared::{
        addresses::TOKEN_2022_ID,
        energy::Nkwh,
        money::{Bps, Price},
        token::{is_usable_by, is_usable_of},
    },
};

pub struct MatchArgs {
    pub price: u64,
    pub amount: u64,
    pub min_amount: u64,
    pub max_fee_bps: u16,
}

#[derive(Accounts)]
pub struct MatchOrder {
    pub taker: Signer,
    pub market: Account<Market>,
    #[account(mut)]
    pub order: Described<Order>,
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// The taker's token account that pays: GRX for a sell order, GRID for a buy order.
    #[account(mut, unsafe(dup))]
    pub taker_source: UncheckedAccount,
    /// Where the taker wants what it trades for.
    #[account(mut, unsafe(dup))]
    pub taker_destination: UncheckedAccount,
    /// The order's owner's associated account of what the taker pays with; the taker can create it first.
    #[account(mut, unsafe(dup))]
    pub maker_destination: UncheckedAccount,
    /// The order's owner's associated account of what is escrowed. It need not exist.
    #[account(mut, unsafe(dup))]
    pub maker_refund: UncheckedAccount,
    #[account(mut, unsafe(dup))]
    pub treasury: UncheckedAccount,
    /// Whoever paid for the order's accounts.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
    /// The market's price feed; the system program for a market without one.
    pub feed: UncheckedAccount,
    /// GRID's.
    pub base_token_program: Program<Token2022>,
    #[account(address = market.quote_token_program @ TradingError::WrongTokenProgram)]
    pub quote_token_program: UncheckedAccount,
}

impl MatchOrder {
    pub fn run(ctx: &mut Context<Self>, args: MatchArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let timestamp = now()?.seconds;
        let mut order = closing::open(&accounts.order)?;
        let fill = accounts.check(&order, args, timestamp)?;
        book(&mut order, &fill)?;
        let escrow = Escrow { account: &accounts.escrow, order: accounts.order.address(), bump: order.escrow_bump };
        accounts.move_tokens(&fill, &escrow);
        let mut end = Emptied { refunded: 0, closed: false };
        if order.remaining == 0 {
            end = closing::empty(&mut order, escrow, &accounts.maker_refund, &accounts.rent_payer)?;
        }
        log_event(accounts.told(&order, &fill, end, timestamp));
        order.invariant()?;
        drop(order);
        if end.closed {
            closing::close(&accounts.order, &accounts.rent_payer)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn check(&self, order: &Order, args: MatchArgs, timestamp: i64) -> Result<Fill> {
        let market = &self.market;
        market.require_running()?;
        require!(order.market == *market.address(), TradingError::WrongMarket);
        let taker = self.taker.address();
        require!(order.owner != *taker, TradingError::SelfTrade);
        require!(timestamp < order.expires_at, TradingError::Expired);
        closing::require_escrow(order, &self.escrow)?;
        require!(*self.maker_destination.address() == *order.receive_account(), TradingError::WrongTokenAccount);
        require!(*self.maker_refund.address() == *order.refund_account(), TradingError::WrongTokenAccount);
        require!(*self.treasury.address() == market.treasury, TradingError::WrongTreasury);
        require!(*self.rent_payer.address() == order.rent_payer, TradingError::WrongRentPayer);
        // Whoever is paid has to be the owner still, and whoever pays the taker itself: a delegate of the maker's could
        // otherwise pay the maker out of the maker's own account.
        let paid_with = self.paid_with(order.side());
        let payable = is_usable_by(&self.maker_destination, &paid_with, &order.owner);
        require!(payable, TradingError::TokenAccountUnusable);
        require!(is_usable_by(&self.taker_source, &paid_with, taker), TradingError::TokenAccountUnusable);
        let band = band_of(market, &self.feed, timestamp)?;
        let wish = Wish {
            price: Price(args.price),
            amount: Nkwh(args.amount),
            min_amount: Nkwh(args.min_amount),
            max_fee: Bps::new(args.max_fee_bps).ok_or(TradingError::FeeInvalid)?,
        };
        let fill = take(order, wish, market.lot_size, Market::fee(market.fee_bps)?)?;
        Band::check(band, fill.price)?;
        if !fill.fee.is_zero() {
            let usable = is_usable_of(&self.treasury, &market.quote_token_program, &market.quote_mint);
            require!(usable, TradingError::TreasuryInvalid);
        }
        Ok(fill)
    }

    /// The token program of what the taker of such an order pays with.
    #[inline(always)]
    fn paid_with(&self, order: Side) -> Address {
        match order {
            Side::Sell => self.market.quote_token_program,
            Side::Buy => TOKEN_2022_ID,
        }
    }

    #[inline(always)]
    fn move_tokens(&self, fill: &Fill, escrow: &Escrow) {
        let taker: &AccountView = &self.taker;
        let (source, maker, treasury): (&AccountView, &AccountView, &AccountView) =
            (&self.taker_source, &self.maker_destination, &self.treasury);
        match fill.taker {
            Side::Buy => {
                let program = self.paid_with(Side::Sell);
                spl::transfer(&program, &[source, maker, taker], fill.proceeds());
                spl::transfer(&program, &[source, treasury, taker], fill.fee.0);
                escrow.pay(&self.taker_destination, fill.amount.0);
            }
            Side::Sell => {
                spl::transfer(&TOKEN_2022_ID, &[source, maker, taker], fill.amount.0);
                escrow.pay(&self.taker_destination, fill.proceeds());
                escrow.pay(treasury, fill.fee.0);
            }
        }
    }

    #[inline(always)]
    fn told(&self, order: &Order, fill: &Fill, end: Emptied, timestamp: i64) -> TradeExecuted {
        let mut event = TradeExecuted {
            market: order.market,
            seller: *self.taker.address(),
            buyer: *self.taker.address(),
            sell_order: Address::default(),
            buy_order: Address::default(),
            sell_order_id: 0,
            buy_order_id: 0,
            price: fill.price.0,
            amount: fill.amount.0,
            quote: fill.quote.0,
            fee: fill.fee.0,
            sell_remaining: 0,
            buy_remaining: 0,
            sell_refunded: 0,
            buy_refunded: 0,
            timestamp,
            taker_side: fill.taker.code(),
            sell_closed: 0,
            buy_closed: 0,
            padding: [0; 5],
        };
        match order.side() {
            Side::Sell => {
                event.seller = order.owner;
                event.sell_order = *self.order.address();
                event.sell_order_id = order.order_id;
                event.sell_remaining = order.remaining;
                event.sell_refunded = end.refunded;
                event.sell_closed = end.closed as u8;
            }
            Side::Buy => {
                event.buyer = order.owner;
                event.buy_order = *self.order.address();
                event.buy_order_id = order.order_id;
                event.buy_remaining = order.remaining;
                event.buy_refunded = end.refunded;
                event.buy_closed = end.closed as u8;
            }
        }
        event
    }
}
