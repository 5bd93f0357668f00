pub mod book;
pub mod certificate;
pub mod config;
pub mod retirement;

pub use {book::*, certificate::*, config::*, retirement::*};
