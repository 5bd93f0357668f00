import {
  decodeMeterKey,
  fetchAllMeters,
  fetchConfig,
  fetchTokenConfig,
  gridMintAddress,
  meterKeyAddress,
  REGISTRY_PROGRAM_ID,
  toChainError,
} from '@gridtokenx/chain';
import { decodeBase58, decodeReading, GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import { PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import type { Logger } from 'pino';
import sodium from 'sodium-native';
import { Alerts } from '../alerts.js';
import { fetchSnapshot, type MeterAccount } from '../mirror/accounts.js';
import type { LandedTransaction } from '../mirror/landed.js';
import { ChainMirror } from '../mirror/mirror.js';
import { bindNetwork } from '../mirror/network.js';
import {
  balanceKeys,
  compareBalances,
  type Holder,
  missingBalances,
  withoutBalance,
  withoutQuoteBalance,
} from './balances.js';
import { type CertificateFigures, compareCertificates, fetchCertificateAccounts } from './certificates.js';
import { type Difference, Differences } from './differences.js';
import { checkEnergy, type EnergyFigures } from './energy.js';
import { type DirectBurn, directBurns, isOnChain, programHistory } from './history.js';
import { PROJECTIONS } from './projections.js';
import {
  type CompareContext,
  compareRows,
  type EscrowSeen,
  LOOKS,
  liveKeys,
  ROWS_PER_LOOK,
  walkProjection,
  withoutRow,
} from './rows.js';
import { checkHoldings, type HoldingFigures } from './tokens.js';
import { compareTransactions } from './transactions.js';

export interface AuditDeps {
  readonly pool: pg.Pool;
  readonly connection: Connection;
  readonly logger: Logger;
  readonly now: () => number;
  /** Bring the database up to date first, as the collector would. Default true. */
  readonly catchUp?: boolean;
  /** Differences told in full; the rest is only counted. Default 1000. */
  readonly maxDifferences?: number;
  /** Compare the energy that is added up with every reading, and not only that of the last days and some older ones. */
  readonly wholeEnergy?: boolean;
  /** Told how many of the days are compared. */
  readonly energyProgress?: (done: number, of: number) => void;
  /** Ends the audit early: it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** All amounts are nkWh (base units of GRID) as decimal strings. */
export interface AuditFigures {
  readonly supply: string;
  readonly totalMinted: string;
  readonly totalBurned: string;
  readonly totalRetired: string;
  readonly directBurns: readonly DirectBurn[];
  readonly meters: number;
  readonly sumOfMintedCounters: string;
  readonly sumOfMintEvents: string;
  readonly sumOfHeld: string;
  readonly transactions: number;
  /** Transactions that logged too much: their readings and mints were read from their instructions. */
  readonly transactionsWithCutLogs: number;
  readonly mintEvents: number;
  readonly readingsOnChain: number;
  readonly readings: number;
  readonly signaturesVerified: number;
  readonly settlements: number;
  readonly certificates: CertificateFigures;
  readonly market: MarketFigures;
  readonly holdings: HoldingFigures;
  /** Wallets' balances that were compared with their token accounts. */
  readonly balances: number;
  /** Wallets whose tokens moved past the programs since their balance was read. */
  readonly balancesBehind: number;
  readonly energy: EnergyFigures;
}

/** All amounts are base units as decimal strings. */
export interface MarketFigures {
  readonly markets: number;
  readonly openOrders: number;
  /** Trades on the chain, and the GRID that changed hands in them. */
  readonly trades: number;
  readonly traded: string;
  /** What open orders say that their escrows hold: GRID of sell orders, quote tokens of buy orders. */
  readonly escrowedGrid: string;
  readonly escrowedQuote: string;
  /** Escrows that hold more than their order says: somebody's gift to the owner, and no fault. */
  readonly gifts: readonly EscrowGift[];
  readonly giftCount: number;
}

/** What an escrow holds beyond what its order says, in base units. */
export interface EscrowGift {
  readonly order: string;
  readonly side: 'sell' | 'buy';
  readonly amount: string;
}

export interface AuditReport {
  readonly ok: boolean;
  /** ISO 8601. */
  readonly checkedAt: string;
  readonly genesisHash: string;
  /** Everything up to this slot was compared. */
  readonly slot: number;
  readonly figures: AuditFigures;
  readonly differences: readonly Difference[];
  /** All differences, those not told included. */
  readonly differenceCount: number;
}

const PAGE = 1000;
const METER_PAGE = 90;
const KEY_PAGE = 100;
/** Told in full; the rest is counted. */
const MAX_GIFTS = 100;
/** Of wallets without a balance, so that a broken table does not fill the memory. */
const MAX_MISSING = 10_000;

/**
 * Walks from the token supply back to the signed readings and names everything that does not agree: supply,
 * counters, the programs' whole history, every settlement's transaction, every settled reading's signature. Then the energy that is
 * added up against the readings.
 *
 * The chain's side is read from the chain alone, in pages; the database's in pages too, so that memory does not
 * grow with history. A running system may go on settling meanwhile.
 *
 * @throws GtxError CHAIN_UNAVAILABLE, CONFIG_INVALID (the database belongs to another chain), the database's error.
 */
export async function runAudit(deps: AuditDeps): Promise<AuditReport> {
  return new Audit(deps).run();
}

class Audit {
  private readonly differences: Differences;
  private readonly mirror: ChainMirror;
  private client!: pg.PoolClient;
  private slot = 0;
  private transactions = 0;
  private mintEvents = 0;
  private sumOfMintEvents = 0n;
  private sumOfMintedCounters = 0n;
  private sumOfHeld = 0n;
  private meters = 0;
  private verified = 0;
  private recovered = 0;
  /** Accounts written by transactions with a cut log: not all that happened to them is among the events. */
  private readonly unlogged = new Set<string>();
  private readonly missing: string[] = [];
  private readonly trades = { trades: 0, amount: 0n };
  /** Escrows of open sell orders: they hold the GRID that is in no wallet. */
  private readonly gridEscrows = new Set<string>();
  private readonly withoutBalance = new Map<string, Holder>();
  private policy: Promise<number> | undefined;

  constructor(private readonly deps: AuditDeps) {
    const { pool, connection, logger, now } = deps;
    this.differences = new Differences(deps.maxDifferences ?? 1000);
    this.mirror = new ChainMirror({
      pool,
      connection,
      logger,
      now,
      alerts: new Alerts(pool, logger),
      config: { wsUrl: false },
    });
  }

  async run(): Promise<AuditReport> {
    const { pool, connection, now } = this.deps;
    const genesisHash = await bindNetwork(pool, connection);
    // First the slot, then the catching up: what the slot contains is then in the database.
    this.slot = await this.slotNow();
    await this.bringUpToDate();
    // One connection for the whole audit: it holds what the history showed in a temporary table.
    this.client = await pool.connect();
    try {
      await this.client.query(
        `CREATE TEMP TABLE audit_seen (signature varchar(88) PRIMARY KEY, slot bigint NOT NULL) ON COMMIT PRESERVE ROWS`,
      );
      const supply = await this.checkSupply();
      await this.checkHistory();
      await this.checkMeters();
      await this.checkTotals();
      await this.checkKeys();
      await this.checkReadings();
      await this.checkSettlements();
      const certificates = await this.checkCertificates();
      const market = await this.checkRows();
      const holdings = await this.checkHoldings();
      const balances = await this.checkBalances();
      const energy = await checkEnergy(this.client, this.differences, {
        whole: this.deps.wholeEnergy ?? false,
        progress: this.deps.energyProgress,
        signal: this.deps.signal,
      });
      const counts = await this.counts();
      return {
        ok: this.differences.count === 0,
        checkedAt: new Date(now()).toISOString(),
        genesisHash,
        slot: this.slot,
        figures: {
          ...supply,
          meters: this.meters,
          sumOfMintedCounters: this.sumOfMintedCounters.toString(),
          sumOfMintEvents: this.sumOfMintEvents.toString(),
          sumOfHeld: this.sumOfHeld.toString(),
          transactions: this.transactions,
          transactionsWithCutLogs: this.recovered,
          mintEvents: this.mintEvents,
          signaturesVerified: this.verified,
          ...counts,
          ...balances,
          certificates,
          market,
          holdings,
          energy,
        },
        differences: this.differences.list,
        differenceCount: this.differences.count,
      };
    } finally {
      let broken: Error | undefined;
      await this.client.query('DROP TABLE IF EXISTS audit_seen').catch((error: unknown) => {
        broken = error instanceof Error ? error : new Error(String(error));
      });
      this.client.release(broken);
    }
  }

  private async bringUpToDate(): Promise<void> {
    this.deps.signal?.throwIfAborted();
    if (this.deps.catchUp !== false) await this.mirror.catchUp();
  }

  private async slotNow(): Promise<number> {
    try {
      return await this.deps.connection.getSlot('confirmed');
    } catch (error) {
      throw toChainError(error);
    }
  }

  // --- supply

  private async checkSupply(): Promise<
    Pick<AuditFigures, 'supply' | 'totalMinted' | 'totalBurned' | 'totalRetired' | 'directBurns'>
  > {
    const { connection } = this.deps;
    const config = await this.tokenConfig();
    let supply = 0n;
    let before = config;
    for (let look = 0; look < LOOKS; look++) {
      try {
        supply = BigInt((await connection.getTokenSupply(gridMintAddress(), 'confirmed')).value.amount);
      } catch (error) {
        throw toChainError(error);
      }
      const after = await this.tokenConfig();
      const still = after.totalMinted === before.totalMinted && after.totalBurned === before.totalBurned;
      before = after;
      if (still) break;
    }
    const burns: DirectBurn[] = [];
    let direct = 0n;
    if (supply !== before.totalMinted - before.totalBurned) {
      for await (const burn of directBurns(connection, Number.MAX_SAFE_INTEGER)) {
        direct += BigInt(burn.amount);
        burns.push(burn);
      }
    }
    this.differences.expect(
      'SUPPLY',
      `minted ${before.totalMinted} - burned ${before.totalBurned} - burned directly ${direct} =`,
      before.totalMinted - before.totalBurned - direct,
      supply,
    );
    return {
      supply: supply.toString(),
      totalMinted: before.totalMinted.toString(),
      totalBurned: before.totalBurned.toString(),
      totalRetired: before.totalRetired.toString(),
      directBurns: burns,
    };
  }

  private async tokenConfig(): Promise<NonNullable<Awaited<ReturnType<typeof fetchTokenConfig>>>> {
    const config = await fetchTokenConfig(this.deps.connection);
    if (!config) {
      throw new GtxError(
        'NOT_FOUND',
        'energy-token is not initialised on this chain: there is nothing to audit',
      );
    }
    return config;
  }

  // --- history: the chain's transactions against the database's

  private async checkHistory(): Promise<void> {
    for await (const { listed, transactions } of programHistory(this.deps.connection, this.slot)) {
      this.deps.signal?.throwIfAborted();
      this.transactions += listed;
      for (const { events, recovery, signature } of transactions) {
        if (recovery) {
          this.recovered += 1;
          for (const address of recovery.written) this.unlogged.add(address);
          for (const name of recovery.lost) {
            this.differences.add('EVENTS_LOST', {
              signature,
              expected: `the events of ${name}`,
              actual: 'cut off',
            });
          }
        }
        for (const { event } of events) {
          if (event.name !== 'ProductionMinted') continue;
          this.mintEvents += 1;
          this.sumOfMintEvents += event.data.amount;
        }
      }
      await this.client.query(
        `INSERT INTO audit_seen SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING`,
        [transactions.map(({ signature }) => signature), transactions.map(({ slot }) => slot)],
      );
      await this.compareEvents(transactions);
      if (this.missing.length >= PAGE) await this.tellMissing();
    }
    await this.tellMissing();
    let after = '';
    for (;;) {
      const { rows } = await this.client.query<{ signature: string }>(
        `SELECT t.signature FROM chain_transactions t LEFT JOIN audit_seen a USING (signature)
         WHERE a.signature IS NULL AND t.slot <= $1 AND t.signature > $2 ORDER BY t.signature LIMIT ${PAGE}`,
        [this.slot, after],
      );
      for (const { signature } of rows) {
        if (await isOnChain(this.deps.connection, signature)) continue;
        this.differences.add('TRANSACTION_UNKNOWN', {
          signature,
          expected: 'on the chain',
          actual: 'absent',
        });
      }
      after = rows.at(-1)?.signature ?? '';
      if (rows.length < PAGE) return;
    }
  }

  private async compareEvents(transactions: readonly LandedTransaction[]): Promise<void> {
    const found = await compareTransactions(this.client, transactions, this.differences);
    this.missing.push(...found.missing);
    this.trades.trades += found.trades;
    this.trades.amount += found.amount;
  }

  /** A slot may still have been filling when the database was brought up to date: what it lacks is looked for again. */
  private async tellMissing(): Promise<void> {
    const missing = this.missing.splice(0);
    if (missing.length === 0) return;
    await this.bringUpToDate();
    const { rows } = await this.client.query<{ signature: string }>(
      'SELECT signature FROM chain_transactions WHERE signature = ANY($1::text[])',
      [missing],
    );
    const found = new Set(rows.map(({ signature }) => signature));
    for (const signature of missing) {
      if (found.has(signature)) continue;
      this.differences.add('TRANSACTION_MISSING', { signature, expected: 'applied', actual: 'absent' });
    }
  }

  // --- meters: accounts against rows, counters against events

  private async checkMeters(): Promise<void> {
    const { connection } = this.deps;
    const onChain = new Set<string>();
    for (const { address } of await fetchAllMeters(connection)) onChain.add(address.toBase58());
    let after = '';
    for (;;) {
      const { rows } = await this.client.query<{ meter_id: string; address: string }>(
        `SELECT meter_id, address FROM meters WHERE meter_id > $1 ORDER BY meter_id LIMIT ${METER_PAGE}`,
        [after],
      );
      if (rows.length === 0) break;
      for (const { address } of rows) onChain.delete(address);
      await this.checkMeterPage(rows);
      after = rows.at(-1)?.meter_id ?? '';
    }
    // Registered while the audit ran, or really missing: asked once more.
    if (onChain.size > 0) await this.bringUpToDate();
    for (const address of onChain) {
      const { rowCount } = await this.client.query('SELECT FROM meters WHERE address = $1', [address]);
      const snapshot = await fetchSnapshot(connection, [address]);
      const account = snapshot.meters.get(address);
      this.meters += 1;
      this.sumOfMintedCounters += account?.minted ?? 0n;
      this.sumOfHeld += account?.held ?? 0n;
      if (rowCount === 0) {
        this.differences.add('METER_MISSING', {
          meter: account?.meterId ?? address,
          account: address,
          expected: 'in the database',
          actual: 'absent',
        });
      }
    }
  }

  /** Compares a page of meters; what differs is looked at again after catching up, for it may just have moved. */
  private async checkMeterPage(page: readonly { meter_id: string; address: string }[]): Promise<void> {
    let left = page;
    for (let look = 1; left.length > 0; look++) {
      const snapshot = await fetchSnapshot(
        this.deps.connection,
        left.map(({ address }) => address),
      );
      const sums = await this.eventSums(left.map(({ address }) => address));
      const again: { meter_id: string; address: string }[] = [];
      for (const meter of left) {
        const found = new Differences(Number.POSITIVE_INFINITY);
        const account = snapshot.meters.get(meter.address);
        if (account) this.compareMeter(meter, account, sums.get(meter.address) ?? NO_SUMS, found);
        else {
          const where = { meter: meter.meter_id, account: meter.address };
          found.add('METER_UNKNOWN', { ...where, expected: 'on the chain', actual: 'absent' });
        }
        if (found.count > 0 && look < LOOKS && this.deps.catchUp !== false) {
          again.push(meter);
          continue;
        }
        this.differences.addAll(found.list);
        if (!account) continue;
        this.meters += 1;
        this.sumOfMintedCounters += account.minted;
        this.sumOfHeld += account.held;
      }
      if (again.length > 0) await this.bringUpToDate();
      left = again;
    }
  }

  /** What its row says is compared with the others, see {@link checkRows}. */
  private compareMeter(
    { meter_id: meter, address }: { meter_id: string; address: string },
    account: MeterAccount,
    sums: EventSums,
    found: Differences,
  ): void {
    const count = (what: string, fromEvents: bigint, counter: bigint) =>
      found.expect('COUNTER_DIFFERS', `${what} by events`, fromEvents, counter, { meter });
    count('minted', sums.minted, account.minted);
    // Only its event tells how far settling went; what it led to, the mints, are known in any case.
    if (!this.unlogged.has(address)) count('settled', sums.settled, account.settled);
    count('eligible', sums.counted + sums.released, account.eligible);
    count('held', sums.held - sums.released - sums.writtenOff, account.held);
    count('last sequence', sums.lastSequence, account.lastSequence);
    // What is still to be minted must be waited for, but for releases, which are in no reading's own sum.
    const due = account.eligible - account.minted;
    if (due > sums.waiting + sums.released) {
      found.add('MINTED_TOO_EARLY', {
        meter,
        expected: `${due} nkWh still to be minted`,
        actual: `${sums.waiting}`,
      });
    }
    if (due === 0n && sums.waiting > 0n) {
      found.add('NOT_MARKED', { meter, expected: 'nothing left to mint', actual: `${sums.waiting} nkWh` });
    }
  }

  private async eventSums(addresses: readonly string[]): Promise<Map<string, EventSums>> {
    const { rows } = await this.client.query<Record<keyof EventSums | 'meter', string>>(
      `SELECT m.address AS meter, e.minted, e.settled, e.released, e."writtenOff", c.counted, c.held, c.waiting, c."lastSequence"
       FROM meters m
       CROSS JOIN LATERAL (SELECT
         coalesce(sum((data ->> 'amount')::numeric) FILTER (WHERE name = 'ProductionMinted'), 0) AS minted,
         coalesce(sum((data ->> 'newTokens')::numeric) FILTER (WHERE name = 'MeterBalanceSettled'), 0) AS settled,
         coalesce(sum((data ->> 'amount')::numeric) FILTER (WHERE name = 'HeldReleased'), 0) AS released,
         coalesce(sum((data ->> 'amount')::numeric) FILTER (WHERE name = 'HeldWrittenOff'), 0) AS "writtenOff"
         FROM chain_events x WHERE x.meter = m.address) AS e
       CROSS JOIN LATERAL (SELECT coalesce(sum(counted), 0) AS counted, coalesce(sum(held), 0) AS held,
         coalesce(sum(CASE WHEN counted > 0 THEN counted ELSE held END) FILTER (WHERE state = 'mint_due'), 0) AS waiting,
         coalesce(max(sequence), 0) AS "lastSequence" FROM chain_readings r WHERE r.meter_id = m.meter_id) AS c
       WHERE m.address = ANY($1::text[])`,
      [addresses],
    );
    return new Map(
      rows.map((row) => [
        row.meter,
        {
          minted: BigInt(row.minted),
          settled: BigInt(row.settled),
          counted: BigInt(row.counted),
          held: BigInt(row.held),
          waiting: BigInt(row.waiting),
          released: BigInt(row.released),
          writtenOff: BigInt(row.writtenOff),
          lastSequence: BigInt(row.lastSequence),
        },
      ]),
    );
  }

  /**
   * Sum of counters and sum of events against the total. Meters are read one page after the other, so that in a
   * busy system the sum belongs to no single moment: it must lie between the totals before and after. The slot of the
   * audit may still be going on: what was minted in it may have come after the history was read, so that the least is
   * what was minted before it.
   */
  private async checkTotals(): Promise<void> {
    const { totalMinted } = await this.tokenConfig();
    const { rows } = await this.client.query<{ total: string | null }>(
      `SELECT max((data ->> 'totalMinted')::numeric) AS total FROM chain_events
       WHERE name = 'ProductionMinted' AND slot < $1`,
      [this.slot],
    );
    const atSlot = BigInt(rows[0]?.total ?? 0);
    const sum = this.sumOfMintedCounters;
    if (sum < atSlot || sum > totalMinted) {
      this.differences.add('TOTAL_MINTED', {
        expected: atSlot === totalMinted ? totalMinted.toString() : `between ${atSlot} and ${totalMinted}`,
        actual: sum.toString(),
      });
    }
    const events = this.sumOfMintEvents;
    if (events !== atSlot && !(events >= atSlot && events <= totalMinted)) {
      this.differences.add('MINT_EVENTS', { expected: atSlot.toString(), actual: events.toString() });
    }
    if (events === 0n && totalMinted > 0n) {
      this.differences.add('HISTORY_INCOMPLETE', {
        expected: `events of ${totalMinted} minted by ${REGISTRY_PROGRAM_ID.toBase58()}`,
        actual: 'none',
      });
    }
  }

  // --- rows that repeat accounts: meters, users, markets, orders, certificates, feeds, proposals

  private get comparing(): CompareContext {
    const { connection, catchUp } = this.deps;
    const again = catchUp === false ? undefined : () => this.bringUpToDate();
    return { db: this.client, connection, catchUp: again };
  }

  private async checkRows(): Promise<MarketFigures> {
    const { connection } = this.deps;
    const gifts: EscrowGift[] = [];
    const sums = { sell: 0n, buy: 0n, gifts: 0, orders: 0 };
    const seen = new Set<string>();
    const onEscrow = (escrow: EscrowSeen): void => {
      if (seen.has(escrow.order)) return;
      seen.add(escrow.order);
      sums.orders += 1;
      sums[escrow.side] += escrow.escrowed;
      if (escrow.side === 'sell') this.gridEscrows.add(escrow.account);
      if (escrow.held <= escrow.escrowed) return;
      sums.gifts += 1;
      const amount = (escrow.held - escrow.escrowed).toString();
      if (gifts.length < MAX_GIFTS) gifts.push({ order: escrow.order, side: escrow.side, amount });
    };
    for (const projection of PROJECTIONS) {
      let after = '';
      for (;;) {
        this.deps.signal?.throwIfAborted();
        const keys = await liveKeys(this.client, projection, after, ROWS_PER_LOOK);
        this.differences.addAll(await compareRows(this.comparing, projection, keys, onEscrow));
        after = keys.at(-1) ?? '';
        if (keys.length < ROWS_PER_LOOK) break;
      }
      await walkProjection(connection, projection, async (keys) => {
        const missing = await withoutRow(this.client, projection, keys);
        this.differences.addAll(await compareRows(this.comparing, projection, missing, onEscrow));
      });
    }
    const { rows } = await this.client.query<{ count: string }>('SELECT count(*) FROM markets');
    return {
      markets: Number(rows[0]?.count ?? 0),
      openOrders: sums.orders,
      trades: this.trades.trades,
      traded: this.trades.amount.toString(),
      escrowedGrid: sums.sell.toString(),
      escrowedQuote: sums.buy.toString(),
      gifts,
      giftCount: sums.gifts,
    };
  }

  // --- who holds the tokens

  private async checkHoldings(): Promise<HoldingFigures> {
    return checkHoldings(
      this.deps.connection,
      this.differences,
      (address) => this.gridEscrows.has(address),
      async (batch) => {
        for (const holder of await withoutBalance(this.client, batch)) {
          if (this.withoutBalance.size < MAX_MISSING) this.withoutBalance.set(holder.wallet, holder);
        }
      },
    );
  }

  private async checkBalances(): Promise<Pick<AuditFigures, 'balances' | 'balancesBehind'>> {
    let balances = 0;
    let behind = 0;
    let after = { wallet: '', mint: '' };
    for (;;) {
      this.deps.signal?.throwIfAborted();
      const keys = await balanceKeys(this.client, after, ROWS_PER_LOOK);
      const found = await compareBalances(this.comparing, keys);
      this.differences.addAll(found.differences);
      balances += keys.length;
      behind += found.behind.length;
      after = keys.at(-1) ?? after;
      if (keys.length < ROWS_PER_LOOK) break;
    }
    this.differences.addAll(await missingBalances(this.comparing, [...this.withoutBalance.values()]));
    for (let last = { wallet: '', mint: '' }; ; ) {
      const holders = await withoutQuoteBalance(this.client, last, ROWS_PER_LOOK);
      this.differences.addAll(await missingBalances(this.comparing, holders));
      last = holders.at(-1) ?? last;
      if (holders.length < ROWS_PER_LOOK) break;
    }
    return { balances, balancesBehind: behind };
  }

  // --- certificates

  /** Accounts are listed one kind after the other: in a busy system what differs is looked at again. */
  private async checkCertificates(): Promise<CertificateFigures> {
    for (let look = 1; ; look++) {
      const found = new Differences(Number.POSITIVE_INFINITY);
      const accounts = await fetchCertificateAccounts(this.deps.connection);
      const figures = compareCertificates(accounts, found);
      if (found.count > 0 && look < LOOKS) continue;
      this.differences.addAll(found.list);
      return figures;
    }
  }

  // --- keys

  private async checkKeys(): Promise<void> {
    let after = '';
    for (;;) {
      const { rows } = await this.client.query<{ public_key: string; meter_id: string; address: string }>(
        `SELECT k.public_key, k.meter_id, m.address FROM meter_keys k JOIN meters m USING (meter_id)
         WHERE k.public_key > $1 ORDER BY k.public_key LIMIT ${KEY_PAGE}`,
        [after],
      );
      if (rows.length === 0) return;
      let accounts: Awaited<ReturnType<Connection['getMultipleAccountsInfo']>>;
      try {
        accounts = await this.deps.connection.getMultipleAccountsInfo(
          rows.map(({ public_key }) => meterKeyAddress(new PublicKey(public_key))),
          'confirmed',
        );
      } catch (error) {
        throw toChainError(error);
      }
      rows.forEach(({ public_key: key, meter_id: meter, address }, index) => {
        const account = accounts[index];
        const actual = account?.owner.equals(REGISTRY_PROGRAM_ID)
          ? decodeMeterKey(account.data).meter.toBase58()
          : 'no meter';
        this.differences.expect('KEY_HISTORY', `key ${key} belongs to`, actual, address, { meter });
      });
      after = rows.at(-1)?.public_key ?? '';
    }
  }

  // --- readings

  private async checkReadings(): Promise<void> {
    let meter = '';
    let sequence = '-1';
    for (;;) {
      // Every reading that counts as settled or that the chain has accepted, with what the chain has of it.
      const { rows } = await this.client.query<ReadingRow>(
        `SELECT r.meter_id, r.sequence, r.flags, r.interval_start, r.interval_end, r.produced_total, r.consumed_total,
           r.surplus_total, r.status, r.minted, r.mint_tx_signature, r.message, r.meter_signature, r.public_key,
           c.sequence AS chain_sequence, c.state, c.mint_signature, c.public_key AS chain_key,
           c.produced_total AS chain_produced, c.consumed_total AS chain_consumed, c.surplus_total AS chain_surplus,
           c.interval_end AS chain_end, k.meter_id AS key_meter,
           -- Several things may happen in one slot, so that a key's first and last slot count as its own.
           c.sequence = r.sequence AND NOT EXISTS (SELECT FROM meter_keys h WHERE h.public_key = r.public_key
             AND h.meter_id = r.meter_id AND h.from_slot <= c.slot AND NOT EXISTS (SELECT FROM meter_keys n
               WHERE n.meter_id = h.meter_id AND n.from_slot > h.from_slot AND n.from_slot < c.slot)) AS key_not_in_force
         FROM meter_readings r
         LEFT JOIN LATERAL (SELECT * FROM chain_readings c
           WHERE c.meter_id = r.meter_id AND c.sequence >= r.sequence ORDER BY c.sequence LIMIT 1) AS c ON TRUE
         LEFT JOIN meter_keys k ON k.public_key = r.public_key
         WHERE (r.meter_id, r.sequence) > ($1::text, $2::numeric)
           AND (r.minted OR c.sequence IS NOT NULL OR r.status IN ('accepted', 'chain_held'))
         ORDER BY r.meter_id, r.sequence LIMIT ${PAGE}`,
        [meter, sequence],
      );
      this.deps.signal?.throwIfAborted();
      for (const row of rows) this.checkReading(row);
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) break;
      meter = last.meter_id;
      sequence = last.sequence;
    }
    await this.checkChainReadings();
  }

  private checkReading(row: ReadingRow): void {
    const { differences } = this;
    const where = { meter: row.meter_id, sequence: row.sequence };
    const onChain = row.chain_sequence !== null;
    const itself = onChain && row.chain_sequence === row.sequence;

    if (!onChain) {
      differences.add('MARKED_WRONGLY', { ...where, expected: 'not minted', actual: row.status });
    } else if (row.minted) {
      differences.expect(
        'WRONG_SIGNATURE',
        'minted by',
        row.mint_signature ?? 'nothing',
        row.mint_tx_signature ?? 'nothing',
        where,
      );
    } else if (['pending', 'covered', 'held', 'review'].includes(row.status)) {
      differences.add('NOT_MARKED', { ...where, expected: row.state ?? '', actual: row.status });
    } else if (
      row.state === 'minted' &&
      row.status !== 'nothing_to_settle' &&
      row.status !== 'superseded' &&
      row.status !== 'written_off'
    ) {
      differences.add('NOT_MARKED', { ...where, expected: 'minted', actual: row.status });
    }

    if (row.meter_signature === '') {
      differences.add('SIGNATURE_MISSING', { ...where, expected: 'a signature', actual: 'none' });
    } else {
      this.verified += 1;
      if (!verifies(row)) {
        differences.add('SIGNATURE_INVALID', {
          ...where,
          expected: `signed by ${row.public_key}`,
          actual: 'not',
        });
      }
    }
    const altered = alteredFields(row);
    if (altered !== undefined) differences.add('READING_ALTERED', { ...where, ...altered });
    if (row.key_meter !== row.meter_id) {
      differences.add('KEY_UNKNOWN', {
        ...where,
        expected: `a key of ${row.meter_id}`,
        actual: row.key_meter === null ? `${row.public_key}, of no meter` : `a key of ${row.key_meter}`,
      });
    }
    if (!itself || row.status === 'superseded') return;
    if (row.key_not_in_force && row.key_meter === row.meter_id) {
      differences.add('KEY_UNKNOWN', { ...where, expected: 'the key of its time', actual: row.public_key });
    }
    const chain = [
      row.chain_produced,
      row.chain_consumed,
      row.chain_surplus,
      row.chain_end,
      row.chain_key,
    ].join(' ');
    const own = [
      row.produced_total,
      row.consumed_total,
      row.surplus_total,
      row.interval_end,
      row.public_key,
    ].join(' ');
    differences.expect('READING_DIFFERS', 'on the chain', chain, own, where);
  }

  /** Readings of the chain that are not here, and the sums of each range between two of them. */
  private async checkChainReadings(): Promise<void> {
    let meter = '';
    let sequence = '-1';
    for (;;) {
      const { rows } = await this.client.query<
        Record<string, string | null> & { rebased: boolean | null; inferred: boolean }
      >(
        `SELECT c.meter_id, c.sequence, c.signature, c.counted, c.held, c.surplus_total, c.inferred, k.reading_id, e.rebased,
           e.counted AS event_counted, e.held AS event_held, e.sequence AS event_sequence,
           coalesce((SELECT p.surplus_total FROM chain_readings p WHERE p.meter_id = c.meter_id
             AND p.sequence < c.sequence ORDER BY p.sequence DESC LIMIT 1), 0) AS before
         FROM chain_readings c JOIN meters m USING (meter_id)
         LEFT JOIN reading_keys k ON k.meter_id = c.meter_id AND k.sequence = c.sequence
         LEFT JOIN LATERAL (
           SELECT data ->> 'counted' AS counted, data ->> 'held' AS held, data ->> 'sequence' AS sequence,
             (data ->> 'rebased') NOT IN ('0', 'false') AS rebased
           FROM chain_events x WHERE x.signature = c.signature AND x.name = 'MeterReadingSubmitted'
             AND x.meter = m.address AND x.data ->> 'sequence' = c.sequence::text LIMIT 1) AS e ON TRUE
         WHERE (c.meter_id, c.sequence) > ($1::text, $2::numeric) AND c.slot <= $3
         ORDER BY c.meter_id, c.sequence LIMIT ${PAGE}`,
        [meter, sequence, this.slot],
      );
      for (const row of rows) {
        const where = {
          meter: row.meter_id ?? '',
          sequence: row.sequence ?? '',
          signature: row.signature ?? '',
        };
        if (row.reading_id === null) {
          this.differences.add('READING_MISSING', {
            ...where,
            expected: 'in the database',
            actual: 'absent',
          });
        }
        if (row.inferred) continue;
        if (row.event_sequence === null) {
          this.differences.add('EVENT_DIFFERS', { ...where, expected: 'an event for it', actual: 'none' });
          continue;
        }
        this.differences.expect(
          'EVENT_DIFFERS',
          'counted and held',
          `${row.event_counted} ${row.event_held}`,
          `${row.counted} ${row.held}`,
          where,
        );
        if (row.rebased === true || !(await this.countsSurplus())) continue;
        const rise = BigInt(row.surplus_total ?? 0) - BigInt(row.before ?? 0);
        this.differences.expect(
          'RANGE_DIFFERS',
          'counted and held',
          BigInt(row.counted ?? 0) + BigInt(row.held ?? 0),
          rise,
          where,
        );
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) return;
      meter = last.meter_id ?? '';
      sequence = last.sequence ?? '';
    }
  }

  /** The registry's policy decides what a range must add up to: only each interval's surplus is a plain sum. */
  private async countsSurplus(): Promise<boolean> {
    this.policy ??= fetchConfig(this.deps.connection).then((config) => Number(config?.policy ?? 0));
    return (await this.policy) === 0;
  }

  // --- settlements

  private async checkSettlements(): Promise<void> {
    let after = '0';
    for (;;) {
      const { rows } = await this.client.query<{
        id: string;
        signature: string;
        state: string;
        seen: boolean;
        slot: string | null;
        wrong: { meter: string; address: string; minted: string | null; event: string }[] | null;
      }>(
        `SELECT s.id, s.signature, s.state, a.signature IS NOT NULL AS seen, s.slot,
           (SELECT json_agg(json_build_object('meter', i.meter_id, 'minted', i.minted_nkwh::text, 'event', e.sum::text))
            FROM settlement_items i JOIN meters m USING (meter_id)
            CROSS JOIN LATERAL (SELECT coalesce(sum((data ->> 'amount')::numeric), 0) AS sum FROM chain_events x
              WHERE x.signature = s.signature AND x.name = 'ProductionMinted' AND x.meter = m.address) AS e
            WHERE i.settlement_id = s.id AND i.minted_nkwh IS DISTINCT FROM e.sum) AS wrong
         FROM settlements s LEFT JOIN audit_seen a USING (signature)
         WHERE s.id > $1::bigint AND s.state <> 'prepared' ORDER BY s.id LIMIT ${PAGE}`,
        [after],
      );
      for (const { signature, state, seen, slot, wrong } of rows) {
        const executed = state === 'confirmed' || state === 'finalized';
        // One from after the audit's slot is asked for by itself.
        const there =
          seen ||
          ((slot === null || Number(slot) > this.slot || executed) &&
            (await isOnChain(this.deps.connection, signature)));
        if (executed && !there) {
          this.differences.add('SETTLEMENT_MISSING', {
            signature,
            expected: 'on the chain',
            actual: 'absent',
          });
        }
        if (!executed && there) {
          this.differences.add('SETTLEMENT_STATE', { signature, expected: 'confirmed', actual: state });
        }
        for (const item of executed && there ? (wrong ?? []) : []) {
          this.differences.add('SETTLEMENT_AMOUNT', {
            meter: item.meter,
            signature,
            expected: item.event,
            actual: item.minted ?? 'nothing',
          });
        }
      }
      after = rows.at(-1)?.id ?? after;
      if (rows.length < PAGE) return;
    }
  }

  private async counts(): Promise<Pick<AuditFigures, 'readings' | 'readingsOnChain' | 'settlements'>> {
    const { rows } = await this.client.query<Record<string, string>>(
      `SELECT (SELECT count(*) FROM meter_readings) AS readings, (SELECT count(*) FROM chain_readings) AS on_chain,
         (SELECT count(*) FROM settlements WHERE state IN ('confirmed', 'finalized')) AS settlements`,
    );
    return {
      readings: Number(rows[0]?.readings ?? 0),
      readingsOnChain: Number(rows[0]?.on_chain ?? 0),
      settlements: Number(rows[0]?.settlements ?? 0),
    };
  }
}

interface EventSums {
  readonly minted: bigint;
  readonly settled: bigint;
  readonly counted: bigint;
  readonly held: bigint;
  /** Of accepted readings that are not minted yet. */
  readonly waiting: bigint;
  readonly released: bigint;
  readonly writtenOff: bigint;
  readonly lastSequence: bigint;
}

const NO_SUMS: EventSums = {
  minted: 0n,
  settled: 0n,
  counted: 0n,
  held: 0n,
  waiting: 0n,
  released: 0n,
  writtenOff: 0n,
  lastSequence: 0n,
};

interface ReadingRow {
  meter_id: string;
  sequence: string;
  flags: string;
  interval_start: string;
  interval_end: string;
  produced_total: string;
  consumed_total: string;
  surplus_total: string;
  status: string;
  minted: boolean;
  mint_tx_signature: string | null;
  message: Buffer;
  meter_signature: string;
  public_key: string;
  chain_sequence: string | null;
  state: string | null;
  mint_signature: string | null;
  chain_key: string | null;
  chain_produced: string | null;
  chain_consumed: string | null;
  chain_surplus: string | null;
  chain_end: string | null;
  key_meter: string | null;
  key_not_in_force: boolean | null;
}

/** Strictly, as the chain's precompile does. */
function verifies(row: ReadingRow): boolean {
  try {
    return sodium.crypto_sign_verify_detached(
      decodeBase58(row.meter_signature, 64),
      row.message,
      decodeBase58(row.public_key, 32),
    );
  } catch {
    // Not base58, or of the wrong length: certainly no signature of it.
    return false;
  }
}

/** The first column that is not what the signed bytes say. */
function alteredFields(row: ReadingRow): { expected: string; actual: string } | undefined {
  let signed: ReturnType<typeof decodeReading>;
  try {
    signed = decodeReading(row.message);
  } catch (error) {
    return { expected: 'a signed reading', actual: error instanceof Error ? error.message : String(error) };
  }
  const pairs: [string, bigint | number, string][] = [
    ['sequence', signed.sequence, row.sequence],
    ['flags', signed.flags, row.flags],
    ['interval_start', signed.intervalStart, row.interval_start],
    ['interval_end', signed.intervalEnd, row.interval_end],
    ['produced_total', signed.producedTotal, row.produced_total],
    ['consumed_total', signed.consumedTotal, row.consumed_total],
    ['surplus_total', signed.surplusTotal, row.surplus_total],
  ];
  for (const [name, expected, actual] of pairs) {
    if (String(expected) !== String(actual))
      return { expected: `${name} ${expected}`, actual: String(actual) };
  }
  return undefined;
}
