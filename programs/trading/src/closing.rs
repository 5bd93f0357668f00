//! How orders end: what is left in the escrow goes back to the owner, the lamports of both accounts to whoever paid.

use {
    crate::{
        spl::{self, Escrow},
        Order, TradingError,
    },
    anchor_lang::{accounts::Account, prelude::*, AccountClose},
    gridtokenx_shared::token,
};

/// An order in the book. What was closed belongs to the system program again.
#[inline(always)]
pub fn open(view: &AccountView) -> core::result::Result<Account<Order>, TradingError> {
    if !view.owned_by(&crate::ID) {
        return Err(TradingError::OrderClosed);
    }
    // SAFETY: each instruction opens an order once at a time: the only other typed accounts are markets, and
    // `cross_orders` compares the addresses of its two orders before. `load_mut` checks owner and discriminator.
    unsafe { Account::<Order>::load_mut(*view) }.map_err(|_| TradingError::OrderClosed)
}

/// Whether the escrow is the order's, and can be used.
#[inline(always)]
pub fn require_escrow(order: &Order, escrow: &AccountView) -> core::result::Result<(), TradingError> {
    if *escrow.address() != order.escrow {
        return Err(TradingError::WrongEscrow);
    }
    let program = escrow.owner();
    // The quote mint may have an authority that freezes.
    if !token::is_token_program(program) || !token::is_usable_by(escrow, program, &order.escrow) {
        return Err(TradingError::TokenAccountUnusable);
    }
    Ok(())
}

/// What became of an escrow.
#[derive(Clone, Copy)]
pub struct Emptied {
    pub refunded: u64,
    /// `false`: the owner's account cannot take what is left. The order stays, to be returned when it can.
    pub closed: bool,
}

/// Sends everything in the escrow to `destination` and closes it. All of it, not what the order counts: somebody may
/// have sent it tokens, and an account that holds some cannot be closed.
#[inline(always)]
pub fn empty(
    order: &mut Order,
    escrow: Escrow,
    destination: &AccountView,
    rent_payer: &AccountView,
) -> Result<Emptied> {
    let left = spl::balance(escrow.account)?;
    if left > 0 {
        if !token::is_usable_by(destination, &escrow.program(), &order.owner) {
            return Ok(Emptied { refunded: 0, closed: false });
        }
        escrow.pay(destination, left);
    }
    order.escrowed = 0;
    escrow.close(rent_payer);
    Ok(Emptied { refunded: left, closed: true })
}

/// Closes an order's account. After the last call to another program: the runtime balances lamports at each call, over
/// the accounts of that call.
#[inline(never)]
pub fn close(view: &AccountView, rent_payer: &AccountView) -> Result<()> {
    // SAFETY: the callers have given up their reference to the order.
    let mut order = unsafe { Account::<Order>::load_mut(*view)? };
    order.close(*rent_payer)
}

/// `cancel_order` and `expire_order` from here on are the same: everything goes to `destination`, which has to be able
/// to take it.
#[inline(always)]
pub fn give_back(
    order: &mut Order,
    escrow: Escrow,
    destination: &AccountView,
    rent_payer: &AccountView,
    token_program: &AccountView,
) -> Result<u64> {
    require!(*rent_payer.address() == order.rent_payer, TradingError::WrongRentPayer);
    require_escrow(order, escrow.account)?;
    require!(*token_program.address() == escrow.program(), TradingError::WrongTokenProgram);
    let emptied = empty(order, escrow, destination, rent_payer)?;
    require!(emptied.closed, TradingError::TokenAccountUnusable);
    Ok(emptied.refunded)
}
