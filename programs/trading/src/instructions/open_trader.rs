use {
    crate::{Market, Trader, TradingError},
    anchor_lang::{accounts::Account, find_program_address, prelude::*, programs::AssociatedToken, Id},
    gridtokenx_anchor_shared::{create, Described},
    gridtokenx_shared::{addresses::TOKEN_2022_ID, seeds},
};

#[derive(Accounts)]
pub struct OpenTrader {
    /// Pays the rent of an account that is not there yet.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub wallet: Signer,
    pub market: Account<Market>,
    /// `["trader", wallet]`
    #[account(mut, seeds = [seeds::TRADER, wallet.address().as_ref()], bump)]
    pub trader: Described<Trader>,
    pub system_program: Program<System>,
}

impl OpenTrader {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let bump = ctx.bumps.trader;
        let accounts = &ctx.accounts;
        let (wallet, market) = (*accounts.wallet.address(), &accounts.market);
        let mut trader = if accounts.trader.owned_by(&crate::ID) {
            // SAFETY: no other reference to this account's data exists: no other declared account is a trader, and
            // `load_mut` checks owner and discriminator.
            unsafe { Account::<Trader>::load_mut(*accounts.trader)? }
        } else {
            let address_seeds: [&[u8]; 3] = [seeds::TRADER, wallet.as_ref(), &[bump]];
            let mut trader =
                create::<Trader>(&accounts.payer, &accounts.trader, &address_seeds, TradingError::AccountExists)?;
            trader.wallet = wallet;
            trader.base_account = associated_account(&wallet, &TOKEN_2022_ID, &market.base_mint);
            trader.bump = bump;
            trader
        };
        trader.quote_mint = market.quote_mint;
        trader.quote_account = associated_account(&wallet, &market.quote_token_program, &market.quote_mint);
        Ok(())
    }
}

/// A wallet's associated token account: anybody can create it again if it is closed, always at this address.
#[inline(never)]
fn associated_account(wallet: &Address, token_program: &Address, mint: &Address) -> Address {
    find_program_address(&[wallet.as_ref(), token_program.as_ref(), mint.as_ref()], &AssociatedToken::id()).0
}
