import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A module of this benchmark as a process of its own: one job in, one message out for each step. */
export class Child {
  private readonly process: ChildProcess;

  /** @param module file name beside this one, without extension */
  constructor(module: string, nodeArgs: string[] = []) {
    this.process = fork(fileURLToPath(new URL(`./${module}.js`, import.meta.url)), {
      execArgv: nodeArgs,
      // Its stdout is no place for results: ours is.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  send(message: object): void {
    this.process.send(message);
  }

  /** The next message. @throws Error when the process ends instead, or says `error` */
  async next<T>(): Promise<T> {
    const abort = new AbortController();
    const { signal } = abort;
    try {
      const [message] = (await Promise.race([
        once(this.process, 'message', { signal }),
        once(this.process, 'exit', { signal }).then(([code, killed]) => {
          throw new Error(`a part of the benchmark ended (${killed ?? `exit code ${code}`})`);
        }),
      ])) as [T & { error?: string }];
      if (message.error !== undefined) throw new Error(message.error);
      return message;
    } finally {
      abort.abort();
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    // It ends by itself when nobody talks to it any more; a profile is written at a normal end only.
    if (this.process.connected) this.process.disconnect();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  }
}

/** The other side: runs `work` for each message, and ends when the parent is gone. */
export function serve<T>(work: (message: T) => Promise<void>): void {
  process.on('message', (message) => {
    work(message as T).catch((error: unknown) => {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    });
  });
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches the whole group; the parent decides.
  process.on('SIGINT', () => undefined);
}
