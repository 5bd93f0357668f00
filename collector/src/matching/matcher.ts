import type { PreparedTransaction, Resolution } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import { PACKET_DATA_SIZE } from '@solana/web3.js';
import type { Logger } from 'pino';
import {
  isBookEvent,
  type OrderState,
  type PlannedPair,
  type PlannedTransaction,
  packLimits,
  packPairs,
  planPairs,
} from '../market/index.js';
import type { Effects, MatchingChain } from './chain.js';
import type { LiveBooks } from './live-book.js';
import type { MatchingObserver } from './metrics.js';
import { type MarketTerms, type MarketWait, orderFinding } from './preflight.js';
import type { MarketInfo } from './rows.js';
import type { MatchingItem, MatchingStore, OpenMatching } from './store.js';
import type { MatchingTables } from './tables.js';
import type { Told } from './told.js';

export interface MatcherOptions {
  books: LiveBooks;
  chain: MatchingChain;
  store: MatchingStore;
  told: Told;
  /** The lookup tables of a market. */
  tables: (address: string, terms: MarketTerms) => Promise<MatchingTables>;
  /** Base58: pays, and may do nothing else. */
  feePayer: string;
  logger: Logger;
  observer: MatchingObserver;
  /** Unix milliseconds. */
  now: () => number;
  /** Whether anything may still be sent: this collector matches, and is not stopping. */
  mayWork: () => boolean;
  /** Told when the fee payer cannot pay, and why. Never throws. */
  onUnpaid: (reason: string) => Promise<void>;
  /** Told whether orders of a market cross that cannot trade, and why. Never throws. */
  onHalted: (market: string, wait: MarketWait | undefined) => Promise<void>;
  /** Returns expired orders of markets. */
  returnRows: (market: string, limit: number) => Promise<OrderState[]>;
}

/**
 * What a round came to. `again`: something was done, and more may be to do. `later`: something is to be done that cannot be done
 * yet. `idle`: nothing is to be done.
 */
export type RoundResult = 'again' | 'later' | 'idle';

/** The matcher may not, or cannot, send anything more. */
class Halted extends Error {}

/** Orders that expire within so many seconds are left alone: a transaction takes its time. */
const MARGIN_SECONDS = 5;
/** Pairs of one plan. */
const MAX_PAIRS = 80;
/** Transactions on their way at the same time. */
const AT_ONCE = 24;
/** Looks at the chain for one plan: each that finds something makes another plan. */
const MAX_LOOKS = 5;
/** A plan of more transactions than this is worth a lookup table. */
const TABLE_FROM_TRANSACTIONS = 3;
/** How long an order is left alone whose accounts cannot be used; each time twice as long, up to the second figure. */
const FIRST_BLOCK_MS = 10_000;
const LONGEST_BLOCK_MS = 6 * 3_600_000;
/** Orders returned in one transaction, and in one round. */
const RETURNS_PER_TRANSACTION = 5;
const MAX_RETURNS = 25;
/** Filled orders looked through for such that can be returned. */
const MAX_UNRETURNED = 1_000;
const MAX_BLOCKED = 10_000;

/** Errors that say nothing about the two orders: of the market, or of the moment. */
const OF_THE_MARKET = new Set([
  'Paused',
  'WrongFeed',
  'FeedInvalid',
  'FeedPaused',
  'FeedStale',
  'WrongTreasury',
  'TreasuryInvalid',
  'WrongTokenProgram',
]);
const OF_THE_MOMENT = new Set([
  'Expired',
  'OutOfBand',
  'BlockhashNotFound',
  'AlreadyProcessed',
  'AccountInUse',
  'ClusterMaintenance',
  'AddressLookupTableNotFound',
  'InvalidAddressLookupTableIndex',
  'WouldExceedMaxBlockCostLimit',
  'WouldExceedMaxAccountCostLimit',
]);
const PAYMENT = /InsufficientFunds|^AccountNotFound$/;

/** What is known of a market while its plan is carried out. */
interface Work {
  info: MarketInfo;
  terms: MarketTerms;
  tables: MatchingTables;
  /** Whether a transaction of the plan was executed. */
  done: boolean;
}

/**
 * Brings orders that cross together, one plan after the other. Each plan is of what rests then: it is made from the book,
 * checked against the orders' accounts, packed into transactions, and carried out to the end before the next one is made,
 * so that a later order never gets ahead of one that is on its way.
 *
 * Each transaction's row is committed before it is sent: whoever matches next follows it to its end first. That nothing trades
 * twice is not up to this: a trade takes what both orders have left, so one of the two is gone afterwards.
 */
export class Matcher {
  /** Orders that cannot trade or be returned until somebody does something: until when they are left alone. */
  private readonly blocked = new Map<string, { until: number; times: number }>();

  constructor(private readonly options: MatcherOptions) {}

  /** Follows what is on its way, then plans and carries out, once for each market. @throws GtxError CHAIN_UNAVAILABLE */
  async round(markets: readonly MarketInfo[]): Promise<RoundResult> {
    try {
      await this.follow();
      const results: RoundResult[] = [];
      for (const info of markets) results.push(await this.match(info));
      return results.includes('again') ? 'again' : results.includes('later') ? 'later' : 'idle';
    } catch (error) {
      if (error instanceof Halted) return 'later';
      throw error;
    }
  }

  /** Returns orders that have expired, and what filled ones left behind. @returns how many */
  async returnExpired(markets: readonly MarketInfo[]): Promise<number> {
    let returned = 0;
    try {
      for (const info of markets) returned += await this.returnOf(info);
    } catch (error) {
      if (!(error instanceof Halted)) throw error;
    }
    return returned;
  }

  // --- what is on its way

  /** Sends what was committed and may never have been sent, and finds out what became of it. */
  private async follow(): Promise<void> {
    const { store, chain, logger } = this.options;
    const open = await store.open();
    if (open.length === 0) return;
    logger.info({ transactions: open.length }, 'following transactions whose outcome is unknown');
    await allOf(
      open.map(async (row) => {
        this.assertMayWork();
        await this.send(row);
        await this.conclude(row, await chain.outcome(row));
      }),
    );
  }

  // --- matching

  private async match(info: MarketInfo): Promise<RoundResult> {
    const { chain, told, store, observer, onHalted } = this.options;
    if (!this.crosses(info.address)) {
      await onHalted(info.address, undefined);
      return 'idle';
    }
    const startedAt = performance.now();
    if (!(await told.everything(info.address))) {
      observer.waiting('projection');
      return 'later';
    }
    const [terms, refused] = await Promise.all([chain.terms(info), store.refused()]);
    await onHalted(info.address, terms?.wait);
    if (terms === undefined || terms.wait !== undefined) {
      observer.waiting(terms?.wait ?? 'NoMarket');
      return 'later';
    }
    const pairs = await this.plan(info, terms, refused);
    if (pairs.length === 0) return 'idle';
    const tables = await this.options.tables(info.address, terms);
    const limits = packLimits(this.options.feePayer, tables.inTable);
    const transactions = packPairs(pairs, { ...limits, maxBytes: PACKET_DATA_SIZE - tables.reserve });
    if (transactions.length > TABLE_FROM_TRANSACTIONS) tables.grow(pairs);
    const work: Work = { info, terms, tables, done: false };
    await this.carryOut(work, transactions);
    observer.took((performance.now() - startedAt) / 1000);
    // Where nothing worked, the same at once would not either.
    return work.done ? 'again' : 'later';
  }

  private crosses(market: string): boolean {
    const book = this.options.books.book(market);
    const [ask, bid] = [book.best(0), book.best(1)];
    return ask !== undefined && bid !== undefined && ask <= bid;
  }

  /** Pairs to trade, all of whose accounts were found as the plan has them. */
  private async plan(
    info: MarketInfo,
    terms: MarketTerms,
    refused: ReadonlySet<string>,
  ): Promise<PlannedPair[]> {
    const { books, chain } = this.options;
    for (let looks = 1; ; looks += 1) {
      const pairs = planPairs(books.book(info.address), {
        feeBps: terms.market.feeBps,
        band: terms.band,
        maxPairs: MAX_PAIRS,
        marginSeconds: MARGIN_SECONDS,
        blocked: (order) => order.expiresAt <= terms.now + MARGIN_SECONDS || this.isBlocked(order.address),
        blockedPair: (sell, buy) => refused.has(`${sell.address}/${buy.address}`),
      });
      if (pairs.length === 0) return [];
      const seen = await chain.orders(
        terms.market,
        pairs.map(({ sell, buy }) => [sell, buy]),
      );
      const orders = new Set(pairs.flatMap(({ sell, buy }) => [sell, buy]));
      const found = new Set<string>();
      for (const order of orders) {
        const accounts = seen.get(order.address);
        if (accounts && !this.isFine(info, terms, order, accounts)) found.add(order.address);
      }
      if (found.size === 0) return pairs;
      if (looks >= MAX_LOOKS)
        return pairs.filter(({ sell, buy }) => !found.has(sell.address) && !found.has(buy.address));
    }
  }

  /** Whether an order can trade as the book has it. Where it cannot, book or list of blocked orders know it then. */
  private isFine(
    info: MarketInfo,
    terms: MarketTerms,
    order: Readonly<OrderState>,
    accounts: Parameters<typeof orderFinding>[1] & { slot: number },
    receives: 'wanted' | 'offered' = 'wanted',
  ): boolean {
    const finding = orderFinding(order, accounts, terms.market, receives);
    if (finding.kind === 'fine') return true;
    if (finding.kind === 'changed') {
      this.options.books.correct(info.address, order.address, finding.state, accounts.slot);
    } else this.block(order.address, finding.reason);
    return false;
  }

  private isBlocked(order: string): boolean {
    const block = this.blocked.get(order);
    return block !== undefined && block.until > this.options.now();
  }

  private block(order: string, reason: string): void {
    const { now, logger, observer } = this.options;
    const times = (this.blocked.get(order)?.times ?? 0) + 1;
    const until = now() + Math.min(FIRST_BLOCK_MS * 2 ** (times - 1), LONGEST_BLOCK_MS);
    this.blocked.set(order, { until, times });
    // Orders that are long gone need not be remembered.
    if (this.blocked.size > MAX_BLOCKED) {
      for (const [each, block] of this.blocked) if (block.until < now()) this.blocked.delete(each);
    }
    observer.waiting(reason);
    logger[times === 1 ? 'info' : 'debug']({ order, reason, times }, 'an order cannot trade for now');
  }

  /** Several at a time; one that needs the same orders as an earlier one waits for it. */
  private async carryOut(work: Work, transactions: readonly PlannedTransaction[]): Promise<void> {
    const slots = new Slots(AT_ONCE);
    const done: Promise<boolean>[] = [];
    for (const { pairs, after } of transactions) {
      done.push(
        (async () => {
          const before = await Promise.all(after.map((index) => done[index]));
          // What this one was planned on did not come about: the next plan knows better.
          if (before.includes(false)) return false;
          return slots.run(() => this.settle(work, pairs));
        })(),
      );
    }
    await allOf(done);
  }

  /** Brings pairs together in one transaction, or one by one if they do not work together. @returns whether all traded */
  private async settle(work: Work, pairs: readonly PlannedPair[]): Promise<boolean> {
    const { chain, observer, logger } = this.options;
    this.assertMayWork();
    const prepared = await chain.prepareCross(work.terms.market, pairs, work.tables.tablesOf(pairs));
    const { failure, skipped } = await chain.simulate(prepared);
    if (failure) {
      if (PAYMENT.test(failure.name)) {
        await this.options.onUnpaid(failure.name);
        throw new Halted('the fee payer cannot pay');
      }
      if (OF_THE_MARKET.has(failure.name)) {
        observer.waiting(failure.name);
        return false;
      }
      if (pairs.length > 1) {
        logger.info({ pairs: pairs.map(keyOf), failure }, 'a batch is refused: one pair at a time');
        return this.oneByOne(work, pairs);
      }
      await this.refuse(work, pairs[0] as PlannedPair, failure);
      return false;
    }
    if (skipped.size > 0) {
      await this.refuseAll(work, pairs, skipped);
      const others = pairs.filter((_, index) => !skipped.has(index));
      if (others.length > 0) await this.settle(work, others);
      return false;
    }
    const row = {
      ...sentOf(prepared),
      kind: 'cross' as const,
      market: work.info.address,
      items: pairs.map(
        ({ sell, buy, fill }): MatchingItem => ({
          sellOrder: sell.address,
          buyOrder: buy.address,
          price: fill.price,
          amount: fill.amount,
        }),
      ),
    };
    const { resolution, effects } = await this.carryThrough(row);
    if (resolution.state === 'failed') {
      if (pairs.length > 1) return this.oneByOne(work, pairs);
      const { reason = 'Unknown', message = '' } = resolution.error ?? {};
      await this.refuse(work, pairs[0] as PlannedPair, { name: reason, message });
      return false;
    }
    if (resolution.state === 'expired') return false;
    work.done = true;
    if (effects && effects.skipped.size > 0) await this.refuseAll(work, pairs, effects.skipped);
    return effects !== undefined && effects.skipped.size === 0;
  }

  private async oneByOne(work: Work, pairs: readonly PlannedPair[]): Promise<boolean> {
    for (const pair of pairs) await this.settle(work, [pair]);
    return false;
  }

  /** From here on the row speaks for the transaction: nothing is sent that is not written down. */
  private async carryThrough(
    row: OpenMatching,
  ): Promise<{ resolution: Resolution; effects?: Effects | undefined }> {
    const { store, chain } = this.options;
    await store.prepare(row);
    this.assertMayWork();
    await this.send(row);
    const resolution = await chain.outcome(row);
    return { resolution, effects: await this.conclude(row, resolution) };
  }

  private async send(row: OpenMatching): Promise<void> {
    try {
      await this.options.chain.send(row);
    } catch (error) {
      // The row is there: whether it arrived is found out by following it, which also sends it again.
      this.options.logger.warn(
        { signature: row.signature, err: error },
        'a transaction could not be sent yet',
      );
    }
  }

  /** Writes down what became of a transaction, and tells the book. */
  private async conclude(row: OpenMatching, resolution: Resolution): Promise<Effects | undefined> {
    const { store, chain, books, told, observer, logger } = this.options;
    const { signature, market, kind, items } = row;
    const { state, slot } = resolution;
    if (state === 'expired') {
      observer.expired();
      logger.warn({ signature }, 'a transaction expired without being executed; its orders are matched anew');
      await store.close(signature, { state });
      return undefined;
    }
    if (state === 'failed') {
      observer.failed();
      const error = resolution.error?.message ?? 'Unknown';
      logger.warn({ signature, error }, 'a transaction was executed and refused');
      await store.close(signature, { state, slot, error });
      return undefined;
    }
    const landedAt = slot ?? 0;
    if (kind === 'expire') {
      for (const { sellOrder, buyOrder } of items)
        if (this.knows(market)) books.correct(market, sellOrder ?? buyOrder ?? '', undefined, landedAt);
      observer.returned(items.length);
      await store.close(signature, { state: 'confirmed', slot: landedAt });
      return undefined;
    }
    const effects = await chain.effects(signature);
    if (effects && this.knows(market)) {
      for (const event of effects.events)
        if (isBookEvent(event) && event.name === 'TradeExecuted') books.traded(market, event, landedAt);
      told.add(signature);
    }
    const trades = items.length - (effects?.skipped.size ?? 0);
    observer.confirmed(trades);
    logger.info({ signature, market, trades }, 'orders matched');
    await store.close(signature, {
      state: 'confirmed',
      slot: landedAt,
      ...(effects && { skipped: effects.skipped }),
    });
    return effects;
  }

  private knows(market: string): boolean {
    return this.options.books.markets().some(({ address }) => address === market);
  }

  private async refuseAll(
    work: Work,
    pairs: readonly PlannedPair[],
    skipped: ReadonlyMap<number, string>,
  ): Promise<void> {
    for (const [index, name] of skipped) {
      const pair = pairs[index];
      if (pair) await this.refuse(work, pair, { name, message: name });
    }
  }

  /** A pair did not trade. It counts against the pair only when the orders' accounts do not show why. */
  private async refuse(
    { info, terms }: Work,
    pair: PlannedPair,
    failure: { name: string; message: string },
  ): Promise<void> {
    const { chain, store, observer, logger } = this.options;
    observer.refused(failure.name);
    if (OF_THE_MARKET.has(failure.name) || OF_THE_MOMENT.has(failure.name)) return;
    const { sell, buy } = pair;
    const seen = await chain.orders(terms.market, [[sell, buy]]);
    const fine = [sell, buy].every((order) => {
      const accounts = seen.get(order.address);
      return accounts !== undefined && this.isFine(info, terms, order, accounts);
    });
    if (!fine) return;
    const attempts = await store.refuse(
      { sellOrder: sell.address, buyOrder: buy.address },
      failure,
      info.address,
    );
    logger.warn({ pair: keyOf(pair), failure, attempts }, 'the chain refuses to match two orders');
  }

  // --- returning

  private async returnOf(info: MarketInfo): Promise<number> {
    const { books, chain } = this.options;
    const waiting: Readonly<OrderState>[] = [];
    for (const order of books.book(info.address).all()) {
      if (order.status !== 'open' && !this.isBlocked(order.address)) waiting.push(order);
      if (waiting.length >= MAX_RETURNS) break;
    }
    for (const order of await this.options.returnRows(info.address, MAX_UNRETURNED)) {
      if (waiting.length >= MAX_RETURNS) break;
      if (!this.isBlocked(order.address) && !waiting.some(({ address }) => address === order.address))
        waiting.push(order);
    }
    if (waiting.length === 0) return 0;
    const terms = await chain.terms(info);
    if (terms === undefined) return 0;
    // Returned by the chain's clock, not by ours. One that is filled can go back at any time.
    const due = waiting.filter(({ expiresAt, remaining }) => expiresAt <= terms.now || remaining === 0n);
    const seen = await chain.orders(
      terms.market,
      due.map((order) => [order]),
      'offered',
    );
    const ready = due.filter((order) => {
      const accounts = seen.get(order.address);
      return accounts !== undefined && this.isFine(info, terms, order, accounts, 'offered');
    });
    let returned = 0;
    for (let start = 0; start < ready.length; start += RETURNS_PER_TRANSACTION) {
      returned += await this.giveBack(info, terms, ready.slice(start, start + RETURNS_PER_TRANSACTION));
    }
    return returned;
  }

  private async giveBack(
    info: MarketInfo,
    terms: MarketTerms,
    orders: readonly Readonly<OrderState>[],
  ): Promise<number> {
    const { chain, logger } = this.options;
    this.assertMayWork();
    const prepared = await chain.prepareExpire(terms.market, orders);
    const { failure } = await chain.simulate(prepared);
    if (failure && PAYMENT.test(failure.name)) {
      await this.options.onUnpaid(failure.name);
      throw new Halted('the fee payer cannot pay');
    }
    let failed = failure?.message;
    if (failed === undefined) {
      const { resolution } = await this.carryThrough({
        ...sentOf(prepared),
        kind: 'expire',
        market: info.address,
        items: orders.map(({ side, address }) =>
          side === 0 ? { sellOrder: address } : { buyOrder: address },
        ),
      });
      if (resolution.state === 'confirmed' || resolution.state === 'finalized') {
        logger.info({ market: info.address, orders: orders.length }, 'expired orders returned');
        return orders.length;
      }
      if (resolution.state === 'expired') return 0;
      failed = resolution.error?.message ?? 'Unknown';
    }
    const [only, ...others] = orders;
    if (only && others.length === 0) {
      logger.warn({ order: only.address, failed }, 'an order cannot be returned');
      this.block(only.address, 'NotReturned');
      return 0;
    }
    let returned = 0;
    for (const order of orders) returned += await this.giveBack(info, terms, [order]);
    return returned;
  }

  private assertMayWork(): void {
    if (!this.options.mayWork()) throw new Halted('another collector matches, or this one stops');
  }
}

function sentOf({ signature, wire, lastValidBlockHeight }: PreparedTransaction) {
  return { signature, wire, lastValidBlockHeight };
}

function keyOf({ sell, buy }: PlannedPair): string {
  return `${sell.address}/${buy.address}`;
}

/** Waits for all, and then throws what the first one threw that failed for another reason than being halted. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const error = errors.find((each) => !(each instanceof Halted)) ?? errors[0];
  if (error !== undefined) throw error;
}

/** Lets so many run at a time. */
class Slots {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

/** Whether an error is an outage of the chain. */
export function isOutage(error: unknown): boolean {
  return error instanceof GtxError && error.code === 'CHAIN_UNAVAILABLE';
}
