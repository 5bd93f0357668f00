//! One file per instruction: its accounts, its checks, its handler.

pub mod accept_admin;
pub mod admin;
pub mod adopt_book;
pub mod book_owner;
pub mod initialize;
pub mod issue;
pub mod issue_for;
pub mod open_book;
pub mod retire;
pub mod set_paused;
pub mod set_source;
pub mod split;
pub mod transfer;

pub use {
    accept_admin::*, admin::*, adopt_book::*, book_owner::*, initialize::*, issue::*, issue_for::*, open_book::*,
    retire::*, set_paused::*, set_source::*, split::*, transfer::*,
};
