use {
    anchor_lang::{find_program_address, prelude::*, programs::AssociatedToken, Id},
    gridtokenx_shared::addresses::{GRID_MINT, TOKEN_2022_ID},
};

/// A wallet's associated GRID account: the only place where its meters' GRID is minted to.
pub fn grid_token_account(wallet: &Address) -> Address {
    find_program_address(&[wallet.as_ref(), TOKEN_2022_ID.as_ref(), GRID_MINT.as_ref()], &AssociatedToken::id()).0
}
