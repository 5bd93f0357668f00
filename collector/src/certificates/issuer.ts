import {
  type CertificatesBook,
  decodeMeter,
  fetchBooks,
  fetchCertificatesConfig,
  fetchSome,
  instructions,
  REGISTRY_PROGRAM_ID,
  type RegistryMeter,
  sendAndConfirm,
} from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import { PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { OutageAlert } from '../alerts/outage.js';
import type { ChainMirror } from '../mirror/mirror.js';
import { bindNetwork } from '../mirror/network.js';
import type { ChainDeps } from '../ports.js';
import { type IssuerObserver, noIssuerMetrics } from './metrics.js';

/** Who pays the rent of certificates: `owner` out of the book, `collector` with the fee payer. */
export type CertificatesMode = 'owner' | 'collector';

export interface CertificatesConfig {
  readonly mode: CertificatesMode;
  /** In mode `collector`, the least energy for which the fee payer pays rent, nkWh. */
  readonly minimumNkwh: bigint;
  /** Seconds between two looks at every meter. Default 600; in between, only at those that were settled. */
  readonly sweepSeconds?: number | undefined;
  /** The pause after a first failure of node or database; it doubles up to half a minute. Default 1000. */
  readonly pauseMs?: number | undefined;
}

export interface IssuerDeps extends ChainDeps<CertificatesConfig> {
  readonly mirror: Pick<ChainMirror, 'onApplied'>;
  readonly metrics?: IssuerObserver;
}

/** Certificates in one transaction: what fits 1,232 bytes without a lookup table. */
const PER_TRANSACTION = 5;
/** About 5,000 are used; the rest is for addresses that take longer to find. */
const UNITS_EACH = 30_000;
/** Meters looked at together. */
const PAGE = 100;
/** Refusals in a row after which somebody is told. */
const ALERT_AFTER = 3;
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 6 * 3_600_000;
const LONGEST_OUTAGE_PAUSE_MS = 30_000;
/** What was applied out of order, or lost in a fork and applied again, lies at most this far back. */
const OVERLAP_SLOTS = 150;
/** The fee payer's own trouble, which concerns no meter. */
const PAYER = new Set(['InsufficientFundsForFee', 'InsufficientFundsForRent', 'AccountNotFound']);
/** Somebody else was faster, or the owner changed their mind: there is nothing to do now. */
const PASSED = new Set([
  'NothingToCertify',
  'BelowMinimum',
  'NotOptedIn',
  'WrongCertificate',
  'NothingToAdopt',
  'AccountExists',
]);

interface Due {
  readonly meter: RegistryMeter;
  readonly book: CertificatesBook;
}

/**
 * Issues certificates to owners who opted in, after their meters were settled, in transactions of its own. It keeps no
 * record of what it did: how far a meter is certified stands in its book on the chain, and whoever issues the same twice
 * is refused there. Whatever goes wrong here concerns no settlement.
 */
export class CertificatesIssuer {
  private readonly metrics: IssuerObserver;
  private readonly abort = new AbortController();
  /** Refusals in a row by meter id, and when to try again. */
  private readonly refusals = new Map<string, { count: number; retryAt: number }>();
  /** Meters with an open alert `certificate_refused`, whoever raised it, as of the last sweep. */
  private told = new Set<string>();
  /** Settlements up to this slot were looked at. */
  private seenSlot = 0;
  private sweepAt = 0;
  private bound = false;
  private news = false;
  private stopping = false;
  private loop: Promise<void> | undefined;
  private wakeUp: (() => void) | undefined;
  private unlisten: (() => void) | undefined;

  constructor(private readonly deps: IssuerDeps) {
    this.metrics = deps.metrics ?? noIssuerMetrics;
  }

  /** Starts with a look at every meter: what was settled while nobody issued is certified first. */
  async start(): Promise<void> {
    this.unlisten = this.deps.mirror.onApplied(() => {
      this.news = true;
      this.wakeUp?.();
    });
    this.loop = this.run();
  }

  /** Ends after the step at hand. A transaction on its way may still land. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.abort.abort(new GtxError('SERVICE_STOPPING'));
    this.unlisten?.();
    this.wakeUp?.();
    await this.loop;
  }

  /**
   * Issues what is due, once: for every meter when a sweep is due, else for those settled since the last call.
   * @throws GtxError CHAIN_UNAVAILABLE, CONFIG_INVALID (the database belongs to another chain), the database's error.
   */
  async issueNow(): Promise<void> {
    const { pool, connection, now, config } = this.deps;
    if (!this.bound) {
      await bindNetwork(pool, connection);
      this.bound = true;
    }
    const sweep = now() >= this.sweepAt;
    if (sweep) this.told = await this.openRefusals();
    const { meters, slot } = sweep ? await this.allMeters() : await this.settledMeters();
    if (sweep || meters.length > 0) {
      const settings = await fetchCertificatesConfig(connection);
      // Without certificates on this chain, or while they are paused, the next sweep looks again.
      if (settings && !settings.paused) {
        for (let start = 0; start < meters.length && !this.stopping; start += PAGE)
          await this.issueTo(meters.slice(start, start + PAGE));
      }
    }
    this.metrics.waiting(this.refusals.size);
    if (this.stopping) return;
    this.seenSlot = Math.max(this.seenSlot, slot);
    if (sweep) this.sweepAt = now() + (config.sweepSeconds ?? 600) * 1000;
  }

  private async openRefusals(): Promise<Set<string>> {
    const { rows } = await this.deps.pool.query<{ meter_id: string }>(
      `SELECT dedupe_key AS meter_id FROM alerts WHERE kind = 'certificate_refused' AND resolved_at IS NULL`,
    );
    return new Set(rows.map(({ meter_id }) => meter_id));
  }

  // --- which meters

  private async allMeters(): Promise<{ meters: string[]; slot: number }> {
    const { rows } = await this.deps.pool.query<{ address: string; slot: string }>(
      `SELECT address, coalesce((SELECT max(slot) FROM chain_transactions), 0) AS slot FROM meters ORDER BY meter_id`,
    );
    return { meters: rows.map(({ address }) => address), slot: Number(rows[0]?.slot ?? 0) };
  }

  /** Meters that were settled, or changed owners, since the last look, and those whose retry is due. */
  private async settledMeters(): Promise<{ meters: string[]; slot: number }> {
    const { pool, now } = this.deps;
    const due = [...this.refusals].filter(([, { retryAt }]) => retryAt <= now()).map(([meterId]) => meterId);
    const { rows } = await pool.query<{ address: string; slot: string }>(
      `SELECT m.address, coalesce(e.slot, 0) AS slot FROM meters m LEFT JOIN
         (SELECT meter, max(slot) AS slot FROM chain_events
          WHERE name IN ('MeterBalanceSettled', 'ProductionMinted', 'MeterTransferred') AND slot > $1
          GROUP BY meter) e ON e.meter = m.address
       WHERE e.meter IS NOT NULL OR m.meter_id = ANY($2::text[]) ORDER BY m.meter_id`,
      [Math.max(0, this.seenSlot - OVERLAP_SLOTS), due],
    );
    return {
      meters: rows.map(({ address }) => address),
      slot: Math.max(0, ...rows.map(({ slot }) => Number(slot))),
    };
  }

  // --- what is due

  private async issueTo(addresses: readonly string[]): Promise<void> {
    const { connection, config, now } = this.deps;
    const keys = addresses.map((address) => new PublicKey(address));
    const books = await fetchBooks(connection, keys);
    const opened = keys.filter((_, index) => books[index] !== undefined);
    const meters = await fetchSome(connection, REGISTRY_PROGRAM_ID, opened, decodeMeter);
    const due: Due[] = [];
    for (const [index, book] of books.filter((found) => found !== undefined).entries()) {
      const meter = meters[index];
      if (!meter || (this.refusals.get(meter.meterId)?.retryAt ?? 0) > now()) continue;
      if (!meter.owner.equals(book.owner)) {
        await this.adopt({ meter, book });
        continue;
      }
      const energy = meter.settled - book.nextTotal;
      const least = config.mode === 'collector' ? config.minimumNkwh : 0n;
      const enough = energy > 0n && energy >= book.autoIssueMinNkwh && energy >= least;
      if (book.autoIssue && enough) due.push({ meter, book });
      else await this.settled(meter.meterId);
    }
    for (let start = 0; start < due.length && !this.stopping; start += PER_TRANSACTION)
      await this.issue(due.slice(start, start + PER_TRANSACTION));
  }

  /** Several certificates in one transaction; when it is refused, each in one of its own. */
  private async issue(some: readonly Due[]): Promise<void> {
    const { feePayer, config, logger } = this.deps;
    try {
      const signature = await this.send(
        some.map(({ book }) =>
          instructions.issueCertificateFor({
            payer: feePayer.publicKey,
            book,
            fromBook: config.mode === 'owner',
          }),
        ),
      );
      this.metrics.issued(some.length);
      for (const { meter, book } of some) {
        logger.info(
          { meterId: meter.meterId, serial: book.nextSerial.toString(), signature },
          'certificate issued',
        );
        await this.settled(meter.meterId);
      }
    } catch (error) {
      const reason = refusal(error);
      if (some.length > 1) {
        for (const one of some) if (!this.stopping) await this.issue([one]);
      } else for (const one of some) await this.refused(one, reason, error);
    }
  }

  /** Learns of a new owner, for whom nothing can be issued before. */
  private async adopt(one: Due): Promise<void> {
    try {
      const signature = await this.send([instructions.adoptBook({ book: one.book })]);
      this.metrics.adopted();
      this.deps.logger.info({ meterId: one.meter.meterId, signature }, 'the book has its meter’s new owner');
      await this.settled(one.meter.meterId);
    } catch (error) {
      await this.refused(one, refusal(error), error);
    }
  }

  private async send(some: TransactionInstruction[]): Promise<string> {
    const { connection, feePayer } = this.deps;
    const { signature } = await sendAndConfirm(connection, {
      payer: feePayer,
      instructions: some,
      computeUnitLimit: some.length * UNITS_EACH,
      // A repetition is refused by the program: there is no need to wait until no fork can bring the first one.
      expiryCommitment: 'confirmed',
      signal: this.abort.signal,
    });
    return signature;
  }

  // --- refusals

  private async refused(one: Due, reason: string, error: unknown): Promise<void> {
    const { meterId } = one.meter;
    if (PASSED.has(reason)) {
      await this.settled(meterId);
      return;
    }
    // The meter was sold and bought back: the owner is the same, and the count of transfers is not.
    if (reason === 'BookNotAdopted') {
      await this.adopt(one);
      return;
    }
    this.metrics.refused(reason);
    const count = (this.refusals.get(meterId)?.count ?? 0) + 1;
    const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(count - 1, 20));
    this.refusals.set(meterId, { count, retryAt: this.deps.now() + delay });
    this.deps.logger.debug({ err: error, meterId, count }, 'certificate refused');
    if (count < ALERT_AFTER) return;
    const hint =
      reason === 'FundsTooLow'
        ? ': its book has too few lamports for the rent; the owner can send some (gtx certificates fund)'
        : '';
    this.told.add(meterId);
    await this.deps.alerts.raise({
      kind: 'certificate_refused',
      key: meterId,
      severity: 'warning',
      message: `the chain refused a certificate of ${meterId} ${count} times (${reason})${hint}`,
      details: { meter_id: meterId, attempts: count, error: reason },
    });
  }

  private async settled(meterId: string): Promise<void> {
    this.refusals.delete(meterId);
    if (this.told.delete(meterId)) await this.deps.alerts.resolve('certificate_refused', meterId);
  }

  // --- the loop

  private async run(): Promise<void> {
    const { logger, alerts, now, config } = this.deps;
    const pauseMs = config.pauseMs ?? 1000;
    const outage = new OutageAlert({
      alerts,
      now,
      part: 'certificates',
      severity: 'warning',
      says: 'certificates do not get on',
    });
    let failures = 0;
    while (!this.stopping) {
      this.news = false;
      try {
        await this.issueNow();
        await outage.worked();
        failures = 0;
      } catch (error) {
        if (this.stopping) break;
        failures += 1;
        // After an outage another node may answer: it is asked who it is.
        this.bound = false;
        this.metrics.outage();
        logger[failures === 1 ? 'warn' : 'debug']({ err: error, failures }, 'certificates are interrupted');
        await outage.failed(failures, error);
      }
      if (failures > 0)
        await this.sleep(Math.min(pauseMs * 2 ** Math.min(failures - 1, 10), LONGEST_OUTAGE_PAUSE_MS));
      else if (!this.news) await this.sleep(Math.max(0, this.nextLook() - now()));
    }
  }

  private nextLook(): number {
    return Math.min(this.sweepAt, ...[...this.refusals.values()].map(({ retryAt }) => retryAt));
  }

  private async sleep(milliseconds: number): Promise<void> {
    if (this.stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}

/** The name of a refusal of a certificate by the chain. @throws the error itself where it is something else. */
function refusal(error: unknown): string {
  if (!(error instanceof GtxError) || error.code !== 'CHAIN_REFUSED') throw error;
  const { reason } = error.details ?? {};
  if (typeof reason !== 'string') return 'Unknown';
  if (PAYER.has(reason)) throw error;
  return reason;
}
