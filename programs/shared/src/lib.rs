//! What the programs must agree on: addresses, seeds, signed messages, energy arithmetic, the token programs' layouts.
//! Pure but for `token`, which calls those programs: no syscalls, no account access; tested on the host.
#![cfg_attr(not(test), no_std)]

pub mod addresses;
pub mod energy;
pub mod feed_layout;
pub mod limits;
pub mod message;
pub mod meter_layout;
pub mod money;
pub mod program_data;
pub mod registry_config_layout;
pub mod seeds;
pub mod token;
