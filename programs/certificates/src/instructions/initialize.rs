use {
    crate::{CertificatesConfigChanged, CertificatesError, Config},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{
        addresses::{CERTIFICATES_CONFIG, CERTIFICATES_CONFIG_BUMP, CERTIFICATES_PROGRAM_DATA, UPGRADEABLE_LOADER_ID},
        program_data::upgrade_authority,
        seeds,
    },
};

#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority; pays and becomes the admin.
    #[account(mut)]
    pub authority: Signer,
    #[account(mut, address = CERTIFICATES_CONFIG @ CertificatesError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(
        address = CERTIFICATES_PROGRAM_DATA @ CertificatesError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ CertificatesError::WrongProgramData
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
        require!(is_authority, CertificatesError::NotUpgradeAuthority);
        require!(guardian != Address::default(), CertificatesError::AuthorityInvalid);
        let mut config = create::<Config>(
            &accounts.authority,
            &accounts.config,
            &[seeds::CONFIG, &[CERTIFICATES_CONFIG_BUMP]],
            CertificatesError::AlreadyInitialized,
        )?;
        config.admin = *accounts.authority.address();
        config.guardian = guardian;
        config.bump = CERTIFICATES_CONFIG_BUMP;
        emit!(CertificatesConfigChanged::new(&config, Clock::get()?.unix_timestamp));
        config.invariant()
    }
}
