use {
    crate::{clock::now, closing, spl::Escrow, Order, OrderCancelled, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::{log_event, Described},
};

#[derive(Accounts)]
pub struct CancelOrder {
    pub owner: Signer,
    #[account(mut)]
    pub order: Described<Order>,
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// Any token account of the owner's that can take what is in the escrow.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// Whoever paid for the order's accounts.
    #[account(mut, unsafe(dup))]
    pub rent_payer: UncheckedAccount,
    /// The token program of what is escrowed.
    pub token_program: UncheckedAccount,
}

impl CancelOrder {
    /// Works at any time: while the market is paused, after expiry, without a price feed.
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let mut order = closing::open(&accounts.order)?;
        require!(order.owner == *accounts.owner.address(), TradingError::NotOrderOwner);
        let escrow = Escrow { account: &accounts.escrow, order: accounts.order.address(), bump: order.escrow_bump };
        let refunded = closing::give_back(
            &mut order,
            escrow,
            &accounts.destination,
            &accounts.rent_payer,
            &accounts.token_program,
        )?;
        log_event(OrderCancelled {
            market: order.market,
            order: *accounts.order.address(),
            owner: order.owner,
            destination: *accounts.destination.address(),
            order_id: order.order_id,
            remaining: order.remaining,
            refunded,
            timestamp: now()?.seconds,
            side: order.side,
            padding: [0; 7],
        });
        drop(order);
        closing::close(&accounts.order, &accounts.rent_payer)
    }
}
