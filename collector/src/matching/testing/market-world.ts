/** A market on a real chain, with wallets that hold GRID and GRX: what the integration tests of matching run in. */
import {
  decodeOrder,
  fetchMarket,
  fetchQuoteMint,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  mintQuote,
  nextOrderId,
  openConnection,
  orderAddress,
  type QuoteMint,
  quoteTokenAccount,
  Side,
  setUpMarket,
  type TradingMarket,
  type TradingOrder,
} from '@gridtokenx/chain';
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createFreezeAccountInstruction,
  createInitializeMint2Instruction,
  createThawAccountInstruction,
  createTransferCheckedInstruction,
  MINT_SIZE,
  TOKEN_PROGRAM_ID,
} from '@solana/spl-token';
import { type Connection, Keypair, PublicKey, SystemProgram } from '@solana/web3.js';
import { ChangeFeed } from '../../feed/index.js';
import type { ChainMirror } from '../../mirror/mirror.js';
import { until, World } from '../../settlement/testing/world.js';
import { LiveBooks } from '../live-book.js';
import { Matching, type MatchingConfig } from '../matching.js';
import type { MatchingObserver } from '../metrics.js';

export const ONE = 1_000_000_000n;
export const LOT = 1_000_000n;
export const TICK = 1_000_000n;
export const FEE_BPS = 100;

/** GRID or GRX from a decimal number with at most three places. */
export const units = (amount: number): bigint => BigInt(Math.round(amount * 1000)) * LOT;

export interface TestOrder {
  owner: Keypair;
  orderId: bigint;
  address: PublicKey;
  side: Side;
}

export class MarketWorld extends World {
  readonly grx = Keypair.generate();
  /** Every wallet that ever held a token here. */
  readonly wallets: PublicKey[] = [];
  private source!: Keypair;
  private mint!: QuoteMint;
  account!: TradingMarket;
  market = '';
  private follower: ChainMirror | undefined;
  private readonly stops: (() => Promise<void>)[] = [];
  private readonly made: TestOrder[] = [];
  /** Waits for a condition; the machine may be slow. */
  readonly until = (condition: () => Promise<boolean>): Promise<void> => until(condition, 120_000);

  /** @param kwh GRID (whole kWh) that exists at the start, up to 100 a meter */
  async startMarket(kwh = 100): Promise<void> {
    await this.start();
    const { connection, authority } = this;
    // As setUpMint makes it, but with somebody who can freeze accounts: such a mint may be anybody's quote token.
    await this.send(
      [
        SystemProgram.createAccount({
          fromPubkey: authority.publicKey,
          newAccountPubkey: this.grx.publicKey,
          lamports: await connection.getMinimumBalanceForRentExemption(MINT_SIZE),
          space: MINT_SIZE,
          programId: TOKEN_PROGRAM_ID,
        }),
        createInitializeMint2Instruction(this.grx.publicKey, 9, authority.publicKey, authority.publicKey),
      ],
      [authority, this.grx],
    );
    const mint = await fetchQuoteMint(connection, this.grx.publicKey);
    if (!mint) throw new Error('there is no GRX');
    this.mint = mint;
    const opened = await setUpMarket(connection, {
      authority,
      guardian: this.guardian.publicKey,
      quoteMint: this.grx.publicKey,
      lotSize: LOT,
      tickSize: TICK,
      feeBps: FEE_BPS,
    });
    this.market = opened.market.toBase58();
    this.account = opened.account;
    this.wallets.push(authority.publicKey);
    this.source = await this.addOwner();
    this.wallets.push(this.source.publicKey);
    const meters = [];
    for (let left = kwh; left > 0; left -= 100) meters.push(await this.addMeter(this.source));
    const mirror = this.mirror();
    await mirror.catchUp();
    await this.measure(meters, '100', '0');
    await this.settlement(mirror).settleNow();
  }

  /** A wallet with this much of both, and an open trader account. */
  async trader({ grid = 0, grx = 0 }: { grid?: number; grx?: number }): Promise<Keypair> {
    const wallet = Keypair.generate();
    await this.fund(wallet, 1);
    const { publicKey } = wallet;
    this.wallets.push(publicKey);
    await this.send(
      [
        createAssociatedTokenAccountIdempotentInstruction(
          this.feePayer.publicKey,
          gridTokenAccount(publicKey),
          publicKey,
          gridMintAddress(),
          GRID_TOKEN_PROGRAM_ID,
        ),
        ...(grid > 0
          ? [
              createTransferCheckedInstruction(
                gridTokenAccount(this.source.publicKey),
                gridMintAddress(),
                gridTokenAccount(publicKey),
                this.source.publicKey,
                units(grid),
                9,
                [],
                GRID_TOKEN_PROGRAM_ID,
              ),
            ]
          : []),
        instructions.openTrader({
          payer: this.feePayer.publicKey,
          wallet: publicKey,
          quoteMint: this.grx.publicKey,
        }),
      ],
      [wallet, ...(grid > 0 ? [this.source] : [])],
    );
    await mintQuote(this.connection, {
      payer: this.feePayer,
      mint: this.mint,
      authority: this.authority,
      to: publicKey,
      amount: units(grx),
    });
    return wallet;
  }

  async order(
    owner: Keypair,
    side: 'sell' | 'buy',
    amount: number,
    price: number,
    { seconds = 86_400 }: { seconds?: number } = {},
  ): Promise<TestOrder> {
    // In a slot of its own: of two orders of one slot the sell order counts as older.
    this.pass(1);
    const orderId = await nextOrderId(this.connection, owner.publicKey);
    const which = side === 'sell' ? Side.Sell : Side.Buy;
    await this.send(
      [
        instructions.createOrder({
          payer: owner.publicKey,
          owner: owner.publicKey,
          market: this.account,
          orderId,
          side: which,
          amount: units(amount),
          price: units(price),
          expiresAt: BigInt(Math.floor(this.now() / 1000) + seconds),
        }),
      ],
      [owner],
    );
    const made = { owner, orderId, side: which, address: orderAddress(owner.publicKey, orderId) };
    this.made.push(made);
    return made;
  }

  async cancel(order: TestOrder): Promise<void> {
    const { owner, orderId, side } = order;
    const ref = { owner: owner.publicKey, orderId, side, rentPayer: owner.publicKey };
    await this.send([instructions.cancelOrder({ market: this.account, order: ref })], [owner]);
  }

  /** Takes back every order that is still there. */
  async cancelAll(): Promise<void> {
    for (const order of this.made.splice(0)) if (await this.accountOf(order)) await this.cancel(order);
  }

  get marketKey(): PublicKey {
    return new PublicKey(this.market);
  }

  quoteAccount(wallet: PublicKey): PublicKey {
    return quoteTokenAccount(this.grx.publicKey, this.account.quoteTokenProgram, wallet);
  }

  /** Freezes an account of GRX, or thaws it. */
  async freeze(account: PublicKey, frozen: boolean): Promise<void> {
    const { publicKey } = this.authority;
    const make = frozen ? createFreezeAccountInstruction : createThawAccountInstruction;
    await this.send([make(account, this.grx.publicKey, publicKey)], [this.authority]);
  }

  async openQuoteAccount(wallet: Keypair): Promise<void> {
    const { publicKey } = wallet;
    const account = this.quoteAccount(publicKey);
    await this.send(
      [
        createAssociatedTokenAccountIdempotentInstruction(
          this.feePayer.publicKey,
          account,
          publicKey,
          this.grx.publicKey,
          this.account.quoteTokenProgram,
        ),
      ],
      [],
    );
  }

  /** Enters wallets into the matcher's lookup table, and returns when they can be used. */
  async growTables(matching: Matching, wallets: readonly Keypair[]): Promise<void> {
    const tables = await matching.tablesFor(this.market, this.account);
    const named = wallets.map(({ publicKey }) => publicKey.toBase58());
    tables.grow(
      named.map((owner) => ({ sell: { owner, rentPayer: owner }, buy: { owner, rentPayer: owner } })),
    );
    await tables.settled();
  }

  /** A connection to the chain on which `before` is asked before each request; what it returns is the answer. */
  intercept(before: (method: string) => Promise<unknown>): Connection {
    const connection = openConnection(this.rpcUrl);
    const rpc = connection as unknown as { _rpcRequest(method: string, args: unknown[]): Promise<unknown> };
    const request = rpc._rpcRequest.bind(rpc);
    rpc._rpcRequest = async (method, args) => {
      const answer = await before(method);
      if (answer === undefined) return request(method, args);
      return { jsonrpc: '2.0', id: '1', result: { context: { slot: 1, apiVersion: '2.0.0' }, ...answer } };
    };
    return connection;
  }

  async accountOf({ address }: TestOrder): Promise<TradingOrder | undefined> {
    const info = await this.connection.getAccountInfo(address, 'confirmed');
    return info && !info.owner.equals(SystemProgram.programId) ? decodeOrder(info.data) : undefined;
  }

  /** Base units; 0 without an account. */
  async grid(wallet: PublicKey): Promise<bigint> {
    return this.tokens(gridTokenAccount(wallet));
  }

  async grxOf(wallet: PublicKey): Promise<bigint> {
    return this.tokens(quoteTokenAccount(this.grx.publicKey, this.account.quoteTokenProgram, wallet));
  }

  private async tokens(account: PublicKey): Promise<bigint> {
    const info = await this.connection.getAccountInfo(account, 'confirmed');
    return info && info.data.length >= 72 ? info.data.readBigUInt64LE(64) : 0n;
  }

  /** What all token accounts of both mints hold together, escrows and treasury included. */
  async sums(): Promise<{ grid: bigint; grx: bigint }> {
    const sum = async (program: PublicKey, mint: PublicKey) => {
      const found = await this.connection.getProgramAccounts(program, {
        commitment: 'confirmed',
        filters: [{ memcmp: { offset: 0, bytes: mint.toBase58() } }],
      });
      return found
        .filter(({ account }) => account.data.length >= 165)
        .reduce((total, { account }) => total + account.data.readBigUInt64LE(64), 0n);
    };
    return {
      grid: await sum(GRID_TOKEN_PROGRAM_ID, gridMintAddress()),
      grx: await sum(this.account.quoteTokenProgram, this.grx.publicKey),
    };
  }

  async marketNow(): Promise<TradingMarket> {
    const market = await fetchMarket(this.connection, this.grx.publicKey);
    if (!market) throw new Error('there is no market');
    return market;
  }

  /** Books and matcher on the world's database, as in a collector. */
  async collector(
    options: {
      config?: MatchingConfig;
      connection?: Connection;
      metrics?: MatchingObserver;
      feePayer?: Keypair;
    } = {},
  ): Promise<{ books: LiveBooks; matching: Matching }> {
    const { pool, logger, now, alerts, databaseUrl } = this;
    const { config = {}, connection = this.connection, metrics, feePayer = this.feePayer } = options;
    const feed = new ChangeFeed({ databaseUrl, logger });
    await feed.start();
    await this.follow();
    const books = new LiveBooks({ pool, feed, logger, now });
    await books.start();
    const matching = new Matching({
      pool,
      connection,
      feePayer,
      logger,
      now,
      alerts,
      config,
      databaseUrl,
      books,
      ...(metrics && { metrics }),
    });
    this.stops.push(async () => {
      await matching.stop();
      await books.stop();
      await feed.stop();
    });
    return { books, matching };
  }

  /** Applies what the chain did since. */
  async follow(books?: LiveBooks): Promise<void> {
    this.follower ??= this.mirror();
    await this.follower.catchUp();
    // The feed tells in its own time.
    await books?.refresh(this.made.map(({ address }) => address.toBase58()));
  }

  /** Ends the collectors. */
  async stopCollectors(): Promise<void> {
    for (const stop of this.stops.splice(0)) await stop();
  }

  override async stop(): Promise<void> {
    await this.stopCollectors();
    await super.stop();
  }
}
