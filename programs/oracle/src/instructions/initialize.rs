use {
    crate::{clock::now, Config, OracleChanged, OracleError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{
        addresses::{ORACLE_CONFIG, ORACLE_CONFIG_BUMP, ORACLE_PROGRAM_DATA, UPGRADEABLE_LOADER_ID},
        program_data::upgrade_authority,
        seeds,
    },
};

#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority; pays and becomes the oracle's authority.
    #[account(mut)]
    pub authority: Signer,
    #[account(mut, address = ORACLE_CONFIG @ OracleError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(
        address = ORACLE_PROGRAM_DATA @ OracleError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ OracleError::WrongProgramData
    )]
    pub program_data: UncheckedAccount,
    pub system_program: Program<System>,
}

impl Initialize {
    pub fn run(ctx: &mut Context<Self>, guardian: Address) -> Result<()> {
        let accounts = &ctx.accounts;
        let is_authority = {
            let data = accounts.program_data.try_borrow()?;
            upgrade_authority(&data) == Some(accounts.authority.address().as_array())
        };
        require!(is_authority, OracleError::NotUpgradeAuthority);
        require!(guardian != Address::default(), OracleError::AuthorityInvalid);
        let mut config = create::<Config>(
            &accounts.authority,
            &accounts.config,
            &[seeds::CONFIG, &[ORACLE_CONFIG_BUMP]],
            OracleError::AlreadyInitialized,
        )?;
        config.authority = *accounts.authority.address();
        config.guardian = guardian;
        config.bump = ORACLE_CONFIG_BUMP;
        emit!(OracleChanged::new(&config, now()?));
        config.invariant()
    }
}
