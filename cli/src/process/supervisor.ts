import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { GtxError } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { identityOf, type ProcessIdentity } from './identity.js';
import { type ReadyLine, SUPERVISED } from './service.js';

/** What to start, and how. */
export interface ComponentSpec {
  readonly name: string;
  /**
   * The command line; `previous` is the ready line of this component's last run under this supervisor, so that a
   * restarted component comes back at the ports that the others know.
   */
  command(previous: ReadyLine | undefined): {
    readonly file: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly cwd?: string;
  };
  /** Where the child's stderr goes; rotated once when it is above 16 MiB at a start. */
  readonly logFile: string;
  /** How long it may take from start to the ready line. */
  readonly readyTimeoutMs: number;
  /** How long it may take from SIGTERM to its end, before SIGKILL. */
  readonly stopTimeoutMs: number;
}

export type ComponentState = 'starting' | 'running' | 'waiting-to-restart' | 'stopping' | 'stopped';

export interface ComponentStatus {
  readonly name: string;
  readonly state: ComponentState;
  readonly process: ProcessIdentity | undefined;
  readonly ready: ReadyLine | undefined;
  readonly restarts: number;
  readonly logFile: string;
  readonly lastExit: string | undefined;
}

export interface SupervisorTimings {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** A child that ran this long was healthy: its next crash starts at the first delay again. */
  readonly healthyAfterMs: number;
  /** How often a component may fail before it was ready for the first time. */
  readonly startAttempts: number;
}

export const DEFAULT_TIMINGS: SupervisorTimings = {
  firstDelayMs: 250,
  maxDelayMs: 15_000,
  healthyAfterMs: 30_000,
  startAttempts: 3,
};

/** Delay before restart number `failures` in a row (from 1): doubling from the first delay up to the greatest. */
export function restartDelayMs(failures: number, timings: SupervisorTimings = DEFAULT_TIMINGS): number {
  return Math.min(timings.maxDelayMs, timings.firstDelayMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
}

/** What of the supervisor's own environment every child may see. Keys and tokens in it are none of theirs. */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'LOG_LEVEL',
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
];

export function childEnvironment(
  extra: Readonly<Record<string, string>>,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = own[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...extra, [SUPERVISED]: '1' };
}

/** The last lines of a log file, for an error message. */
export function tailOf(logFile: string, lines = 12): string[] {
  if (!existsSync(logFile)) return [];
  const text = readFileSync(logFile, 'utf8');
  return text.trimEnd().split('\n').slice(-lines);
}

const LOG_LIMIT_BYTES = 16 * 1024 * 1024;

interface Managed {
  readonly spec: ComponentSpec;
  child: ChildProcess | undefined;
  exited: Promise<void> | undefined;
  identity: ProcessIdentity | undefined;
  ready: ReadyLine | undefined;
  state: ComponentState;
  restarts: number;
  failuresInARow: number;
  lastExit: string | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Keeps child processes running: starts them one after the other, restarts what crashed with a growing delay, and
 * stops them in reverse order. Each child leads its own process group, so that Ctrl-C reaches only the supervisor,
 * and has the supervisor's end of a pipe as stdin, so that it notices when the supervisor was killed.
 *
 * Emits `change` (ComponentStatus) whenever a component's state changes.
 */
export class Supervisor extends EventEmitter<{ change: [ComponentStatus] }> {
  readonly #logger: Logger;
  readonly #timings: SupervisorTimings;
  readonly #now: () => number;
  readonly #components: Managed[] = [];
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: { logger: Logger; timings?: Partial<SupervisorTimings>; now?: () => number }) {
    super();
    this.#logger = options.logger;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#now = options.now ?? Date.now;
  }

  /** All components in the order of their start. */
  status(): ComponentStatus[] {
    return this.#components.map(statusOf);
  }

  /**
   * Starts a component and waits until it says that it is ready. From then on it is restarted when it ends.
   *
   * @returns its ready line
   * @throws GtxError START_FAILED when it ended or stayed silent in each of the first attempts
   */
  async start(spec: ComponentSpec): Promise<ReadyLine> {
    const refuseWhenStopping = (): void => {
      if (this.#stopping) throw new GtxError('SERVICE_STOPPING', `stopping, so ${spec.name} is not started`);
    };
    refuseWhenStopping();
    const managed: Managed = {
      spec,
      child: undefined,
      exited: undefined,
      identity: undefined,
      ready: undefined,
      state: 'starting',
      restarts: 0,
      failuresInARow: 0,
      lastExit: undefined,
      timer: undefined,
    };
    this.#components.push(managed);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#launch(managed);
      } catch (error) {
        refuseWhenStopping();
        // Wrong use does not get better by repeating it.
        const hopeless = managed.lastExit === 'exit code 2';
        if (attempt >= this.#timings.startAttempts || hopeless) {
          throw new GtxError('START_FAILED', `${spec.name} did not start: ${(error as Error).message}`, {
            component: spec.name,
            attempts: attempt,
            log_file: spec.logFile,
            log_tail: tailOf(spec.logFile),
          });
        }
        this.#logger.warn(
          { child: spec.name, attempt, reason: (error as Error).message },
          'start failed, trying again',
        );
        await new Promise((resolve) => setTimeout(resolve, restartDelayMs(attempt, this.#timings)));
        refuseWhenStopping();
      }
    }
  }

  /**
   * Stops everything, the last started first, each within its own time. To be told again while it does changes nothing:
   * a child that is asked a second time would not wait for what it has running.
   */
  stopAll(): Promise<void> {
    this.#stopping = true;
    this.#stopped ??= this.#stopEach();
    return this.#stopped;
  }

  async #stopEach(): Promise<void> {
    for (const managed of [...this.#components].reverse()) {
      clearTimeout(managed.timer);
      managed.timer = undefined;
      await this.#stopOne(managed);
    }
  }

  async #stopOne(managed: Managed): Promise<void> {
    const { child, exited, spec } = managed;
    if (child === undefined || exited === undefined) {
      this.#set(managed, 'stopped');
      return;
    }
    this.#set(managed, 'stopping');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#logger.warn(
        { child: spec.name, seconds: spec.stopTimeoutMs / 1000 },
        'did not stop in time, killing it',
      );
      child.kill('SIGKILL');
    }, spec.stopTimeoutMs);
    await exited;
    clearTimeout(timer);
    this.#set(managed, 'stopped');
  }

  /** One attempt: resolves at the ready line, rejects when the child ends or stays silent before it. */
  #launch(managed: Managed): Promise<ReadyLine> {
    const { spec } = managed;
    const { file, args, env, cwd } = spec.command(managed.ready);
    rotate(spec.logFile);
    const log = openSync(spec.logFile, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = spawn(file, [...args], {
        stdio: ['pipe', 'pipe', log],
        env: childEnvironment(env),
        detached: true,
        ...(cwd === undefined ? {} : { cwd }),
      });
    } finally {
      closeSync(log);
    }
    const startedAt = this.#now();
    managed.child = child;
    managed.identity = child.pid === undefined ? undefined : identityOf(child.pid);
    this.#set(managed, 'starting');
    // The pipe is only a lifeline: nobody writes to it, and its breaking is seen as the child's exit.
    child.stdin?.on('error', () => {});

    return new Promise<ReadyLine>((resolve, reject) => {
      let isReady = false;
      // What it says from then on counts no more, also when it has said it before and is heard only now.
      let givenUp: string | undefined;
      const silence = setTimeout(() => {
        givenUp = `not ready after ${spec.readyTimeoutMs / 1000} s`;
        child.kill('SIGKILL');
      }, spec.readyTimeoutMs);
      if (child.stdout !== null) {
        createInterface({ input: child.stdout }).on('line', (text) => {
          const line = parseReady(text);
          if (line === undefined || isReady || givenUp !== undefined) return;
          isReady = true;
          clearTimeout(silence);
          managed.ready = line;
          this.#set(managed, 'running');
          this.#logger.info({ child: spec.name, pid: line.pid, ms: this.#now() - startedAt }, 'ready');
          resolve(line);
        });
      }
      managed.exited = new Promise<void>((resolveExit) => {
        const ended = (how: string): void => {
          clearTimeout(silence);
          givenUp ??= `ended with ${how} before it was ready`;
          managed.child = undefined;
          managed.exited = undefined;
          managed.identity = undefined;
          managed.lastExit = how;
          resolveExit();
          // Not before it has gone: the next attempt has the place to itself.
          if (!isReady) reject(new Error(givenUp));
          // Before the first ready line, start() decides; afterwards the component is kept alive.
          if (managed.ready !== undefined) this.#crashed(managed, startedAt);
        };
        child.once('error', (error) => ended(error.message));
        child.once('exit', (code, signal) =>
          ended(signal === null ? `exit code ${code}` : `signal ${signal}`),
        );
      });
    });
  }

  #crashed(managed: Managed, startedAt: number): void {
    if (this.#stopping) return;
    const ranMs = this.#now() - startedAt;
    managed.failuresInARow = ranMs >= this.#timings.healthyAfterMs ? 1 : managed.failuresInARow + 1;
    managed.restarts += 1;
    const delay = restartDelayMs(managed.failuresInARow, this.#timings);
    this.#logger.warn(
      { child: managed.spec.name, exit: managed.lastExit, ran_ms: ranMs, restart_in_ms: delay },
      'ended unexpectedly, restarting',
    );
    this.#set(managed, 'waiting-to-restart');
    managed.timer = setTimeout(() => {
      managed.timer = undefined;
      if (this.#stopping) return;
      this.#launch(managed).catch((error: unknown) => {
        this.#logger.warn({ child: managed.spec.name, reason: (error as Error).message }, 'restart failed');
      });
    }, delay);
  }

  #set(managed: Managed, state: ComponentState): void {
    managed.state = state;
    this.emit('change', statusOf(managed));
  }
}

function statusOf(managed: Managed): ComponentStatus {
  return {
    name: managed.spec.name,
    state: managed.state,
    process: managed.identity,
    ready: managed.ready,
    restarts: managed.restarts,
    logFile: managed.spec.logFile,
    lastExit: managed.lastExit,
  };
}

function parseReady(text: string): ReadyLine | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text) as Partial<ReadyLine>;
    return value.ready === true ? (value as ReadyLine) : undefined;
  } catch {
    // Not ours: some other line that begins with a brace.
    return undefined;
  }
}

function rotate(logFile: string): void {
  if (existsSync(logFile) && statSync(logFile).size > LOG_LIMIT_BYTES) renameSync(logFile, `${logFile}.1`);
}
