//! One file per instruction: its accounts, its checks, its handler.

pub mod accept_admin;
pub mod admin;
pub mod cancel_order;
pub mod create_market;
pub mod create_order;
pub mod cross_orders;
pub mod expire_order;
pub mod match_order;
pub mod open_trader;
pub mod set_paused;
pub mod set_treasury;

pub use {
    accept_admin::*, admin::*, cancel_order::*, create_market::*, create_order::*, cross_orders::*, expire_order::*,
    match_order::*, open_trader::*, set_paused::*, set_treasury::*,
};
