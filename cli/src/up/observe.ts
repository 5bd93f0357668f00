import { asOfOneMoment } from '@gridtokenx/collector';
import { type Nkwh, parseTopic, Status, Telemetry } from '@gridtokenx/protocol';
import mqtt from 'mqtt';
import pg from 'pg';
import { databaseError } from '../database-error.js';

/** One transaction that minted GRID, as the collector has booked it. Times are Unix milliseconds. */
export interface Mint {
  readonly signature: string;
  readonly amountNkwh: Nkwh;
  readonly confirmedAtMs: number;
  readonly meters: readonly string[];
}

export interface StoredReading {
  readonly meterId: string;
  readonly sequence: bigint;
  readonly amountNkwh: Nkwh;
  readonly status: string;
  readonly storedAtMs: number;
}

/** Watts, as the meter shows them; undefined where it has no such register. */
export interface Power {
  readonly productionWatts: number | undefined;
  readonly consumptionWatts: number | undefined;
  /** Positive imports, negative exports. */
  readonly gridWatts: number | undefined;
  readonly atMs: number;
}

/** What the live view shows. */
export interface Observation {
  readonly power: Power | undefined;
  readonly gatewayOnline: boolean | undefined;
  /** Signed and not yet acknowledged. */
  readonly waiting: number | undefined;
  readonly storedThisRun: number;
  readonly storedTotal: number;
  readonly lastReading: StoredReading | undefined;
  /** Newest first. */
  readonly mintsThisRun: readonly Mint[];
  readonly mintedThisRunNkwh: Nkwh;
  readonly mintedTotalNkwh: Nkwh;
  readonly alerts: readonly string[];
}

export const NOTHING_YET: Observation = {
  power: undefined,
  gatewayOnline: undefined,
  waiting: undefined,
  storedThisRun: 0,
  storedTotal: 0,
  lastReading: undefined,
  mintsThisRun: [],
  mintedThisRunNkwh: 0n,
  mintedTotalNkwh: 0n,
  alerts: [],
};

export interface ObserverOptions {
  readonly databaseUrl: string;
  readonly meterId: string;
  /** Outages are told, not thrown: the observer goes on. */
  readonly onTrouble: (where: 'database' | 'broker', error: Error) => void;
}

/**
 * Looks at a running system from outside: readings, settlements and alerts in the database (what is there is
 * stored), live power on the broker. It writes nothing.
 */
export class Observer {
  readonly #options: ObserverOptions;
  #pool: pg.Pool | undefined;
  #client: mqtt.MqttClient | undefined;
  #since: Date | undefined;
  #power: Power | undefined;
  #gatewayOnline: boolean | undefined;
  #waiting: number | undefined;
  #last: Observation = NOTHING_YET;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /**
   * From the database's present time on, readings and mints count as of this run. The broker may come later.
   * @throws GtxError STORAGE_UNAVAILABLE
   */
  async start(): Promise<void> {
    const { databaseUrl, onTrouble } = this.#options;
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: 5_000,
      statement_timeout: 10_000,
    });
    this.#pool.on('error', (error) => onTrouble('database', error));
    try {
      const { rows } = await this.#pool.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      this.#since = rows[0]?.now;
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** Starts to listen for live values, and goes on when the broker comes back. */
  listen(mqttUrl: string, login: { username: string; password: string }): void {
    const { meterId, onTrouble } = this.#options;
    const client = mqtt.connect(mqttUrl, {
      clientId: `gtx-view-${process.pid}`,
      reconnectPeriod: 1_000,
      clean: true,
      ...login,
    });
    this.#client = client;
    client.on('error', (error) => onTrouble('broker', error));
    client.on('connect', () => {
      client.subscribe([`gtx/v1/${meterId}/telemetry`, `gtx/v1/${meterId}/status`], { qos: 0 }, (error) => {
        if (error) onTrouble('broker', error);
      });
    });
    client.on('message', (topic, payload) => this.#message(topic, payload));
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true);
    await this.#pool?.end();
    this.#client = undefined;
    this.#pool = undefined;
  }

  /** The present state; when the database does not answer, the last known with the live values of now. */
  async look(): Promise<Observation> {
    try {
      this.#last = { ...this.#last, ...(await this.#fromDatabase()) };
    } catch (error) {
      this.#options.onTrouble('database', error as Error);
    }
    return { ...this.#last, power: this.#power, gatewayOnline: this.#gatewayOnline, waiting: this.#waiting };
  }

  #message(topic: string, payload: Buffer): void {
    const kind = parseTopic(topic)?.kind;
    let value: unknown;
    try {
      value = JSON.parse(payload.toString('utf8'));
    } catch {
      // Not ours to judge: a view shows what it understands.
      return;
    }
    if (kind === 'telemetry') {
      const telemetry = Telemetry.safeParse(value);
      if (!telemetry.success) return;
      this.#power = {
        productionWatts: telemetry.data.production_watts,
        consumptionWatts: telemetry.data.consumption_watts,
        gridWatts: telemetry.data.grid_watts,
        atMs: telemetry.data.time * 1_000,
      };
    } else if (kind === 'status') {
      const status = Status.safeParse(value);
      if (!status.success) return;
      this.#gatewayOnline = status.data.state === 'online';
      if (status.data.outbox_depth !== undefined) this.#waiting = status.data.outbox_depth;
    }
  }

  async #fromDatabase(): Promise<Partial<Observation>> {
    const pool = this.#pool;
    if (pool === undefined) return {};
    const exists = await pool.query<{ ready: boolean }>(
      `SELECT to_regclass('meter_readings') IS NOT NULL AND to_regclass('settlements') IS NOT NULL AS ready`,
    );
    // At the very first start the collector has yet to create the tables.
    if (exists.rows[0]?.ready !== true) return {};
    const { counts, last, mints, minted, alerts } = await asOfOneMoment(pool, async (client) => ({
      counts: await client.query<{ total: string; run: string }>(
        `SELECT count(*) AS total, count(*) FILTER (WHERE submitted_at >= $1) AS run FROM meter_readings`,
        [this.#since],
      ),
      last: await client.query<{
        meter_id: string;
        sequence: string;
        amount_nkwh: string;
        status: string;
        submitted_at: Date;
      }>(
        `SELECT meter_id, sequence, amount_nkwh, status, submitted_at FROM meter_readings
         ORDER BY reading_timestamp DESC, submitted_at DESC LIMIT 1`,
      ),
      mints: await client.query<{ signature: string; confirmed_at: Date; amount: string; meters: string[] }>(
        `SELECT s.signature, s.confirmed_at, sum(i.minted_nkwh) AS amount, array_agg(i.meter_id) AS meters
         FROM settlements s JOIN settlement_items i ON i.settlement_id = s.id
         WHERE s.state IN ('confirmed', 'finalized') AND s.confirmed_at >= $1 AND i.minted_nkwh > 0
         GROUP BY s.id ORDER BY s.confirmed_at DESC, s.id DESC`,
        [this.#since],
      ),
      minted: await client.query<{ total: string }>(
        'SELECT coalesce(sum(chain_minted), 0) AS total FROM meters',
      ),
      alerts: await client.query<{ text: string }>(
        `SELECT severity || ': ' || message AS text FROM alerts WHERE resolved_at IS NULL AND severity <> 'info'
         ORDER BY last_seen DESC LIMIT 3`,
      ),
    }));
    const newest = last.rows[0];
    const mintsThisRun = mints.rows.map((row) => ({
      signature: row.signature,
      amountNkwh: BigInt(row.amount),
      confirmedAtMs: row.confirmed_at.getTime(),
      meters: row.meters,
    }));
    return {
      storedTotal: Number(counts.rows[0]?.total ?? 0),
      storedThisRun: Number(counts.rows[0]?.run ?? 0),
      lastReading:
        newest === undefined
          ? undefined
          : {
              meterId: newest.meter_id,
              sequence: BigInt(newest.sequence),
              amountNkwh: BigInt(newest.amount_nkwh),
              status: newest.status,
              storedAtMs: newest.submitted_at.getTime(),
            },
      mintsThisRun,
      mintedThisRunNkwh: mintsThisRun.reduce((sum, mint) => sum + mint.amountNkwh, 0n),
      mintedTotalNkwh: BigInt(minted.rows[0]?.total ?? 0),
      alerts: alerts.rows.map(({ text }) => text),
    };
  }
}
