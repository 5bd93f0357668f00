//! Program ids and fixed program-derived addresses, worked out by `build.rs` from `GTX_REGISTRY_ID`,
//! `GTX_ENERGY_TOKEN_ID` and so on, one for each program (defaults in that file).

use solana_address::Address;

include!(concat!(env!("OUT_DIR"), "/addresses.rs"));
