import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { GtxError } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import type { Bus } from './bus.js';
import { RtuChannel } from './rtu-channel.js';

const RESTART_MS = 500;
const START_TIMEOUT_MS = 10_000;

type Socat = ChildProcessByStdio<Writable, Readable, Readable>;

function linkTarget(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
}

/** True where the program that makes pseudo-terminals is installed. */
export function socatInstalled(): boolean {
  return spawnSync('socat', ['-V'], { stdio: 'ignore' }).status === 0;
}

/**
 * A serial line without hardware: socat holds the master of a pseudo-terminal pair and passes its bytes
 * to this process; a gateway opens the other end by the link like any serial device. Since socat hangs on
 * this process's pipes, a killed simulator leaves nothing behind.
 */
export class PtyLine {
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #link: string;
  readonly #random: () => number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #child: Socat | undefined;
  /** socat's own link of the present line; the public link points there. */
  #ownLink = '';
  #stopping = false;
  /** Cut on purpose until then (performance.now). */
  #cutUntilMs = 0;

  constructor(bus: Bus, logger: Logger, link: string, random: () => number) {
    this.#bus = bus;
    this.#random = random;
    this.#logger = logger;
    this.#link = resolve(link);
  }

  get link(): string {
    return this.#link;
  }

  /**
   * Makes the line; resolves when a gateway can open it.
   * @throws GtxError DEPENDENCY_MISSING without socat, CONFIG_INVALID when the path is taken by a real file,
   *   START_FAILED when socat ends
   */
  async start(): Promise<void> {
    if (!socatInstalled()) {
      throw new GtxError(
        'DEPENDENCY_MISSING',
        'socat is not installed (apt-get install socat); or use Modbus TCP',
      );
    }
    mkdirSync(dirname(this.#link), { recursive: true });
    const stat = lstatSync(this.#link, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isSymbolicLink()) {
      throw new GtxError('CONFIG_INVALID', `${this.#link} exists and is not a link to a serial line`);
    }
    this.#removeStaleLinks();
    await this.#spawn();
  }

  /** The adapter is pulled out: the device vanishes, and is there again after a time. */
  cut(offMs: number): void {
    this.#cutUntilMs = Math.max(this.#cutUntilMs, performance.now() + offMs);
    this.#removeLink();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await ended;
    }
    this.#removeLink();
  }

  #removeLink(): void {
    // Another simulator may have taken the link over.
    if (linkTarget(this.#link) === basename(this.#ownLink)) rmSync(this.#link, { force: true });
  }

  /**
   * socat removes its link when it ends, which after a kill of this process is a moment later: perhaps
   * after a new simulator has made its line. So each socat has a link of its own, and the public one points
   * to the newest. Between the two the public link leads nowhere, and never to somebody else's terminal.
   */
  async #spawn(): Promise<void> {
    this.#ownLink = `${this.#link}.${randomBytes(6).toString('hex')}`;
    const child = spawn('socat', ['-d', '-d', `PTY,rawer,link=${this.#ownLink},mode=600`, 'STDIO'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#serve(child);
    let log = '';
    let timer: NodeJS.Timeout | undefined;
    const ready = new Promise<void>((done, fail) => {
      timer = setTimeout(() => fail(new Error('no answer from socat')), START_TIMEOUT_MS);
      child.once('error', fail);
      child.once('exit', (code) => fail(new Error(`socat ended with ${code}: ${log.trim()}`)));
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-2000);
        // socat has made pty and link before it begins to pass data.
        if (log.includes('starting data transfer') && existsSync(this.#ownLink)) done();
      });
    });
    try {
      await ready;
    } catch (cause) {
      child.kill('SIGKILL');
      const message = `cannot make the serial line ${this.#link}: ${(cause as Error).message}`;
      throw new GtxError('START_FAILED', message, undefined, { cause });
    } finally {
      clearTimeout(timer);
    }
    const beside = `${this.#ownLink}.new`;
    symlinkSync(basename(this.#ownLink), beside);
    renameSync(beside, this.#link);
    child.on('error', (error) => this.#logger.error({ err: error }, 'socat'));
    child.once('exit', (code) => {
      if (this.#stopping) return;
      const cutMs = this.#cutUntilMs - performance.now();
      if (cutMs <= 0) this.#logger.error({ code, log }, 'socat ended: making the serial line again');
      this.#later(Math.max(cutMs, this.#cutUntilMs > 0 ? 0 : RESTART_MS), () => this.#restart());
    });
  }

  /** What a socat left behind that was killed itself. */
  #removeStaleLinks(): void {
    const folder = dirname(this.#link);
    const prefix = `${basename(this.#link)}.`;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (!name.startsWith(prefix) || !/^[0-9a-f]{12}(\.new)?$/.test(name.slice(prefix.length))) continue;
      if (linkTarget(path) !== undefined && !existsSync(path)) rmSync(path, { force: true });
    }
  }

  #restart(): void {
    this.#spawn().catch((error: unknown) => {
      if (this.#stopping) return;
      this.#logger.error({ err: error }, 'serial line');
      this.#later(RESTART_MS, () => this.#restart());
    });
  }

  #serve(child: Socat): void {
    const channel = new RtuChannel(this.#bus, (bytes) => void child.stdin.write(bytes), this.#random);
    child.stdin.on('error', (error) => this.#logger.debug({ err: error }, 'line is gone'));
    child.stdout.on('data', (bytes: Buffer) => channel.push(bytes));
    child.once('exit', () => channel.stop());
  }

  #later(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}
