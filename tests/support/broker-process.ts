import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '@gridtokenx/protocol/testing/port';

const script = fileURLToPath(new URL('./broker-child.mjs', import.meta.url));

/** An MQTT broker as a process of its own, outside the system under test, that can be killed and brought back. */
export class BrokerProcess {
  #child: ChildProcess | undefined;
  #port = 0;

  /** Starts it, at the same port as before. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    const child = spawn(process.execPath, [script, String(this.#port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line');
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}
