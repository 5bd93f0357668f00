use anchor_lang::prelude::*;

#[error_code]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub enum GovernanceError {
    // Configuration and roles
    #[msg("only the program's upgrade authority can initialise")]
    NotUpgradeAuthority,
    #[msg("governance is initialised already")]
    AlreadyInitialized,
    #[msg("not governance's configuration")]
    WrongConfig,
    #[msg("not the GOV mint")]
    WrongMint,
    #[msg("not the vault")]
    WrongVault,
    #[msg("not the program data account of this program")]
    WrongProgramData,
    #[msg("a setting is outside its range")]
    SettingsInvalid,
    #[msg("an authority cannot be the zero address")]
    AuthorityInvalid,
    #[msg("GOV needs a supply of at least ten base units")]
    SupplyInvalid,
    #[msg("only an executed proposal can do this")]
    NotGovernance,
    #[msg("only the guardian can do this")]
    NotGuardian,
    #[msg("governance is paused")]
    Paused,
    #[msg("the guardian can pause again only after a proposal had the time to pass")]
    PauseTooSoon,

    // Deposits
    #[msg("the amount must be above zero")]
    AmountZero,
    #[msg("more than is deposited")]
    DepositTooSmall,
    #[msg("nothing is deposited for this wallet")]
    NotDeposited,
    #[msg("not this wallet's voter account")]
    WrongVoter,
    #[msg("the deposit is held by open votes or proposals: close them first")]
    DepositLocked,
    #[msg("something is deposited still")]
    DepositLeft,
    #[msg("the token account is missing, frozen, or not the wallet's")]
    TokenAccountUnusable,
    #[msg("the account exists already")]
    AccountExists,

    // Proposals
    #[msg("the deposit is less than a proposal needs")]
    ProposalDepositTooSmall,
    #[msg("not the address of the next proposal")]
    WrongProposal,
    #[msg("there is no such proposal: it was closed")]
    ProposalClosed,
    #[msg("title and URI are UTF-8, zero-padded, and the title is not empty")]
    TextInvalid,
    #[msg("only the proposer can do this")]
    NotProposer,
    #[msg("the proposal is no longer a draft")]
    NotDraft,
    #[msg("the proposal holds no instruction")]
    NoInstructions,
    #[msg("one to eight instructions")]
    TooManyInstructions,
    #[msg("the instruction names too many accounts or too much data, or its account flags mean nothing")]
    InstructionInvalid,
    #[msg("only the governance address can sign for an instruction")]
    SignerForbidden,
    #[msg("a proposal cannot name the vault or itself")]
    AccountForbidden,
    #[msg("of governance itself a proposal can change the settings and the guardian, nothing else")]
    SelfCallForbidden,
    #[msg("the instructions are not those that the proposer named")]
    HashMismatch,
    #[msg("the rent is paid by, and goes back to, whoever paid for the proposal")]
    WrongRentPayer,

    // Voting
    #[msg("choice 0 is no, 1 yes, 2 abstain")]
    ChoiceInvalid,
    #[msg("the proposal is not being voted on")]
    NotVoting,
    #[msg("voting has not ended")]
    VotingOpen,
    #[msg("voting has ended")]
    VotingEnded,
    #[msg("not this wallet's vote on this proposal")]
    WrongVote,

    // Execution
    #[msg("the proposal has not passed")]
    NotQueued,
    #[msg("the timelock has not run out")]
    Timelocked,
    #[msg("the proposal was not executed in time")]
    Expired,
    #[msg("not the proposal's next instruction")]
    WrongInstruction,
    #[msg("not the program that the instruction names")]
    WrongProgram,
    #[msg("not the accounts that the instruction names")]
    WrongAccounts,
    #[msg("the proposal can still come to something")]
    NotFinished,

    // Arithmetic
    #[msg("a number would pass its range")]
    ArithmeticOverflow,
    #[msg("the account's numbers contradict each other")]
    InvariantViolated,
}
