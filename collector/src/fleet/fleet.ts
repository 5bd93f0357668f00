import type pg from 'pg';
import type { Logger } from 'pino';
import { Sites } from '../watch/sites.js';
import { powerNow } from './power.js';
import { type FleetAsked, fleetSummary, type MeterPower, walletPower } from './queries.js';
import type { FleetSummary, Power } from './schemas.js';
import type { FleetRules } from './state.js';

export interface FleetViewDeps {
  pool: pg.Pool;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  rules: FleetRules;
  /** `GTX_SITES_FILE`. */
  sitesFile: string | undefined;
}

const SUMMARY_MILLIS = 2_000;
/** Counting very many meters takes a while: it takes up no more than this part of the database's time. */
const SUMMARY_SHARE = 0.1;

/** What is asked about the fleet: the figures are counted once for all who ask within two seconds, or longer where that takes long. */
export class FleetView {
  private readonly sites: Sites;
  private counted: { until: number; summary: Promise<FleetSummary> } | undefined;

  constructor(private readonly deps: FleetViewDeps) {
    this.sites = new Sites(deps.sitesFile);
  }

  async asked(): Promise<FleetAsked> {
    const { rules, now, logger } = this.deps;
    try {
      await this.sites.refresh();
    } catch (error) {
      // The watch over production raises the alert; what was known stays.
      logger.debug({ err: error }, 'the sites file cannot be read');
    }
    return { rules, nowSeconds: Math.floor(now() / 1000), siteOf: (meterId) => this.sites.get(meterId) };
  }

  summary(): Promise<FleetSummary> {
    const { pool, rules, now } = this.deps;
    const begun = performance.now();
    if (this.counted === undefined || begun >= this.counted.until) {
      const summary = fleetSummary(pool, rules, Math.floor(now() / 1000));
      const counted = { until: Number.POSITIVE_INFINITY, summary };
      this.counted = counted;
      summary.then(
        () => {
          counted.until = begun + Math.max(SUMMARY_MILLIS, (performance.now() - begun) / SUMMARY_SHARE);
        },
        () => {
          // A failure is told to those who asked, and not remembered.
          if (this.counted === counted) this.counted = undefined;
        },
      );
    }
    return this.counted.summary;
  }

  /** The figures for metrics, which are read also while the database is away: then those of before stand. */
  async lastSummary(): Promise<FleetSummary | undefined> {
    try {
      return await this.summary();
    } catch (error) {
      this.deps.logger.debug({ err: error }, 'the figures of the fleet cannot be read');
      return undefined;
    }
  }

  /** Power of all meters. */
  networkPower(): Promise<Power> {
    return powerNow(this.deps.pool, {}, Math.floor(this.deps.now() / 1000));
  }

  /** Power of each of a wallet's meters. */
  walletPower(wallet: string, most: number): Promise<MeterPower[]> {
    const { pool, rules, now } = this.deps;
    return walletPower(pool, wallet, { rules, nowSeconds: Math.floor(now() / 1000) }, most);
  }
}
