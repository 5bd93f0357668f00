/**
 * A real chain (the embedded one, with the compiled programs), a real PostgreSQL, and meters registered on the
 * chain: what the integration tests of mirror, settlement and audit run in.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CERTIFICATES_PROGRAM_ID,
  chainInit,
  ENERGY_TOKEN_PROGRAM_ID,
  GOVERNANCE_PROGRAM_ID,
  ORACLE_PROGRAM_ID,
  openConnection,
  ownerMessageFor,
  type Policy,
  REGISTRY_PROGRAM_ID,
  registerMeter,
  registerUser,
  rotateMeterKey,
  sendAndConfirm,
  TRADING_PROGRAM_ID,
  verifyUser,
} from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import type { SubmitReading } from '@gridtokenx/protocol';
import { freePortPair } from '@gridtokenx/protocol/testing/port';
import { type Connection, Keypair, LAMPORTS_PER_SOL, type TransactionInstruction } from '@solana/web3.js';
import type pg from 'pg';
import pino, { type Logger } from 'pino';
import type { AlertKind } from '../../alerts/kinds.js';
import { Alerts } from '../../alerts.js';
import { ChainMirror, type MirrorConfig } from '../../mirror/mirror.js';
import { migrate } from '../../store/migrate.js';
import { Partitions } from '../../store/partitions.js';
import { storeBatch } from '../../store/readings.js';
import { TestMeter } from '../../testing/gateway.js';
import { openTestPool, startTestPostgres, type TestPostgres } from '../../testing/postgres.js';
import { DEFAULT_RULES } from '../../validate/rules.js';
import { toSubmission } from '../../validate/submission.js';
import { Settlement, type SettlementConfig } from '../settlement.js';

const ARTIFACTS = fileURLToPath(new URL('../../../../programs/artifacts/', import.meta.url));
/** Readings are an hour long: at 100 kW rated power everything below 110 kWh counts. */
export const INTERVAL_SECONDS = 3600;
export const RATED_WATTS = 100_000;

export interface WorldMeter {
  meter: TestMeter;
  owner: Keypair;
}

export class World {
  /** Begins with an interval: at its end the first one would be too short for the energy that tests say it has. */
  private offsetMs = INTERVAL_SECONDS * 1000 - (Date.now() % (INTERVAL_SECONDS * 1000));
  private nextDatabase = 1;
  private nextMeter = 1;
  readonly logger: Logger = pino({ level: process.env.GTX_TEST_LOG ?? 'silent' });
  readonly authority = Keypair.generate();
  readonly registrar = Keypair.generate();
  readonly guardian = Keypair.generate();
  readonly feePayer = Keypair.generate();
  connection!: Connection;
  pool!: pg.Pool;
  databaseUrl = '';
  alerts!: Alerts;
  private partitions!: Partitions;
  private localnet: Localnet | undefined;
  private postgres: TestPostgres | undefined;
  private folder = '';
  private readonly pools: pg.Pool[] = [];

  /** The world's clock, Unix milliseconds: chain and collectors share it, and tests move it. */
  readonly now = (): number => Date.now() + this.offsetMs;

  /** Lets time pass, for chain and collectors. */
  pass(seconds: number): void {
    this.offsetMs += seconds * 1000;
  }

  get rpcUrl(): string {
    return this.localnet?.rpcUrl ?? '';
  }

  async start(policy?: Policy): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'gtx-test-world-'));
    [this.postgres] = await Promise.all([startTestPostgres(), this.startChain()]);
    for (const key of [this.authority, this.feePayer]) await this.fund(key);
    await chainInit(this.connection, {
      upgradeAuthority: this.authority,
      registrar: this.registrar.publicKey,
      guardian: this.guardian.publicKey,
      maxRatedWatts: RATED_WATTS,
      ...(policy === undefined ? {} : { policy }),
    });
    await this.useEmptyDatabase();
  }

  /** Starts the node: at the port that `stopChain` has told, it is where it was. */
  async startChain(port?: number): Promise<void> {
    this.localnet = await startLocalnet({
      dataDir: join(this.folder, 'chain'),
      port: port ?? (await freePortPair()),
      programs: [
        { id: REGISTRY_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'registry.so') },
        { id: ENERGY_TOKEN_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'energy_token.so') },
        { id: CERTIFICATES_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'certificates.so') },
        { id: TRADING_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'trading.so') },
        { id: ORACLE_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'oracle.so') },
        { id: GOVERNANCE_PROGRAM_ID.toBase58(), soPath: join(ARTIFACTS, 'governance.so') },
      ],
      upgradeAuthority: this.authority.publicKey.toBase58(),
      logger: this.logger,
      now: this.now,
    });
    this.connection = openConnection(this.localnet.rpcUrl, { timeoutMs: 30_000 });
  }

  /** Takes the node away; the chain stays in its folder. Returns the port. */
  async stopChain(): Promise<number> {
    const port = Number(new URL(this.rpcUrl).port);
    await this.localnet?.stop();
    this.localnet = undefined;
    return port;
  }

  /** Another database, with the schema and nothing in it. */
  async useEmptyDatabase(): Promise<void> {
    if (!this.postgres) throw new Error('the world has not been started');
    this.databaseUrl = await this.postgres.createDatabase(`world_${this.nextDatabase++}`);
    this.pool = openTestPool(this.databaseUrl, 12);
    this.pools.push(this.pool);
    await migrate(this.pool, this.logger);
    this.alerts = new Alerts(this.pool, this.logger);
    this.partitions = new Partitions(this.pool);
    // As a collector does before it works: what ends when a month begins was measured in the month before.
    await this.partitions.ensureAround(Math.floor(this.now() / 1000));
  }

  async stop(): Promise<void> {
    for (const pool of this.pools) await pool.end();
    await this.localnet?.stop();
    await this.postgres?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async fund(key: Keypair, sol = 100): Promise<void> {
    const signature = await this.connection.requestAirdrop(key.publicKey, sol * LAMPORTS_PER_SOL);
    await until(async () => {
      const { value } = await this.connection.getSignatureStatuses([signature]);
      return value[0]?.confirmationStatus === 'confirmed' || value[0]?.confirmationStatus === 'finalized';
    });
  }

  async send(instructions: TransactionInstruction[], signers: Keypair[]): Promise<string> {
    const { signature } = await sendAndConfirm(this.connection, {
      payer: this.feePayer,
      signers,
      instructions,
    });
    return signature;
  }

  async addOwner(verified = true): Promise<Keypair> {
    const owner = Keypair.generate();
    await registerUser(this.connection, { payer: this.feePayer, wallet: owner });
    if (verified) {
      await verifyUser(this.connection, {
        payer: this.feePayer,
        registrar: this.registrar,
        wallet: owner.publicKey,
      });
    }
    return owner;
  }

  /** Registers a meter on the chain. Its owner gets a GRID account with it. */
  async addMeter(owner: Keypair, ratedWatts = RATED_WATTS): Promise<WorldMeter> {
    // Ends are multiples of the interval; the first one lies after the registration.
    const start = Math.floor(this.now() / 1000 / INTERVAL_SECONDS) * INTERVAL_SECONDS;
    const meter = new TestMeter(`meter-${this.nextMeter++}`, start, INTERVAL_SECONDS);
    meter.wallet = owner.publicKey.toBase58();
    const message = await ownerMessageFor(this.connection, meter.meterId, owner.publicKey);
    await registerMeter(this.connection, {
      payer: this.feePayer,
      owner,
      registrar: this.registrar,
      meterId: meter.meterId,
      publicKey: meter.publicKeyBytes,
      consent: meter.sign(message),
      ratedWatts,
    });
    return { meter, owner };
  }

  /** Gives a meter a new key; its counting goes on. */
  async rotateKey(home: WorldMeter): Promise<void> {
    const { meter, owner } = home;
    const renewed = new TestMeter(meter.meterId, meter.reading.intervalEnd, INTERVAL_SECONDS);
    renewed.wallet = meter.wallet;
    Reflect.set(renewed, 'last', meter.reading);
    const message = await ownerMessageFor(this.connection, meter.meterId, owner.publicKey);
    await rotateMeterKey(this.connection, {
      payer: this.feePayer,
      owner,
      registrar: this.registrar,
      meterId: meter.meterId,
      publicKey: renewed.publicKeyBytes,
      consent: renewed.sign(message),
    });
    home.meter = renewed;
  }

  mirror(config: MirrorConfig = {}): ChainMirror {
    const { pool, connection, logger, now, alerts } = this;
    return new ChainMirror({ pool, connection, logger, now, alerts, config: { wsUrl: false, ...config } });
  }

  settlement(
    mirror: ChainMirror,
    config: SettlementConfig = {},
    connection = this.connection,
    pool = this.pool,
    feePayer = this.feePayer,
  ): Settlement {
    const { logger, now, alerts } = this;
    return new Settlement({ pool, connection, feePayer, logger, now, alerts, mirror, config });
  }

  /** Stores a reading as ingestion does. Returns the status it was stored with. */
  async store(body: SubmitReading): Promise<string> {
    const submission = toSubmission(body);
    await this.partitions.ensure([submission.reading.intervalEnd]);
    const client = await this.pool.connect();
    try {
      const { judgements } = await storeBatch(
        client,
        [
          {
            submission,
            signed: true,
            source: 'mqtt',
            recheck: false,
            rules: { ...DEFAULT_RULES, intervalSeconds: INTERVAL_SECONDS, amount: 'exact' },
          },
        ],
        this.now(),
      );
      const [judgement] = judgements;
      if (judgement?.kind !== 'store') throw new Error(`not stored: ${JSON.stringify(judgement)}`);
      return judgement.status;
    } finally {
      client.release();
    }
  }

  /** Measures, signs and stores the next reading of each meter, after its interval has passed. */
  async measure(meters: readonly WorldMeter[], produced = '1', consumed = '0.4'): Promise<void> {
    this.pass(INTERVAL_SECONDS);
    for (const { meter } of meters) await this.store(meter.next(produced, consumed));
  }

  async readings(
    meterId: string,
  ): Promise<{ sequence: number; status: string; minted: boolean; signature: string | null }[]> {
    const { rows } = await this.pool.query(
      `SELECT sequence::int, status, minted, mint_tx_signature AS signature FROM meter_readings
       WHERE meter_id = $1 ORDER BY sequence`,
      [meterId],
    );
    return rows;
  }

  /** Kind and key of each open alert of these kinds. */
  async openAlerts(...kinds: AlertKind[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ kind: string; dedupe_key: string }>(
      'SELECT kind, dedupe_key FROM alerts WHERE kind = ANY($1) AND resolved_at IS NULL ORDER BY kind, dedupe_key',
      [kinds],
    );
    return rows.map(({ kind, dedupe_key }) => `${kind} ${dedupe_key}`);
  }

  async states(): Promise<string[]> {
    const { rows } = await this.pool.query<{ state: string }>('SELECT state FROM settlements ORDER BY id');
    return rows.map(({ state }) => state);
  }
}

/** Waits for a condition, looking again and again. */
export async function until(condition: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
