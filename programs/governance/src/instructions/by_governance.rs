use {
    crate::{clock::now, Config, GovernanceChanged, GovernanceError, Settings},
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_shared::addresses::{GOVERNANCE_CONFIG, GOVERNANCE_SIGNER},
};

/// `set_settings` and `set_guardian`: by a proposal alone. Only `execute_instruction` signs with the governance address.
#[derive(Accounts)]
pub struct ByGovernance {
    #[account(address = GOVERNANCE_SIGNER @ GovernanceError::NotGovernance)]
    pub governance: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
}

impl ByGovernance {
    pub fn set_settings(ctx: &mut Context<Self>, settings: Settings) -> Result<()> {
        let config = &mut ctx.accounts.config;
        settings.require_valid(config.supply)?;
        config.apply(&settings);
        Self::finish(ctx)
    }

    pub fn set_guardian(ctx: &mut Context<Self>, new_guardian: Address) -> Result<()> {
        require!(new_guardian != Address::default(), GovernanceError::AuthorityInvalid);
        let config = &mut ctx.accounts.config;
        config.guardian = new_guardian;
        // The wait after a pause keeps one guardian from stopping everything for good; a new one has not paused.
        config.pause_allowed_at = config.paused_until;
        Self::finish(ctx)
    }

    fn finish(ctx: &mut Context<Self>) -> Result<()> {
        let config = &ctx.accounts.config;
        emit!(GovernanceChanged::new(config, now()?));
        config.invariant()
    }
}
