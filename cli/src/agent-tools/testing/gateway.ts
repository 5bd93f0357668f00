/** A gateway with a simulated meter, for tests of the installer's commands. No broker answers it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentConfigInput,
  installerTools,
  loadAgentConfig,
  type RunningAgent,
  startAgent,
} from '@gridtokenx/agent';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { type Simulator, startSimulator } from '@gridtokenx/simulator';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { runCommandLine } from '../../command-line.js';

export const KEY = '4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS';
const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

/** Waits for a condition. The limit only ends a test that hangs. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const ends = performance.now() + 120_000;
  while (!(await holds())) {
    if (performance.now() > ends) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Gateway {
  readonly folder = mkdtempSync(join(tmpdir(), 'gtx-cli-agent-'));
  readonly configFile = join(this.folder, 'agent.yaml');
  readonly keyFile = join(this.folder, 'keys/MTR-001.json');
  publicKey = '';
  simulator!: Simulator;
  agent: RunningAgent | undefined;
  config!: AgentConfigInput;

  /** A simulated meter, a key and a configuration, with these changes. */
  async prepare(changes: Partial<AgentConfigInput> = {}): Promise<this> {
    const { ensureKeyFile } = await installerTools();
    this.publicKey = ensureKeyFile(this.keyFile).publicKey;
    this.simulator = await startSimulator(
      { units: [{ unit: 1, scenario: { shape: 'flat', solar_watts: 6_000, household_watts: 1_000 } }] },
      { logger },
    );
    const { connection } = this.simulator;
    if (connection.type === 'rtu') throw new Error('not TCP');
    this.config = {
      data_dir: this.folder,
      interval_seconds: 1,
      sample_seconds: 1,
      collector_key: KEY,
      mqtt: { url: `mqtt://127.0.0.1:${await freePort()}` },
      http: { port: await freePort() },
      clock: { ntp: 'off' },
      meters: [
        {
          id: 'MTR-001',
          key_file: this.keyFile,
          wallet: KEY,
          mode: 'bidirectional',
          devices: [
            {
              role: 'grid',
              profile: 'eastron-sdm630',
              unit: 1,
              connection: { ...connection },
              // It answers, also where it has to wait for the machine.
              timeout_ms: 10_000,
            },
          ],
        },
      ],
      ...changes,
    };
    this.write();
    return this;
  }

  /** Writes the configuration as it is now. */
  write(): void {
    writeFileSync(this.configFile, stringify(this.config));
  }

  async start(): Promise<RunningAgent> {
    this.agent = await startAgent(loadAgentConfig(this.configFile, {}), { logger });
    return this.agent;
  }

  async stop(): Promise<void> {
    await this.agent?.stop();
    this.agent = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.simulator?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** `gtx agent ...` with this gateway's data folder. */
  async gtx(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = '';
    let err = '';
    const code = await runCommandLine(['agent', ...args], {
      streams: {
        out: (text) => {
          out += text;
        },
        err: (text) => {
          err += text;
        },
        isTty: false,
      },
      env: { GTX_DATA_DIR: this.folder, PATH: process.env.PATH },
    });
    return { code, out, err };
  }
}
