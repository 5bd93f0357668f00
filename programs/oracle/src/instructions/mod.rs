//! One file per instruction: its accounts, its checks, its handler.

pub mod accept_authority;
pub mod authority;
// The derive names the arguments that seeds use in code of its own, where the compiler thinks them unused.
#[allow(unused_variables)]
pub mod create_feed;
pub mod feed_authority;
pub mod get_price;
pub mod initialize;
pub mod set_paused;
pub mod submit_price;

pub use {
    accept_authority::*, authority::*, create_feed::*, feed_authority::*, get_price::*, initialize::*, set_paused::*,
    submit_price::*,
};
