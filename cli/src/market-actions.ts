import { existsSync } from 'node:fs';
import {
  assertChecks,
  bandOf,
  type ChainEvent,
  chainTime,
  checkBand,
  decodeSymbol,
  eventsOf,
  type Found,
  fetchAllOrders,
  fetchMarketFeed,
  fetchTokenAmounts,
  governanceAddress,
  gridTokenAccount,
  instructions,
  type MarketCheck,
  type MarketPlan,
  marketAddress,
  planCancel,
  planExpire,
  planOrder,
  planTake,
  priceOf,
  publishersOf,
  quoteOf,
  quoteTokenAccount,
  readKeypairFile,
  Side,
  sendAndConfirm,
  setUpMarket,
  type TradingMarket,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import { type Connection, type Keypair, LAMPORTS_PER_SOL, type PublicKey } from '@solana/web3.js';
import { connectTo, loadKey, loadPayer, parsePublicKey, type Result } from './chain-actions.js';
import { giveGrx } from './demo-market.js';
import { keyPath } from './keys.js';
import { decimal } from './market/amount.js';
import { CollectorLists, type ListedLevel, type Source } from './market/collector.js';
import { type Asked, askOnce, type Intent } from './market/journal.js';
import {
  findMarket,
  findOrders,
  isNone,
  isoTime,
  levelsOf,
  listedOrder,
  ownerOfOrder,
  sideName,
  tradesFromChain,
} from './market/view.js';
import type { Json } from './output.js';
import type { Targets } from './targets.js';

/** A result; `shown` is called when it has been printed. */
export interface MarketResult extends Result {
  readonly shown?: () => void;
}

export interface SigningOptions {
  readonly market: string | undefined;
  readonly keypair: string | undefined;
  readonly payerKey: string | undefined;
  readonly progress: (text: string) => void;
}

interface Signing {
  readonly connection: Connection;
  readonly wallet: Keypair;
  /** With a key file of one's own the wallet itself, else the data folder's fee payer. */
  readonly payer: Keypair;
}

function signing(targets: Targets, { keypair, payerKey }: SigningOptions): Signing {
  const { layout } = targets;
  const wallet = loadKey(layout, 'owner', keypair);
  const payer =
    payerKey === undefined && keypair !== undefined
      ? wallet
      : loadPayer(layout, payerKey, ['feePayer', 'owner']);
  return { connection: connectTo(targets), wallet, payer };
}

/** Checks, sends and remembers: see {@link askOnce}. */
async function ask(
  targets: Targets,
  { connection, wallet, payer }: Signing,
  intent: Record<string, string | undefined>,
  progress: (text: string) => void,
  plan: () => Promise<MarketPlan>,
): Promise<Asked> {
  return await askOnce({
    connection,
    folder: targets.layout.market,
    wallet: wallet.publicKey.toBase58(),
    intent: Object.fromEntries(Object.entries(intent).filter(([, value]) => value !== undefined)) as Intent,
    progress,
    send: async (onSigned) => {
      const { checks, instructions } = await plan();
      assertChecks(checks);
      for (const { message } of checks) progress(`checked: ${message}`);
      return await sendAndConfirm(connection, { payer, signers: [wallet], instructions, onSigned });
    },
  });
}

type EventNamed<Name extends ChainEvent['name']> = Extract<ChainEvent, { name: Name }>;

/** What a transaction of ours did, by the event that it must have. */
async function eventOf<Name extends ChainEvent['name']>(
  connection: Connection,
  signature: string,
  name: Name,
): Promise<EventNamed<Name>['data']> {
  let events: readonly ChainEvent[];
  try {
    const transaction = await connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    ({ events } = eventsOf(transaction?.meta ?? undefined));
  } catch (error) {
    throw toChainError(error, { signature });
  }
  const found = events.find((event): event is EventNamed<Name> => event.name === name);
  if (found === undefined)
    throw new GtxError('CHAIN_UNAVAILABLE', `the node does not show what transaction ${signature} did`, {
      signature,
    });
  return found.data as EventNamed<Name>['data'];
}

const done = ({ repeated }: Asked): string =>
  repeated ? '  (an earlier, interrupted command had done this; nothing was done twice)\n' : '';
const transaction = (signature: string): string => `  transaction ${signature}`;

export async function createOrder(
  targets: Targets,
  options: SigningOptions & {
    side: 'sell' | 'buy';
    amount: bigint;
    price: bigint;
    /** Seconds. */
    lifetime: bigint;
  },
): Promise<MarketResult> {
  const { progress, amount, price, lifetime } = options;
  const keys = signing(targets, options);
  const { connection, wallet, payer } = keys;
  const market = await findMarket(connection, targets.layout, options.market);
  const side = options.side === 'sell' ? Side.Sell : Side.Buy;
  const intent = {
    command: 'create-order',
    market: market.address.toBase58(),
    side: options.side,
    amount: decimal(amount),
    price: decimal(price),
    lifetime: `${lifetime}s`,
  };
  const asked = await ask(targets, keys, intent, progress, () =>
    planOrder(connection, {
      market: market.account,
      payer: payer.publicKey,
      owner: wallet.publicKey,
      side,
      amount,
      price,
      lifetimeSeconds: lifetime,
    }),
  );
  const made = await eventOf(connection, asked.signature, 'OrderCreated');
  const note = await bandNote(connection, market, made.price);
  const total = quoteOf(made.amount, made.price, made.side === Side.Sell ? 'down' : 'up');
  const owner = made.owner.toBase58();
  return {
    shown: asked.shown,
    json: {
      changed: !asked.repeated,
      market: market.address.toBase58(),
      order: made.order.toBase58(),
      order_id: made.orderId.toString(),
      owner,
      side: sideName(made.side),
      amount: nkwhToKwh(made.amount),
      price: nkwhToKwh(made.price),
      total: nkwhToKwh(total),
      escrowed: nkwhToKwh(made.escrowed),
      expires_at: isoTime(made.expiresAt),
      note: note ?? null,
      signature: asked.signature,
    },
    text: `${[
      `Order ${made.orderId}: ${sideName(made.side)} ${nkwhToKwh(made.amount)} GRID at ${nkwhToKwh(made.price)} GRX, ${nkwhToKwh(total)} GRX in all.`,
      `  ${nkwhToKwh(made.escrowed)} ${made.side === Side.Sell ? 'GRID' : 'GRX'} of ${owner} are in its escrow until ${isoTime(made.expiresAt)}`,
      ...(note === undefined ? [] : [`  note: ${note}`]),
      `  another wallet takes it with: gtx match-order --order-id ${made.orderId} --seller ${owner}`,
    ].join('\n')}\n${done(asked)}${transaction(asked.signature)}`,
  };
}

/** Why nobody could take an order of this price now; undefined when they can. */
async function bandNote(
  connection: Connection,
  market: Found<TradingMarket>,
  price: bigint,
): Promise<string | undefined> {
  const feed = await fetchMarketFeed(connection, market.account);
  const check = checkBand(price, bandOf(market.account, feed, await chainTime(connection)));
  return check.ok ? undefined : check.message;
}

export async function matchOrder(
  targets: Targets,
  options: SigningOptions & {
    orderId: bigint;
    seller: string | undefined;
    amount: bigint | undefined;
    minAmount: bigint | undefined;
    maxPrice: bigint | undefined;
    minPrice: bigint | undefined;
  },
): Promise<MarketResult> {
  const { progress, orderId, seller, amount, minAmount, maxPrice, minPrice } = options;
  const keys = signing(targets, options);
  const { connection, wallet, payer } = keys;
  const market = await findMarket(connection, targets.layout, options.market);
  const given = (value: bigint | undefined) => (value === undefined ? undefined : decimal(value));
  const intent = {
    command: 'match-order',
    market: market.address.toBase58(),
    order: orderId.toString(),
    of: seller,
    amount: given(amount),
    at_least: given(minAmount),
    max_price: given(maxPrice),
    min_price: given(minPrice),
  };
  const asked = await ask(targets, keys, intent, progress, async () => {
    const owner = await ownerOfOrder(connection, market.address, orderId, seller, wallet.publicKey);
    const plan = await planTake(connection, {
      market: market.account,
      payer: payer.publicKey,
      taker: wallet.publicKey,
      owner,
      orderId,
      amount,
      minAmount,
    });
    return { ...plan, checks: [...plan.checks, ...limitCheck(plan.order, maxPrice, minPrice)] };
  });
  const trade = await eventOf(connection, asked.signature, 'TradeExecuted');
  const bought = trade.takerSide === Side.Buy;
  const closed = bought ? trade.sellClosed : trade.buyClosed;
  const left = bought ? trade.sellRemaining : trade.buyRemaining;
  const [seller58, buyer58] = [trade.seller.toBase58(), trade.buyer.toBase58()];
  return {
    shown: asked.shown,
    json: {
      changed: !asked.repeated,
      market: market.address.toBase58(),
      order_id: orderId.toString(),
      side: bought ? 'buy' : 'sell',
      seller: seller58,
      buyer: buyer58,
      amount: nkwhToKwh(trade.amount),
      price: nkwhToKwh(trade.price),
      paid: nkwhToKwh(trade.quote),
      fee: nkwhToKwh(trade.fee),
      order_left: nkwhToKwh(left),
      order_closed: closed,
      signature: asked.signature,
    },
    text: `${[
      `${bought ? 'Bought' : 'Sold'} ${nkwhToKwh(trade.amount)} GRID at ${nkwhToKwh(trade.price)} GRX.`,
      `  ${buyer58} paid ${nkwhToKwh(trade.quote)} GRX`,
      `  ${seller58} received ${nkwhToKwh(trade.quote - trade.fee)} GRX${trade.fee > 0n ? `, the market ${nkwhToKwh(trade.fee)} GRX as its fee` : ''}`,
      `  ${closed ? `order ${orderId} is filled` : `${nkwhToKwh(left)} GRID of order ${orderId} are left`}`,
    ].join('\n')}\n${done(asked)}${transaction(asked.signature)}`,
  };
}

/** The limit that fits the side that is taken; the other one would be a mistake. */
function limitCheck(
  { side, price }: { side: number; price: bigint },
  maxPrice: bigint | undefined,
  minPrice: bigint | undefined,
): MarketCheck[] {
  const sells = side === Side.Sell;
  const refused = (message: string): MarketCheck[] => [
    { check: 'price', ok: false, code: 'VALUE_INVALID', message },
  ];
  if ((sells ? minPrice : maxPrice) !== undefined)
    return refused(
      sells
        ? 'the order sells, so this wallet buys: give --max-price, not --min-price'
        : 'the order buys, so this wallet sells: give --min-price, not --max-price',
    );
  const limit = sells ? maxPrice : minPrice;
  if (limit === undefined) return [];
  const message = `the order’s price is ${nkwhToKwh(price)} GRX, the limit ${decimal(limit)} GRX`;
  if (sells ? price > limit : price < limit) return refused(message);
  return [{ check: 'price', ok: true, message }];
}

export async function cancelOrder(
  targets: Targets,
  options: SigningOptions & { orderId: bigint },
): Promise<MarketResult> {
  const { progress, orderId } = options;
  const keys = signing(targets, options);
  const { connection, wallet, payer } = keys;
  const market = await findMarket(connection, targets.layout, options.market);
  const owner = wallet.publicKey;
  const intent = {
    command: 'cancel-order',
    market: market.address.toBase58(),
    order: orderId.toString(),
  };
  const asked = await ask(targets, keys, intent, progress, async () => {
    try {
      return await planCancel(connection, {
        market: market.account,
        payer: payer.publicKey,
        owner,
        orderId,
      });
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'ORDER_CLOSED') throw error;
      throw (await belongsToOthers(connection, market.address, orderId, owner)) ?? error;
    }
  });
  const gone = await eventOf(connection, asked.signature, 'OrderCancelled');
  const token = gone.side === Side.Sell ? 'GRID' : 'GRX';
  return {
    shown: asked.shown,
    json: {
      changed: !asked.repeated,
      order: gone.order.toBase58(),
      order_id: orderId.toString(),
      owner: gone.owner.toBase58(),
      refunded: nkwhToKwh(gone.refunded),
      token,
      signature: asked.signature,
    },
    text: `Cancelled order ${orderId}; ${nkwhToKwh(gone.refunded)} ${token} came back.\n${done(asked)}${transaction(asked.signature)}`,
  };
}

/** The error when an order of this id is there, but another wallet's. */
async function belongsToOthers(
  connection: Connection,
  market: PublicKey,
  orderId: bigint,
  owner: PublicKey,
): Promise<GtxError | undefined> {
  const found = await findOrders(connection, market, orderId, owner);
  const owners = found.map(({ account }) => account.owner.toBase58());
  return owners.length === 0
    ? undefined
    : new GtxError(
        'FORBIDDEN',
        `order ${orderId} belongs to ${owners.join(' and ')}: only its owner’s key (--keypair) can cancel it`,
        { owners },
      );
}

export async function expireOrder(
  targets: Targets,
  options: Omit<SigningOptions, 'keypair'> & { orderId: bigint; seller: string | undefined },
): Promise<MarketResult> {
  const { layout } = targets;
  const { orderId, seller } = options;
  const connection = connectTo(targets);
  const payer = loadPayer(layout, options.payerKey, ['feePayer', 'owner']);
  const market = await findMarket(connection, layout, options.market);
  const owner = await ownerOfOrder(connection, market.address, orderId, seller, market.account.quoteMint);
  // Repeating it does nothing: a returned order is gone.
  const plan = await planExpire(connection, {
    market: market.account,
    payer: payer.publicKey,
    owner,
    orderId,
  });
  const { signature } = await sendAndConfirm(connection, { payer, instructions: plan.instructions });
  const gone = await eventOf(connection, signature, 'OrderExpired');
  const token = gone.side === Side.Sell ? 'GRID' : 'GRX';
  return {
    json: {
      order: gone.order.toBase58(),
      order_id: orderId.toString(),
      owner: owner.toBase58(),
      refunded: nkwhToKwh(gone.refunded),
      token,
      signature,
    },
    text: `Returned the expired order ${orderId}: ${nkwhToKwh(gone.refunded)} ${token} went back to ${owner.toBase58()}.\n${transaction(signature)}`,
  };
}

// --- lists

export interface ListOptions {
  readonly market: string | undefined;
  readonly source: 'auto' | 'collector' | 'chain';
}

/** What a list is asked of: the chain, and a collector that knows the market, where one answers and may be asked. */
async function listing(
  targets: Targets,
  { market: named, source }: ListOptions,
): Promise<{ connection: Connection; market: Found<TradingMarket>; collector: CollectorLists | undefined }> {
  const connection = connectTo(targets);
  const market = await findMarket(connection, targets.layout, named);
  const collector =
    source === 'chain' ? undefined : await CollectorLists.open(targets.httpUrl, market.address.toBase58());
  if (source === 'collector' && collector === undefined) throw noCollector(targets);
  return { connection, market, collector };
}

const noCollector = (targets: Targets): GtxError =>
  new GtxError(
    'COLLECTOR_UNAVAILABLE',
    `no collector that knows this market answers at ${new URL(targets.httpUrl).origin}; --source chain asks the chain`,
  );

async function chainSource(targets: Targets, connection: Connection): Promise<Source> {
  try {
    return {
      from: 'chain',
      url: new URL(targets.rpcUrl).origin,
      slot: await connection.getSlot('confirmed'),
    };
  } catch (error) {
    throw toChainError(error);
  }
}

const sourceJson = ({ from, url, slot }: Source): Json => ({ from, url, slot });
const sourceText = ({ from, url, slot }: Source): string =>
  `(from the ${from}, ${url}${slot === null ? '' : `, slot ${slot}`})`;

/** Columns as wide as their widest cell; the named ones to the right. */
function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[],
): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const walletOf = (targets: Targets, wallet: string | undefined, keypair: string | undefined): PublicKey =>
  wallet === undefined ? loadKey(targets.layout, 'owner', keypair).publicKey : parsePublicKey(wallet);

export async function listOrders(
  targets: Targets,
  options: ListOptions & {
    wallet: string | undefined;
    keypair: string | undefined;
    all: boolean;
    status: 'open' | 'filled' | 'cancelled' | 'expired' | undefined;
    limit: number;
  },
): Promise<Result> {
  const { status, limit, all } = options;
  const owner = all ? undefined : walletOf(targets, options.wallet, options.keypair).toBase58();
  const { connection, market, collector } = await listing(targets, options);
  let listed = await collector?.orders({ owner, status, limit });
  if (listed === undefined) {
    if (options.source === 'collector') throw noCollector(targets);
    if (status === 'cancelled')
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        'the chain keeps no orders that are closed: only a collector knows them, and none answers',
      );
    const [source, found, now] = await Promise.all([
      chainSource(targets, connection),
      fetchAllOrders(connection, market.address),
      chainTime(connection),
    ]);
    const value = found
      .filter(({ account }) => owner === undefined || account.owner.toBase58() === owner)
      .sort((one, other) => Number(other.account.createdSlot - one.account.createdSlot))
      .map((order) => listedOrder(order, now))
      .filter((order) => status === undefined || order.status === status)
      .slice(0, limit);
    listed = { source, value };
  }
  const { source, value } = listed;
  return {
    json: {
      market: market.address.toBase58(),
      owner: owner ?? null,
      source: sourceJson(source),
      orders: value.map(
        ({
          address,
          owner: of,
          order_id,
          side,
          price,
          amount,
          remaining,
          status: is,
          expires_at,
          created_at,
        }) => ({
          address,
          owner: of,
          order_id,
          side,
          price,
          amount,
          remaining,
          status: is,
          expires_at,
          created_at,
        }),
      ),
    },
    text: [
      value.length === 0
        ? owner === undefined
          ? 'There are no such orders.'
          : `${owner} has no such orders.`
        : columns(
            ['id', 'side', 'left', 'of', 'price', 'status', 'expires', 'owner'],
            value.map((order) => [
              order.order_id,
              order.side,
              order.remaining,
              order.amount,
              order.price,
              order.status,
              order.expires_at.slice(0, 19).concat('Z'),
              order.owner,
            ]),
            [0, 2, 3, 4],
          ),
      sourceText(source),
    ].join('\n'),
  };
}

export async function showBook(targets: Targets, options: ListOptions & { depth: number }): Promise<Result> {
  const { connection, market, collector } = await listing(targets, options);
  let listed = await collector?.book(options.depth);
  if (listed === undefined) {
    if (options.source === 'collector') throw noCollector(targets);
    const [source, found, now] = await Promise.all([
      chainSource(targets, connection),
      fetchAllOrders(connection, market.address),
      chainTime(connection),
    ]);
    const orders = found.map(({ account }) => account);
    listed = { source, value: levelsOf(orders, now, options.depth) };
  }
  const { source, value } = listed;
  const rows = (levels: readonly ListedLevel[], side: string) =>
    levels.map(({ price, amount, orders }) => [side, price, amount, String(orders)]);
  return {
    json: {
      market: market.address.toBase58(),
      source: sourceJson(source),
      asks: value.asks.map(({ price, amount, orders }) => ({ price, amount, orders })),
      bids: value.bids.map(({ price, amount, orders }) => ({ price, amount, orders })),
    },
    text: [
      value.asks.length + value.bids.length === 0
        ? 'The book is empty.'
        : columns(
            ['', 'GRX for 1 GRID', 'GRID', 'orders'],
            // The best prices meet in the middle, as on any screen of a market.
            [...rows([...value.asks].reverse(), 'sell'), ...rows(value.bids, 'buy')],
            [1, 2, 3],
          ),
      sourceText(source),
    ].join('\n'),
  };
}

export async function listTrades(
  targets: Targets,
  options: ListOptions & {
    wallet: string | undefined;
    keypair: string | undefined;
    all: boolean;
    limit: number;
  },
): Promise<Result> {
  const { limit, all } = options;
  const wallet = all ? undefined : walletOf(targets, options.wallet, options.keypair).toBase58();
  const { connection, market, collector } = await listing(targets, options);
  let listed = await collector?.trades({ wallet, limit });
  if (listed === undefined) {
    if (options.source === 'collector') throw noCollector(targets);
    const source = await chainSource(targets, connection);
    listed = { source, value: await tradesFromChain(connection, market.address, wallet, limit) };
  }
  const { source, value } = listed;
  return {
    json: {
      market: market.address.toBase58(),
      wallet: wallet ?? null,
      source: sourceJson(source),
      trades: value.map(
        ({ signature, seller, buyer, taker_side, price, amount, quote, fee, executed_at }) => ({
          signature,
          seller,
          buyer,
          taker_side,
          price,
          amount,
          paid: quote,
          fee,
          executed_at,
        }),
      ),
    },
    text: [
      value.length === 0
        ? 'There are no such trades.'
        : columns(
            ['time', 'GRID', 'price', 'GRX', 'seller', 'buyer'],
            value.map((trade) => [
              trade.executed_at.slice(0, 19).concat('Z'),
              trade.amount,
              trade.price,
              trade.quote,
              trade.seller,
              trade.buyer,
            ]),
            [1, 2, 3],
          ),
      sourceText(source),
    ].join('\n'),
  };
}

export async function showBalances(
  targets: Targets,
  options: { market: string | undefined; wallet: string | undefined; keypair: string | undefined },
): Promise<Result> {
  const connection = connectTo(targets);
  const wallet = walletOf(targets, options.wallet, options.keypair);
  const market = await findMarket(connection, targets.layout, options.market);
  const { quoteMint, quoteTokenProgram } = market.account;
  const [{ slot, amounts }, found, lamports] = await Promise.all([
    fetchTokenAmounts(connection, [
      gridTokenAccount(wallet),
      quoteTokenAccount(quoteMint, quoteTokenProgram, wallet),
    ]),
    fetchAllOrders(connection, market.address),
    connection.getBalance(wallet, 'confirmed').catch((error: unknown) => {
      throw toChainError(error);
    }),
  ]);
  const own = found.map(({ account }) => account).filter(({ owner }) => owner.equals(wallet));
  const inOrders = (side: Side) =>
    own.filter((order) => order.side === side).reduce((total, { escrowed }) => total + escrowed, 0n);
  const of = (amount: bigint | undefined, side: Side) => {
    const escrowed = inOrders(side);
    return {
      amount: decimal(amount ?? 0n),
      in_orders: decimal(escrowed),
      total: decimal((amount ?? 0n) + escrowed),
    };
  };
  const grid = of(amounts[0], Side.Sell);
  const grx = of(amounts[1], Side.Buy);
  const sol = lamports / LAMPORTS_PER_SOL;
  const source: Source = { from: 'chain', url: new URL(targets.rpcUrl).origin, slot };
  return {
    json: {
      wallet: wallet.toBase58(),
      market: market.address.toBase58(),
      source: sourceJson(source),
      grid,
      grx,
      sol: decimal(BigInt(lamports)),
    },
    text: [
      wallet.toBase58(),
      columns(
        ['', 'in the wallet', 'in orders', 'total'],
        [
          ['GRID', grid.amount, grid.in_orders, grid.total],
          ['GRX', grx.amount, grx.in_orders, grx.total],
          ['SOL', String(sol), '', String(sol)],
        ],
        [1, 2, 3],
      ),
      sourceText(source),
    ].join('\n'),
  };
}

export async function showPrice(targets: Targets, options: ListOptions): Promise<Result> {
  const { connection, market, collector } = await listing(targets, options);
  const [feed, now, guide, source] = await Promise.all([
    fetchMarketFeed(connection, market.account),
    chainTime(connection),
    collector?.guide(),
    chainSource(targets, connection),
  ]);
  const current = feed && priceOf(feed, now);
  const band = bandOf(market.account, feed, now);
  const range = typeof band === 'string' ? undefined : band;
  return {
    json: {
      market: market.address.toBase58(),
      source: sourceJson(source),
      feed:
        feed === undefined
          ? null
          : {
              address: market.account.feed.toBase58(),
              symbol: decodeSymbol(feed.symbol),
              price: feed.price === 0n ? null : nkwhToKwh(feed.price),
              counts: current !== undefined,
              paused: feed.paused,
              published_at: feed.publishedAt === 0n ? null : isoTime(feed.publishedAt),
              fresh_until: current === undefined ? null : isoTime(current.freshUntil),
              publishers: publishersOf(feed).length,
            },
      band: range === undefined ? null : { lowest: decimal(range.lowest), highest: decimal(range.highest) },
      guide:
        guide === undefined
          ? null
          : { price: guide.price, imbalance_bps: guide.imbalance_bps, tariff_bps: guide.tariff_bps },
    },
    text: [
      feed === undefined
        ? 'The market has no price feed.'
        : current === undefined
          ? `The feed ${decodeSymbol(feed.symbol)} has no price that counts now${feed.paused ? ': it is paused' : ''}.`
          : `${nkwhToKwh(current.price)} GRX for 1 kWh (feed ${decodeSymbol(feed.symbol)}, published ${isoTime(current.publishedAt)}, counts until ${isoTime(current.freshUntil)}).`,
      ...(range === undefined
        ? []
        : [`  trades are possible from ${decimal(range.lowest)} to ${decimal(range.highest)} GRX`]),
      ...(guide === undefined ? [] : [`  the collector’s guide: ${guide.price} GRX`]),
      sourceText(source),
    ].join('\n'),
  };
}

// --- the market itself

function marketJson({ address, account }: Found<TradingMarket>): { readonly [key: string]: Json } {
  return {
    address: address.toBase58(),
    quote_mint: account.quoteMint.toBase58(),
    lot_size: decimal(account.lotSize),
    tick_size: decimal(account.tickSize),
    fee_bps: account.feeBps,
    band_bps: account.bandBps,
    feed: isNone(account.feed) ? null : account.feed.toBase58(),
    treasury: account.treasury.toBase58(),
    admin: account.admin.toBase58(),
    guardian: account.guardian.toBase58(),
    paused: account.paused,
  };
}

function marketText({ address, account }: Found<TradingMarket>): string {
  return [
    `  market     ${address.toBase58()}${account.paused ? ' (paused)' : ''}`,
    `  paid with  ${account.quoteMint.toBase58()}`,
    `  amounts are multiples of ${decimal(account.lotSize)} GRID, prices of ${decimal(account.tickSize)} GRX`,
    `  fee ${account.feeBps / 100} % of what the seller gets, to ${account.treasury.toBase58()}`,
    isNone(account.feed)
      ? '  trades at any price'
      : `  trades within ${account.bandBps / 100} % of the price of feed ${account.feed.toBase58()}`,
    `  admin ${account.admin.toBase58()}, guardian ${account.guardian.toBase58()}`,
  ].join('\n');
}

export async function showMarket(targets: Targets, options: { market: string | undefined }): Promise<Result> {
  const market = await findMarket(connectTo(targets), targets.layout, options.market);
  return { json: marketJson(market), text: `GRID against GRX\n${marketText(market)}` };
}

export async function openMarket(
  targets: Targets,
  options: {
    quoteMint: string;
    lot: bigint;
    tick: bigint;
    feeBps: number;
    feed: string | undefined;
    bandBps: number | undefined;
    treasuryOwner: string | undefined;
    guardian: string | undefined;
    upgradeAuthorityKey: string | undefined;
  },
): Promise<Result> {
  const { layout } = targets;
  const { quoteMint, lot, tick, feeBps, feed, bandBps, treasuryOwner } = options;
  if ((feed === undefined) !== (bandBps === undefined))
    throw new GtxError('VALUE_INVALID', 'a price band needs both --feed and --band-bps');
  const connection = connectTo(targets);
  const authority = loadKey(layout, 'upgradeAuthority', options.upgradeAuthorityKey);
  const guardian =
    options.guardian === undefined
      ? loadKey(layout, 'guardian', undefined).publicKey
      : parsePublicKey(options.guardian);
  const result = await setUpMarket(connection, {
    authority,
    guardian,
    quoteMint: parsePublicKey(quoteMint),
    treasuryOwner: treasuryOwner === undefined ? undefined : parsePublicKey(treasuryOwner),
    lotSize: lot,
    tickSize: tick,
    feeBps,
    feed: feed === undefined ? undefined : parsePublicKey(feed),
    bandBps,
  });
  const market = { address: marketAddress(result.account.quoteMint), account: result.account };
  return {
    json: {
      changed: result.changed,
      ...marketJson(market),
      differences: result.differences.map((one) => ({ ...one })),
      ...(result.signature === undefined ? {} : { signature: result.signature }),
    },
    text: [
      result.changed ? 'Opened the market.' : 'There is such a market already; nothing was changed.',
      marketText(market),
      ...result.differences.map(
        ({ setting, wanted, actual }) =>
          `  note: ${setting} is ${actual} on the chain, not ${wanted}; it stays so`,
      ),
      ...(result.signature === undefined ? [] : [transaction(result.signature)]),
    ].join('\n'),
  };
}

/** Names the market's next admin, who has to accept: governance does it by a proposal. */
export async function handOverMarket(
  targets: Targets,
  options: { market: string | undefined; to: string; adminKey: string | undefined },
): Promise<Result> {
  const connection = connectTo(targets);
  const market = await findMarket(connection, targets.layout, options.market);
  const admin = loadKey(targets.layout, 'upgradeAuthority', options.adminKey);
  const newAdmin = options.to === 'governance' ? governanceAddress() : parsePublicKey(options.to);
  if (!market.account.admin.equals(admin.publicKey))
    throw new GtxError(
      'FORBIDDEN',
      `only the market’s admin (${market.account.admin.toBase58()}) can do this`,
    );
  let signature: string | undefined;
  if (!market.account.pendingAdmin.equals(newAdmin))
    ({ signature } = await sendAndConfirm(connection, {
      payer: admin,
      instructions: [
        instructions.proposeMarketAdmin({ admin: admin.publicKey, market: market.address, newAdmin }),
      ],
    }));
  return {
    json: {
      changed: signature !== undefined,
      market: market.address.toBase58(),
      pending_admin: newAdmin.toBase58(),
      ...(signature === undefined ? {} : { signature }),
    },
    text: [
      `${newAdmin.toBase58()} becomes the market’s admin once it accepts${options.to === 'governance' ? ': by a proposal with {"do":"accept-market-admin"}' : ''}.`,
      ...(signature === undefined ? [] : [transaction(signature)]),
    ].join('\n'),
  };
}

export async function faucet(
  targets: Targets,
  options: { to: string | undefined; amount: bigint },
): Promise<Result> {
  const { layout, rpcUrl } = targets;
  const { amount } = options;
  if (amount === 0n) throw new GtxError('VALUE_INVALID', 'the amount is above zero');
  const connection = connectTo(targets);
  const to = walletOf(targets, options.to, undefined);
  const missing = (['grxMint', 'grxAuthority'] as const).filter((role) => !existsSync(keyPath(layout, role)));
  if (missing.length > 0)
    throw new GtxError(
      'NOT_FOUND',
      'this data folder has no demo GRX: gtx up or gtx chain init make it on the embedded chain',
    );
  const { signature, balance, lamports } = await giveGrx(connection, rpcUrl, {
    payer: loadPayer(layout, undefined, ['feePayer', 'upgradeAuthority']),
    mint: readKeypairFile(keyPath(layout, 'grxMint')).publicKey,
    authority: readKeypairFile(keyPath(layout, 'grxAuthority')),
    to,
    amount,
  });
  return {
    json: {
      wallet: to.toBase58(),
      given: decimal(amount),
      balance: decimal(balance),
      sol: decimal(BigInt(lamports)),
      signature,
    },
    text: `${decimal(amount)} GRX for ${to.toBase58()}, which has ${decimal(balance)} GRX and ${decimal(BigInt(lamports))} SOL now.\n${transaction(signature)}`,
  };
}
