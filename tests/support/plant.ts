import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openConnection, readKeypairFile } from '@gridtokenx/chain';
import { type Connection, type Keypair, LAMPORTS_PER_SOL } from '@solana/web3.js';
import pg from 'pg';
import { ask } from './ask.js';
import { Service } from './service.js';
import { lastJson, newDataDir, removeDataDir, runGtx } from './up.js';
import { waitFor } from './wait.js';

/** Where readings come from: a simulated meter and the gateway that reads it, a process each. */
export interface Homestead {
  readonly meterId: string;
  readonly agent: Service;
  readonly simulator: Service;
}

/**
 * A system without a supervisor: chain, and whatever else a test starts, as single services, as an operator runs them on
 * machines of their own. Everything is below one data folder.
 */
export class Plant {
  readonly dataDir = newDataDir();
  readonly services: Service[] = [];
  readonly #pools = new Map<string, pg.Pool>();
  #connection: Connection | undefined;
  #rpcUrl = '';
  #databaseUrl = '';

  /** Starts the chain, initialises it, and registers the owner. @param databaseUrl default: an embedded PostgreSQL */
  static async create(databaseUrl?: string): Promise<Plant> {
    const plant = new Plant();
    mkdirSync(plant.dataDir, { recursive: true, mode: 0o711 });
    await plant.gtx('keygen', '--set');
    const upgradeAuthority = plant.key('upgrade-authority').publicKey.toBase58();
    const [localnet, postgres] = await Promise.all([
      plant.start(['localnet', '--port', '0', '--upgrade-authority', upgradeAuthority]),
      databaseUrl === undefined ? plant.start(['postgres']) : undefined,
    ]);
    plant.#rpcUrl = localnet.info.rpc_url;
    plant.#databaseUrl = databaseUrl ?? urlOf(postgres?.info);
    for (const name of ['upgrade-authority', 'registrar', 'owner', 'fee-payer']) {
      await plant.connection.requestAirdrop(plant.key(name).publicKey, 1_000 * LAMPORTS_PER_SOL);
    }
    await plant.gtx('chain', 'init', '--no-market', '--max-rated-watts', '1000000000');
    await plant.gtx('register-user');
    await plant.gtx('verify-user');
    return plant;
  }

  get rpcUrl(): string {
    return this.#rpcUrl;
  }

  get databaseUrl(): string {
    return this.#databaseUrl;
  }

  get connection(): Connection {
    this.#connection ??= openConnection(this.#rpcUrl);
    return this.#connection;
  }

  key(name: string): Keypair {
    return readKeypairFile(join(this.dataDir, 'keys', `${name}.json`));
  }

  keyFile(name: string): string {
    return join(this.dataDir, 'keys', `${name}.json`);
  }

  /** A command with --json that must succeed, and what it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
  async gtx(...args: string[]): Promise<any> {
    const result = await this.tryGtx(...args);
    if (result.code !== 0)
      throw new Error(`gtx ${args.join(' ')} ended with ${result.code}:\n${result.stderr}`);
    return lastJson(result);
  }

  tryGtx(...args: string[]): ReturnType<typeof runGtx> {
    return runGtx([...args, '--json'], { dataDir: this.dataDir, env: this.env() });
  }

  private env(): Record<string, string> {
    return {
      ...(this.#rpcUrl === '' ? {} : { SOLANA_RPC_URL: this.#rpcUrl }),
      ...(this.#databaseUrl === '' ? {} : { DATABASE_URL: this.#databaseUrl }),
    };
  }

  /** A service on this data folder, stopped with the plant. */
  async start(args: readonly string[], env: Record<string, string> = {}): Promise<Service> {
    const service = await Service.start([...args, '--data-dir', this.dataDir], env);
    this.services.push(service);
    return service;
  }

  /** A collector with free ports, readings every second, and settlement at once. */
  collector(env: Record<string, string> = {}): Promise<Service> {
    return this.start(['collector'], {
      ...this.env(),
      GTX_HTTP_PORT: '0',
      GTX_MQTT_PORT: '0',
      GTX_FEE_PAYER_KEY: this.keyFile('fee-payer'),
      GTX_ACK_KEY: this.keyFile('collector-ack'),
      GTX_SETTLEMENT: 'realtime',
      GTX_SETTLEMENT_SECONDS: '1',
      GTX_INTERVAL_SECONDS: '1',
      ...env,
    });
  }

  /** Registers a meter and starts its simulator and gateway. @param mqtt the gateway's section `mqtt` */
  async home(
    meterId: string,
    settings: { mqtt: Record<string, unknown>; collectorUrl?: string; watts?: number },
  ): Promise<Homestead> {
    const folder = join(this.dataDir, `home-${meterId}`);
    mkdirSync(folder, { mode: 0o700 });
    const registered = await this.gtx('register-meter', '--meter-id', meterId, '--rated-watts', '1000000000');
    const simulatorFile = join(folder, 'simulator.json');
    const watts = settings.watts ?? 900_000;
    writeFileSync(
      simulatorFile,
      JSON.stringify({
        transport: { type: 'tcp', host: '127.0.0.1', port: 0 },
        units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: watts, household_watts: 0 } }],
        control: { host: '127.0.0.1', port: 0 },
      }),
    );
    const simulator = await this.start(['sim', '--config', simulatorFile]);
    const configFile = join(folder, 'agent.yaml');
    writeFileSync(
      configFile,
      JSON.stringify({
        data_dir: join(folder, 'data'),
        interval_seconds: 1,
        sample_seconds: 1,
        collector_key: this.key('collector-ack').publicKey.toBase58(),
        ...(settings.collectorUrl === undefined ? {} : { collector_url: settings.collectorUrl }),
        mqtt: { telemetry_seconds: 1, status_seconds: 1, ...settings.mqtt },
        http: { host: '127.0.0.1', port: 0 },
        clock: { ntp: 'off' },
        meters: [
          {
            id: meterId,
            key_file: registered.key_file,
            wallet: registered.owner,
            mode: 'bidirectional',
            rated_watts: 10_000_000,
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
      }),
    );
    chmodSync(configFile, 0o600);
    const agent = await this.start(['agent', 'run', '--config', configFile]);
    return { meterId, agent, simulator };
  }

  /** Sets what a home produces. */
  async power({ simulator }: Homestead, watts: number): Promise<void> {
    const answer = await ask(new URL('/units/1/power', simulator.info.http_url), {
      method: 'PUT',
      body: JSON.stringify({ solar_watts: watts, household_watts: 0 }),
    });
    if (!answer.ok) throw new Error(`the simulator answered ${answer.status}`);
  }

  /** Lets a meter stand still, until the last of its energy is in a signed reading. */
  async rest(home: Homestead): Promise<void> {
    const { agent } = home;
    await this.power(home, 0);
    const sequence = async () => (await statusOf(agent)).meters[0].sequence;
    const before = await sequence();
    await waitFor('whole intervals at rest are signed', async () => (await sequence()) >= before + 3);
  }

  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    databaseUrl = this.#databaseUrl,
  ): Promise<Row[]> {
    let pool = this.#pools.get(databaseUrl);
    if (pool === undefined) {
      pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
      pool.on('error', () => {
        // An idle connection was cut: the next query opens another one.
      });
      this.#pools.set(databaseUrl, pool);
    }
    return (await pool.query<Row>(text, values)).rows;
  }

  async count(text: string, values: unknown[] = [], databaseUrl?: string): Promise<number> {
    const [row] = await this.query<{ count: string }>(text, values, databaseUrl);
    return Number(row?.count);
  }

  /**
   * Waits until none of a meter's readings is missing: two collectors store a moment out of order.
   * @returns the sum of their amounts, and the total of the last one, in nkWh
   */
  async wholeLine(meterId: string): Promise<{ sum: string; total: string }> {
    return waitFor(`all of ${meterId} is stored`, async () => {
      const [now] = await this.query<{ count: string; last: string; sum: string; total: string }>(
        `SELECT count(*), max(sequence) AS last, sum(amount_nkwh) AS sum, max(surplus_total) AS total
         FROM meter_readings WHERE meter_id = $1`,
        [meterId],
      );
      return now !== undefined && now.count === now.last && { sum: now.sum, total: now.total };
    });
  }

  /** Ends the connections to a database, before it is dropped. */
  async leave(databaseUrl: string): Promise<void> {
    await this.#pools.get(databaseUrl)?.end();
    this.#pools.delete(databaseUrl);
  }

  async destroy(): Promise<void> {
    for (const databaseUrl of [...this.#pools.keys()]) await this.leave(databaseUrl);
    for (const service of this.services.reverse()) await service.stop();
    removeDataDir(this.dataDir);
  }
}

/** What a gateway's `/api/status` says. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
export async function statusOf(agent: Service): Promise<any> {
  return await (await ask(new URL('/api/status', agent.info.http_url))).json();
}

/** Of an embedded PostgreSQL's ready line. */
// biome-ignore lint/suspicious/noExplicitAny: a line of JSON
function urlOf(info: any): string {
  const password = readFileSync(info.password_file, 'utf8').trim();
  return `postgres://${info.user}:${password}@${info.host}:${info.port}/${info.database}`;
}
