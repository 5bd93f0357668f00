import { nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { Logger } from 'pino';
import { notifyChange } from '../feed/index.js';
import { type PriceGuide, type PriceGuideSettings, priceGuide } from '../market/index.js';
import type { MarketInfo } from '../matching/index.js';
import { inTransaction } from '../mirror/transaction.js';
import { volumes } from './volumes.js';

export interface PriceGuidesDeps {
  pool: pg.Pool;
  /** The markets that there are. */
  markets: () => readonly MarketInfo[];
  settings: PriceGuideSettings;
  intervalSeconds: number;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
}

/** A guide as others see it. */
export interface PublishedGuide {
  market: string;
  /** GRX for 1 GRID, as the other amounts in decimals. */
  price: string;
  supply_kwh: string;
  demand_kwh: string;
  imbalance_bps: number;
  tariff_bps: number;
  /** ISO 8601: the end of the newest interval that counts. */
  time: string;
}

/** How long after an interval its guide is worked out: readings of its end are still on their way. */
const GRACE_SECONDS = 20;
/** A guide is shown for so many intervals after its time. */
const SHOWN_INTERVALS = 3;
const KEEP_DAYS = 400;
const RETRY_MS = 5_000;

/**
 * Works out the price guide of each market once an interval and keeps it in `price_guides`. Several collectors do so alike: the
 * first one writes it, and the others find it written. See docs/market.md.
 */
export class PriceGuides {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;
  private tidied = 0;

  constructor(private readonly deps: PriceGuidesDeps) {}

  start(): void {
    this.stopped = false;
    this.schedule(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** The guides that count now, one for each market that has one. @throws the database's error */
  async current(): Promise<PublishedGuide[]> {
    const { pool, intervalSeconds, now } = this.deps;
    const { rows } = await pool.query<Record<string, string | number | Date | null>>(
      `SELECT DISTINCT ON (market) market, at, price, supply, demand, imbalance_bps, tariff_bps
       FROM price_guides WHERE at > to_timestamp($1) ORDER BY market, at DESC`,
      [now() / 1000 - SHOWN_INTERVALS * intervalSeconds],
    );
    // The newest says that there is none when the oracle's price does not count.
    return rows
      .filter(({ price }) => price !== null)
      .map((row) => ({
        market: String(row.market),
        price: nkwhToKwh(BigInt(String(row.price))),
        supply_kwh: nkwhToKwh(BigInt(String(row.supply))),
        demand_kwh: nkwhToKwh(BigInt(String(row.demand))),
        imbalance_bps: Number(row.imbalance_bps),
        tariff_bps: Number(row.tariff_bps),
        time: (row.at as Date).toISOString(),
      }));
  }

  /** Works out what is due. @throws the database's error */
  async run(): Promise<void> {
    const { pool, markets, intervalSeconds, settings } = this.deps;
    const end = this.lastEnd();
    for (const market of markets()) {
      const { rowCount } = await pool.query(
        'SELECT FROM price_guides WHERE market = $1 AND at = to_timestamp($2)',
        [market.address, end],
      );
      if ((rowCount ?? 0) > 0) continue;
      const oracle = await this.oracle(market);
      const list = await volumes(
        pool,
        { market: market.address, end, intervalSeconds, oraclePrice: oracle?.price ?? 0n },
        settings,
      );
      const guide =
        oracle && priceGuide({ oracle, now: end, intervals: list, tickSize: market.tickSize }, settings);
      await this.publish(market.address, end, oracle?.price, guide);
    }
    await this.tidy();
  }

  private async publish(
    market: string,
    end: number,
    oraclePrice: bigint | undefined,
    guide: PriceGuide | undefined,
  ): Promise<void> {
    await inTransaction(this.deps.pool, async (client) => {
      const { rowCount } = await client.query(
        `INSERT INTO price_guides
           (market, at, price, oracle_price, supply, demand, imbalance_bps, tariff_bps, bound)
         VALUES ($1, to_timestamp($2), $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
        [
          market,
          end,
          guide?.price.toString() ?? null,
          oraclePrice?.toString() ?? null,
          guide?.supply.toString() ?? '0',
          guide?.demand.toString() ?? '0',
          guide?.imbalanceBps ?? null,
          guide?.tariffBps ?? null,
          guide?.bound ?? null,
        ],
      );
      if ((rowCount ?? 0) > 0) await notifyChange(client, { kind: 'guide' });
    });
  }

  /** The price of the market's feed, or of the one that the settings name; undefined before the first. */
  private async oracle(market: MarketInfo): Promise<{ price: bigint; freshUntil: number } | undefined> {
    const { rows } = await this.deps.pool.query<{
      price: string;
      published_at: string;
      paused: boolean;
      max_age_seconds: string;
    }>(
      `SELECT price, published_at, paused, max_age_seconds FROM price_feeds
       WHERE ${market.feed === undefined ? 'symbol' : 'address'} = $1`,
      [market.feed ?? this.deps.settings.feed],
    );
    const row = rows[0];
    if (!row || row.paused || row.price === '0' || row.published_at === '0') return undefined;
    return {
      price: BigInt(row.price),
      freshUntil: Number(row.published_at) + Number(row.max_age_seconds),
    };
  }

  private async tidy(): Promise<void> {
    const { pool, now } = this.deps;
    if (now() - this.tidied < 86_400_000) return;
    this.tidied = now();
    await pool.query('DELETE FROM price_guides WHERE at < now() - make_interval(days => $1)', [KEEP_DAYS]);
  }

  /** The end of the newest interval whose guide is due, Unix seconds. */
  private lastEnd(): number {
    const { now, intervalSeconds } = this.deps;
    return Math.floor((now() / 1000 - this.grace) / intervalSeconds) * intervalSeconds;
  }

  private get grace(): number {
    return Math.min(GRACE_SECONDS, this.deps.intervalSeconds / 4);
  }

  private schedule(milliseconds: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.run()
        .then(
          () => {
            const { now, intervalSeconds } = this.deps;
            const next = (this.lastEnd() + intervalSeconds + this.grace) * 1000 - now();
            // Markets may come meanwhile: it looks at least once a minute.
            this.schedule(Math.max(100, Math.min(next, 60_000)));
          },
          (error: unknown) => {
            this.deps.logger.warn({ err: error }, 'the price guide cannot be worked out now');
            this.schedule(RETRY_MS);
          },
        )
        .finally(() => {
          this.running = undefined;
        });
    }, milliseconds);
    this.timer.unref();
  }
}
