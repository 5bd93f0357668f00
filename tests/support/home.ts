import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kwhToNkwh } from '@gridtokenx/protocol';
import { ask } from './ask.js';
import { Service } from './service.js';
import type { RunningSystem } from './up.js';
import { waitFor } from './wait.js';

export interface HomeOptions {
  readonly meterId: string;
  /** The gateway's data folder; default: a new one below the system's. */
  readonly dataDir?: string;
  /** Default: the running system's broker. */
  readonly mqttUrl?: string;
  /** More of the gateway's configuration. */
  readonly config?: Record<string, unknown>;
}

/**
 * A home beside the demo's: a simulated meter with the power that the test sets and, separately, the gateway that reads it, each a
 * process of its own. The meter is registered with the running system, for its owner.
 */
export class Home {
  readonly configFile: string;
  #agent: Service | undefined;

  private constructor(
    readonly meterId: string,
    private readonly simulator: Service,
    configFile: string,
  ) {
    this.configFile = configFile;
  }

  static async create(system: RunningSystem, options: HomeOptions): Promise<Home> {
    const { meterId } = options;
    const folder = join(system.dataDir, `home-${meterId}`);
    mkdirSync(folder, { mode: 0o700 });
    const registered = await system.gtxJson(
      'register-meter',
      '--meter-id',
      meterId,
      '--rated-watts',
      '1000000000',
    );
    const simulatorFile = join(folder, 'simulator.json');
    writeFileSync(
      simulatorFile,
      JSON.stringify({
        transport: { type: 'tcp', host: '127.0.0.1', port: 0 },
        units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: 0, household_watts: 0 } }],
        control: { host: '127.0.0.1', port: 0 },
      }),
    );
    const simulator = await Service.start(['sim', '--config', simulatorFile]);
    const configFile = join(folder, 'agent.yaml');
    writeFileSync(
      configFile,
      JSON.stringify({
        data_dir: options.dataDir ?? join(folder, 'data'),
        interval_seconds: 1,
        sample_seconds: 1,
        collector_key: system.key('collector-ack').publicKey.toBase58(),
        collector_url: system.url('collector', 'http'),
        mqtt: {
          url: options.mqttUrl ?? system.url('collector', 'mqtt'),
          telemetry_seconds: 1,
          status_seconds: 1,
        },
        http: { host: '127.0.0.1', port: 0 },
        clock: { ntp: 'off' },
        record_seconds: 1,
        meters: [
          {
            id: meterId,
            key_file: registered.key_file,
            wallet: registered.owner,
            mode: 'bidirectional',
            devices: [
              {
                role: 'grid',
                profile: 'eastron-sdm630',
                unit: 1,
                connection: simulator.info.connection,
                gap_ms: 5,
              },
            ],
          },
        ],
        ...options.config,
      }),
    );
    return new Home(meterId, simulator, configFile);
  }

  /** Replaces parts of the gateway's configuration, for its next start. */
  configure(parts: Record<string, unknown>): void {
    const config = JSON.parse(readFileSync(this.configFile, 'utf8')) as Record<string, unknown>;
    writeFileSync(this.configFile, JSON.stringify({ ...config, ...parts }));
  }

  async startAgent(env: Record<string, string> = {}): Promise<Service> {
    this.#agent = await Service.start(['agent', 'run', '--config', this.configFile], env);
    return this.#agent;
  }

  /** What the gateway's `/api/status` says. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
  async status(): Promise<any> {
    if (this.#agent === undefined) throw new Error('the gateway has not been started');
    return await (await ask(new URL('/api/status', this.#agent.info.http_url))).json();
  }

  async alerts(): Promise<string[]> {
    return (await this.status()).alerts.map(({ code }: { code: string }) => code);
  }

  /** The meter's registers, in nkWh. */
  async registers(): Promise<{ importNkwh: bigint; exportNkwh: bigint }> {
    const { units } = (await (await ask(new URL('/state', this.simulator.info.http_url))).json()) as {
      units: { import_kwh: string; export_kwh: string }[];
    };
    return {
      importNkwh: kwhToNkwh(units[0]?.import_kwh ?? ''),
      exportNkwh: kwhToNkwh(units[0]?.export_kwh ?? ''),
    };
  }

  /** Power towards the grid, in watts; 0: the registers stand still. */
  async setPower(solarWatts: number): Promise<void> {
    const answer = await ask(new URL('/units/1/power', this.simulator.info.http_url), {
      method: 'PUT',
      body: JSON.stringify({ solar_watts: solarWatts, household_watts: 0 }),
    });
    if (!answer.ok) throw new Error(`the simulator answered ${answer.status}`);
  }

  /** The export register at which a gateway that was started without power began to count, in nkWh. */
  async base(): Promise<bigint> {
    await waitFor('the meter has been read', async () => {
      const { healthy, last_sample_ms } = (await this.status()).meters[0];
      return healthy && last_sample_ms !== null;
    });
    return (await this.registers()).exportNkwh;
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    await this.simulator.stop();
  }
}

/** Numbers of stored readings, newest total and newest end of a meter. */
export async function storedOf(
  system: RunningSystem,
  meterId: string,
): Promise<{ count: number; total: bigint; lastEnd: number; firstStart: number }> {
  const [row] = await system.query<Record<'count' | 'total' | 'last_end' | 'first_start', string>>(
    `SELECT count(*) AS count, coalesce(max(surplus_total), 0) AS total, coalesce(max(interval_end), 0) AS last_end,
       coalesce(min(interval_start), 0) AS first_start FROM meter_readings WHERE meter_id = $1`,
    [meterId],
  );
  return {
    count: Number(row?.count),
    total: BigInt(row?.total ?? 0),
    lastEnd: Number(row?.last_end),
    firstStart: Number(row?.first_start),
  };
}

/** The meter shows its energy cut to whole watt-hours' parts (a float32 with a resolution of 1 Wh). */
const REGISTER_STEP_NKWH = 2_000_000n;

/**
 * Lets the home's meter stand still and waits until what the gateway has counted is stored to the last nkWh; it must
 * be what the export register rose by since `base`, within the register's resolution. The register may rise by less
 * than that after the gateway's last sample: only a sample at rest has all of it.
 * @returns the stored total
 */
export async function expectNothingLost(system: RunningSystem, home: Home, base: bigint): Promise<bigint> {
  await home.setPower(0);
  const { exportNkwh } = await home.registers();
  return await waitFor(`all ${exportNkwh - base} nkWh of ${home.meterId} are stored`, async () => {
    const { total } = await storedOf(system, home.meterId);
    const { surplus_total, power_watts } = (await home.status()).meters[0];
    const missing = exportNkwh - base - total;
    const close = missing < REGISTER_STEP_NKWH && missing > -REGISTER_STEP_NKWH;
    const atRest = power_watts.gridWatts === 0;
    return atRest && close && total === BigInt(surplus_total) ? total : undefined;
  });
}
