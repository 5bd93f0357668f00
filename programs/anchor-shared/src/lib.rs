//! What the programs do alike with Anchor. What needs no Anchor is in `gridtokenx-shared`.
#![no_std]

mod create;
mod described;
mod events;

pub use {create::*, described::*, events::*};
