pub mod config;
pub mod meter;
pub mod meter_key;
pub mod user;

pub use {config::*, meter::*, meter_key::*, user::*};
