/** Starts, watches and kills a real gateway process. It runs the compiled code, which is brought up to date first. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LEAN_NODE_OPTIONS } from '../lean-options.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Compiles the gateway. */
export function buildAgent(): void {
  execFileSync(`${ROOT}node_modules/.bin/tsc`, ['-b', 'agent'], { cwd: ROOT, stdio: 'inherit' });
}

export class AgentProcess {
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;
  private output = '';
  /** The last lines of its log. */
  log = '';
  url: string | undefined;

  constructor(configFile: string, nodeOptions: string[] = [], env: Record<string, string> = {}) {
    this.child = spawn(
      process.execPath,
      [...LEAN_NODE_OPTIONS, ...nodeOptions, `${ROOT}agent/dist/testing/run-agent.js`, configFile],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      },
    );
    this.ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.output += bytes.toString();
      const end = this.output.indexOf('\n');
      if (end >= 0) this.url ??= (JSON.parse(this.output.slice(0, end)) as { url: string }).url;
    });
    this.child.stderr?.on('data', (bytes: Buffer) => {
      this.log = (this.log + bytes.toString()).slice(-8_000);
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Ends it in order. @returns its exit code */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}
