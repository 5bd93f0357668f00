use {
    crate::{
        allocate,
        clock::now,
        create,
        described::Described,
        limits::MAX_ORDER_SECONDS,
        log_event,
        spl::{self, TOKEN_ACCOUNT_BYTES},
        Allocation, Market, Order, OrderCreated, Side, Trader, TradingError,
    },
    anchor_lang::{accounts::Account, find_program_address, prelude::*, programs::AssociatedToken, Id},
    gridtokenx_shared::seeds,
};

pub struct OrderArgs {
    pub order_id: u64,
    pub side: u8,
    pub amount: u64,
    pub price: u64,
    pub expires_at: i64,
}

#[derive(Accounts)]
#[instruction(order_id: u64)]
pub struct CreateOrder {
    /// Pays the rent of order and escrow, and gets it back when they are closed.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub owner: Signer,
    pub market: Account<Market>,
    /// Made with the owner's first order, at the payer's cost. `["trader", owner]`
    #[account(mut)]
    pub trader: Described<Trader>,
    #[account(mut, seeds = [seeds::ORDER, owner.address().as_ref(), &order_id.to_le_bytes()], bump)]
    pub order: UncheckedAccount,
    #[account(mut, seeds = [seeds::ESCROW, order.address().as_ref()], bump)]
    pub escrow: UncheckedAccount,
    /// The owner's token account from which the escrow is filled.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// GRID for a sell order, the market's quote mint for a buy order.
    pub mint: UncheckedAccount,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

impl CreateOrder {
    pub fn run(ctx: &mut Context<Self>, args: OrderArgs) -> Result<()> {
        let (order_bump, escrow_bump) = (ctx.bumps.order, ctx.bumps.escrow);
        let accounts = &mut ctx.accounts;
        let market = &accounts.market;
        market.require_running()?;
        let side = Side::from_code(args.side).ok_or(TradingError::SideInvalid)?;
        require!(args.amount > 0 && args.amount % market.lot_size == 0, TradingError::AmountNotInLots);
        require!(args.price > 0 && args.price % market.tick_size == 0, TradingError::PriceNotInTicks);
        let now = now()?;
        let until = now.seconds.checked_add(MAX_ORDER_SECONDS).ok_or(TradingError::ArithmeticOverflow)?;
        require!(args.expires_at > now.seconds && args.expires_at <= until, TradingError::ExpiryInvalid);
        let mint = match side {
            Side::Sell => &market.base_mint,
            Side::Buy => &market.quote_mint,
        };
        require!(*accounts.mint.address() == *mint, TradingError::WrongMint);
        let owner = *accounts.owner.address();
        // A delegate would trade with another's tokens.
        require!(spl::is_usable_by(&accounts.source, &owner), TradingError::TokenAccountUnusable);

        let mut trader = trader(&accounts.payer, &accounts.trader, &owner, market)?;
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
                space: TOKEN_ACCOUNT_BYTES,
                owner: &Token::id(),
                address_seeds: &[seeds::ESCROW, order_address.as_ref(), &[escrow_bump]],
            },
            TradingError::AccountExists,
        )?;
        spl::initialize_account(&accounts.escrow, &accounts.mint, accounts.escrow.address());
        spl::transfer(&accounts.source, &accounts.escrow, &accounts.owner, order.escrowed);
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

/// The owner's trader account, made when it is not there, with the token accounts for this market. One that exists is
/// known by program, discriminator and wallet: only the lines below make any, and they derive the address.
#[inline(always)]
fn trader(payer: &AccountView, target: &AccountView, owner: &Address, market: &Market) -> Result<Account<Trader>> {
    let mut trader = if target.owned_by(&crate::ID) {
        // SAFETY: no other reference to this account's data exists: no other declared account is a trader, and
        // `load_mut` checks owner and discriminator.
        let trader = unsafe { Account::<Trader>::load_mut(*target) }.map_err(|_| TradingError::WrongTrader)?;
        require!(trader.wallet == *owner, TradingError::WrongTrader);
        trader
    } else {
        let (address, bump) = find_program_address(&[seeds::TRADER, owner.as_ref()], &crate::ID);
        require!(*target.address() == address, TradingError::WrongTrader);
        let address_seeds: [&[u8]; 3] = [seeds::TRADER, owner.as_ref(), &[bump]];
        let mut trader = create::<Trader>(payer, target, &address_seeds, TradingError::AccountExists)?;
        trader.wallet = *owner;
        trader.base_account = associated_account(owner, &market.base_mint);
        trader.bump = bump;
        trader
    };
    if trader.quote_mint != market.quote_mint {
        trader.quote_mint = market.quote_mint;
        trader.quote_account = associated_account(owner, &market.quote_mint);
    }
    Ok(trader)
}

/// A wallet's associated token account: anybody can create it again if it is closed, always at this address.
#[inline(never)]
fn associated_account(wallet: &Address, mint: &Address) -> Address {
    find_program_address(&[wallet.as_ref(), Token::id().as_ref(), mint.as_ref()], &AssociatedToken::id()).0
}
