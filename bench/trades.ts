/** How fast orders that cross become trades: matched by a collector, settled on the embedded chain, told to the database. */
import {
  buildSettlement,
  confirmTransaction,
  eventsOf,
  fetchMarket,
  fetchQuoteMint,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  instructions,
  mintQuote,
  ownerMessageFor,
  registerMeter,
  registerUser,
  Side,
  sendAndConfirm,
  sendPrepared,
  setUpMarket,
  setUpMint,
  signMessage,
  TRADING_PROGRAM_ID,
  type TradingMarket,
  verifyUser,
} from '@gridtokenx/chain';
import { encodeReading, NKWH_PER_KWH } from '@gridtokenx/protocol';
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createTransferCheckedInstruction,
} from '@solana/spl-token';
import { type Connection, Keypair, LAMPORTS_PER_SOL, type TransactionInstruction } from '@solana/web3.js';
import pg from 'pg';
import type { Figure } from './report.js';
import { type Stack, until } from './stack.js';
import { percentile } from './statistics.js';

/** 0.001 GRID, and 0.001 GRX for 1 GRID. */
const LOT = NKWH_PER_KWH / 1000n;
const TICK = 1_000_000n;
const PRICE = 3n * NKWH_PER_KWH;
const METERS = 10;
const RATED_WATTS = 100_000;
const METERING_SECONDS = 12;
/** Of each side. */
const WALLETS = 40;
const AT_ONCE = 8;
const DAY = 86_400;

interface Trader {
  wallet: Keypair;
  orders: bigint;
}

/** GRID out of readings, GRX out of its mint, wallets with both. */
class Market {
  account!: TradingMarket;
  private readonly mint = Keypair.generate();
  private readonly owner = Keypair.generate();

  constructor(
    private readonly stack: Stack,
    private readonly connection: Connection,
  ) {}

  async open(): Promise<void> {
    const { connection, mint } = this;
    const { upgradeAuthority, registrar } = this.stack;
    await setUpMint(connection, { payer: upgradeAuthority, mint, authority: registrar.publicKey });
    const { account } = await setUpMarket(connection, {
      authority: upgradeAuthority,
      guardian: registrar.publicKey,
      quoteMint: mint.publicKey,
      lotSize: LOT,
      tickSize: TICK,
      feeBps: 0,
    });
    this.account = account;
  }

  /** Ten big meters produce for some seconds, and what they produced is minted. */
  async produce(): Promise<void> {
    const { connection, owner } = this;
    const { registrar, feePayer } = this.stack;
    await registerUser(connection, { payer: registrar, wallet: owner });
    await verifyUser(connection, { payer: registrar, registrar, wallet: owner.publicKey });
    const start = Math.ceil(Date.now() / 1000);
    const keys = Array.from({ length: METERS }, () => Keypair.generate());
    const idOf = (index: number) => `TRADES-${index + 1}`;
    for (const [index, key] of keys.entries()) {
      const message = await ownerMessageFor(connection, idOf(index), owner.publicKey);
      await registerMeter(connection, {
        payer: registrar,
        owner,
        registrar,
        meterId: idOf(index),
        publicKey: key.publicKey.toBytes(),
        consent: signMessage(key, message),
        ratedWatts: RATED_WATTS,
      });
    }
    const end = Math.ceil(Date.now() / 1000) + METERING_SECONDS;
    await until('the energy', () => Date.now() / 1000 > end + 1);
    const energy = (BigInt(RATED_WATTS * METERING_SECONDS) * NKWH_PER_KWH) / 3_600_000n;
    for (const [index, key] of keys.entries()) {
      const message = encodeReading({
        flags: 0,
        sequence: 1n,
        intervalStart: start,
        intervalEnd: end,
        producedTotal: energy,
        consumedTotal: 0n,
        surplusTotal: energy,
      });
      const prepared = await buildSettlement(connection, {
        feePayer,
        readings: [
          {
            meterId: idOf(index),
            owner: owner.publicKey,
            publicKey: key.publicKey.toBytes(),
            signature: signMessage(key, message),
            message,
          },
        ],
      });
      await sendPrepared(connection, prepared);
      await confirmTransaction(connection, prepared);
    }
  }

  /** A wallet with so much of both. */
  async trader(grid: bigint, grx: bigint): Promise<Trader> {
    const { connection, owner } = this;
    const { feePayer, registrar } = this.stack;
    const wallet = Keypair.generate();
    const { publicKey } = wallet;
    await connection.requestAirdrop(publicKey, LAMPORTS_PER_SOL);
    await this.send(
      [
        createAssociatedTokenAccountIdempotentInstruction(
          feePayer.publicKey,
          gridTokenAccount(publicKey),
          publicKey,
          gridMintAddress(),
          GRID_TOKEN_PROGRAM_ID,
        ),
        createTransferCheckedInstruction(
          gridTokenAccount(owner.publicKey),
          gridMintAddress(),
          gridTokenAccount(publicKey),
          owner.publicKey,
          grid,
          9,
          [],
          GRID_TOKEN_PROGRAM_ID,
        ),
        instructions.openTrader({
          payer: feePayer.publicKey,
          wallet: publicKey,
          quoteMint: this.mint.publicKey,
        }),
      ],
      [wallet, owner],
    );
    const mint = await fetchQuoteMint(connection, this.mint.publicKey);
    if (!mint) throw new Error('there is no GRX');
    await mintQuote(connection, { payer: feePayer, mint, authority: registrar, to: publicKey, amount: grx });
    return { wallet, orders: 0n };
  }

  /** Makes an order of one lot. @returns when it was confirmed, in milliseconds */
  async order(trader: Trader, side: Side): Promise<number> {
    trader.orders += 1n;
    const { publicKey } = trader.wallet;
    const instruction = instructions.createOrder({
      payer: publicKey,
      owner: publicKey,
      market: this.account,
      orderId: trader.orders,
      side,
      amount: LOT,
      price: PRICE,
      expiresAt: BigInt(Math.floor(Date.now() / 1000) + DAY),
    });
    await sendAndConfirm(this.connection, { payer: trader.wallet, instructions: [instruction] });
    return performance.now();
  }

  async check(): Promise<void> {
    const market = await fetchMarket(this.connection, this.mint.publicKey);
    if (!market) throw new Error('there is no market');
  }

  private async send(what: TransactionInstruction[], signers: Keypair[]): Promise<void> {
    await sendAndConfirm(this.connection, { payer: this.stack.feePayer, signers, instructions: what });
  }
}

export async function measureTrades(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  const connection = stack.connection();
  const market = new Market(stack, connection);
  await market.open();
  say(`${METERS} meters produce for ${METERING_SECONDS} s`);
  await market.produce();
  say(`${2 * WALLETS} wallets`);
  const make = () =>
    inParallel(Array.from({ length: WALLETS }), () =>
      market.trader(30n * LOT, (1_000n * PRICE * LOT) / NKWH_PER_KWH),
    );
  const [sellers, buyers] = [await make(), await make()];
  await market.check();

  const seen: { at: number; signature: string }[] = [];
  const subscription = connection.onLogs(
    TRADING_PROGRAM_ID,
    ({ err, logs, signature }) => {
      const at = performance.now();
      for (const { name } of eventsOf({ err, logMessages: logs }).events)
        if (name === 'TradeExecuted') seen.push({ at, signature });
    },
    'confirmed',
  );
  const database = new pg.Client({ connectionString: stack.databaseUrl });
  const told = new Map<string, number>();
  const stops: (() => Promise<void>)[] = [() => connection.removeOnLogsListener(subscription)];
  try {
    const count = quick ? 100 : 800;
    say(`${count} sell orders and ${count} buy orders that cross, before any collector runs`);
    const rounds = Array.from({ length: count }, (_, index) => index);
    await inParallel(rounds, (index) => market.order(sellers[index % WALLETS] as Trader, Side.Sell));
    await inParallel(rounds, (index) => market.order(buyers[index % WALLETS] as Trader, Side.Buy));

    const collector = await stack.startCollector({ settlement: 'interval', settlementSeconds: 3600 });
    stops.push(() => collector.stop());
    await until('the trades', () => seen.length >= count, 300);
    const [first, last] = [seen[0]?.at ?? 0, seen[count - 1]?.at ?? 0];
    const throughput = (count - 1) / ((last - first) / 1000);

    await database.connect();
    stops.push(() => database.end());
    await database.query('LISTEN gtx_changes');
    database.on('notification', ({ payload = '{}' }) => {
      const at = performance.now();
      const { k, id } = JSON.parse(payload) as { k: string; id?: string[] };
      if (k === 'transactions') for (const signature of id ?? []) told.set(signature, at);
    });
    const samples = quick ? 20 : 200;
    say(`${samples} orders one after the other, each with one that waits for it`);
    const toTrade: number[] = [];
    const toDatabase: number[] = [];
    for (let index = 0; index < samples; index += 1) {
      const from = seen.length;
      await market.order(sellers[index % WALLETS] as Trader, Side.Sell);
      const asked = await market.order(buyers[index % WALLETS] as Trader, Side.Buy);
      await until('the trade', () => seen.length > from);
      const trade = seen[from] as (typeof seen)[number];
      toTrade.push(trade.at - asked);
      await until('the row of the trade', () => told.has(trade.signature));
      toDatabase.push((told.get(trade.signature) ?? 0) - trade.at);
    }
    const figure = (name: string, value: number, unit: string, goal?: Figure['goal']): Figure => ({
      benchmark: 'trades',
      name,
      value,
      unit,
      ...(goal && { goal }),
    });
    return [
      figure('trades matched and settled', throughput, '/s', { atLeast: 20 }),
      ...[50, 99].map((percent) =>
        figure(`order to trade, p${percent}`, percentile(toTrade, percent), 'ms', { atMost: 800 }),
      ),
      ...[50, 99].map((percent) =>
        figure(`trade to database, p${percent}`, percentile(toDatabase, percent), 'ms', { atMost: 200 }),
      ),
    ];
  } finally {
    // The subscription first: its socket closes half a second later, and would try to connect again for ever once the
    // chain is gone.
    for (const stop of stops) await stop();
  }
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const todo = items.entries();
  const worker = async () => {
    for (const [index, item] of todo) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
