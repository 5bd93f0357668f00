use {
    crate::{limits::*, GovernanceError},
    anchor_lang::prelude::*,
};

/// What a proposal can change of governance itself, beside the guardian. Proposals keep what held when their voting
/// began.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy)]
pub struct Settings {
    /// Base units of GOV that a proposer has deposited; at most a tenth of all.
    pub proposal_deposit: u64,
    /// How long is voted: 60 s to 90 days.
    pub voting_seconds: u32,
    /// From the end of voting until execution: up to 90 days.
    pub timelock_seconds: u32,
    /// From then on, how long execution is possible: 60 s to 90 days.
    pub execution_seconds: u32,
    /// How long the guardian's pause lasts: 60 s to 30 days.
    pub pause_seconds: u32,
    /// The share of the supply that has to vote, abstentions counted, rounded up: 1 to 5,000.
    pub quorum_bps: u16,
    /// More than this share of yes and no has to be yes: 5,000 to 9,999.
    pub threshold_bps: u16,
}

impl Settings {
    /// `supply` is all GOV there was at the start.
    pub fn require_valid(&self, supply: u64) -> Result<()> {
        let within = |value: u32, least: u32, most: u32| value >= least && value <= most;
        require!(
            self.proposal_deposit >= 1
                && self.proposal_deposit <= supply / PROPOSAL_DEPOSIT_PART
                && within(self.voting_seconds, MIN_VOTING_SECONDS, MAX_VOTING_SECONDS)
                && self.timelock_seconds <= MAX_TIMELOCK_SECONDS
                && within(self.execution_seconds, MIN_EXECUTION_SECONDS, MAX_EXECUTION_SECONDS)
                && within(self.pause_seconds, MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
                && self.quorum_bps >= 1
                && self.quorum_bps <= MAX_QUORUM_BPS
                && self.threshold_bps >= MIN_THRESHOLD_BPS
                && self.threshold_bps <= MAX_THRESHOLD_BPS,
            GovernanceError::SettingsInvalid
        );
        Ok(())
    }
}

/// Governance's settings, guardian and totals. `["config"]`
#[account]
pub struct Config {
    /// Can only pause, for a bounded time.
    pub guardian: Address,
    /// Base units of GOV that were minted at initialisation, once and for all.
    pub supply: u64,
    /// The sum of all deposits; the vault holds at least this.
    pub deposited: u64,
    /// Proposals ever made; the next one has this number plus 1.
    pub proposals: u64,
    /// Until this time nothing is proposed, activated or executed.
    pub paused_until: i64,
    /// From this time on the guardian can pause again.
    pub pause_allowed_at: i64,
    pub proposal_deposit: u64,
    pub voting_seconds: u32,
    pub timelock_seconds: u32,
    pub execution_seconds: u32,
    pub pause_seconds: u32,
    pub quorum_bps: u16,
    pub threshold_bps: u16,
    pub bump: u8,
    pub padding: [u8; 3],
    /// Room for what comes later without moving accounts.
    pub reserved: [u8; 64],
}

impl Config {
    pub fn settings(&self) -> Settings {
        Settings {
            proposal_deposit: self.proposal_deposit,
            voting_seconds: self.voting_seconds,
            timelock_seconds: self.timelock_seconds,
            execution_seconds: self.execution_seconds,
            pause_seconds: self.pause_seconds,
            quorum_bps: self.quorum_bps,
            threshold_bps: self.threshold_bps,
        }
    }

    pub fn apply(&mut self, settings: &Settings) {
        self.proposal_deposit = settings.proposal_deposit;
        self.voting_seconds = settings.voting_seconds;
        self.timelock_seconds = settings.timelock_seconds;
        self.execution_seconds = settings.execution_seconds;
        self.pause_seconds = settings.pause_seconds;
        self.quorum_bps = settings.quorum_bps;
        self.threshold_bps = settings.threshold_bps;
    }

    #[inline(always)]
    pub fn require_running(&self, now: i64) -> Result<()> {
        require!(now >= self.paused_until, GovernanceError::Paused);
        Ok(())
    }

    /// How long a proposal takes from its activation to the end of its execution window.
    pub fn cycle_seconds(&self) -> i64 {
        // Each is at most 90 days.
        (self.voting_seconds as i64)
            .wrapping_add(self.timelock_seconds as i64)
            .wrapping_add(self.execution_seconds as i64)
    }

    /// The guardian's pause. It ends by itself, and the next one waits until a proposal, to name another guardian for
    /// example, had the time to pass.
    pub fn pause(&mut self, now: i64) -> Result<()> {
        require!(now >= self.pause_allowed_at, GovernanceError::PauseTooSoon);
        self.paused_until = now.checked_add(self.pause_seconds as i64).ok_or(GovernanceError::ArithmeticOverflow)?;
        self.pause_allowed_at =
            self.paused_until.checked_add(self.cycle_seconds()).ok_or(GovernanceError::ArithmeticOverflow)?;
        Ok(())
    }

    /// Called at the end of each instruction that changes the configuration.
    pub fn invariant(&self) -> Result<()> {
        require!(
            self.guardian != Address::default()
                && self.deposited <= self.supply
                && self.paused_until <= self.pause_allowed_at
                && self.settings().require_valid(self.supply).is_ok(),
            GovernanceError::InvariantViolated
        );
        Ok(())
    }
}
