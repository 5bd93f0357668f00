/** A home for tests: simulated meters, a collector, a data folder and a configuration that fits. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kwhToNkwh } from '@gridtokenx/protocol';
import { type Simulator, startSimulator } from '@gridtokenx/simulator';
import pino, { type Logger } from 'pino';
import { type AgentDeps, type RunningAgent, startAgent } from '../agent.js';
import { AgentConfig, type AgentConfigInput } from '../config.js';
import { keyFileText, makeKey, TestCollector } from './collector.js';

/**
 * What answers is waited for. After a stall Node runs timers before it reads the socket: a limit that is meant for what does not
 * answer would refuse an answer that is there.
 */
export const ANSWER_MS = 60_000;

export interface TestMeter {
  id: string;
  key: ReturnType<typeof makeKey>;
  wallet: string;
  config: AgentConfigInput['meters'][number];
}

/** Collected log lines of the gateways under test; the tests look for secrets in them. */
export class LogSink {
  readonly lines: string[] = [];
  readonly logger: Logger;

  constructor() {
    this.logger = pino({ level: 'debug' }, { write: (line: string) => void this.lines.push(line) });
  }
}

export class TestHome {
  readonly folder = mkdtempSync(join(tmpdir(), 'gtx-agent-'));
  readonly collector = new TestCollector();
  readonly log = new LogSink();
  readonly meters: TestMeter[] = [];
  readonly agents: RunningAgent[] = [];
  readonly simulators: Simulator[] = [];

  /** Starts a simulator with one SDM630 per unit, flat powers. */
  async simulate(
    units: {
      unit: number;
      role?: 'grid' | 'production' | 'consumption';
      solar?: number;
      household?: number;
      site?: string;
    }[],
    transport: 'tcp' | 'pty' = 'tcp',
  ): Promise<Simulator> {
    const simulator = await startSimulator(
      {
        transport:
          transport === 'tcp'
            ? { type: 'tcp' }
            : { type: 'pty', link: join(this.folder, `line-${this.simulators.length}`) },
        state_file: join(this.folder, `simulator-${this.simulators.length}.json`),
        units: units.map(({ unit, role, solar, household, site }) => ({
          unit,
          ...(role === undefined ? {} : { role }),
          ...(site === undefined ? {} : { site }),
          scenario: { shape: 'flat', solar_watts: solar ?? 60_000, household_watts: household ?? 5_000 },
        })),
      },
      { logger: this.log.logger },
    );
    this.simulators.push(simulator);
    return simulator;
  }

  /** Adds a bidirectional meter on a simulator's unit. */
  meter(id: string, simulator: Simulator, unit: number, more: Partial<TestMeter['config']> = {}): TestMeter {
    return this.addMeter(id, [device('grid', simulator, unit)], more);
  }

  /** Adds a bidirectional meter that is made of these devices. */
  addMeter(
    id: string,
    devices: TestMeter['config']['devices'],
    more: Partial<TestMeter['config']> = {},
  ): TestMeter {
    const key = makeKey();
    mkdirSync(join(this.folder, 'keys'), { recursive: true });
    const keyFile = join(this.folder, 'keys', `${id}.json`);
    writeFileSync(keyFile, keyFileText(key), { mode: 0o600 });
    const wallet = makeKey().text;
    const meter: TestMeter = {
      id,
      key,
      wallet,
      config: {
        id,
        key_file: keyFile,
        wallet,
        mode: 'bidirectional',
        devices,
        ...more,
      },
    };
    this.meters.push(meter);
    return meter;
  }

  config(more: Partial<AgentConfigInput> = {}): AgentConfigInput {
    return {
      data_dir: join(this.folder, 'data'),
      interval_seconds: 1,
      sample_seconds: 1,
      collector_key: this.collector.key.text,
      http: { port: 0 },
      meters: this.meters.map((meter) => meter.config),
      clock: { ntp: 'off' },
      ...more,
      mqtt: { url: this.collector.url, telemetry_seconds: 1, status_seconds: 1, ...more.mqtt },
    };
  }

  async agent(more: Partial<AgentConfigInput> = {}, deps: Partial<AgentDeps> = {}): Promise<RunningAgent> {
    const agent = await startAgent(AgentConfig.parse(this.config(more)), {
      logger: this.log.logger,
      ...deps,
    });
    this.agents.push(agent);
    return agent;
  }

  async close(): Promise<void> {
    for (const agent of this.agents) await agent.stop();
    for (const simulator of this.simulators) await simulator.stop();
    await this.collector.stop();
    await this.collector.stopHttp();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A device on a simulated line, read as fast as the tests want.
 * @param timeoutMs what answers is waited for as long as may be; one that shall fall silent gets less
 */
export function device(
  role: 'grid' | 'production' | 'consumption',
  simulator: Simulator,
  unit: number,
  timeoutMs = 10_000,
): AgentConfigInput['meters'][number]['devices'][number] {
  return {
    role,
    profile: 'eastron-sdm630',
    unit,
    connection: simulator.connection,
    gap_ms: 5,
    timeout_ms: timeoutMs,
  };
}

/** A simulated unit's registers in nkWh, as decimal kWh says. */
export function registers(simulator: Simulator, unit: number): { importNkwh: bigint; exportNkwh: bigint } {
  const state = simulator.state().find((one) => one.unit === unit);
  if (!state) throw new Error(`no unit ${unit}`);
  return { importNkwh: kwhToNkwh(state.import_kwh), exportNkwh: kwhToNkwh(state.export_kwh) };
}

/** Waits until a condition holds. @throws Error with `what` after `timeoutMs`, which only ends a test that hangs */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
