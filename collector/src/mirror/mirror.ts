import { decodeMarket, meterAddress, TRADING_PROGRAM_ID, toChainError } from '@gridtokenx/chain';
import { GtxError, isMeterId } from '@gridtokenx/protocol';
import { type ConfirmedSignatureInfo, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import { OutageAlert } from '../alerts/outage.js';
import { type AlertInput, endAlerts, openAlert } from '../alerts.js';
import { CHANNEL, notifyChange, payloads } from '../feed/change.js';
import type { ChainDeps, ChainMirrorPort, MeterStatus, MirroredMeter } from '../ports.js';
import { storageFailure } from '../store/errors.js';
import { fetchSnapshot } from './accounts.js';
import {
  type ApplyFindings,
  applyTransactions,
  MAX_TRIES,
  PAUSED_ALERT,
  projectAnew,
  touched,
  undoTransaction,
} from './apply.js';
import { fetchBalances, ofKnownMint, walletsAfter, writeBalanceSnapshot } from './balances.js';
import { writeAccounts } from './holds.js';
import type { LandedTransaction } from './landed.js';
import { type MirrorMetrics, noMirrorMetrics } from './metrics.js';
import { bindNetwork } from './network.js';
import { MIRRORED_PROGRAMS } from './programs.js';
import { TransactionReader } from './reader.js';
import { LogsSubscription, webSocketUrl } from './subscription.js';
import { inTransaction } from './transaction.js';

export interface MirrorConfig {
  /** WebSocket URL; derived from the RPC URL when left out; `false`: only polling. */
  readonly wsUrl?: string | false | undefined;
  /** Seconds between two looks without news. Default 2. */
  readonly pollSeconds?: number | undefined;
  /** Whether changes are announced to the collectors on this database. Default true; a replay's are nobody's. */
  readonly announce?: boolean | undefined;
  /**
   * With more transactions waiting than this, whoever follows the changes is told of a gap instead of each of them. Default
   * 5000.
   */
  readonly longBacklog?: number | undefined;
  /** For how long an unknown meter id is not asked for again. Default 5. */
  readonly unknownMeterSeconds?: number | undefined;
}

export interface MirrorDeps extends Omit<ChainDeps<MirrorConfig>, 'feePayer'> {
  readonly metrics?: MirrorMetrics;
}

/** getSignaturesForAddress gives at most this many. */
const LIST_PAGE = 1000;
/** Transactions applied together at most. */
const APPLY_PAGE = 500;
/** Transactions of a meter that are applied together. */
const METER_PAGE = 25;
const LONG_BACKLOG = 5_000;
/** Seconds between two gaps that are told while a backlog is applied, by whoever else looks. */
const GAP_SECONDS = 5;
/** Wallets whose balances a deep look reads, one after the other: GRID moves outside our programs too. */
const WALLETS_PER_LOOK = 40;
/** Slots below the cursor that a deep look lists again, for what a lagging node or a fork hid from the first one. */
const OVERLAP_SLOTS = 150;
const DEEP_LOOK_MS = 60_000;
const MAX_REMEMBERED = 10_000;
/** A meter is not fetched again on request within this time. */
const REFRESH_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;

/** Rows that are to be made anew, by address (users and balances by wallet); see {@link ChainMirror.reproject}. */
export interface Reprojection {
  readonly meters?: readonly string[];
  readonly users?: readonly string[];
  readonly orders?: readonly string[];
  readonly markets?: readonly string[];
  /** Certificates, or the books that they are of. */
  readonly certificates?: readonly string[];
  readonly feeds?: readonly string[];
  readonly proposals?: readonly string[];
}

/**
 * Mirrors the chain's programs into `chain_events` and what is derived from them: users, meters, orders, trades,
 * balances, certificates, prices, proposals. The programs' history is
 * listed from a stored cursor, queued and applied oldest first, each transaction once; a subscription only says
 * when to look. What collectors settle goes through the same door.
 */
export class ChainMirror implements ChainMirrorPort {
  private readonly unknown = new Map<string, number>();
  private readonly refreshed = new Map<string, number>();
  private readonly lookups = new Map<string, Promise<MirroredMeter | undefined>>();
  private readonly metrics: MirrorMetrics;
  private subscription: LogsSubscription | undefined;
  private loop: Promise<void> | undefined;
  private stopping = false;
  private wakeUp: (() => void) | undefined;
  private news = false;
  /** Programs of which something was heard since the last look; undefined: it may be any. */
  private newsOf: Set<string> | undefined;
  private bound = false;
  private deepLookAt = 0;
  private readonly appliedListeners = new Set<() => void>();
  private readonly reader: TransactionReader;
  /** Everything up to here is final, as of the last look. */
  private finalizedSlot = 0;
  /** Where the round through all wallets' balances is. */
  private lastWallet = '';
  /** In a long backlog: what is applied is not announced one by one. */
  private silent = false;
  private lookedEverywhereAt = 0;

  constructor(private readonly deps: MirrorDeps) {
    this.metrics = deps.metrics ?? noMirrorMetrics;
    this.reader = new TransactionReader(deps.connection);
  }

  /**
   * Checks that chain and database belong together and starts to follow the chain. With the chain out of reach it
   * starts nevertheless and keeps trying.
   * @throws GtxError CONFIG_INVALID when the database belongs to another chain.
   */
  async start(): Promise<void> {
    try {
      await this.bind();
    } catch (error) {
      if (!(error instanceof GtxError) || error.code !== 'CHAIN_UNAVAILABLE') throw error;
      this.deps.logger.warn({ err: error }, 'the chain does not answer yet; the mirror starts when it does');
    }
    const { wsUrl } = this.deps.config;
    if (wsUrl !== false) {
      this.subscription = new LogsSubscription({
        url: wsUrl ?? webSocketUrl(this.deps.connection.rpcEndpoint),
        mentions: MIRRORED_PROGRAMS.map((program) => program.toBase58()),
        onNews: (program) => this.nudge(program),
        logger: this.deps.logger,
      });
      this.subscription.start();
    }
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.subscription?.stop();
    this.wakeUp?.();
    await this.loop;
  }

  /** Calls `listener` after each page of applied transactions. Returns a function that ends that. */
  onApplied(listener: () => void): () => void {
    this.appliedListeners.add(listener);
    return () => this.appliedListeners.delete(listener);
  }

  async meter(meterId: string, options: { refresh?: boolean } = {}): Promise<MirroredMeter | undefined> {
    const { now } = this.deps;
    if (!isMeterId(meterId)) return undefined;
    if (options.refresh) {
      const last = this.refreshed.get(meterId);
      if (last !== undefined && now() - last < REFRESH_MS) return this.fromDatabase(meterId);
    } else {
      const known = await this.fromDatabase(meterId);
      if (known) return known;
    }
    const until = this.unknown.get(meterId);
    if (until !== undefined && until > now()) return undefined;
    const running = this.lookups.get(meterId);
    if (running) return running;
    const lookup = this.lookUp(meterId).finally(() => this.lookups.delete(meterId));
    this.lookups.set(meterId, lookup);
    return lookup;
  }

  /**
   * Lists and applies everything that is new, then returns.
   * @param only looks at the history of these programs alone, unless it is time to look at all
   * @throws GtxError CHAIN_UNAVAILABLE, or the database's error.
   */
  async catchUp(only?: ReadonlySet<string>): Promise<void> {
    if (!this.bound) await this.bind();
    const { connection, now } = this.deps;
    const deep = now() >= this.deepLookAt;
    let slot: number;
    try {
      [slot, this.finalizedSlot] = await Promise.all([
        connection.getSlot('confirmed'),
        connection.getSlot('finalized'),
      ]);
    } catch (error) {
      throw toChainError(error);
    }
    const programs = MIRRORED_PROGRAMS.filter((each) => deep || !only || only.has(each.toBase58()));
    await Promise.all(programs.map((program) => this.list(program, deep)));
    const left = await this.drain();
    await this.refreshStale();
    if (programs.length === MIRRORED_PROGRAMS.length) this.lookedEverywhereAt = Date.now();
    if (deep) {
      await this.refreshSomeBalances();
      this.deepLookAt = now() + DEEP_LOOK_MS;
    }
    // What was looked for and not found yet is no part of what everybody else can see.
    if (left.untried === 0 && programs.length === MIRRORED_PROGRAMS.length)
      this.metrics.caughtUp(slot, now());
    this.metrics.queued(left.all);
  }

  /**
   * Applies one transaction, unless it is applied already. False when the node does not show it yet (or it was
   * refused, and so has no effects).
   */
  async apply(signature: string): Promise<boolean> {
    if (await this.isApplied([signature]).then((known) => known.has(signature))) return true;
    const [landed] = await this.reader.read([signature]);
    if (!landed || landed.error !== undefined) return false;
    await this.applyAll([landed]);
    return true;
  }

  /** Finds and applies the transactions of one meter that are missing here. */
  async catchUpMeter(meterId: string): Promise<void> {
    const address = meterAddress(meterId);
    const missing: string[] = [];
    let before: string | undefined;
    for (;;) {
      const page = await this.signatures(address, { before, limit: LIST_PAGE });
      const good = page.filter(({ err }) => err === null).map(({ signature }) => signature);
      const known = await this.isApplied(good);
      missing.push(...good.filter((signature) => !known.has(signature)));
      before = page.at(-1)?.signature;
      // A meter's history is applied in order: below something known nothing is missing.
      if (page.length < LIST_PAGE || before === undefined || known.size > 0) break;
    }
    missing.reverse();
    for (let start = 0; start < missing.length; start += METER_PAGE) {
      const landed = await this.reader.read(missing.slice(start, start + METER_PAGE));
      await this.applyAll(landed.filter((transaction) => transaction !== undefined));
    }
    await this.refreshMeters([address.toBase58()]);
  }

  /**
   * Takes the effects of these transactions out of the database and applies them again as the chain shows them now: for
   * rows that were altered, or a transaction that a fork moved to another slot. One that the chain does not show is left
   * as it is.
   * @returns the signatures that were applied again
   * @throws GtxError CHAIN_UNAVAILABLE
   */
  async reapply(signatures: readonly string[]): Promise<string[]> {
    const landed = await this.reader.read(signatures);
    const found = landed.filter(
      (transaction) => transaction !== undefined && transaction.error === undefined,
    );
    for (const transaction of found as LandedTransaction[])
      await this.applyAll([transaction], { anew: true });
    return found.map((transaction) => (transaction as LandedTransaction).signature);
  }

  /**
   * Makes rows say what the chain and the stored events say, whatever they say now, and also when they are missing.
   * @throws GtxError CHAIN_UNAVAILABLE
   */
  async reproject(rows: Reprojection): Promise<void> {
    const { meters = [], users = [], orders = [], markets = [], certificates = [], feeds = [] } = rows;
    const { proposals = [] } = rows;
    const snapshot = await fetchSnapshot(this.deps.connection, meters, users);
    await inTransaction(this.deps.pool, async (client) => {
      await writeAccounts(client, snapshot, true);
      await projectAnew(client, { orders, markets, certificates, feeds, proposals });
      if (this.announces) await notifyChange(client, { kind: 'orders', addresses: orders });
    });
    await this.completeMarkets();
  }

  /**
   * Reads what these wallets hold now, whatever the database says.
   * @returns the wallets of which a balance was wrong
   * @throws GtxError CHAIN_UNAVAILABLE
   */
  async refreshBalances(wallets: readonly string[]): Promise<string[]> {
    return this.readBalances(wallets, true);
  }

  private async readBalances(wallets: readonly string[], force: boolean): Promise<string[]> {
    const { pool, connection } = this.deps;
    if (wallets.length === 0) return [];
    const snapshot = await fetchBalances(connection, pool, wallets);
    return inTransaction(pool, async (client) => {
      const changed = await writeBalanceSnapshot(client, snapshot, force);
      if (this.announces) await notifyChange(client, { kind: 'balances', wallets: changed });
      return changed;
    });
  }

  private async refreshSomeBalances(): Promise<void> {
    const wallets = await walletsAfter(this.deps.pool, this.lastWallet, WALLETS_PER_LOOK);
    await this.readBalances(wallets, false);
    this.lastWallet = wallets.length < WALLETS_PER_LOOK ? '' : (wallets.at(-1) ?? '');
  }

  /** What no event tells of a market, and no instruction changes. */
  private async completeMarkets(): Promise<void> {
    const { pool, connection } = this.deps;
    const { rows } = await pool.query<{ address: string }>(
      'SELECT address FROM markets WHERE quote_token_program IS NULL LIMIT 100',
    );
    if (rows.length === 0) return;
    let accounts: Awaited<ReturnType<typeof connection.getMultipleAccountsInfo>>;
    try {
      accounts = await connection.getMultipleAccountsInfo(
        rows.map(({ address }) => new PublicKey(address)),
        'confirmed',
      );
    } catch (error) {
      throw toChainError(error);
    }
    for (const [index, { address }] of rows.entries()) {
      const account = accounts[index];
      if (!account?.owner.equals(TRADING_PROGRAM_ID)) continue;
      await pool.query('UPDATE markets SET quote_token_program = $2 WHERE address = $1', [
        address,
        decodeMarket(account.data).quoteTokenProgram.toBase58(),
      ]);
    }
  }

  private get announces(): boolean {
    return this.deps.config.announce !== false;
  }

  /** Reads what every wallet holds, some at a time. @throws GtxError CHAIN_UNAVAILABLE */
  async refreshAllBalances(): Promise<void> {
    for (let after = ''; ; ) {
      const wallets = await walletsAfter(this.deps.pool, after, WALLETS_PER_LOOK);
      await this.readBalances(wallets, false);
      const last = wallets.at(-1);
      if (last === undefined || wallets.length < WALLETS_PER_LOOK) return;
      after = last;
    }
  }

  private async bind(): Promise<void> {
    await bindNetwork(this.deps.pool, this.deps.connection);
    this.bound = true;
    await this.deps.alerts.resolve('other_chain', 'mirror');
  }

  private nudge(program?: string): void {
    if (program === undefined) this.newsOf = undefined;
    else if (!this.news) this.newsOf = new Set([program]);
    else this.newsOf?.add(program);
    this.news = true;
    this.wakeUp?.();
  }

  private async run(): Promise<void> {
    const { logger, config, alerts, now } = this.deps;
    const pollMs = (config.pollSeconds ?? 2) * 1000;
    const outage = new OutageAlert({
      alerts,
      now,
      part: 'mirror',
      severity: 'critical',
      says: 'the mirror does not get on',
    });
    let failures = 0;
    while (!this.stopping) {
      // Everywhere without news, and also when there are news all the time.
      const some = this.news && failures === 0 && Date.now() - this.lookedEverywhereAt < pollMs;
      const only = some ? this.newsOf : undefined;
      this.news = false;
      this.newsOf = undefined;
      try {
        await this.catchUp(only);
        if (failures > 0) {
          logger.info({ failures }, 'the mirror follows the chain again');
        }
        await outage.worked();
        failures = 0;
      } catch (error) {
        failures += 1;
        // After an outage another node may answer: it is asked who it is.
        this.bound = false;
        this.metrics.failed();
        logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures },
          'the mirror cannot follow the chain now',
        );
        const elsewhere = error instanceof GtxError && error.code === 'CONFIG_INVALID';
        if (elsewhere)
          await alerts.raise({
            kind: 'other_chain',
            key: 'mirror',
            severity: 'critical',
            message: error.message,
            details: {},
          });
        else await outage.failed(failures, error);
      }
      const delay = failures === 0 ? pollMs : Math.min(500 * 2 ** Math.min(failures, 10), LONGEST_RETRY_MS);
      // During an outage news do not shorten the wait: there would be many.
      await this.sleep(delay, failures === 0);
    }
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

  /** Puts what is new in a program's history into the queue. */
  private async list(program: PublicKey, deep: boolean): Promise<void> {
    const { pool } = this.deps;
    const name = `signatures:${program.toBase58()}`;
    const { rows } = await pool.query<{ signature: string | null; slot: string }>(
      'SELECT signature, slot FROM cursors WHERE name = $1',
      [name],
    );
    const cursor = rows[0] ? { signature: rows[0].signature, slot: Number(rows[0].slot) } : undefined;
    const floor = cursor ? cursor.slot - OVERLAP_SLOTS : 0;
    const until = deep ? undefined : (cursor?.signature ?? undefined);
    let newest: ConfirmedSignatureInfo | undefined;
    let before: string | undefined;
    for (;;) {
      const page = await this.signatures(program, { before, until, limit: LIST_PAGE });
      newest ??= page[0];
      const some = page.filter(({ err, slot }) => err === null && slot >= floor);
      if (some.length > 0) {
        await pool.query(
          `INSERT INTO chain_queue (signature, slot, tx_index)
           SELECT q.signature, q.slot, q.tx_index
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS q (signature, slot, tx_index, n)
           WHERE NOT EXISTS (SELECT FROM chain_transactions t WHERE t.signature = q.signature)
           ORDER BY q.n
           ON CONFLICT DO NOTHING`,
          [
            some.map(({ signature }) => signature),
            some.map(({ slot }) => slot),
            // Nodes before Agave 3 do not tell it here; web3.js does not know the field, and keeps it.
            some.map((info) => (info as { transactionIndex?: number }).transactionIndex ?? null),
          ],
        );
      }
      const last = page.at(-1);
      if (!last || page.length < LIST_PAGE || last.slot < floor) break;
      before = last.signature;
    }
    // Only now, with everything below it queued: a crash in between lists it again.
    if (newest) {
      await pool.query(
        `INSERT INTO cursors (name, signature, slot) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET signature = excluded.signature, slot = excluded.slot, updated_at = now()
         WHERE cursors.slot <= excluded.slot`,
        [name, newest.signature, newest.slot],
      );
    }
  }

  private async signatures(
    address: PublicKey,
    { before, until, limit }: { before?: string | undefined; until?: string | undefined; limit: number },
  ): Promise<ConfirmedSignatureInfo[]> {
    try {
      return await this.deps.connection.getSignaturesForAddress(
        address,
        { limit, ...(before === undefined ? {} : { before }), ...(until === undefined ? {} : { until }) },
        'confirmed',
      );
    } catch (error) {
      throw toChainError(error);
    }
  }

  /** Applies the queue, oldest first. Returns how many are left for later. */
  private async drain(): Promise<QueueLength> {
    const { pool, logger, config } = this.deps;
    let { all: queued } = await this.queueLength();
    // The next page is read while one is applied.
    let next: Promise<Page> | undefined;
    while (!this.stopping) {
      const { rows, landed } = await (next ?? this.readPage([]));
      next = undefined;
      if (rows.length === 0) break;
      const taken = rows.map(({ signature }) => signature);
      if (rows.length === APPLY_PAGE) {
        next = this.readPage(taken);
        // Whatever comes of it is looked at in its turn.
        next.catch(() => {});
      }
      if (queued > (config.longBacklog ?? LONG_BACKLOG)) this.silent = true;
      await this.applyOrSetAside(landed.filter((transaction) => transaction !== undefined));
      const missing = rows.filter((_, index) => landed[index] === undefined);
      for (const { signature, tries } of missing) {
        if (tries >= MAX_TRIES) {
          // Listed once and never shown: a fork took it back. Should it come again, a deep look lists it again.
          logger.warn({ signature }, 'a listed transaction is not to be had; a fork has taken it back');
          await inTransaction(pool, async (client) => {
            await client.query('DELETE FROM chain_queue WHERE signature = $1', [signature]);
            await endAlerts(client, 'mirror_failed', [signature]);
          });
        } else await setAside(pool, signature);
      }
      queued = Math.max(0, queued - rows.length);
      this.metrics.queued(queued);
    }
    await next?.catch(() => {});
    const left = await this.queueLength();
    if (this.announces) await payGap(pool, this.silent ? 0 : GAP_SECONDS);
    this.silent = false;
    return left;
  }

  private async queueLength(): Promise<QueueLength> {
    const { rows } = await this.deps.pool.query<QueueLength>(
      'SELECT count(*)::int AS all, (count(*) FILTER (WHERE tries = 0))::int AS untried FROM chain_queue',
    );
    return rows[0] ?? { all: 0, untried: 0 };
  }

  /** The oldest of the queue, but for these, with what the chain shows of them. */
  private async readPage(but: readonly string[]): Promise<Page> {
    const { rows } = await this.deps.pool.query<Page['rows'][number]>(
      `SELECT signature, tries FROM chain_queue WHERE next_try_at <= now() AND signature <> ALL($1::text[])
       ORDER BY slot, tx_index, position DESC LIMIT ${APPLY_PAGE}`,
      [but],
    );
    return { rows, landed: await this.reader.read(rows.map(({ signature }) => signature)) };
  }

  /** One transaction that cannot be applied must not keep the others from it. */
  private async applyOrSetAside(transactions: readonly LandedTransaction[]): Promise<void> {
    if (transactions.length === 0) return;
    try {
      await this.applyAll(transactions);
      return;
    } catch (error) {
      if (isOutage(error)) throw error;
      if (transactions.length > 1) {
        for (const transaction of transactions) await this.applyOrSetAside([transaction]);
        return;
      }
      const signature = transactions[0]?.signature ?? '';
      this.deps.logger.error({ signature, err: error }, 'a transaction cannot be applied');
      const alert = {
        kind: 'mirror_failed',
        key: signature,
        severity: 'critical',
        message: `transaction ${signature} cannot be applied to the database: ${String(error)}`,
        details: { signature },
      } as const;
      const opened = await inTransaction(this.deps.pool, async (client) =>
        // Unless another collector has applied it meanwhile.
        (await setAside(client, signature)) ? openAlert(client, alert) : undefined,
      );
      if (opened !== undefined) this.deps.alerts.log(alert, opened);
    }
  }

  /** Applies transactions in one database transaction; tells of what a person should hear. */
  private async applyAll(
    transactions: readonly LandedTransaction[],
    { anew = false }: { anew?: boolean } = {},
  ): Promise<void> {
    if (transactions.length === 0) return;
    const { pool, connection, alerts, logger } = this.deps;
    const { meters, wallets } = touched(transactions);
    const newest = Math.max(...transactions.map(({ slot }) => slot));
    let height: number;
    try {
      height = await connection.getBlockHeight('confirmed');
    } catch (error) {
      throw toChainError(error);
    }
    const snapshot = await fetchSnapshot(connection, meters, wallets, newest);
    let told: [AlertInput, boolean][] = [];
    const findings = await inTransaction(pool, async (client) => {
      if (anew) for (const { signature } of transactions) await undoTransaction(client, signature);
      const found = await applyTransactions(client, transactions, snapshot, height, {
        finalizedSlot: this.finalizedSlot,
        announce: this.announces && !this.silent,
      });
      told = [];
      for (const alert of alertsOf(transactions, found)) told.push([alert, await openAlert(client, alert)]);
      // The last statement: others who owe one wait for this row.
      if (this.announces && this.silent && found.applied.length > 0) await oweGap(client);
      return found;
    });
    for (const { meterId } of snapshot.meters.values()) this.unknown.delete(meterId);
    this.metrics.applied(findings.applied.length, findings.events);
    if (findings.applied.length === 0) return;
    logger.debug({ transactions: findings.applied.length, slot: newest }, 'transactions applied');
    for (const { meterId, sequence, amountNkwh } of findings.held) {
      // Review and alert are opened with the account: what has been decided meanwhile is over already.
      logger.warn({ meterId, sequence, amountNkwh }, 'the chain holds energy back');
    }
    for (const [alert, opened] of told) alerts.log(alert, opened);
    if (findings.pauseTold !== undefined) alerts.log(PAUSED_ALERT, findings.pauseTold);
    for (const listener of this.appliedListeners) listener();
  }

  /** Reads anew what an undone transaction left behind (slot 0). */
  private async refreshStale(): Promise<void> {
    const { rows } = await this.deps.pool.query<{ address: string }>(
      `SELECT address FROM meters WHERE slot = 0
       UNION SELECT m.address FROM meters m JOIN users u ON u.id = m.user_id WHERE u.slot = 0 LIMIT 100`,
    );
    if (rows.length > 0) await this.refreshMeters(rows.map(({ address }) => address));
    const { rows: stale } = await this.deps.pool.query<{ wallet: string }>(
      `SELECT DISTINCT wallet FROM user_balances WHERE slot = 0 AND ${ofKnownMint()} LIMIT 100`,
    );
    await this.readBalances(
      stale.map(({ wallet }) => wallet),
      false,
    );
    await this.completeMarkets();
  }

  private async refreshMeters(addresses: readonly string[]): Promise<void> {
    const snapshot = await fetchSnapshot(this.deps.connection, addresses);
    await inTransaction(this.deps.pool, (client) => writeAccounts(client, snapshot));
  }

  private async lookUp(meterId: string): Promise<MirroredMeter | undefined> {
    const { connection, pool, now, config } = this.deps;
    const address = meterAddress(meterId).toBase58();
    const snapshot = await fetchSnapshot(connection, [address]);
    if (!snapshot.meters.has(address)) {
      remember(this.unknown, meterId, now() + (config.unknownMeterSeconds ?? 5) * 1000);
      return undefined;
    }
    await inTransaction(pool, (client) => writeAccounts(client, snapshot));
    remember(this.refreshed, meterId, now());
    return this.fromDatabase(meterId);
  }

  private async fromDatabase(meterId: string): Promise<MirroredMeter | undefined> {
    const { rows } = await this.deps.pool.query<Record<string, string> & { verified: boolean }>(
      `SELECT m.meter_id, m.address, m.user_id, m.wallet_address, m.public_key, m.rated_watts, m.status, u.verified,
         m.chain_sequence, m.chain_end, m.chain_produced_total, m.chain_consumed_total, m.chain_surplus_total
       FROM meters m JOIN users u ON u.id = m.user_id WHERE m.meter_id = $1`,
      [meterId],
    );
    const row = rows[0];
    if (!row) return undefined;
    const text = (name: string): string => String(row[name]);
    return {
      meterId,
      address: text('address'),
      userId: text('user_id'),
      wallet: text('wallet_address'),
      userVerified: row.verified,
      publicKey: text('public_key'),
      ratedWatts: Number(text('rated_watts')),
      status: text('status') as MeterStatus,
      chain: {
        sequence: BigInt(text('chain_sequence')),
        end: Number(text('chain_end')),
        producedTotal: BigInt(text('chain_produced_total')),
        consumedTotal: BigInt(text('chain_consumed_total')),
        surplusTotal: BigInt(text('chain_surplus_total')),
      },
    };
  }

  private async isApplied(signatures: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.deps.pool.query<{ signature: string }>(
      'SELECT signature FROM chain_transactions WHERE signature = ANY($1::text[])',
      [signatures],
    );
    return new Set(rows.map(({ signature }) => signature));
  }
}

/** What a person should hear of about transactions that were applied. */
function alertsOf(transactions: readonly LandedTransaction[], findings: ApplyFindings): AlertInput[] {
  const conflicts = findings.conflicts.map(
    ({ meterId, sequence, signature }): AlertInput => ({
      kind: 'chain_reading_conflict',
      key: `${meterId}/${sequence}`,
      severity: 'critical',
      message: `the chain accepted other bytes of ${meterId} under sequence ${sequence}: two gateways share a key`,
      details: { meter_id: meterId, sequence: sequence.toString(), signature },
    }),
  );
  const truncated = transactions.flatMap(({ signature, recovery }): AlertInput[] =>
    recovery && findings.applied.includes(signature)
      ? [
          {
            kind: 'chain_logs_truncated',
            key: signature,
            severity: recovery.lost.length > 0 ? 'critical' : 'info',
            message: `transaction ${signature} logged so much that its events are cut off; readings and mints are taken from its instructions`,
            details: { signature, lost: recovery.lost },
          },
        ]
      : [],
  );
  return [...conflicts, ...truncated];
}

/** `slot` is 1 while changes have been written of which nobody has been told; `updated_at` is when somebody last was. */
const GAP = 'gap';

/** In the transaction that writes what is not announced: whoever looks next tells of it, should this collector die. */
async function oweGap(client: pg.ClientBase): Promise<void> {
  await client.query(
    `INSERT INTO cursors (name, slot, updated_at) VALUES ($1, 1, '-infinity') ON CONFLICT (name) DO UPDATE SET slot = 1`,
    [GAP],
  );
}

/** Tells of a gap when one is owed, by whomever, and none was told within these seconds. */
async function payGap(pool: pg.Pool, seconds: number): Promise<void> {
  await pool.query(
    `WITH paid AS (
       UPDATE cursors SET slot = 0, updated_at = now()
       WHERE name = $1 AND slot = 1 AND updated_at <= now() - make_interval(secs => $2) RETURNING name)
     SELECT pg_notify($3, p) FROM paid CROSS JOIN unnest($4::text[]) AS p`,
    [GAP, seconds, CHANNEL, payloads({ kind: 'gap' })],
  );
}

/** Lets a queued transaction wait, longer each time. False when it is not queued any more. */
async function setAside(db: Pick<pg.ClientBase, 'query'>, signature: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE chain_queue SET tries = tries + 1,
       next_try_at = now() + least(power(2, least(tries, 10)) * 0.5, 60) * interval '1 second' WHERE signature = $1`,
    [signature],
  );
  return rowCount !== 0;
}

interface QueueLength {
  readonly all: number;
  /** Of them, those that were never looked for. */
  readonly untried: number;
}

/** A part of the queue, and what the chain shows of it: undefined where it shows nothing. */
interface Page {
  readonly rows: readonly { signature: string; tries: number }[];
  readonly landed: readonly (LandedTransaction | undefined)[];
}

/** Keeps a bounded map: the oldest entries go first. */
function remember(map: Map<string, number>, key: string, value: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) {
    const oldest = map.keys().next().value;
    if (oldest !== undefined) map.delete(oldest);
  }
}

/** An error that says nothing about the transaction at hand. */
function isOutage(error: unknown): boolean {
  if (error instanceof GtxError) return error.code === 'CHAIN_UNAVAILABLE';
  return error instanceof Error && 'code' in error && storageFailure(error) !== 'data';
}
