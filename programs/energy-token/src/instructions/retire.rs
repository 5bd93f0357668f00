use {
    crate::{Config, EnergyRetired, EnergyTokenError},
    anchor_lang::{prelude::*, programs::Token2022},
    gridtokenx_anchor_shared::log_event,
    gridtokenx_shared::{
        addresses::{GRID_MINT, REGISTRY_ID, TOKEN_2022_ID, TOKEN_CONFIG},
        meter_layout::{METER_DISCRIMINATOR, METER_OWNER_OFFSET},
        token,
    },
};

#[derive(Accounts)]
pub struct Retire {
    pub owner: Signer,
    #[account(mut, address = TOKEN_CONFIG @ EnergyTokenError::WrongConfig)]
    pub config: Account<Config>,
    #[account(mut, address = GRID_MINT @ EnergyTokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// A GRID account of the signer; the token program checks mint, owner and balance.
    #[account(mut)]
    pub token_account: UncheckedAccount,
    pub token_program: Program<Token2022>,
    /// The registry's account of the meter where the energy was consumed.
    #[account(owner = REGISTRY_ID @ EnergyTokenError::WrongMeter)]
    pub meter: UncheckedAccount,
}

impl Retire {
    pub fn run(ctx: &mut Context<Self>, amount: u64) -> Result<()> {
        require!(amount > 0, EnergyTokenError::ZeroAmount);
        let accounts = &mut ctx.accounts;
        {
            let data = accounts.meter.try_borrow()?;
            require!(
                data.len() >= METER_OWNER_OFFSET + 32 && data[..8] == METER_DISCRIMINATOR,
                EnergyTokenError::WrongMeter
            );
            require!(
                data[METER_OWNER_OFFSET..METER_OWNER_OFFSET + 32] == accounts.owner.address().as_array()[..],
                EnergyTokenError::NotMeterOwner
            );
        }
        token::burn(&TOKEN_2022_ID, [&accounts.token_account, &accounts.mint, &accounts.owner], amount);
        let config = &mut accounts.config;
        let total_burned = config.total_burned.checked_add(amount).ok_or(EnergyTokenError::ArithmeticOverflow)?;
        let total_retired = config.total_retired.checked_add(amount).ok_or(EnergyTokenError::ArithmeticOverflow)?;
        config.total_burned = total_burned;
        config.total_retired = total_retired;
        log_event(EnergyRetired {
            meter: *accounts.meter.address(),
            owner: *accounts.owner.address(),
            token_account: *accounts.token_account.address(),
            amount,
            total_burned,
            total_retired,
        });
        accounts.config.invariant()
    }
}
