use {
    crate::{clock::now, Config, GovernanceError, GovernancePaused},
    anchor_lang::{accounts::Account, prelude::*},
    gridtokenx_shared::addresses::GOVERNANCE_CONFIG,
};

#[derive(Accounts)]
pub struct Pause {
    #[account(address = config.guardian @ GovernanceError::NotGuardian)]
    pub guardian: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: Account<Config>,
}

impl Pause {
    pub fn run(ctx: &mut Context<Self>) -> Result<()> {
        let timestamp = now()?;
        let config = &mut ctx.accounts.config;
        config.pause(timestamp)?;
        emit!(GovernancePaused {
            guardian: config.guardian,
            paused_until: config.paused_until,
            pause_allowed_at: config.pause_allowed_at,
            timestamp,
        });
        config.invariant()
    }
}
