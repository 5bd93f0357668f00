use {
    crate::{clock::now, spl::DECIMALS, Market, MarketChanged, TradingError},
    anchor_lang::prelude::*,
    gridtokenx_anchor_shared::create,
    gridtokenx_shared::{
        addresses::{GRID_MINT, TRADING_PROGRAM_DATA, UPGRADEABLE_LOADER_ID},
        program_data::upgrade_authority,
        seeds,
        token::{self, MintKind},
    },
};

pub struct MarketArgs {
    pub guardian: Address,
    pub lot_size: u64,
    pub tick_size: u64,
    pub fee_bps: u16,
    pub feed: Address,
    pub band_bps: u16,
}

#[derive(Accounts)]
pub struct CreateMarket {
    /// The program's upgrade authority; pays and becomes the market's admin.
    #[account(mut)]
    pub authority: Signer,
    #[account(mut, seeds = [seeds::MARKET, quote_mint.address().as_ref()], bump)]
    pub market: UncheckedAccount,
    /// GRX: a mint of the classic token program or of Token-2022 with nine decimals, and no extension but metadata.
    pub quote_mint: UncheckedAccount,
    /// A token account of the quote mint; receives the fees.
    pub treasury: UncheckedAccount,
    #[account(
        address = TRADING_PROGRAM_DATA @ TradingError::WrongProgramData,
        owner = UPGRADEABLE_LOADER_ID @ TradingError::WrongProgramData
    )]
    pub program_data: UncheckedAccount,
    pub system_program: Program<System>,
}

impl CreateMarket {
    pub fn run(ctx: &mut Context<Self>, args: MarketArgs) -> Result<()> {
        let bump = ctx.bumps.market;
        let accounts = &ctx.accounts;
        let is_authority = {
            let data = accounts.program_data.try_borrow()?;
            upgrade_authority(&data) == Some(accounts.authority.address().as_array())
        };
        require!(is_authority, TradingError::NotUpgradeAuthority);
        let quote_mint = *accounts.quote_mint.address();
        let quote_token_program = match token::mint_kind(&accounts.quote_mint) {
            (MintKind::Plain(program), DECIMALS) if quote_mint != GRID_MINT => program,
            (MintKind::Extended, _) => return Err(TradingError::QuoteMintExtended.into()),
            _ => return Err(TradingError::QuoteMintInvalid.into()),
        };
        let usable = token::is_usable_of(&accounts.treasury, &quote_token_program, &quote_mint);
        require!(usable, TradingError::TreasuryInvalid);
        require!(args.guardian != Address::default(), TradingError::AuthorityInvalid);
        Market::fee(args.fee_bps)?;

        let mut market = create::<Market>(
            &accounts.authority,
            &accounts.market,
            &[seeds::MARKET, quote_mint.as_ref(), &[bump]],
            TradingError::MarketExists,
        )?;
        let timestamp = now()?.seconds;
        market.admin = *accounts.authority.address();
        market.guardian = args.guardian;
        market.base_mint = GRID_MINT;
        market.quote_mint = quote_mint;
        market.quote_token_program = quote_token_program;
        market.treasury = *accounts.treasury.address();
        market.feed = args.feed;
        market.lot_size = args.lot_size;
        market.tick_size = args.tick_size;
        market.created_at = timestamp;
        market.fee_bps = args.fee_bps;
        market.band_bps = args.band_bps;
        market.bump = bump;
        market.require_lot_and_tick()?;
        market.require_band()?;
        emit!(MarketChanged::new(market.address(), &market, timestamp));
        market.invariant()
    }
}
