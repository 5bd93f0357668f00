use {
    crate::{Config, ConfigChanged, Policy, RegistryError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{
        addresses::{
            MINT_AUTHORITY_BUMP, REGISTRY_CONFIG, REGISTRY_CONFIG_BUMP, REGISTRY_PROGRAM_DATA, UPGRADEABLE_LOADER_ID,
        },
        program_data::upgrade_authority,
        seeds,
    },
};

pub struct InitializeArgs {
    pub network: [u8; 32],
    pub policy: u8,
    pub registrar: Address,
    pub guardian: Address,
    pub max_rated_watts: u32,
}

#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority; pays and becomes the admin.
    #[account(mut)]
    pub authority: Signer,
    #[account(mut, address = REGISTRY_CONFIG @ RegistryError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(
        address = REGISTRY_PROGRAM_DATA @ RegistryError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ RegistryError::WrongProgramData
    )]
    pub program_data: UncheckedAccount,
    pub system_program: Program<System>,
}

impl Initialize {
    pub fn run(ctx: &mut Context<Self>, args: InitializeArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let is_authority = {
            let data = accounts.program_data.try_borrow()?;
            upgrade_authority(&data) == Some(accounts.authority.address().as_array())
        };
        require!(is_authority, RegistryError::NotUpgradeAuthority);
        require!(Policy::from_code(args.policy).is_some(), RegistryError::PolicyInvalid);
        require!(args.max_rated_watts > 0, RegistryError::LimitInvalid);
        let zero = Address::default();
        require!(args.registrar != zero && args.guardian != zero, RegistryError::AuthorityInvalid);

        let mut config = create::<Config>(
            &accounts.authority,
            &accounts.config,
            &[seeds::CONFIG, &[REGISTRY_CONFIG_BUMP]],
            RegistryError::AlreadyInitialized,
        )?;
        config.admin = *accounts.authority.address();
        config.registrar = args.registrar;
        config.guardian = args.guardian;
        config.network = args.network;
        config.policy = args.policy;
        config.max_rated_watts = args.max_rated_watts;
        config.bump = REGISTRY_CONFIG_BUMP;
        config.mint_authority_bump = MINT_AUTHORITY_BUMP;
        emit!(ConfigChanged::from(&*config));
        config.invariant()
    }
}
