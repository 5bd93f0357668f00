pub mod market;
pub mod order;
pub mod trader;

pub use {market::*, order::*, trader::*};
