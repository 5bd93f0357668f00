//! One file per instruction: its accounts, its checks, its handler.

pub mod burn;
pub mod get_supply;
pub mod initialize;
pub mod mint_from_production;
pub mod retire;
pub mod update_metadata;

pub use {burn::*, get_supply::*, initialize::*, mint_from_production::*, retire::*, update_metadata::*};
