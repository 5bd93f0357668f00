/**
 * A gateway on simulated serial lines: real serial driver, real pseudo-terminals (socat), real store. What the gateway
 * must have recorded follows from the simulated registers as they are shown, to the nkWh.
 */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentConfigInput, type AgentStatus, Outbox } from '@gridtokenx/agent';
import { decodeReading, encodeBase58, encodeReading, kwhToNkwh } from '@gridtokenx/protocol';
import {
  type Simulator,
  type SimulatorConfigInput,
  startSimulator,
  type UnitState,
} from '@gridtokenx/simulator';
import type { Logger } from 'pino';
import { waitFor } from '../support/wait.js';

/** How long an answer may take on these lines. */
export const TIMEOUT_MS = 300;
/** Readings are signed so often. */
export const INTERVAL_SECONDS = 2;

type UnitInput = NonNullable<SimulatorConfigInput['units']>[number];

/** One simulated serial line. */
export class Line {
  private constructor(
    readonly name: string,
    readonly simulator: Simulator,
  ) {}

  static async open(
    name: string,
    folder: string,
    seed: number,
    units: UnitInput[],
    logger: Logger,
  ): Promise<Line> {
    const simulator = await startSimulator(
      {
        transport: { type: 'pty', link: join(folder, `tty-${name}`) },
        seed: `${seed}/${name}`,
        units: units.map((unit) => ({
          scenario: { shape: 'flat', solar_watts: 0, household_watts: 0 },
          ...unit,
        })),
      },
      { logger },
    );
    return new Line(name, simulator);
  }

  unit(unit: number): UnitState {
    const state = this.simulator.state().find((one) => one.unit === unit);
    if (state === undefined) throw new Error(`no unit ${unit} on ${this.name}`);
    return state;
  }

  /** How often a fault has been injected so far. */
  injected(unit: number | 'line', fault: string): number {
    return this.simulator.faults().get(`${unit}/${fault}`) ?? 0;
  }

  /** A device's entry in a gateway's configuration. */
  device(
    unit: number,
    role: 'grid' | 'production' | 'consumption' = 'grid',
    gapMs = 5,
  ): AgentConfigInput['meters'][number]['devices'][number] {
    const { connection } = this.simulator;
    if (connection.type !== 'rtu') throw new Error('not a serial line');
    return {
      role,
      profile: this.unit(unit).profile,
      unit,
      // Meters of several makes on one line have to agree.
      connection: { ...connection, baud_rate: 9600, parity: 'none', data_bits: 8, stop_bits: 1 },
      timeout_ms: TIMEOUT_MS,
      gap_ms: gapMs,
    };
  }
}

interface Shown {
  produced: bigint;
  consumed: bigint;
}

/** One simulated register that a gateway's total follows. */
interface Source {
  line: Line;
  unit: number;
  /** Which of the unit's registers counts as produced, and which as consumed. */
  produced?: 'import' | 'export';
  consumed?: 'import' | 'export';
}

/** A gateway's meter, with what its totals must be. */
export class Watched {
  readonly key = generateKeyPairSync('ed25519');
  readonly publicKey = Buffer.from(this.key.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  readonly wallet = encodeBase58(Buffer.alloc(32, 7));
  /** Registers at the beginning of the series under way. */
  private start: Shown = { produced: 0n, consumed: 0n };
  /** Of the series before. */
  private counted: Shown = { produced: 0n, consumed: 0n };
  /** Where registers start again from zero, in nkWh. */
  rollover: bigint | undefined;

  constructor(
    readonly id: string,
    private readonly mode: 'bidirectional' | 'production_consumption' | 'production',
    private readonly sources: readonly Source[],
    readonly devices: AgentConfigInput['meters'][number]['devices'],
  ) {}

  static grid(line: Line, unit: number, gapMs?: number): Watched {
    const id = `${line.name}-${unit}`;
    const source = { line, unit, produced: 'export', consumed: 'import' } as const;
    return new Watched(id, 'bidirectional', [source], [line.device(unit, 'grid', gapMs)]);
  }

  config(keys: string): AgentConfigInput['meters'][number] {
    mkdirSync(keys, { recursive: true });
    const keyFile = join(keys, `${this.id}.json`);
    const seed = Buffer.from(this.key.privateKey.export({ format: 'jwk' }).d as string, 'base64url');
    writeFileSync(keyFile, JSON.stringify([...seed, ...this.publicKey]), { mode: 0o600 });
    return {
      id: this.id,
      key_file: keyFile,
      wallet: this.wallet,
      mode: this.mode,
      rated_watts: 100_000,
      devices: this.devices,
    };
  }

  /** The registers as the meter shows them. */
  shown(): Shown {
    const shown: Shown = { produced: 0n, consumed: 0n };
    for (const { line, unit, produced, consumed } of this.sources) {
      const state = line.unit(unit);
      const of = (side: 'import' | 'export') => kwhToNkwh(state[`shown_${side}_kwh`] ?? '0');
      if (produced !== undefined) shown.produced += of(produced);
      if (consumed !== undefined) shown.consumed += of(consumed);
    }
    return shown;
  }

  /** From now on the registers count from where they stand. */
  begin(): void {
    this.start = this.shown();
  }

  /** The series ends (the meter is exchanged): what it has counted stays. */
  end(): void {
    this.counted = this.expected();
    this.begin();
  }

  /** What the gateway's totals must be. */
  expected(): Shown {
    const now = this.shown();
    const rise = (side: keyof Shown) => {
      const difference = now[side] - this.start[side];
      return difference < 0n && this.rollover !== undefined ? difference + this.rollover : difference;
    };
    return {
      produced: this.counted.produced + rise('produced'),
      consumed: this.counted.consumed + rise('consumed'),
    };
  }

  /** Power at the meter: positive is given, negative is drawn. */
  power(watts: number): void {
    for (const { line, unit } of this.sources) {
      line.simulator.setPower(unit, {
        solar_watts: Math.max(0, watts),
        household_watts: Math.max(0, -watts),
      });
    }
  }

  /** Waits until the gateway's totals are those of the registers, which must stand still. */
  async caughtUp(status: () => AgentStatus | Promise<AgentStatus>): Promise<void> {
    const expected = this.expected();
    let last = '';
    try {
      await waitFor(
        `${this.id} has counted what its registers show`,
        async () => {
          const meter = (await status()).meters.find(({ id }) => id === this.id);
          last = JSON.stringify(meter);
          return (
            meter?.healthy === true &&
            BigInt(meter.produced_total) === expected.produced &&
            BigInt(meter.consumed_total) === expected.consumed
          );
        },
        { timeoutMs: 240_000 },
      );
    } catch (cause) {
      throw new Error(
        `${this.id}: the registers have risen by ${expected.produced} and ${expected.consumed}; the gateway says ${last}`,
        { cause },
      );
    }
  }
}

/** Waits until a meter answers and its registers are believed. */
export async function believed(
  meter: Watched,
  status: () => AgentStatus | Promise<AgentStatus>,
): Promise<void> {
  // Dozens of meters begin at the same time.
  await waitFor(
    `${meter.id} is measured`,
    async () => {
      const view = (await status()).meters.find(({ id }) => id === meter.id);
      return view?.healthy === true && view.sequence > 0;
    },
    { timeoutMs: 480_000 },
  );
}

/**
 * Looks through everything that a stopped gateway has recorded of its meters: each reading signed by the meter's key,
 * sequences and intervals without a hole, no total falling, and the last one equal to the registers.
 * @returns how many readings there are
 */
export function verifyRecords(dataDir: string, meters: readonly Watched[]): number {
  const outbox = Outbox.open(dataDir, {
    maxBytes: 256 * 1024 * 1024,
    keepMs: 30 * 86_400_000,
    recordKeepMs: 30 * 86_400_000,
  });
  let count = 0;
  try {
    for (const meter of meters) {
      const key = createPublicKey(meter.key.publicKey.export({ format: 'pem', type: 'spki' }));
      const readings = outbox.readings(meter.id, 1, 1_000_000);
      let sequence = 0n;
      let end: number | undefined;
      let totals = { produced: 0n, consumed: 0n, surplus: 0n };
      for (const { bytes, signature, amount } of readings) {
        const reading = decodeReading(bytes);
        const fault = (what: string) => new Error(`${meter.id}, sequence ${reading.sequence}: ${what}`);
        if (!Buffer.from(bytes).equals(Buffer.from(encodeReading(reading)))) throw fault('other bytes');
        if (!verify(null, bytes, key, signature)) throw fault('the signature is not right');
        sequence += 1n;
        if (reading.sequence !== sequence) throw fault(`expected sequence ${sequence}`);
        if (end !== undefined && reading.intervalStart !== end) throw fault(`a hole after ${end}`);
        if (reading.intervalEnd <= reading.intervalStart) throw fault('no interval');
        end = reading.intervalEnd;
        const produced = reading.producedTotal - totals.produced;
        const consumed = reading.consumedTotal - totals.consumed;
        const surplus = reading.surplusTotal - totals.surplus;
        if (produced < 0n || consumed < 0n) throw fault('a total falls');
        const least = produced > consumed ? produced - consumed : 0n;
        if (surplus < least || surplus > produced) throw fault('the surplus does not fit');
        if (surplus !== amount) throw fault('the amount is not the surplus');
        totals = {
          produced: reading.producedTotal,
          consumed: reading.consumedTotal,
          surplus: reading.surplusTotal,
        };
      }
      const expected = meter.expected();
      if (totals.produced !== expected.produced || totals.consumed !== expected.consumed) {
        throw new Error(
          `${meter.id}: signed ${totals.produced} and ${totals.consumed} nkWh, the registers have risen by ${expected.produced} and ${expected.consumed}`,
        );
      }
      count += readings.length;
    }
  } finally {
    outbox.close();
  }
  return count;
}
