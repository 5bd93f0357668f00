import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openConnection, readKeypairFile } from '@gridtokenx/chain';
import type { Connection, Keypair } from '@solana/web3.js';
import pg from 'pg';
import { ask } from './ask.js';
import { isRunning } from './process.js';
import { waitFor } from './wait.js';

/** The command under test. */
export const gtx = fileURLToPath(new URL('../../cli/bin/gtx.mjs', import.meta.url));

/** What `gtx up` writes for other commands, as far as tests look at it. */
interface RunFile {
  readonly supervisor: { readonly pid: number };
  readonly supervisorUrl: string;
  readonly components: readonly {
    readonly name: string;
    readonly state: string;
    readonly process?: { readonly pid: number };
    readonly otherPids: readonly number[];
    readonly urls: Readonly<Record<string, string>>;
    readonly restarts: number;
  }[];
  readonly meterId: string;
}
export type Component = RunFile['components'][number];

export interface StartOptions {
  /** Default: a new one. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  readonly ownGroup?: boolean;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A new data folder; world-traversable, since PostgreSQL does not run as root. With GTX_TEST_KEYS it begins with a
 * copy of that folder of keys: a validator's programs belong to an upgrade authority that was made before.
 */
export function newDataDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'gtx-e2e-'));
  chmodSync(dir, 0o711);
  const dataDir = join(dir, 'data');
  const keys = process.env.GTX_TEST_KEYS;
  if (keys !== undefined) {
    mkdirSync(dataDir, { mode: 0o711 });
    cpSync(keys, join(dataDir, 'keys'), { recursive: true });
  }
  return dataDir;
}

export function removeDataDir(dataDir: string): void {
  rmSync(join(dataDir, '..'), { recursive: true, force: true });
}

/** Runs one `gtx` command to its end. */
export function runGtx(
  args: readonly string[],
  { dataDir, env = {} }: { dataDir: string; env?: Record<string, string> },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [gtx, ...args, '--data-dir', dataDir],
      { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

/** The last line of a command's standard output, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
export function lastJson(result: CommandResult): any {
  const line = result.stdout.trimEnd().split('\n').at(-1);
  if (line === undefined || line === '') {
    throw new Error(`no output; exit code ${result.code}, stderr:\n${result.stderr}`);
  }
  return JSON.parse(line);
}

/** A whole running system, `gtx up` with each component as a process of its own. */
export class RunningSystem {
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<number>;
  #output = '';
  #pool: pg.Pool | undefined;
  #connection: Connection | undefined;

  private constructor(dataDir: string, child: ChildProcess) {
    this.dataDir = dataDir;
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code) => resolve(code ?? -1));
    });
  }

  /** Starts it and waits until every component runs. */
  static async start(options: StartOptions = {}): Promise<RunningSystem> {
    const system = RunningSystem.launch(options);
    await system.ready();
    return system;
  }

  /** Starts it and does not wait. */
  static launch(options: StartOptions = {}): RunningSystem {
    const dataDir = options.dataDir ?? newDataDir();
    const child = spawn(
      process.execPath,
      [gtx, 'up', '--json', '--ports', 'free', '--data-dir', dataDir, ...(options.args ?? [])],
      {
        env: { ...process.env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
        // A process group of its own, as a terminal gives each command line.
        detached: options.ownGroup ?? false,
      },
    );
    return new RunningSystem(dataDir, child);
  }

  /** Waits until every component runs. */
  async ready(): Promise<void> {
    let ended: number | undefined;
    void this.#exit.then((code) => {
      ended = code;
    });
    await waitFor(
      'every component runs',
      () => {
        if (ended !== undefined) return true;
        // The run file of a killed run still lies there until this one writes its own.
        if (this.runFile.supervisor.pid !== this.pid) return false;
        const agent = this.component('agent');
        return agent.state === 'running' || agent.state === 'external';
      },
      { timeoutMs: 240_000 },
    );
    if (ended !== undefined) throw new Error(`gtx up ended with ${ended}:\n${this.#output}`);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('gtx up could not be started');
    return this.#child.pid;
  }

  /** The exit code, once it has ended. */
  get exited(): Promise<number> {
    return this.#exit;
  }

  /** Every process of it that runs now: the supervisor, the components, PostgreSQL's server. */
  get pids(): number[] {
    return [
      this.pid,
      ...this.runFile.components.flatMap(({ process: identity, otherPids }) =>
        identity === undefined ? otherPids : [identity.pid, ...otherPids],
      ),
    ].filter(isRunning);
  }

  get output(): string {
    return this.#output;
  }

  get runFile(): RunFile {
    return JSON.parse(readFileSync(join(this.dataDir, 'up.json'), 'utf8')) as RunFile;
  }

  component(name: string): Component {
    const found = this.runFile.components.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no component ${name} yet`);
    return found;
  }

  url(component: string, name: string): string {
    const url = this.component(component).urls[name];
    if (url === undefined) throw new Error(`${component} has no ${name} URL`);
    return url;
  }

  get meterId(): string {
    return this.runFile.meterId;
  }

  /** kill -9, and nothing else: no warning, no time to finish. PostgreSQL's own processes go too. */
  kill(name: string): number {
    const { process: identity, otherPids } = this.component(name);
    if (identity === undefined) throw new Error(`${name} has no process`);
    for (const pid of [...otherPids, identity.pid]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    return identity.pid;
  }

  /** Waits until the component runs under another pid than the killed one. */
  async revived(name: string, killedPid: number): Promise<void> {
    await waitFor(`${name} runs again`, () => {
      const { state, process: identity } = this.component(name);
      return state === 'running' && identity !== undefined && identity.pid !== killedPid;
    });
  }

  /** Queries the system's database; the pool survives restarts of the server. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    if (this.#pool === undefined) {
      this.#pool = new pg.Pool({ connectionString: this.url('postgres', 'database'), max: 2 });
      this.#pool.on('error', () => {
        // An idle connection was cut: the next query opens another one.
      });
    }
    return (await this.#pool.query<Row>(text, values)).rows;
  }

  /** One whole number from the database. */
  async count(text: string, values: unknown[] = []): Promise<number> {
    const rows = await this.query<{ count: string }>(text, values);
    return Number(rows[0]?.count);
  }

  gtx(...args: string[]): Promise<CommandResult> {
    return runGtx(args, { dataDir: this.dataDir });
  }

  /** Runs a command with --json, which must succeed, and gives what it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
  async gtxJson(...args: string[]): Promise<any> {
    const result = await this.gtx(...args, '--json');
    if (result.code !== 0) {
      throw new Error(`gtx ${args.join(' ')} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    }
    return lastJson(result);
  }

  /** The audit of `gtx audit --json`, as soon as it passes: what is under way changes the books meanwhile. */
  async auditPasses(): Promise<void> {
    let last: CommandResult | undefined;
    try {
      await waitFor(
        'the audit passes',
        async () => {
          last = await this.gtx('audit', '--json');
          return last.code === 0;
        },
        { everyMs: 1_000 },
      );
    } catch (error) {
      throw new Error(`the audit finds differences:\n${last?.stdout}`, { cause: error });
    }
  }

  /** A client of its chain. */
  get connection(): Connection {
    this.#connection ??= openConnection(this.url('localnet', 'rpc'));
    return this.#connection;
  }

  /** A key of the data folder, such as `registrar` or `meters/MTR-001`. */
  key(name: string): Keypair {
    return readKeypairFile(join(this.dataDir, 'keys', `${name}.json`));
  }

  /** Sets the simulated home's power, in watts. */
  async setPower(power: { solar_watts: number; household_watts: number }): Promise<void> {
    const answer = await ask(`${this.url('simulator', 'status')}/units/1/power`, {
      method: 'PUT',
      body: JSON.stringify(power),
    });
    if (!answer.ok) throw new Error(`the simulator answered ${answer.status}: ${await answer.text()}`);
  }

  /** Lets the demo's meter stand still, until the last of its energy is in a stored reading. */
  async standStill(): Promise<void> {
    await this.setPower({ solar_watts: 0, household_watts: 0 });
    // Not what is stored: readings from before may still wait in the gateway.
    const { meters } = JSON.parse(await this.http('agent', '/api/status'));
    const signed: number = meters.find(({ id }: { id: string }) => id === this.meterId).sequence;
    await waitFor('a whole interval at rest is stored', async () => {
      const stored = 'SELECT coalesce(max(sequence), 0) AS count FROM meter_readings WHERE meter_id = $1';
      return (await this.count(stored, [this.meterId])) >= signed + 3;
    });
  }

  /** What a component offers over HTTP, as text. */
  async http(component: 'collector' | 'agent', path: string): Promise<string> {
    const url = this.url(component, component === 'collector' ? 'http' : 'status');
    return await (await ask(new URL(path, url))).text();
  }

  /** One number of a component's /metrics, summed over the samples that carry these labels. */
  async metric(
    component: 'collector' | 'agent',
    name: string,
    labels: Record<string, string> = {},
  ): Promise<number> {
    const lines = (await this.http(component, '/metrics')).split('\n');
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** SIGTERM, as a service manager would. @returns the exit code */
  async stop(): Promise<number> {
    await this.#pool?.end();
    this.#pool = undefined;
    this.#child.kill('SIGTERM');
    return await this.#exit;
  }

  /** Ctrl-C: the terminal signals the whole process group (start with `ownGroup`). @returns the exit code */
  async interrupt(): Promise<number> {
    await this.#pool?.end();
    this.#pool = undefined;
    process.kill(-this.pid, 'SIGINT');
    return await this.#exit;
  }

  /** kill -9 of the supervisor; its components notice and stop by themselves. */
  async killSupervisor(): Promise<void> {
    await this.#pool?.end();
    this.#pool = undefined;
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  /** For afterAll: stops whatever still runs and removes the data. */
  async destroy(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
    removeDataDir(this.dataDir);
  }
}
