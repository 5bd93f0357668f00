import type pg from 'pg';
import type { Logger } from 'pino';
import type { Alerts } from '../alerts.js';
import { inTransaction } from '../mirror/transaction.js';
import { storageFailure } from '../store/errors.js';
import type { FleetRules } from './state.js';

export interface FleetWatchDeps {
  pool: pg.Pool;
  alerts: Pick<Alerts, 'raise' | 'resolve'>;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
  rules: FleetRules;
  config: {
    /** A gateway that was not heard for so long is told of; 0: never. */
    alertSeconds: number;
    /** What a gateway reports is told of when it has lasted so long. Default 120. */
    graceSeconds?: number;
    /** Default 30. */
    pollSeconds?: number;
  };
  /** Whether gateways can be heard at all. */
  connected: () => boolean;
}

const KINDS = ['gateway_silent', 'gateway_bus', 'gateway_clock'] as const;
type Kind = (typeof KINDS)[number];

/** Above this it is not single gateways any more: one alert tells of all. */
const MOST_SINGLE = 50;
/** The key of that alert. No meter is called so. */
const MANY = '*';
const LOCK = 'gtx_fleet_watch';

/** What each kind is about, over `meters m` and `fleet f`. `$1`: not heard since, Unix seconds. */
const TROUBLE: Record<Kind, string> = {
  gateway_silent: `(f.heard_at IS NOT NULL OR m.last_sequence > 0)
    AND greatest(f.heard_at, to_timestamp(m.last_end)) < to_timestamp($1::float8)`,
  gateway_bus: 'NOT f.bus_ok AND $1::float8 > 0',
  gateway_clock: 'NOT f.clock_synchronised AND $1::float8 > 0',
};
/** A meter that was taken out of service owes nothing. */
const FROM = "FROM meters m LEFT JOIN fleet f ON f.meter_id = m.meter_id WHERE m.status <> 'suspended'";

interface Troubled {
  meter_id: string;
  bus_last_error: string | null;
  clock_offset_ms: number | null;
  heard: string | null;
}

/**
 * Raises alerts about gateways that are not heard, measure nothing or do not know the time, and ends them when that is over. Of
 * several collectors one looks at a time; it works from the database alone, so that any of them can go on.
 */
export class FleetWatch {
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;
  /** Since when this collector has been able to hear gateways and to write down what they say. */
  private connectedSince: number | undefined;
  /** When trouble was seen first, of what is not told yet. */
  private readonly firstSeen = new Map<string, number>();

  constructor(private readonly deps: FleetWatchDeps) {}

  start(): void {
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(
      () => {
        this.looking = this.look()
          .catch((error: unknown) =>
            this.deps.logger.warn({ err: error }, 'the gateways could not be looked over'),
          )
          .finally(() => this.schedule());
      },
      (this.deps.config.pollSeconds ?? 30) * 1000,
    );
    this.timer.unref();
  }

  /** Looks once over all gateways. @throws the database's error */
  async look(): Promise<void> {
    const { now, rules, connected } = this.deps;
    this.connectedSince = connected() ? (this.connectedSince ?? now()) : undefined;
    // After an outage of the broker, or of the database, all of them have been silent for long, until they have had time to come
    // back.
    const hearing =
      this.connectedSince !== undefined && now() - this.connectedSince >= rules.silentSeconds * 1000;
    try {
      await this.lookOver(hearing);
    } catch (error) {
      if (storageFailure(error) === 'unavailable') this.connectedSince = undefined;
      throw error;
    }
  }

  private async lookOver(hearing: boolean): Promise<void> {
    await inTransaction(this.deps.pool, async (client) => {
      const { rows } = await client.query<{ mine: boolean }>(
        'SELECT pg_try_advisory_xact_lock(hashtext($1)) AS mine',
        [LOCK],
      );
      if (rows[0]?.mine !== true) return;
      const { rows: open } = await client.query<{ kind: Kind; key: string }>(
        'SELECT kind, dedupe_key AS key FROM alerts WHERE resolved_at IS NULL AND kind = ANY($1::text[])',
        [KINDS],
      );
      for (const kind of KINDS) {
        const keys = new Set(open.filter((alert) => alert.kind === kind).map(({ key }) => key));
        await this.lookFor(client, kind, keys, hearing);
      }
    });
  }

  private async lookFor(
    client: pg.ClientBase,
    kind: Kind,
    open: Set<string>,
    hearing: boolean,
  ): Promise<void> {
    const { alerts, now, rules, config } = this.deps;
    const silentFor = Math.max(config.alertSeconds, 3 * rules.intervalSeconds);
    const values = [now() / 1000 - silentFor];
    const off = kind === 'gateway_silent' && config.alertSeconds === 0;
    const trouble = off ? 'false AND $1::float8 > 0' : TROUBLE[kind];
    const { rows: found } = await client.query<Troubled & { count: number }>(
      `SELECT m.meter_id, f.bus_last_error, f.clock_offset_ms, count(*) OVER ()::int AS count,
         to_char(greatest(f.heard_at, CASE WHEN m.last_sequence > 0 THEN to_timestamp(m.last_end) END) AT TIME ZONE 'UTC',
           'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS heard
       ${FROM} AND ${trouble} ORDER BY m.meter_id LIMIT ${MOST_SINGLE + 1}`,
      values,
    );
    const { rows: still } = await client.query<{ meter_id: string }>(
      `SELECT m.meter_id ${FROM} AND ${trouble} AND m.meter_id = ANY($2::text[])`,
      [...values, [...open]],
    );
    const count = found[0]?.count ?? 0;
    const many = count > MOST_SINGLE;
    const lasting = new Set(still.map(({ meter_id }) => meter_id));
    for (const key of open) {
      if (key === MANY ? !many : !lasting.has(key)) await alerts.resolve(kind, key);
    }
    const raised = many ? [] : found.filter(({ meter_id }) => !open.has(meter_id));
    this.forget(kind, new Set(many ? [MANY] : raised.map(({ meter_id }) => meter_id)));
    if (kind === 'gateway_silent' && !hearing) return;
    if (many && !open.has(MANY) && this.lasts(kind, MANY)) {
      await alerts.raise({
        kind,
        key: MANY,
        severity: 'critical',
        message: `the gateways of ${count} meters: each ${TEXT[kind]}`,
        details: { meters: count, among_them: found.slice(0, 10).map(({ meter_id }) => meter_id) },
      });
    }
    for (const gateway of raised) {
      if (!this.lasts(kind, gateway.meter_id)) continue;
      await alerts.raise({
        kind,
        key: gateway.meter_id,
        severity: 'warning',
        message: `the gateway of meter ${gateway.meter_id} ${TEXT[kind]}`,
        details: { meter_id: gateway.meter_id, ...DETAILS[kind](gateway) },
      });
    }
  }

  /** Whether this trouble has been there for the time of grace; silence has a longer one of its own. */
  private lasts(kind: Kind, key: string): boolean {
    if (kind === 'gateway_silent') return true;
    const { now, config } = this.deps;
    const name = `${kind}/${key}`;
    const since = this.firstSeen.get(name) ?? now();
    this.firstSeen.set(name, since);
    if (now() - since < (config.graceSeconds ?? 120) * 1000) return false;
    this.firstSeen.delete(name);
    return true;
  }

  private forget(kind: Kind, present: ReadonlySet<string>): void {
    for (const name of this.firstSeen.keys()) {
      if (name.startsWith(`${kind}/`) && !present.has(name.slice(kind.length + 1)))
        this.firstSeen.delete(name);
    }
  }
}

const TEXT: Record<Kind, string> = {
  gateway_silent: 'was not heard for long',
  gateway_bus: 'reports that a measuring device does not answer',
  gateway_clock: 'reports that its clock is not synchronised',
};

const DETAILS: Record<Kind, (gateway: Troubled) => Record<string, unknown>> = {
  gateway_silent: ({ heard }) => ({ last_heard_at: heard }),
  gateway_bus: ({ bus_last_error }) => ({ last_error: bus_last_error }),
  gateway_clock: ({ clock_offset_ms }) => ({ offset_ms: clock_offset_ms }),
};
