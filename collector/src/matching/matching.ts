import { randomUUID } from 'node:crypto';
import type { TradingMarket } from '@gridtokenx/chain';
import { OutageAlert } from '../alerts/outage.js';
import type { Alerts } from '../alerts.js';
import { bindNetwork } from '../mirror/network.js';
import type { ChainDeps } from '../ports.js';
import { MatchingChain } from './chain.js';
import type { LiveBooks } from './live-book.js';
import { MatcherLock } from './lock.js';
import { isOutage, Matcher, type RoundResult } from './matcher.js';
import { type MatchingObserver, noMatchingMetrics } from './metrics.js';
import type { MarketWait } from './preflight.js';
import { type MarketInfo, readUnreturned } from './rows.js';
import { MatchingStore } from './store.js';
import { MatchingTables } from './tables.js';
import { Told } from './told.js';

export interface MatchingConfig {
  /** Addresses of the markets to match; all of GRID unless given. */
  readonly markets?: readonly string[] | undefined;
  /** Highest priority fee, micro-lamports per compute unit. Default 0: none. */
  readonly maxPriorityMicroLamports?: number | undefined;
  /** Milliseconds between two looks at expired orders. Default 15,000. */
  readonly returnMillis?: number | undefined;
}

export interface MatchingDeps extends ChainDeps<MatchingConfig> {
  /** The lock has a connection of its own. */
  readonly databaseUrl: string;
  readonly books: LiveBooks;
  readonly metrics?: MatchingObserver;
}

/** Between two questions whether the lock is free. */
const STANDBY_MS = 1_000;
/** Between two rounds while no book changes. */
const IDLE_MS = 2_000;
/** Until something is tried again that cannot be done yet, unless a book changes before. */
const LATER_MS = 150;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
const TIDY_MS = 3_600_000;
/** How long orders that cross may wait for a market before somebody is told. */
const HALTED_MS = 60_000;

/**
 * Matches orders that cross, on one collector at a time. See docs/market.md.
 */
export class Matching {
  private readonly collector = randomUUID();
  private readonly abort = new AbortController();
  private readonly lock: MatcherLock;
  private readonly store: MatchingStore;
  private readonly matcher: Matcher;
  private readonly observer: MatchingObserver;
  private readonly tables = new Map<string, MatchingTables>();
  private readonly haltedSince = new Map<string, number>();
  private readonly alertedHalts = new Set<string>();
  private readonly seen = new Set<string>();
  private unpaid = false;
  private bound = false;
  private stopping = false;
  private news = false;
  private wakeUp: (() => void) | undefined;
  private unlisten: (() => void)[] = [];
  private loop: Promise<void> | undefined;

  constructor(private readonly deps: MatchingDeps) {
    const { pool, connection, feePayer, logger, now, books, config } = deps;
    this.observer = deps.metrics ?? noMatchingMetrics;
    this.lock = new MatcherLock({ databaseUrl: deps.databaseUrl, logger });
    this.store = new MatchingStore(pool, this.collector);
    this.matcher = new Matcher({
      books,
      store: this.store,
      chain: new MatchingChain({
        connection,
        feePayer,
        maxPriorityMicroLamports: config.maxPriorityMicroLamports ?? 0,
        signal: this.abort.signal,
      }),
      told: new Told({ connection, pool, books, logger, now }),
      tables: (address, terms) => this.tablesFor(address, terms.market),
      feePayer: feePayer.publicKey.toBase58(),
      logger,
      observer: this.observer,
      now,
      mayWork: () => !this.stopping && this.lock.held,
      onUnpaid: (reason) => this.feePayerAlert(reason),
      onHalted: (market, wait) => this.haltedAlert(market, wait),
      returnRows: (market, limit) => readUnreturned(pool, market, limit),
    });
  }

  /** Starts; does not wait for lock or chain. */
  async start(): Promise<void> {
    const { books } = this.deps;
    this.unlisten = [books.onDelta(() => this.wake()), books.onReset(() => this.wake())];
    this.loop = this.run();
  }

  /** Ends after the step at hand. What is on its way is followed by whoever matches next. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const end of this.unlisten) end();
    this.abort.abort(new Error('the matcher stops'));
    this.wakeUp?.();
    await this.loop;
    for (const tables of this.tables.values()) await tables.settled();
    await this.lock.release();
  }

  wake(): void {
    this.news = true;
    if (this.lock.held) this.wakeUp?.();
  }

  /** Whether this collector is the one that matches. */
  get leads(): boolean {
    return this.lock.held;
  }

  /**
   * One round, if no other collector matches. @throws GtxError CHAIN_UNAVAILABLE, or the database's error
   * @returns undefined when another one does
   */
  async round(): Promise<RoundResult | undefined> {
    if (!(await this.lock.hold())) return undefined;
    await this.bind();
    return this.matcher.round(this.markets());
  }

  /** Returns expired orders, if no other collector matches. @throws as {@link round} */
  async returnExpired(): Promise<number> {
    if (!(await this.lock.hold())) return 0;
    await this.bind();
    return this.matcher.returnExpired(this.markets());
  }

  private markets(): MarketInfo[] {
    const { books, config } = this.deps;
    return books.markets().filter(({ address }) => config.markets?.includes(address) ?? true);
  }

  private async run(): Promise<void> {
    const { logger, now, alerts, config } = this.deps;
    const outage = new OutageAlert({
      alerts,
      now,
      part: 'matching',
      severity: 'critical',
      says: 'matching does not get on',
    });
    let failures = 0;
    let led = false;
    let returnAt = 0;
    let tidyAt = now() + TIDY_MS;
    while (!this.stopping) {
      let pause = STANDBY_MS;
      try {
        this.news = false;
        const result = await this.round();
        const leads = result !== undefined;
        if (leads !== led) {
          led = leads;
          this.observer.leading(leads);
          logger.info(leads ? 'this collector matches orders now' : 'another collector matches orders now');
        }
        if (leads) {
          pause = result === 'again' ? 0 : result === 'later' ? LATER_MS : IDLE_MS;
          if (now() >= returnAt) {
            returnAt = now() + (config.returnMillis ?? 15_000);
            await this.returnExpired();
          }
          if (now() >= tidyAt) {
            tidyAt = now() + TIDY_MS;
            await this.store.tidy();
          }
          await this.paidAgain(result);
        }
        if (leads) await outage.worked();
        failures = 0;
      } catch (error) {
        if (this.stopping) break;
        failures += 1;
        if (isOutage(error)) this.observer.outage();
        // After an outage another node may answer: it is asked who it is.
        this.bound = false;
        logger[failures === 1 ? 'warn' : 'debug']({ err: error, failures }, 'matching is interrupted');
        await outage.failed(failures, error);
        pause = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
        await this.sleep(pause, false);
        continue;
      }
      if (pause > 0) await this.sleep(pause, this.lock.held);
    }
  }

  /** Makes sure that this is the chain which the database belongs to. */
  private async bind(): Promise<void> {
    if (this.bound) return;
    await bindNetwork(this.deps.pool, this.deps.connection);
    this.bound = true;
  }

  /** The lookup tables of a market. @throws GtxError CHAIN_UNAVAILABLE */
  async tablesFor(address: string, market: TradingMarket): Promise<MatchingTables> {
    const known = this.tables.get(address);
    if (known) return known;
    const { connection, feePayer, logger } = this.deps;
    const deps = { connection, feePayer, store: this.store, logger, signal: this.abort.signal };
    const tables = await MatchingTables.load(deps, address, market);
    this.tables.set(address, tables);
    return tables;
  }

  private async feePayerAlert(reason: string): Promise<void> {
    const wallet = this.deps.feePayer.publicKey.toBase58();
    this.unpaid = true;
    await this.raise({
      kind: 'fee_payer',
      key: wallet,
      severity: 'critical',
      message: `the fee payer ${wallet} cannot pay for matching: send it SOL (${reason})`,
      details: { wallet, part: 'matching', error: reason },
    });
  }

  private async paidAgain(result: RoundResult): Promise<void> {
    if (!this.unpaid || result !== 'again') return;
    this.unpaid = false;
    await this.deps.alerts.resolve('fee_payer', this.deps.feePayer.publicKey.toBase58());
  }

  private async haltedAlert(market: string, wait: MarketWait | undefined): Promise<void> {
    // Whoever paused it knows.
    if (wait === undefined || wait === 'Paused') {
      this.haltedSince.delete(market);
      // The first time too: whoever matched before may have raised it.
      const first = !this.seen.has(market);
      this.seen.add(market);
      if (this.alertedHalts.delete(market) || first) await this.deps.alerts.resolve('market_halted', market);
      return;
    }
    this.seen.add(market);
    const { now } = this.deps;
    const since = this.haltedSince.get(market) ?? now();
    this.haltedSince.set(market, since);
    if (now() - since < HALTED_MS || this.alertedHalts.has(market)) return;
    this.alertedHalts.add(market);
    await this.raise({
      kind: 'market_halted',
      key: market,
      severity: 'warning',
      message: `orders cross in market ${market} and cannot trade: ${wait}`,
      details: { market, reason: wait },
    });
  }

  private raise(alert: Parameters<Alerts['raise']>[0]): Promise<void> {
    return this.deps.alerts.raise(alert);
  }

  private async sleep(milliseconds: number, untilNews: boolean): Promise<void> {
    if (this.stopping || (untilNews && this.news)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        if (!untilNews && !this.stopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
