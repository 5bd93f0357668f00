use {
    crate::{
        clock::now,
        limits::PROPOSAL_DEPOSIT_PART,
        spl::{self, Associated},
        Config, GovernanceChanged, GovernanceError, Settings,
    },
    anchor_lang::{prelude::*, programs::AssociatedToken, Id},
    gridtokenx_anchor_shared::{allocate, create, Allocation},
    gridtokenx_shared::{
        addresses::{
            GOVERNANCE_CONFIG, GOVERNANCE_CONFIG_BUMP, GOVERNANCE_PROGRAM_DATA, GOV_MINT, GOV_MINT_BUMP, GOV_VAULT,
            GOV_VAULT_BUMP, UPGRADEABLE_LOADER_ID,
        },
        program_data::upgrade_authority,
        seeds,
    },
};

pub struct InitializeArgs {
    pub settings: Settings,
    pub guardian: Address,
    pub supply: u64,
}

#[derive(Accounts)]
pub struct Initialize {
    /// The program's upgrade authority; pays.
    #[account(mut, unsafe(dup))]
    pub authority: Signer,
    #[account(mut, address = GOVERNANCE_CONFIG @ GovernanceError::WrongConfig)]
    pub config: UncheckedAccount,
    #[account(mut, address = GOV_MINT @ GovernanceError::WrongMint)]
    pub mint: UncheckedAccount,
    #[account(mut, address = GOV_VAULT @ GovernanceError::WrongVault)]
    pub vault: UncheckedAccount,
    /// The wallet that receives all GOV.
    pub owner: UncheckedAccount,
    /// Its associated GOV account; made here.
    #[account(mut)]
    pub owner_token_account: UncheckedAccount,
    #[account(
        address = GOVERNANCE_PROGRAM_DATA @ GovernanceError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ GovernanceError::WrongProgramData
    )]
    pub program_data: UncheckedAccount,
    pub token_program: Program<Token>,
    pub associated_token_program: Program<AssociatedToken>,
    pub system_program: Program<System>,
}

impl Initialize {
    pub fn run(ctx: &mut Context<Self>, args: InitializeArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let is_authority = {
            let data = accounts.program_data.try_borrow()?;
            upgrade_authority(&data) == Some(accounts.authority.address().as_array())
        };
        require!(is_authority, GovernanceError::NotUpgradeAuthority);
        let zero = Address::default();
        require!(args.guardian != zero && *accounts.owner.address() != zero, GovernanceError::AuthorityInvalid);
        require!(args.supply >= PROPOSAL_DEPOSIT_PART, GovernanceError::SupplyInvalid);
        args.settings.require_valid(args.supply)?;

        let mut config = create::<Config>(
            &accounts.authority,
            &accounts.config,
            &[seeds::CONFIG, &[GOVERNANCE_CONFIG_BUMP]],
            GovernanceError::AlreadyInitialized,
        )?;
        config.guardian = args.guardian;
        config.supply = args.supply;
        config.bump = GOVERNANCE_CONFIG_BUMP;
        config.apply(&args.settings);

        let token = Token::id();
        for (target, space, seed, bump) in [
            (&accounts.mint, spl::MINT_BYTES, seeds::MINT, GOV_MINT_BUMP),
            (&accounts.vault, spl::ACCOUNT_BYTES, seeds::VAULT, GOV_VAULT_BUMP),
        ] {
            allocate(
                &Allocation {
                    payer: &accounts.authority,
                    target,
                    space,
                    owner: &token,
                    address_seeds: &[seed, &[bump]],
                },
                GovernanceError::AlreadyInitialized,
            )?;
        }
        spl::initialize_mint(&accounts.mint);
        spl::initialize_vault(&accounts.vault, &accounts.mint);
        Associated {
            payer: &accounts.authority,
            account: &accounts.owner_token_account,
            wallet: &accounts.owner,
            mint: &accounts.mint,
            system_program: &accounts.system_program,
            token_program: &accounts.token_program,
        }
        .create();
        spl::mint_once(&accounts.mint, &accounts.owner_token_account, args.supply);
        emit!(GovernanceChanged::new(&config, now()?));
        config.invariant()
    }
}
