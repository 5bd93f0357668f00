/** The real processes that the benchmarks measure, in a temporary data folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LEAN_NODE_ENV, leanNodeOptions } from '@gridtokenx/agent/lean-options';
import { chainInit, openConnection } from '@gridtokenx/chain';
import {
  type ComponentSpec,
  type DataLayout,
  dataLayout,
  ensureKey,
  postgresPasswordPath,
  postgresUrl,
  prepareDataDir,
  type ReadyLine,
  Supervisor,
} from '@gridtokenx/cli';
import { GtxError } from '@gridtokenx/protocol';
import { type Connection, type Keypair, LAMPORTS_PER_SOL } from '@solana/web3.js';
import pino, { type Logger } from 'pino';

// From the sources and from `dist` alike.
const gtx = [
  new URL('../cli/bin/gtx.mjs', import.meta.url),
  new URL('../../cli/bin/gtx.mjs', import.meta.url),
]
  .map((url) => fileURLToPath(url))
  .find(existsSync) as string;
const SOL = 100;

export interface StackOptions {
  say: (text: string) => void;
  /** Where to leave CPU profiles of the measured processes. */
  profileDir: string | undefined;
  /** Leave the data folder when done. */
  keep: boolean;
  /** Default: a new one. What an earlier run left there is used. */
  dataDir?: string | undefined;
  /** Node that runs the gateway. Default: the one that runs this. */
  gatewayNode?: string | undefined;
}

export interface CollectorSettings {
  settlement: 'interval' | 'realtime';
  settlementSeconds: number;
  /** Further settings. */
  env?: Record<string, string>;
}

export interface RunningCollector {
  mqttUrl: string;
  httpUrl: string;
  pid: number;
  stop(): Promise<void>;
}

/** PostgreSQL and chain; collectors and others are started and stopped on top of them. */
export class Stack {
  readonly layout: DataLayout;
  readonly logger: Logger;
  private readonly base: Supervisor;
  private readonly running = new Set<Supervisor>();
  private postgresDir: string | undefined;
  private started = 0;
  databaseUrl = '';
  /** PostgreSQL's own first process. */
  postgresPid = 0;
  rpcUrl = '';
  wsUrl = '';

  constructor(private readonly options: StackOptions) {
    this.layout = dataLayout(options.dataDir ?? mkdtempSync(join(tmpdir(), 'gtx-bench-')));
    this.logger = pino({ level: process.env.LOG_LEVEL ?? 'warn' }, pino.destination(2));
    this.base = new Supervisor({ logger: this.logger });
  }

  private key(name: string): { keypair: Keypair; path: string } {
    const path = join(this.layout.keys, `${name}.json`);
    return { keypair: ensureKey(path).keypair, path };
  }

  /** May set up programs. */
  get upgradeAuthority(): Keypair {
    return this.key('upgrade-authority').keypair;
  }

  /** Signs for the registry, and pays. */
  get registrar(): Keypair {
    return this.key('registrar').keypair;
  }

  /** What gateways pin. */
  get ackPublicKey(): Uint8Array {
    return this.key('collector-ack').keypair.publicKey.toBytes();
  }

  get feePayer(): Keypair {
    return this.key('fee-payer').keypair;
  }

  connection(): Connection {
    return openConnection(this.rpcUrl, { wsUrl: this.wsUrl });
  }

  /** Starts PostgreSQL (fsync on, as users get it) and the chain, and initialises the programs. */
  async start(): Promise<void> {
    prepareDataDir(this.layout);
    const { say } = this.options;
    say(`data folder ${this.layout.root}`);
    const postgres = await this.base.start(this.component('postgres', ['postgres', '--port', '0']));
    const { host, port, user, database, data_dir } = postgres as unknown as Record<string, string>;
    this.postgresDir = data_dir;
    this.postgresPid = Number(postgres.server_pid);
    const password = readFileSync(postgresPasswordPath(this.layout), 'utf8').trim();
    this.databaseUrl = postgresUrl(
      { host: String(host), port: Number(port), user: String(user), database: String(database) },
      password,
    );
    const upgradeAuthority = this.key('upgrade-authority').keypair;
    const authority = upgradeAuthority.publicKey.toBase58();
    const chain = await this.base.start(
      this.component('localnet', ['localnet', '--port', '0', '--upgrade-authority', authority]),
    );
    this.rpcUrl = String(chain.rpc_url);
    this.wsUrl = String(chain.ws_url);
    const connection = this.connection();
    for (const { publicKey } of [upgradeAuthority, this.registrar, this.feePayer]) {
      await connection.requestAirdrop(publicKey, SOL * LAMPORTS_PER_SOL);
      await until('an airdrop', async () => (await connection.getBalance(publicKey)) > 0);
    }
    await chainInit(connection, {
      upgradeAuthority,
      registrar: this.registrar.publicKey,
      guardian: this.registrar.publicKey,
    });
    say('PostgreSQL and chain are ready');
  }

  /** Starts a collector as `gtx collector`. */
  async startCollector({
    settlement,
    settlementSeconds,
    env = {},
  }: CollectorSettings): Promise<RunningCollector> {
    const { ready, stop } = await this.startProcess('collector', ['collector'], {
      DATABASE_URL: this.databaseUrl,
      SOLANA_RPC_URL: this.rpcUrl,
      SOLANA_WS_URL: this.wsUrl,
      GTX_MQTT_PORT: '0',
      GTX_HTTP_PORT: '0',
      GTX_FEE_PAYER_KEY: this.key('fee-payer').path,
      GTX_ACK_KEY: this.key('collector-ack').path,
      GTX_SETTLEMENT: settlement,
      GTX_SETTLEMENT_SECONDS: String(settlementSeconds),
      GTX_INTERVAL_SECONDS: '1',
      ...env,
    });
    return { mqttUrl: String(ready.mqtt_url), httpUrl: String(ready.http_url), pid: Number(ready.pid), stop };
  }

  /** Starts a `gtx` command that prints a ready line. It is stopped with the stack, if not before. */
  async startProcess(
    name: string,
    args: string[],
    env: Record<string, string> = {},
  ): Promise<{ ready: ReadyLine; stop: () => Promise<void> }> {
    const supervisor = new Supervisor({ logger: this.logger });
    this.running.add(supervisor);
    const ready = await supervisor.start(this.component(name, args, env));
    return {
      ready,
      stop: async () => {
        this.running.delete(supervisor);
        await supervisor.stopAll();
      },
    };
  }

  /** Node's arguments for a measured process. */
  nodeArgs(name: string): string[] {
    const { profileDir } = this.options;
    if (profileDir === undefined) return [];
    this.started += 1;
    return [
      '--cpu-prof',
      `--cpu-prof-dir=${profileDir}`,
      `--cpu-prof-name=${this.started}-${name}.cpuprofile`,
    ];
  }

  async stop(): Promise<void> {
    for (const supervisor of [...this.running].reverse()) await supervisor.stopAll();
    await this.base.stopAll();
    if (this.options.keep) return;
    rmSync(this.layout.root, { recursive: true, force: true });
    // As root PostgreSQL may have had to put its cluster somewhere else.
    if (this.postgresDir !== undefined && existsSync(this.postgresDir)) {
      rmSync(join(this.postgresDir, '..'), { recursive: true, force: true });
    }
  }

  /** As in `24.21.0`. */
  gatewayNodeVersion(): string {
    const { gatewayNode } = this.options;
    if (gatewayNode === undefined) return process.versions.node;
    return execFileSync(gatewayNode, ['--version'], { encoding: 'utf8' }).trim().replace(/^v/, '');
  }

  private component(name: string, args: string[], env: Record<string, string> = {}): ComponentSpec {
    const nodeArgs = name === 'postgres' || name === 'localnet' ? [] : this.nodeArgs(name);
    const isGateway = name === 'agent';
    // As `gtx up` and the packages start a gateway.
    if (isGateway) nodeArgs.push(...leanNodeOptions(this.gatewayNodeVersion()));
    const file = (isGateway ? this.options.gatewayNode : undefined) ?? process.execPath;
    return {
      name,
      logFile: join(this.layout.logs, `${name}.log`),
      readyTimeoutMs: 150_000,
      stopTimeoutMs: 30_000,
      command: () => ({
        file,
        args: [...nodeArgs, gtx, ...args, '--data-dir', this.layout.root],
        env: isGateway ? { ...LEAN_NODE_ENV, ...env } : env,
      }),
    };
  }
}

/** Waits until something has happened. @throws GtxError TIMEOUT */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutSeconds = 60,
): Promise<void> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  while (!(await check())) {
    if (performance.now() > deadline)
      throw new GtxError('TIMEOUT', `${what} did not happen in ${timeoutSeconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
