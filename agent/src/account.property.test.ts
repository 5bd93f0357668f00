import { type Reading, ReadingFlag } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  closeInterval,
  dueEnd,
  type MeterAccount,
  type MeterMode,
  newAccount,
  observeMeter,
  parseAccount,
  rebased,
  serialiseAccount,
  totalsOf,
} from './account.js';
import { DEFAULT_LIMITS, type RegisterLimits } from './plausible.js';

const MAX_WATTS = 20_000;
const INTERVAL = 60;
const limits: RegisterLimits = { ...DEFAULT_LIMITS, maxWatts: MAX_WATTS };
const START_SECONDS = 1_700_000_000;

/** One thing that happens to a gateway. */
type Event =
  /** Time passes and power flows; then a sample is taken. */
  | { kind: 'sample'; seconds: number; producedWatts: number; consumedWatts: number }
  /** The same, but the meter answers nonsense. */
  | {
      kind: 'glitch';
      seconds: number;
      producedWatts: number;
      consumedWatts: number;
      value: 'zero' | 'high' | 'swapped';
    }
  /** The process ends without warning: what was not written with a reading or a base is gone. */
  | { kind: 'crash'; seconds: number; producedWatts: number; consumedWatts: number }
  /** An orderly restart. */
  | { kind: 'restart' };

const power = {
  producedWatts: fc.integer({ min: 0, max: MAX_WATTS }),
  consumedWatts: fc.integer({ min: 0, max: MAX_WATTS }),
};
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      seconds: fc.integer({ min: 1, max: 120 }),
      ...power,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      seconds: fc.integer({ min: 600, max: 400_000 }),
      ...power,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('glitch' as const),
      seconds: fc.integer({ min: 1, max: 15 }),
      ...power,
      value: fc.constantFrom('zero' as const, 'high' as const, 'swapped' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      seconds: fc.integer({ min: 1, max: 5_000 }),
      ...power,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

interface Run {
  readings: Reading[];
  amounts: bigint[];
  account: MeterAccount;
  base: { produced: bigint; consumed: bigint } | undefined;
  registers: { produced: bigint; consumed: bigint };
  /** Registers at each reading. */
  at: { produced: bigint; consumed: bigint }[];
}

/** Drives the books as the metering loop does, over a meter whose registers are known. */
function run(mode: MeterMode, events: readonly Event[], first: { produced: bigint; consumed: bigint }): Run {
  const registers = { ...first };
  let now = START_SECONDS;
  let account = newAccount(mode);
  let stored: string | undefined;
  let base: Run['base'];
  let firstSeen: { produced: bigint; consumed: bigint } | undefined;
  let glitches = 0;
  const readings: Reading[] = [];
  const amounts: bigint[] = [];
  const at: Run['at'] = [];

  const flow = (seconds: number, producedWatts: number, consumedWatts: number) => {
    now += seconds;
    // 1 W for 1 s is 1/3600 Wh = 1e6/3600 nkWh.
    registers.produced += (BigInt(producedWatts) * BigInt(seconds) * 1_000_000n) / 3_600n;
    registers.consumed += (BigInt(consumedWatts) * BigInt(seconds) * 1_000_000n) / 3_600n;
  };
  const look = (shown: { produced: bigint; consumed: bigint }, honest: boolean) => {
    const began = account.startedAt;
    const seen = observeMeter(
      account,
      {
        produced: { register: shown.produced, atMs: now * 1000, limits },
        consumed: { register: shown.consumed, atMs: now * 1000, limits },
      },
      now,
    );
    account = seen.account;
    if (began === 0 && honest && !firstSeen) firstSeen = { ...shown };
    if (began === 0 && account.startedAt > 0) {
      base = {
        produced: shown.produced - account.produced.total,
        consumed: shown.consumed - (account.consumed?.total ?? 0n),
      };
      stored = serialiseAccount(account, 0);
    }
    const end = seen.ready ? dueEnd(account, now, INTERVAL) : undefined;
    if (end === undefined) return;
    const closed = closeInterval(account, end, INTERVAL);
    account = closed.account;
    stored = serialiseAccount(account, 0);
    readings.push(closed.reading);
    amounts.push(closed.amount);
    at.push({ ...registers });
  };
  const reload = () => {
    account = stored === undefined ? newAccount(mode) : parseAccount(stored, 0);
  };

  for (const item of events) {
    if (item.kind === 'restart') {
      if (account.startedAt > 0) stored = serialiseAccount(account, 0);
      reload();
      continue;
    }
    flow(item.seconds, item.producedWatts, item.consumedWatts);
    if (item.kind === 'crash') reload();
    else if (item.kind === 'sample') {
      glitches = 0;
      look(registers, true);
    } else if (++glitches <= 2) {
      // A real reset shows the same for a minute and more; glitches do not agree for so long.
      const { produced, consumed } = registers;
      look(
        item.value === 'zero'
          ? { produced: 0n, consumed: 0n }
          : item.value === 'high'
            ? { produced: produced * 3n + 10_000_000_000_000n, consumed: consumed * 7n + 10_000_000_000_000n }
            : { produced: consumed, consumed: produced },
        false,
      );
    }
  }
  // The meter goes on: three samples settle every doubt that is left.
  for (let index = 0; index < 4; index++) {
    flow(INTERVAL, 1_000, 500);
    look(registers, true);
  }
  return { readings, amounts, account, base, registers, at };
}

const start = fc.record({
  produced: fc.bigInt({ min: 500_000_000_000_000n, max: 600_000_000_000_000n }),
  consumed: fc.bigInt({ min: 10_000_000_000n, max: 20_000_000_000n }),
});
// The first two samples set the base; a gateway that is installed at a meter that lies is another matter.
const opening: Event[] = [
  { kind: 'sample', seconds: 5, producedWatts: 100, consumedWatts: 50 },
  { kind: 'sample', seconds: 5, producedWatts: 100, consumedWatts: 50 },
];

describe.each<MeterMode>(['bidirectional', 'production_consumption', 'production'])(
  'accounting in mode %s',
  (mode) => {
    it('whatever the sampling, restarts, crashes, gaps and glitches: totals are the registers minus their base', () => {
      fc.assert(
        fc.property(start, fc.array(event, { maxLength: 80 }), (first, events) => {
          const result = run(mode, [...opening, ...events], first);
          const { base, account, registers } = result;
          if (!base) throw new Error('no base');
          // 100 W for 5 s after the first sample, which is the base.
          expect(base.produced).toBe(first.produced + 138_888n);
          const totals = totalsOf(account);
          expect(totals.produced).toBe(registers.produced - base.produced);
          if (mode !== 'production') expect(totals.consumed).toBe(registers.consumed - base.consumed);
          expect(account.meterReset).toBe(false);
          result.readings.forEach((reading, index) => {
            const now = result.at[index] as { produced: bigint; consumed: bigint };
            expect(reading.producedTotal).toBe(now.produced - (base as { produced: bigint }).produced);
            expect(reading.flags & ReadingFlag.MeterReset).toBe(0);
          });
        }),
        { numRuns: 300 },
      );
    });

    it('readings follow each other without a hole, on multiples of the interval, within the rules of surplus', () => {
      fc.assert(
        fc.property(start, fc.array(event, { maxLength: 80 }), (first, events) => {
          const { readings, amounts } = run(mode, [...opening, ...events], first);
          let previous: Reading | undefined;
          readings.forEach((reading, index) => {
            expect(reading.sequence).toBe(BigInt(index + 1));
            expect(reading.intervalEnd % INTERVAL).toBe(0);
            expect(reading.intervalStart).toBeLessThan(reading.intervalEnd);
            if (previous) expect(reading.intervalStart).toBe(previous.intervalEnd);
            const gap = reading.intervalEnd - reading.intervalStart > INTERVAL;
            expect((reading.flags & ReadingFlag.Gap) !== 0).toBe(gap);
            const produced = reading.producedTotal - (previous?.producedTotal ?? 0n);
            const consumed = reading.consumedTotal - (previous?.consumedTotal ?? 0n);
            const surplus = reading.surplusTotal - (previous?.surplusTotal ?? 0n);
            const least = produced > consumed ? produced - consumed : 0n;
            expect(produced >= 0n && consumed >= 0n && surplus >= 0n).toBe(true);
            expect(surplus >= least && surplus <= produced).toBe(true);
            if (mode === 'production_consumption') expect(surplus).toBe(least);
            else expect(surplus).toBe(produced);
            expect(amounts[index]).toBe(surplus);
            previous = reading;
          });
        }),
        { numRuns: 300 },
      );
    });
  },
);

describe('books', () => {
  it('survive being written and read, candidates apart', () => {
    fc.assert(
      fc.property(
        start,
        fc.array(event, { maxLength: 40 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        (first, events, shift) => {
          const { account } = run('production_consumption', [...opening, ...events], first);
          const again = parseAccount(serialiseAccount(account, shift), shift);
          const plain = (track: MeterAccount['produced']) => ({
            total: track.total,
            believed: track.believed,
          });
          expect(plain(again.produced)).toEqual(plain(account.produced));
          expect({ ...again, produced: 0, consumed: 0 }).toEqual({ ...account, produced: 0, consumed: 0 });
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keep what was counted when the devices are exchanged by configuration', () => {
    const { account } = run('production_consumption', opening, { produced: 5n, consumed: 5n });
    const before = totalsOf(account);
    let next = rebased(account, 'bidirectional', 'grid:other');
    for (let second = 1; second <= 3; second++) {
      const sample = { register: 77n, atMs: second * 1000, limits };
      next = observeMeter(next, { produced: sample, consumed: sample }, START_SECONDS).account;
    }
    expect(totalsOf(next)).toEqual(before);
    const closed = closeInterval(next, START_SECONDS + 86_400 - (START_SECONDS % INTERVAL), INTERVAL);
    expect(closed.reading.sequence).toBe(account.sequence + 1n);
    expect(closed.reading.flags & ReadingFlag.MeterReset).toBe(ReadingFlag.MeterReset);
  });
});
