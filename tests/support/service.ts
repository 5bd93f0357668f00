import { type ChildProcess, spawn } from 'node:child_process';
import { gtx } from './up.js';
import { waitFor } from './wait.js';

/** One `gtx` service as a process of the test's own, such as `gtx agent run`. */
export class Service {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number>;
  #out = '';
  #log = '';

  private constructor(args: readonly string[], env: Record<string, string>) {
    const child = spawn(process.execPath, [gtx, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#out += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    this.#exit = new Promise((resolve) => {
      child.once('exit', (code) => resolve(code ?? -1));
    });
  }

  /** Starts it and waits for the line that says that it is ready. */
  static async start(args: readonly string[], env: Record<string, string> = {}): Promise<Service> {
    const service = new Service(args, env);
    await waitFor(`gtx ${args[0]} is ready`, () => {
      if (!service.running) return true;
      return service.#out.includes('\n');
    });
    if (!service.running) throw new Error(`gtx ${args.join(' ')} ended:\n${service.#log}`);
    return service;
  }

  /** What it printed when it was ready. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
  get info(): any {
    return JSON.parse(this.#out.slice(0, this.#out.indexOf('\n')));
  }

  get log(): string {
    return this.#log;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** SIGTERM, or another signal. @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.running) this.#child.kill(signal);
    return await this.#exit;
  }
}
