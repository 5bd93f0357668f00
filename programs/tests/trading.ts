/*
 * A market for the program tests of trading: the world of `support.ts` with the trading program, a GRX mint, wallets
 * with both tokens, and orders. Again without the project's own client.
 */
import {
  AccountLayout,
  createAssociatedTokenAccountInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  type ExtensionType,
  getAssociatedTokenAddressSync,
  getMintLen,
  MINT_SIZE,
} from '@solana/spl-token';
import { type AccountMeta, type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { expect } from 'vitest';
import {
  bn,
  call,
  pda,
  program,
  type Result,
  SystemProgram,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
  World,
  type WorldOptions,
} from './support.js';

export const TRADING = program('trading').id;
export const tradingIdl = program('trading').idl;

/** 1 GRID, and 1 GRX, in base units. */
export const ONE = 1_000_000_000n;
export const LOT = 1_000_000n;
export const TICK = 1_000_000n;
export const SELL = 0;
export const BUY = 1;

const findWithBump = (...seeds: Uint8Array[]): [PublicKey, number] =>
  PublicKey.findProgramAddressSync(seeds, TRADING);
const find = (...seeds: Uint8Array[]): PublicKey => findWithBump(...seeds)[0];
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

/** Addresses with their bumps. */
const bumps = {
  order: (owner: PublicKey, id: bigint) => findWithBump(Buffer.from('order'), owner.toBytes(), u64(id)),
  escrow: (order: PublicKey) => findWithBump(Buffer.from('escrow'), order.toBytes()),
};

/** Program-derived addresses of trading. */
export const tradingPda = {
  market: (quoteMint: PublicKey) => find(Buffer.from('market'), quoteMint.toBytes()),
  trader: (wallet: PublicKey) => find(Buffer.from('trader'), wallet.toBytes()),
  order: (owner: PublicKey, id: bigint) => bumps.order(owner, id)[0],
  escrow: (order: PublicKey) => bumps.escrow(order)[0],
};

/** amount x price / 10^9 as the program has to round it. */
export const quoteUp = (amount: bigint, price: bigint): bigint => (amount * price + ONE - 1n) / ONE;
export const quoteDown = (amount: bigint, price: bigint): bigint => (amount * price) / ONE;
export const feeOf = (quote: bigint, bps: number): bigint => (quote * BigInt(bps)) / 10_000n;

/** An order as a test remembers it. */
export interface TestOrder {
  address: PublicKey;
  escrow: PublicKey;
  orderBump: number;
  escrowBump: number;
  owner: Keypair;
  payer: Keypair;
  id: bigint;
  side: number;
  price: bigint;
  amount: bigint;
  expiresAt: bigint;
}

export interface MarketOptions extends WorldOptions {
  feeBps?: number;
  lotSize?: bigint;
  tickSize?: bigint;
  feed?: PublicKey;
  bandBps?: number;
  /** Leaves the market closed. */
  noMarket?: boolean;
  /** GRX is a mint of Token-2022, with these extensions; otherwise of the classic program. */
  quoteExtensions?: MintExtension[];
}

export interface OrderOptions {
  id?: bigint;
  side?: number;
  amount?: bigint;
  price?: bigint;
  expiresAt?: bigint;
  payer?: Keypair;
}

/** An extension of a Token-2022 mint: its type, and what initialises it before the mint itself. */
export interface MintExtension {
  type: ExtensionType;
  initialize: (mint: PublicKey, authority: PublicKey) => TransactionInstruction;
}

type Keys = Record<string, PublicKey>;

const ORACLE_FEED = [69, 191, 16, 227, 132, 187, 84, 227];

export class TradingWorld extends World {
  readonly mintAuthority: Keypair;
  readonly grx: Keypair;
  readonly market: PublicKey;
  readonly treasuryOwner: Keypair;
  treasury: PublicKey;
  feed: PublicKey = PublicKey.default;
  readonly marketGuardian: Keypair;
  readonly #lastIds = new Map<string, bigint>();
  /** The token program of GRX. */
  readonly quoteProgram: PublicKey;

  constructor(options: MarketOptions = {}) {
    super(options);
    this.mintAuthority = this.key();
    this.grx = this.key();
    this.treasuryOwner = this.key();
    this.marketGuardian = this.key();
    this.deploy(TRADING, 'trading');
    this.quoteProgram = options.quoteExtensions ? TOKEN_2022_PROGRAM_ID : TOKEN_PROGRAM_ID;
    this.createMint(this.grx, { extensions: options.quoteExtensions });
    this.market = tradingPda.market(this.grx.publicKey);
    this.treasury = this.createQuoteAccount(this.treasuryOwner.publicKey);
    if (options.noMarket) return;
    this.must([this.createMarket(options)], [this.upgradeAuthority]);
    this.feed = options.feed ?? PublicKey.default;
  }

  // --- tokens

  /** An SPL mint with this world's mint authority. */
  createMint(
    mint: Keypair,
    options: { decimals?: number; freezable?: boolean; extensions?: MintExtension[] | undefined } = {},
  ): void {
    const { decimals = 9, freezable = false, extensions } = options;
    const programId = extensions ? TOKEN_2022_PROGRAM_ID : TOKEN_PROGRAM_ID;
    const space = extensions?.length ? getMintLen(extensions.map(({ type }) => type)) : MINT_SIZE;
    const rent = Number(this.svm.minimumBalanceForRentExemption(BigInt(space)));
    this.must(
      [
        SystemProgram.createAccount({
          fromPubkey: this.payer.publicKey,
          newAccountPubkey: mint.publicKey,
          lamports: rent,
          space,
          programId,
        }),
        ...(extensions ?? []).map(({ initialize }) =>
          initialize(mint.publicKey, this.mintAuthority.publicKey),
        ),
        createInitializeMint2Instruction(
          mint.publicKey,
          decimals,
          this.mintAuthority.publicKey,
          freezable ? this.mintAuthority.publicKey : null,
          programId,
        ),
      ],
      [mint],
    );
  }

  quoteAccount(wallet: PublicKey): PublicKey {
    return getAssociatedTokenAddressSync(this.grx.publicKey, wallet, true, this.quoteProgram);
  }

  createQuoteAccount(wallet: PublicKey): PublicKey {
    const account = this.quoteAccount(wallet);
    this.must([
      createAssociatedTokenAccountInstruction(
        this.payer.publicKey,
        account,
        wallet,
        this.grx.publicKey,
        this.quoteProgram,
      ),
    ]);
    return account;
  }

  mintGrx(wallet: PublicKey, amount: bigint): void {
    if (amount === 0n) return;
    this.must(
      [
        createMintToInstruction(
          this.grx.publicKey,
          this.quoteAccount(wallet),
          this.mintAuthority.publicKey,
          amount,
          [],
          this.quoteProgram,
        ),
      ],
      [this.mintAuthority],
    );
  }

  /** Puts GRID into a wallet's account and into the mint's supply, as if it had been minted for energy. */
  giveGrid(wallet: PublicKey, amount: bigint): void {
    const account = pda.tokenAccount(wallet);
    this.patch(account, 64, this.balance(account) + amount);
    this.patch(pda.mint, 36, this.supply() + amount);
  }

  grid(wallet: PublicKey): bigint {
    return this.balance(pda.tokenAccount(wallet));
  }

  quote(wallet: PublicKey): bigint {
    return this.balance(this.quoteAccount(wallet));
  }

  quoteSupply(): bigint {
    return this.dataOf(this.grx.publicKey).readBigUInt64LE(36);
  }

  /** A funded wallet with both accounts, 100 GRID and 1,000 GRX unless told otherwise. */
  trader(grid = 100n * ONE, grx = 1_000n * ONE): Keypair {
    const wallet = this.key();
    this.fund(wallet.publicKey);
    this.createTokenAccount(wallet.publicKey);
    this.createQuoteAccount(wallet.publicKey);
    if (grid > 0n) this.giveGrid(wallet.publicKey, grid);
    this.mintGrx(wallet.publicKey, grx);
    return wallet;
  }

  lamports(key: PublicKey): bigint {
    return this.account(key)?.lamports ?? 0n;
  }

  rent(bytes: number): bigint {
    return this.svm.minimumBalanceForRentExemption(BigInt(bytes));
  }

  // --- the oracle's feed, as that program writes it

  setFeed(
    key: PublicKey,
    feed: { price: bigint; publishedAt?: number; maxAgeSeconds?: number; paused?: number },
    owner: PublicKey,
  ): void {
    const data = Buffer.alloc(256);
    data.set(ORACLE_FEED, 0);
    data.write('GRX/GRID', 8);
    data.writeBigUInt64LE(feed.price, 24);
    data.writeBigInt64LE(BigInt(feed.publishedAt ?? this.now()), 32);
    data.writeUInt32LE(feed.maxAgeSeconds ?? 300, 40);
    data[44] = feed.paused ?? 0;
    this.setAccount(key, owner, data);
  }

  // --- state

  marketState() {
    return this.decode('trading', 'Market', this.market);
  }

  /** An order's numbers; undefined when it is closed. */
  order(order: TestOrder) {
    const account = this.account(order.address);
    if (!account?.owner.equals(TRADING)) return undefined;
    const raw = this.decode('trading', 'Order', order.address);
    const big = (name: string) => BigInt(raw[name].toString());
    return {
      raw,
      remaining: big('remaining'),
      escrowed: big('escrowed'),
      amount: big('amount'),
      price: big('price'),
      expiresAt: big('expires_at'),
      feeBps: raw.fee_bps as number,
    };
  }

  lastOrderId(wallet: PublicKey): bigint {
    return BigInt(this.decode('trading', 'Trader', tradingPda.trader(wallet)).last_order_id.toString());
  }

  // --- instructions

  createMarket(options: MarketOptions = {}, accounts: Keys = {}): TransactionInstruction {
    return call(
      'trading',
      'create_market',
      {
        guardian: this.marketGuardian.publicKey,
        lot_size: bn(options.lotSize ?? LOT),
        tick_size: bn(options.tickSize ?? TICK),
        fee_bps: options.feeBps ?? 25,
        feed: options.feed ?? PublicKey.default,
        band_bps: options.bandBps ?? 0,
      },
      {
        authority: this.upgradeAuthority.publicKey,
        market: this.market,
        quote_mint: this.grx.publicKey,
        treasury: this.treasury,
        program_data: pda.programData(TRADING),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  createOrder(order: TestOrder, accounts: Keys = {}): TransactionInstruction {
    const owner = order.owner.publicKey;
    return call(
      'trading',
      'create_order',
      {
        order_id: bn(order.id),
        side: order.side,
        amount: bn(order.amount),
        price: bn(order.price),
        expires_at: bn(order.expiresAt),
        order_bump: order.orderBump,
        escrow_bump: order.escrowBump,
      },
      {
        payer: order.payer.publicKey,
        owner,
        market: this.market,
        trader: tradingPda.trader(owner),
        order: order.address,
        escrow: order.escrow,
        source: order.side === SELL ? pda.tokenAccount(owner) : this.quoteAccount(owner),
        mint: order.side === SELL ? pda.mint : this.grx.publicKey,
        token_program: this.programOf(order),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  openTrader(wallet: PublicKey, payer = this.payer.publicKey, accounts: Keys = {}): TransactionInstruction {
    return call(
      'trading',
      'open_trader',
      {},
      {
        payer,
        wallet,
        market: this.market,
        trader: tradingPda.trader(wallet),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  /** The token program of what an order offers. */
  programOf(order: Pick<TestOrder, 'side'>): PublicKey {
    return order.side === SELL ? TOKEN_2022_PROGRAM_ID : this.quoteProgram;
  }

  matchOrder(
    taker: PublicKey,
    order: TestOrder,
    args: { price?: bigint; amount?: bigint; minAmount?: bigint; maxFeeBps?: number } = {},
    accounts: Keys = {},
  ): TransactionInstruction {
    const owner = order.owner.publicKey;
    const [grid, quote] = [(wallet: PublicKey) => pda.tokenAccount(wallet), this.quoteAccount.bind(this)];
    // What the order offers, and what it wants.
    const [offered, wanted] = order.side === SELL ? [grid, quote] : [quote, grid];
    return call(
      'trading',
      'match_order',
      {
        price: bn(args.price ?? order.price),
        amount: bn(args.amount ?? order.amount),
        min_amount: bn(args.minAmount ?? args.amount ?? order.amount),
        max_fee_bps: args.maxFeeBps ?? 1_000,
      },
      {
        taker,
        market: this.market,
        order: order.address,
        escrow: order.escrow,
        taker_source: wanted(taker),
        taker_destination: offered(taker),
        maker_destination: wanted(owner),
        maker_refund: offered(owner),
        treasury: this.treasury,
        rent_payer: order.payer.publicKey,
        feed: this.feed,
        base_token_program: TOKEN_2022_PROGRAM_ID,
        quote_token_program: this.quoteProgram,
        ...accounts,
      },
    );
  }

  /** The nine accounts of a pair. */
  pairAccounts(sell: TestOrder, buy: TestOrder): AccountMeta[] {
    return [
      sell.address,
      sell.escrow,
      buy.address,
      buy.escrow,
      this.quoteAccount(sell.owner.publicKey),
      pda.tokenAccount(buy.owner.publicKey),
      this.quoteAccount(buy.owner.publicKey),
      sell.payer.publicKey,
      buy.payer.publicKey,
    ].map((pubkey) => ({ pubkey, isSigner: false, isWritable: true }));
  }

  crossOrders(
    pairs: [sell: TestOrder, buy: TestOrder][],
    accounts: Keys = {},
    remaining: AccountMeta[] = pairs.flatMap(([sell, buy]) => this.pairAccounts(sell, buy)),
  ): TransactionInstruction {
    return call(
      'trading',
      'cross_orders',
      {},
      {
        market: this.market,
        treasury: this.treasury,
        feed: this.feed,
        base_token_program: TOKEN_2022_PROGRAM_ID,
        quote_token_program: this.quoteProgram,
        ...accounts,
      },
      remaining,
    );
  }

  /** Where what is left of an order goes: the owner's associated account of what is escrowed. */
  refundAccount(order: TestOrder): PublicKey {
    const owner = order.owner.publicKey;
    return order.side === SELL ? pda.tokenAccount(owner) : this.quoteAccount(owner);
  }

  cancelOrder(order: TestOrder, accounts: Keys = {}): TransactionInstruction {
    return call(
      'trading',
      'cancel_order',
      {},
      {
        owner: order.owner.publicKey,
        order: order.address,
        escrow: order.escrow,
        destination: this.refundAccount(order),
        rent_payer: order.payer.publicKey,
        token_program: this.programOf(order),
        ...accounts,
      },
    );
  }

  expireOrder(order: TestOrder, accounts: Keys = {}): TransactionInstruction {
    return call(
      'trading',
      'expire_order',
      {},
      {
        order: order.address,
        escrow: order.escrow,
        destination: this.refundAccount(order),
        rent_payer: order.payer.publicKey,
        token_program: this.programOf(order),
        ...accounts,
      },
    );
  }

  marketAdmin(
    name: 'propose_admin' | 'set_guardian' | 'set_fee' | 'set_band',
    args: Record<string, unknown>,
    admin: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('trading', name, args, { admin, market: this.market, ...accounts });
  }

  acceptMarketAdmin(newAdmin: PublicKey, accounts: Keys = {}): TransactionInstruction {
    return call('trading', 'accept_admin', {}, { new_admin: newAdmin, market: this.market, ...accounts });
  }

  setTreasury(
    treasury: PublicKey,
    admin: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('trading', 'set_treasury', {}, { admin, market: this.market, treasury, ...accounts });
  }

  pauseMarket(
    paused: boolean,
    authority: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('trading', 'set_paused', { paused }, { authority, market: this.market, ...accounts });
  }

  // --- stories

  /** An order that has not been sent: 10 GRID at 3 GRX for a day, with the owner's next id. */
  planned(owner: Keypair, options: OrderOptions = {}): TestOrder {
    const key = owner.publicKey.toBase58();
    const id = options.id ?? (this.#lastIds.get(key) ?? 0n) + 1n;
    const [address, orderBump] = bumps.order(owner.publicKey, id);
    const [escrow, escrowBump] = bumps.escrow(address);
    return {
      address,
      escrow,
      orderBump,
      escrowBump,
      owner,
      payer: options.payer ?? this.payer,
      id,
      side: options.side ?? SELL,
      amount: options.amount ?? 10n * ONE,
      price: options.price ?? 3n * ONE,
      expiresAt: options.expiresAt ?? BigInt(this.now() + 86_400),
    };
  }

  /** Places an order, which has to be accepted. */
  place(owner: Keypair, options: OrderOptions = {}): TestOrder {
    const order = this.planned(owner, options);
    this.open(owner);
    this.must([this.createOrder(order)], [order.payer, owner]);
    this.#lastIds.set(owner.publicKey.toBase58(), order.id);
    return order;
  }

  /** Opens a wallet's trader account for this market unless it is open. */
  open(wallet: Keypair): void {
    const account = this.account(tradingPda.trader(wallet.publicKey));
    const mint = account && this.decode('trading', 'Trader', tradingPda.trader(wallet.publicKey)).quote_mint;
    if (!this.grx.publicKey.equals(mint ?? PublicKey.default))
      this.must([this.openTrader(wallet.publicKey)], [wallet]);
  }

  /** Notes that an id is used, for tests that send `createOrder` themselves. */
  used(order: TestOrder): void {
    this.#lastIds.set(order.owner.publicKey.toBase58(), order.id);
  }

  sell(owner: Keypair, options: OrderOptions = {}): TestOrder {
    return this.place(owner, { ...options, side: SELL });
  }

  buy(owner: Keypair, options: OrderOptions = {}): TestOrder {
    return this.place(owner, { ...options, side: BUY });
  }

  /** Moves to the next slot: orders of one slot have no age. */
  nextSlot(): void {
    this.setClock(this.now());
  }

  /** Writes a token account's state: 1 initialised, 2 frozen. Who freezes GRX is somebody else's affair. */
  setState(tokenAccount: PublicKey, state: number): void {
    const account = this.account(tokenAccount);
    if (!account) throw new Error('no such account');
    account.data[108] = state;
    this.setAccount(tokenAccount, account.owner, account.data);
  }

  tokenOwner(tokenAccount: PublicKey): PublicKey {
    return AccountLayout.decode(this.dataOf(tokenAccount)).owner;
  }

  /** The one event of a transaction, which has this name. */
  event(result: Result, name: string) {
    expect(result.events.map((event) => event.name)).toEqual([name]);
    return plain(result.events[0]?.data);
  }
}

/** An event's fields with bigint for numbers of anchor's and base58 for keys. */
export function plain(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data)
      .filter(([name]) => name !== 'padding')
      .map(([name, value]) => [
        name,
        value instanceof PublicKey
          ? value.toBase58()
          : typeof value === 'object' && value !== null && 'toArrayLike' in value
            ? BigInt(value.toString())
            : value,
      ]),
  );
}
