use {
    crate::{clock::now, limits::MAX_ORDER_SECONDS, spl, Market, Order, OrderCreated, Side, Trader, TradingError},
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_anchor_shared::{allocate, create, log_event, Allocation, Described},
    gridtokenx_shared::{addresses::TOKEN_2022_ID, seeds, token},
};

pub struct OrderArgs {
    pub order_id: u64,
    pub side: u8,
    pub amount: u64,
    pub price: u64,
    pub expires_at: i64,
    pub order_bump: u8,
    pub escrow_bump: u8,
}

#[derive(Accounts)]
pub struct CreateOrder {
    /// Pays the rent of order and escrow, and gets it back when they are closed.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub owner: Signer,
    pub market: Account<Market>,
    /// The owner's, opened for this market. `["trader", owner]`
    #[account(mut)]
    pub trader: Described<Trader>,
    /// `["order", owner, order id]` with the bump that is named: the system program checks it when it makes the account.
    #[account(mut)]
    pub order: UncheckedAccount,
    /// `["escrow", order]`, likewise.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// The owner's token account from which the escrow is filled.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// GRID for a sell order, the market's quote mint for a buy order.
    pub mint: UncheckedAccount,
    /// The mint's.
    pub token_program: UncheckedAccount,
    pub system_program: Program<System>,
}

impl CreateOrder {
    pub fn run(ctx: &mut Context<Self>, args: OrderArgs) -> Result<()> {
        let (order_bump, escrow_bump) = (args.order_bump, args.escrow_bump);
        let accounts = &mut ctx.accounts;
        let market = &accounts.market;
        market.require_running()?;
        let side = Side::from_code(args.side).ok_or(TradingError::SideInvalid)?;
        require!(args.amount > 0 && args.amount % market.lot_size == 0, TradingError::AmountNotInLots);
        require!(args.price > 0 && args.price % market.tick_size == 0, TradingError::PriceNotInTicks);
        let now = now()?;
        let until = now.seconds.checked_add(MAX_ORDER_SECONDS).ok_or(TradingError::ArithmeticOverflow)?;
        require!(args.expires_at > now.seconds && args.expires_at <= until, TradingError::ExpiryInvalid);
        let (mint, program) = match side {
            Side::Sell => (&market.base_mint, &TOKEN_2022_ID),
            Side::Buy => (&market.quote_mint, &market.quote_token_program),
        };
        require!(*accounts.mint.address() == *mint, TradingError::WrongMint);
        require!(*accounts.token_program.address() == *program, TradingError::WrongTokenProgram);
        let owner = *accounts.owner.address();
        // A delegate would trade with another's tokens.
        require!(token::is_usable_by(&accounts.source, program, &owner), TradingError::TokenAccountUnusable);

        require!(accounts.trader.owned_by(&crate::ID), TradingError::TraderNotOpen);
        // SAFETY: no other reference to this account's data exists: no other declared account is a trader, and `load_mut`
        // checks owner and discriminator. Only `open_trader` makes any, and it derives the address from the wallet.
        let mut trader =
            unsafe { Account::<Trader>::load_mut(*accounts.trader) }.map_err(|_| TradingError::WrongTrader)?;
        require!(trader.wallet == owner, TradingError::WrongTrader);
        require!(trader.quote_mint == market.quote_mint, TradingError::TraderNotOpen);
        trader.use_order_id(args.order_id)?;

        let mut order = create::<Order>(
            &accounts.payer,
            &accounts.order,
            &[seeds::ORDER, owner.as_ref(), &args.order_id.to_le_bytes(), &[order_bump]],
            TradingError::AccountExists,
        )?;
        order.market = *market.address();
        order.owner = owner;
        order.rent_payer = *accounts.payer.address();
        order.escrow = *accounts.escrow.address();
        order.base_account = trader.base_account;
        order.quote_account = trader.quote_account;
        order.order_id = args.order_id;
        order.price = args.price;
        order.amount = args.amount;
        order.remaining = args.amount;
        order.created_at = now.seconds;
        order.created_slot = now.slot;
        order.expires_at = args.expires_at;
        order.fee_bps = market.fee_bps;
        order.side = args.side;
        order.bump = order_bump;
        order.escrow_bump = escrow_bump;
        order.escrowed = order.needed().ok_or(TradingError::QuoteOverflow)?;
        // A sell order's trades have to be worth a number that exists, too.
        require!(order.worst_quote().is_some(), TradingError::QuoteOverflow);

        let order_address = *accounts.order.address();
        allocate(
            &Allocation {
                payer: &accounts.payer,
                target: &accounts.escrow,
                space: token::ACCOUNT_BYTES,
                owner: program,
                address_seeds: &[seeds::ESCROW, order_address.as_ref(), &[escrow_bump]],
            },
            TradingError::AccountExists,
        )?;
        token::initialize_account(program, &accounts.escrow, &accounts.mint, accounts.escrow.address());
        spl::transfer(program, &[&accounts.source, &accounts.escrow, &accounts.owner], order.escrowed);
        log_event(OrderCreated {
            market: order.market,
            order: order_address,
            owner,
            rent_payer: order.rent_payer,
            order_id: order.order_id,
            price: order.price,
            amount: order.amount,
            escrowed: order.escrowed,
            expires_at: order.expires_at,
            timestamp: now.seconds,
            slot: now.slot,
            fee_bps: order.fee_bps,
            side: order.side,
            padding: [0; 5],
        });
        order.invariant()
    }
}
