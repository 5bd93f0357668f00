use {
    crate::{clock::now, closing, spl::Escrow, Order, OrderExpired, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::{log_event, Described},
};

#[derive(Accounts)]
pub struct ExpireOrder {
    #[account(mut)]
    pub order: Described<Order>,
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// The owner's associated account of the escrowed token; whoever calls can create it first.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// Whoever paid for the order's accounts.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
    /// The token program of what is escrowed.
    pub token_program: UncheckedAccount,
}

impl ExpireOrder {
    /// Works while the market is paused and without a price feed.
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let mut order = closing::open(&accounts.order)?;
        let timestamp = now()?.seconds;
        require!(timestamp >= order.expires_at || order.remaining == 0, TradingError::NotExpired);
        require!(*accounts.destination.address() == *order.refund_account(), TradingError::WrongTokenAccount);
        let escrow = Escrow { account: &accounts.escrow, order: accounts.order.address(), bump: order.escrow_bump };
        let refunded = closing::give_back(
            &mut order,
            escrow,
            &accounts.destination,
            &accounts.rent_payer,
            &accounts.token_program,
        )?;
        log_event(OrderExpired {
            market: order.market,
            order: *accounts.order.address(),
            owner: order.owner,
            destination: *accounts.destination.address(),
            order_id: order.order_id,
            remaining: order.remaining,
            refunded,
            timestamp,
            side: order.side,
            padding: [0; 7],
        });
        drop(order);
        closing::close(&accounts.order, &accounts.rent_payer)
    }
}
