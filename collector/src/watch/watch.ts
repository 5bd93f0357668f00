import type pg from 'pg';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Alerts } from '../alerts.js';
import { inTransaction } from '../mirror/transaction.js';
import { openReview } from '../review/queue.js';
import {
  type Finding,
  isLoud,
  isSilent,
  isSolar,
  judgeDay,
  judgeReading,
  type Neighbours,
  type Production,
  powerShare,
} from './plausibility.js';
import { Sites } from './sites.js';

export interface WatchConfig {
  readonly sitesFile: string | undefined;
  /** Neighbours that a comparison takes. */
  readonly neighbours: number;
  /** How long the neighbours' readings are waited for. Default 600. */
  readonly graceSeconds?: number;
  /** Default 30. */
  readonly pollSeconds?: number;
}

export interface WatchDeps {
  readonly pool: pg.Pool;
  readonly alerts: Alerts;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly config: WatchConfig;
}

/** Readings looked at in one go. */
const BATCH = 2_000;
/** What an operator found plausible is not asked again for so long. */
const ACCEPTED_DAYS = 30;
/** After a longer stop the watch goes on with what is newer. */
const OLDEST_DAYS = 7;
/** Of a day, so much has to be measured. */
const LEAST_OF_DAY_SECONDS = 20 * 3600;
/** Intervals whose neighbours are remembered. */
const REMEMBERED = 16;

interface ReadingRow {
  id: string;
  meter_id: string;
  sequence: string;
  interval_start: string;
  interval_end: string;
  produced: string;
  rated_watts: string;
}

/**
 * Looks over what meters say that they produced, some minutes after it was stored, and asks a person where it is not
 * plausible. It changes no reading and holds up no energy: the chain's own limits do that. Of several collectors one
 * looks at a time.
 */
export class ProductionWatch {
  private readonly sites: Sites;
  private readonly counters: { readings: Counter; findings: Counter<'rule'> };
  private readonly silence = new Map<number, Map<string, Neighbours>>();
  private loop: Promise<void> | undefined;
  private stopping = false;
  private wakeUp: (() => void) | undefined;

  constructor(private readonly deps: WatchDeps) {
    this.sites = new Sites(deps.config.sitesFile);
    const registers = [deps.registry];
    this.counters = {
      readings: new Counter({
        name: 'gtx_watch_readings_total',
        help: 'Readings that the watch over production has looked at',
        registers,
      }),
      findings: new Counter({
        name: 'gtx_watch_findings_total',
        help: 'Production that is not plausible, by rule',
        labelNames: ['rule'] as const,
        registers,
      }),
    };
  }

  /** @throws GtxError CONFIG_INVALID when the sites file cannot be read */
  async start(): Promise<void> {
    await this.sites.refresh();
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wakeUp?.();
    await this.loop;
  }

  /** Looks at everything that has waited long enough. */
  async look(): Promise<void> {
    await this.refreshSites();
    while (!this.stopping && (await this.lookAtReadings())) {
      // One batch after the other.
    }
    while (!this.stopping && (await this.lookAtDay())) {
      // One day after the other.
    }
  }

  private async run(): Promise<void> {
    const { logger, config } = this.deps;
    let failures = 0;
    while (!this.stopping) {
      try {
        await this.look();
        failures = 0;
      } catch (error) {
        failures += 1;
        logger[failures === 1 ? 'warn' : 'debug'](
          { err: error, failures },
          'the watch over production is interrupted; it goes on where it stopped',
        );
      }
      if (this.stopping) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, (config.pollSeconds ?? 30) * 1000);
        this.wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private async refreshSites(): Promise<void> {
    const { alerts, config } = this.deps;
    if (config.sitesFile === undefined) return;
    try {
      await this.sites.refresh();
      await alerts.resolve('sites_file_invalid', config.sitesFile);
    } catch (error) {
      await alerts.raise({
        kind: 'sites_file_invalid',
        key: config.sitesFile,
        severity: 'warning',
        message: `the earlier sites stay in force: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }

  /** @returns whether there may be more */
  private async lookAtReadings(): Promise<boolean> {
    const { pool, config } = this.deps;
    const grace = config.graceSeconds ?? 600;
    return inTransaction(pool, async (client) => {
      const cursor = await this.takeCursor(client, 'readings', grace);
      if (cursor === undefined) return false;
      // A minute at a time: the index finds a minute, and its rows are put in order.
      const { rows: ends } = await client.query<{ until: string | null }>(
        `SELECT least(now() - make_interval(secs => $2), min(submitted_at) + interval '1 minute')::text AS until
         FROM meter_readings WHERE submitted_at >= $1::timestamptz AND (submitted_at, id) > ($1::timestamptz, $3::uuid)
           AND submitted_at <= now() - make_interval(secs => $2)`,
        [cursor.at, grace, cursor.id],
      );
      const until = ends[0]?.until ?? null;
      if (until === null) return false;
      const { rows } = await client.query<ReadingRow & { at: string }>(
        `SELECT r.id, r.meter_id, r.sequence, r.interval_start, r.interval_end, m.rated_watts, r.submitted_at::text AS at,
           r.produced_total - p.produced_total AS produced
         FROM meter_readings r JOIN meters m USING (meter_id)
         LEFT JOIN LATERAL (SELECT produced_total, interval_end FROM meter_readings p
           WHERE p.meter_id = r.meter_id AND p.sequence = r.sequence - 1 AND p.interval_end = r.interval_start
           LIMIT 1) AS p ON TRUE
         WHERE r.submitted_at >= $1::timestamptz AND r.submitted_at <= $2::timestamptz
           AND (r.submitted_at, r.id) > ($1::timestamptz, $3::uuid)
         ORDER BY r.submitted_at, r.id LIMIT $4`,
        [cursor.at, until, cursor.id, BATCH],
      );
      const last = rows.at(-1);
      if (last === undefined) return false;
      const findings: Finding[] = [];
      for (const row of rows) {
        // Without the reading before it nothing is known of when it was produced.
        if (row.produced === null) continue;
        const production = this.productionOf(row);
        const compared = production.site?.latitude === undefined && isSolar(production.site);
        const neighbours =
          compared && isLoud(production) ? await this.neighboursOf(client, production, grace) : undefined;
        findings.push(...judgeReading(production, neighbours, config.neighbours));
      }
      await this.report(client, findings);
      await client.query(`UPDATE watch_state SET at = $2::timestamptz, id = $3 WHERE name = $1`, [
        'readings',
        last.at,
        last.id,
      ]);
      this.counters.readings.inc(rows.length);
      return true;
    });
  }

  /** Compares a day's production between neighbours, once the day is over. @returns whether there may be more */
  private async lookAtDay(): Promise<boolean> {
    const { pool, config } = this.deps;
    const grace = config.graceSeconds ?? 600;
    return inTransaction(pool, async (client) => {
      // The first day that is looked at in whole.
      await client.query(
        `INSERT INTO watch_state (name, at) VALUES ('days', date_trunc('day', now(), 'UTC')) ON CONFLICT DO NOTHING`,
      );
      const { rows: state } = await client.query<{ day: string; over: boolean }>(
        `SELECT greatest(at, date_trunc('day', now(), 'UTC') - make_interval(days => $1))::text AS day,
           greatest(at, date_trunc('day', now(), 'UTC') - make_interval(days => $1)) + interval '1 day'
             <= now() - make_interval(secs => $2) AS over
         FROM watch_state WHERE name = 'days' FOR UPDATE SKIP LOCKED`,
        [OLDEST_DAYS, grace],
      );
      const day = state[0];
      if (day === undefined || !day.over) return false;
      const { rows } = await client.query<ReadingRow>(
        `SELECT r.meter_id, max(r.sequence) AS sequence, min(r.interval_end) AS interval_start,
           max(r.interval_end) AS interval_end, max(r.produced_total) - min(r.produced_total) AS produced,
           max(m.rated_watts) AS rated_watts
         FROM meter_readings r JOIN meters m USING (meter_id)
         WHERE r.reading_timestamp >= $1::timestamptz AND r.reading_timestamp <= $1::timestamptz + interval '1 day'
         GROUP BY r.meter_id HAVING max(r.interval_end) - min(r.interval_end) >= $2`,
        [day.day, LEAST_OF_DAY_SECONDS],
      );
      const cells = new Map<string, Production[]>();
      for (const row of rows) {
        const production = this.productionOf(row);
        for (const cell of cellsAround(production)) {
          const members = cells.get(cell);
          if (members === undefined) cells.set(cell, [production]);
          else members.push(production);
        }
      }
      const findings = [...cells].flatMap(([cell, members]) =>
        judgeDay(members, config.neighbours).filter(
          ({ meterId }) => cellOf(this.sites.get(meterId)) === cell,
        ),
      );
      await this.report(client, findings);
      await client.query(
        `UPDATE watch_state SET at = $1::timestamptz + interval '1 day' WHERE name = 'days'`,
        [day.day],
      );
      return true;
    });
  }

  /** The place to go on from; undefined while another collector is at it. */
  private async takeCursor(
    client: pg.ClientBase,
    name: string,
    grace: number,
  ): Promise<{ at: string; id: string } | undefined> {
    await client.query(
      `INSERT INTO watch_state (name, at) VALUES ($1, now() - make_interval(secs => $2)) ON CONFLICT DO NOTHING`,
      [name, grace],
    );
    const { rows } = await client.query<{ at: string; id: string }>(
      `SELECT greatest(at, now() - make_interval(days => $2))::text AS at, id FROM watch_state
       WHERE name = $1 FOR UPDATE SKIP LOCKED`,
      [name, OLDEST_DAYS],
    );
    return rows[0];
  }

  private productionOf(row: ReadingRow): Production {
    return {
      meterId: row.meter_id,
      sequence: BigInt(row.sequence),
      start: Number(row.interval_start),
      end: Number(row.interval_end),
      producedNkwh: BigInt(row.produced),
      ratedWatts: Number(row.rated_watts),
      site: this.sites.get(row.meter_id),
    };
  }

  /** What the others measured in the same interval. */
  private async neighboursOf(
    client: pg.ClientBase,
    production: Production,
    grace: number,
  ): Promise<Neighbours> {
    let cells = this.silence.get(production.end);
    if (cells === undefined) {
      cells = await this.readSilence(client, production.end, grace);
      this.silence.set(production.end, cells);
      const [oldest] = this.silence.keys();
      if (this.silence.size > REMEMBERED && oldest !== undefined) this.silence.delete(oldest);
    }
    const { measured, silent } = cells.get(cellOf(production.site)) ?? { measured: 1, silent: 0 };
    // Itself is counted, and is not silent.
    return { measured: measured - 1, silent };
  }

  private async readSilence(
    client: pg.ClientBase,
    end: number,
    grace: number,
  ): Promise<Map<string, Neighbours>> {
    const { rows } = await client.query<ReadingRow>(
      `SELECT r.id, r.meter_id, r.sequence, r.interval_start, r.interval_end, m.rated_watts,
         r.produced_total - p.produced_total AS produced
       FROM meter_readings r JOIN meters m USING (meter_id)
       JOIN LATERAL (SELECT produced_total FROM meter_readings p
         WHERE p.meter_id = r.meter_id AND p.sequence = r.sequence - 1 AND p.interval_end = r.interval_start
         LIMIT 1) AS p ON TRUE
       WHERE r.reading_timestamp = to_timestamp($1) AND r.submitted_at <= now() - make_interval(secs => $2)`,
      [end, grace],
    );
    const cells = new Map<string, { measured: number; silent: number }>();
    for (const row of rows) {
      const production = this.productionOf(row);
      const share = powerShare(production);
      if (share === undefined || !isSolar(production.site)) continue;
      for (const cell of cellsAround(production)) {
        const count = cells.get(cell) ?? { measured: 0, silent: 0 };
        count.measured += 1;
        if (isSilent(share)) count.silent += 1;
        cells.set(cell, count);
      }
    }
    return cells;
  }

  private async report(client: pg.ClientBase, findings: readonly Finding[]): Promise<void> {
    for (const { rule, meterId, reason, producedNkwh, details } of findings) {
      const key = `${meterId}/${rule}`;
      const { rowCount } = await client.query(
        `SELECT FROM reviews WHERE kind = 'implausible_production' AND key = $1 AND status = 'released'
           AND resolved_at > now() - make_interval(days => $2) LIMIT 1`,
        [key, ACCEPTED_DAYS],
      );
      if (rowCount !== 0) continue;
      const { opened } = await openReview(client, {
        kind: 'implausible_production',
        subject: { key, meterId },
        amountNkwh: producedNkwh,
        reason,
        details,
      });
      this.counters.findings.inc({ rule });
      if (opened) this.deps.logger.warn({ meterId, rule, ...details }, reason);
    }
  }
}

/** Degrees of latitude and longitude: some 100 km. */
const CELL_DEGREES = 1;
/** Of meters of which no place is known: they are each other's neighbours. */
const ANYWHERE = 'anywhere';

type Site = NonNullable<Production['site']>;

/** Where a meter looks for its neighbours. */
function cellOf(site: Site | undefined): string {
  if (site?.latitude === undefined || site.longitude === undefined) return ANYWHERE;
  return cellName(Math.floor(site.latitude / CELL_DEGREES), Math.floor(site.longitude / CELL_DEGREES));
}

/** The cells in which it is a neighbour: its own and those around it. */
function cellsAround({ site }: Production): string[] {
  if (site?.latitude === undefined || site.longitude === undefined) return [ANYWHERE];
  const row = Math.floor(site.latitude / CELL_DEGREES);
  const column = Math.floor(site.longitude / CELL_DEGREES);
  const around = [-1, 0, 1];
  return around.flatMap((up) => around.map((right) => cellName(row + up, column + right)));
}

/** East of 180 degrees comes the west. */
function cellName(row: number, column: number): string {
  const turn = 360 / CELL_DEGREES;
  return `${row}/${((column % turn) + turn) % turn}`;
}
