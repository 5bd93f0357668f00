pub mod config;
pub mod feed;

pub use {config::*, feed::*};
