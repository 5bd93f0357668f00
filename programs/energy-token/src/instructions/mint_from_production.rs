use {
    crate::{Config, EnergyTokenError, ProductionMinted},
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::{
        addresses::{GRID_MINT, MINT_AUTHORITY, TOKEN_2022_ID, TOKEN_CONFIG, TOKEN_CONFIG_BUMP},
        seeds, token,
    },
    pinocchio::cpi::{Seed, Signer as SeedsSigner},
};

#[derive(Accounts)]
pub struct MintFromProduction {
    /// The registry's program-derived signer: no key exists for it, only that program can sign with it.
    #[account(address = MINT_AUTHORITY @ EnergyTokenError::NotRegistry)]
    pub mint_authority: Signer,
    #[account(mut, address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, address = GRID_MINT @ EnergyTokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// The owner's GRID account; the token program checks that it is one.
    #[account(mut)]
    pub destination: UncheckedAccount,
    pub token_program: Program<Token2022>,
}

impl MintFromProduction {
    pub fn run(ctx: &mut Context<Self>, meter: Address, amount: u64) -> Result<()> {
        require!(amount > 0, EnergyTokenError::ZeroAmount);
        let accounts = &mut ctx.accounts;
        let total_minted =
            accounts.config.total_minted.checked_add(amount).ok_or(EnergyTokenError::ArithmeticOverflow)?;
        accounts.config.total_minted = total_minted;
        let bump = [TOKEN_CONFIG_BUMP];
        token::mint_to(
            &TOKEN_2022_ID,
            [&accounts.mint, &accounts.destination, accounts.config.view()],
            amount,
            &[SeedsSigner::from(&[Seed::from(seeds::CONFIG), Seed::from(&bump)])],
        );
        log_event(ProductionMinted {
            meter,
            owner_token_account: *accounts.destination.address(),
            amount,
            total_minted,
        });
        accounts.config.invariant()
    }
}
