//! One file per instruction: its accounts, its checks, its handler.

pub mod accept_admin;
pub mod admin;
pub mod get_unsettled_balance;
pub mod initialize;
// The derive names the arguments that seeds use in code of its own, where the compiler thinks them unused.
#[allow(unused_variables)]
pub mod register_meter;
pub mod register_user;
pub mod review_held;
#[allow(unused_variables)]
pub mod rotate_meter_key;
pub mod set_meter_cap;
pub mod set_meter_status;
pub mod set_paused;
pub mod settle_and_mint_tokens;
pub mod settle_meter_balance;
pub mod submit_and_mint;
pub mod submit_meter_reading;
pub mod transfer_meter;
pub mod verify_user;

pub use {
    accept_admin::*, admin::*, get_unsettled_balance::*, initialize::*, register_meter::*, register_user::*,
    review_held::*, rotate_meter_key::*, set_meter_cap::*, set_meter_status::*, set_paused::*,
    settle_and_mint_tokens::*, settle_meter_balance::*, submit_and_mint::*, submit_meter_reading::*, transfer_meter::*,
    verify_user::*,
};
