import type pg from 'pg';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Alerts } from '../alerts.js';
import { inTransaction } from '../mirror/transaction.js';
import { openReview } from '../review/queue.js';
import { type WatchMetrics, watchMetrics } from './metrics.js';
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
/** Of one meter at a time, so that a backlog of one holds up no other. */
const BATCH_OF_METER = 100;
/** What an operator found plausible is not asked again for so long. */
const ACCEPTED_DAYS = 30;
/** After a longer stop the watch goes on with what is newer. */
const OLDEST_DAYS = 7;
/** Of a day, so much has to be measured; and a gap that ends in it may not bring along what belongs to other days. */
const LEAST_OF_DAY_SECONDS = 20 * 3600;
const MOST_OF_DAY_SECONDS = 26 * 3600;
/** Intervals whose neighbours are remembered: a week and more of a meter that was offline. */
const REMEMBERED = 2_000;
/** Of neighbours without a place, so many are looked at: that is enough to know whether it is night. */
const SAMPLE = 1_000;
/** Shortest interval between readings that neighbours are looked for with, in seconds. */
const LEAST_INTERVAL_SECONDS = 300;
/** Of several collectors one looks at a time: the key of their lock in the database. */
const LOCK = 'gtx_watch';

interface ReadingRow {
  meter_id: string;
  sequence: string;
  interval_start: string;
  interval_end: string;
  /** Null for a meter's first reading. */
  produced: string | null;
  rated_watts: string;
}

/**
 * Looks over what meters say that they produced, some minutes after it was stored, and asks a person where it is not
 * plausible. It changes no reading and holds up no energy: the chain's own limits do that. Of several collectors one
 * looks at a time.
 */
export class ProductionWatch {
  private readonly sites: Sites;
  private readonly counters: WatchMetrics;
  private readonly silence = new Map<number, Neighbours>();
  private loop: Promise<void> | undefined;
  private stopping = false;
  private wakeUp: (() => void) | undefined;

  constructor(private readonly deps: WatchDeps) {
    this.sites = new Sites(deps.config.sitesFile);
    this.counters = watchMetrics(deps.registry);
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
        details: { file: config.sitesFile },
      });
    }
  }

  /** @returns whether there may be more */
  private async lookAtReadings(): Promise<boolean> {
    const { pool, config } = this.deps;
    const grace = config.graceSeconds ?? 600;
    return inTransaction(pool, async (client) => {
      if (!(await this.lock(client))) return false;
      const { rows } = await client.query<ReadingRow>(
        `SELECT r.*, m.rated_watts FROM meters m
         LEFT JOIN watch_meters w USING (meter_id)
         CROSS JOIN LATERAL (
           SELECT n.meter_id, n.sequence, n.interval_end, coalesce(p.interval_end, n.interval_start) AS interval_start,
             n.produced_total - p.produced_total AS produced
           FROM meter_readings n
           -- The one before it, whatever is missing between them: it covers that.
           LEFT JOIN LATERAL (SELECT produced_total, interval_end FROM meter_readings
             WHERE meter_id = n.meter_id AND sequence < n.sequence ORDER BY sequence DESC LIMIT 1) AS p ON TRUE
           WHERE n.meter_id = m.meter_id AND n.sequence > coalesce(w.sequence, 0)
             AND n.interval_end <= extract(epoch FROM now()) - $1
           ORDER BY n.sequence LIMIT $2) AS r
         WHERE m.last_sequence > coalesce(w.sequence, 0)
         LIMIT $3`,
        [grace, BATCH_OF_METER, BATCH],
      );
      if (rows.length === 0) return false;
      const findings: Finding[] = [];
      const measured: Production[] = [];
      for (const row of rows) {
        // Of a meter's first reading nobody knows when it was produced.
        if (row.produced === null) continue;
        const production = this.productionOf({ ...row, produced: row.produced });
        measured.push(production);
        const compared = production.site?.latitude === undefined && isSolar(production.site);
        const neighbours =
          compared && isLoud(production) ? await this.neighboursOf(client, production) : undefined;
        findings.push(...judgeReading(production, neighbours, config.neighbours));
      }
      await this.report(client, findings);
      await client.query(
        `INSERT INTO watch_days (day, meter_id, produced_nkwh, seconds)
         SELECT (to_timestamp(e - 1) AT TIME ZONE 'UTC')::date AS day, m, sum(p), sum(e - s)
         FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::numeric[]) AS t (m, s, e, p) GROUP BY day, m
         ON CONFLICT (day, meter_id) DO UPDATE SET produced_nkwh = watch_days.produced_nkwh + excluded.produced_nkwh,
           seconds = watch_days.seconds + excluded.seconds`,
        [
          measured.map(({ meterId }) => meterId),
          measured.map(({ start }) => start),
          measured.map(({ end }) => end),
          measured.map(({ producedNkwh }) => producedNkwh.toString()),
        ],
      );
      await client.query(
        `INSERT INTO watch_meters (meter_id, sequence)
         SELECT m, max(s) FROM unnest($1::text[], $2::numeric[]) AS t (m, s) GROUP BY m
         ON CONFLICT (meter_id) DO UPDATE SET sequence = excluded.sequence`,
        [rows.map(({ meter_id }) => meter_id), rows.map(({ sequence }) => sequence)],
      );
      this.counters.readings.inc(rows.length);
      return true;
    });
  }

  /** Compares a day's production between neighbours, once the day is over. @returns whether there may be more */
  private async lookAtDay(): Promise<boolean> {
    const { pool, config } = this.deps;
    const grace = config.graceSeconds ?? 600;
    return inTransaction(pool, async (client) => {
      if (!(await this.lock(client))) return false;
      const { rows: state } = await client.query<{ day: string; over: boolean }>(
        `SELECT day::text, (day + 1)::timestamp AT TIME ZONE 'UTC' <= now() - make_interval(secs => $2) AS over
         FROM (SELECT greatest(day, (now() AT TIME ZONE 'UTC')::date - $1::int) AS day FROM watch_state
           WHERE name = 'days') AS d`,
        [OLDEST_DAYS, grace],
      );
      const day = state[0];
      if (day === undefined || !day.over) return false;
      const { rows } = await client.query<ReadingRow & { produced: string }>(
        `SELECT d.meter_id, 0 AS sequence, e.day_end - d.seconds AS interval_start, e.day_end AS interval_end,
           d.produced_nkwh AS produced, m.rated_watts
         FROM watch_days d JOIN meters m USING (meter_id)
         CROSS JOIN LATERAL (SELECT extract(epoch FROM (d.day + 1)::timestamp AT TIME ZONE 'UTC')::bigint AS day_end) AS e
         WHERE d.day = $1::date AND d.seconds BETWEEN $2 AND $3`,
        [day.day, LEAST_OF_DAY_SECONDS, MOST_OF_DAY_SECONDS],
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
      await client.query(`UPDATE watch_state SET day = $1::date + 1 WHERE name = 'days'`, [day.day]);
      await client.query('DELETE FROM watch_days WHERE day < $1::date - $2::int', [day.day, OLDEST_DAYS]);
      return true;
    });
  }

  /**
   * Keeps other collectors from looking until the transaction ends. The first time, everything that is there already is
   * passed over.
   * @returns false while another one looks
   */
  private async lock(client: pg.ClientBase): Promise<boolean> {
    const { rows } = await client.query<{ mine: boolean }>(
      'SELECT pg_try_advisory_xact_lock(hashtext($1)) AS mine',
      [LOCK],
    );
    if (rows[0]?.mine !== true) return false;
    const { rowCount } = await client.query(
      `INSERT INTO watch_state (name, day) VALUES ('days', (now() AT TIME ZONE 'UTC')::date) ON CONFLICT DO NOTHING`,
    );
    if (rowCount !== 0) {
      await client.query(
        'INSERT INTO watch_meters (meter_id, sequence) SELECT meter_id, last_sequence FROM meters ON CONFLICT DO NOTHING',
      );
    }
    return true;
  }

  private productionOf(row: ReadingRow & { produced: string }): Production {
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

  /** What the others without a known place measured in the interval that ended then. */
  private async neighboursOf(client: pg.ClientBase, { end }: Production): Promise<Neighbours> {
    let known = this.silence.get(end);
    if (known === undefined) {
      known = await this.readSilence(client, end);
      this.silence.set(end, known);
      const [oldest] = this.silence.keys();
      if (this.silence.size > REMEMBERED && oldest !== undefined) this.silence.delete(oldest);
    }
    // It is among them itself, and not silent; among more than the sample it makes no difference.
    return { measured: known.measured < SAMPLE ? known.measured - 1 : SAMPLE, silent: known.silent };
  }

  private async readSilence(client: pg.ClientBase, end: number): Promise<Neighbours> {
    const { rows } = await client.query<ReadingRow & { produced: string }>(
      `SELECT m.meter_id, m.rated_watts, n.sequence, n.interval_start, n.interval_end, n.produced
       FROM (SELECT * FROM meters WHERE last_end >= $1 AND NOT meter_id = ANY($2::text[])
         ORDER BY md5(meter_id || $1::text) LIMIT $3) AS m
       CROSS JOIN LATERAL (
         SELECT r.sequence, r.interval_start, r.interval_end, r.produced_total - p.produced_total AS produced
         FROM meter_readings r JOIN meter_readings p ON p.meter_id = r.meter_id AND p.sequence = r.sequence - 1
           AND p.interval_end = r.interval_start
         WHERE r.meter_id = m.meter_id AND r.interval_end = $1
           -- The index knows sequences: how many readings there can have been since then.
           AND r.sequence > m.last_sequence - (m.last_end - $1) / $4 - 2
         LIMIT 1) AS n`,
      [end, this.sites.placed(), SAMPLE, LEAST_INTERVAL_SECONDS],
    );
    let measured = 0;
    let silent = 0;
    for (const row of rows) {
      const production = this.productionOf(row);
      const share = powerShare(production);
      if (share === undefined || !isSolar(production.site)) continue;
      measured += 1;
      if (isSilent(share)) silent += 1;
    }
    return { measured, silent };
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
