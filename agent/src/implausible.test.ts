/**
 * Values that no meter's register can have, each caused: none becomes energy, each is counted and shown, and the meter
 * comes back without losing what it measured.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exchanged, newAccount, observeMeter, parseAccount, serialiseAccount, totalsOf } from './account.js';
import { FrozenWatch } from './frozen.js';
import {
  DEFAULT_LIMITS,
  NEW_TRACK,
  type Observation,
  observe,
  type RegisterLimits,
  type RegisterTrack,
  stepOf,
} from './plausible.js';

const KWH = 1_000_000_000n;
const limits: RegisterLimits = { ...DEFAULT_LIMITS, maxWatts: 10_000 };

/** Feeds samples, a second apart unless said otherwise, and returns what became of each. */
function feed(
  values: readonly (bigint | readonly [bigint, number])[],
  own: RegisterLimits = limits,
  start: { track: RegisterTrack; atMs: number } = { track: NEW_TRACK, atMs: 0 },
): { track: RegisterTrack; atMs: number; seen: Observation[]; kinds: Set<string> } {
  let { track, atMs } = start;
  const seen: Observation[] = [];
  for (const item of values) {
    const [value, stepMs] = typeof item === 'bigint' ? [item, 1_000] : item;
    atMs += stepMs;
    const result = observe(track, value, atMs, own);
    track = result.track;
    seen.push(result.observation);
  }
  return { track, atMs, seen, kinds: new Set(seen.map((one) => one.kind)) };
}

const times = (count: number, value: (index: number) => bigint) =>
  Array.from({ length: count }, (_, index) => value(index));

describe('a meter that answers 0 for minutes while it starts', () => {
  const before = feed([500n * KWH, 500n * KWH]);
  const zero = feed(
    times(90, () => 0n),
    limits,
    before,
  );

  it('is taken for a new one after a minute, and nothing is counted', () => {
    expect(zero.seen.filter((one) => one.kind === 'reset')).toHaveLength(1);
    expect(zero.track.total).toBe(0n);
  });

  it('is known again when its registers are back, with all that they have risen meanwhile', () => {
    // 90 s at 7.2 kW are 0.18 kWh.
    const back = feed(
      times(90, () => 500n * KWH + 180_000_000n),
      limits,
      zero,
    );
    expect(back.kinds).toContain('returned');
    expect(back.kinds).not.toContain('reset');
    expect(back.track.total).toBe(180_000_000n);
  });

  it('is not credited twice with what a meter in between seemed to measure', () => {
    const counting = feed(
      times(90, (index) => BigInt(index) * 1_000_000n),
      limits,
      before,
    );
    expect(counting.track.total).toBe(89_000_000n);
    const back = feed(
      times(90, () => 500n * KWH + 180_000_000n),
      limits,
      counting,
    );
    expect(back.track.total).toBe(180_000_000n);
    const less = feed(
      times(90, () => 500n * KWH + 10_000_000n),
      limits,
      counting,
    );
    expect(less.track.total).toBe(89_000_000n);
  });

  it('keeps what it was through a restart of the gateway', () => {
    const account = { ...newAccount('production'), produced: zero.track };
    const again = parseAccount(serialiseAccount(account, 7_000), 7_000).produced;
    const back = feed(
      times(90, () => 500n * KWH + 180_000_000n),
      limits,
      { track: again, atMs: zero.atMs },
    );
    expect(back.track.total).toBe(180_000_000n);
  });

  it('is another meter if the registers come back only after hours: nothing is invented then', () => {
    const later = feed([[0n, 4 * 3_600_000], 0n], limits, zero);
    const back = feed(
      times(90, () => 520n * KWH),
      limits,
      later,
    );
    expect(back.kinds).toContain('reset');
    expect(back.track.total).toBe(0n);
  });
});

describe('a register that goes once around', () => {
  const around: [string, bigint, Partial<RegisterLimits>][] = [
    [
      '16 bits of 0.1 kWh',
      6_553_600_000_000n,
      { rolloverNkwh: (1n << 16n) * 100_000_000n, stepNkwh: 100_000_000n },
    ],
    [
      '32 bits of Wh',
      (1n << 32n) * 1_000_000n,
      { rolloverNkwh: (1n << 32n) * 1_000_000n, stepNkwh: 1_000_000n },
    ],
    ['64 bits of mWh', (1n << 64n) * 1_000n, { rolloverNkwh: (1n << 64n) * 1_000n, stepNkwh: 1_000n }],
    ['a display of 99999.99 kWh', 100_000n * KWH, { stepNkwh: 10_000_000n }],
    ['a display of 999999.9 kWh, as a float', 1_000_000n * KWH, { floatStep: true }],
  ];

  it.each(around)('%s: what flowed is counted, on both sides of the end', (_name, end, more) => {
    const own = { ...limits, ...more };
    const step = stepOf(own, end - 1n) || 1n;
    // Ten steps before the end, and as far behind it as 10 kW can bring it.
    const shown = (offset: bigint) => (offset < 0n ? end + offset * step : offset * step);
    const seconds = Number((step * 40n * 36n) / 100_000_000n) + 60;
    const values = [-10n, -10n, -1n, 3n, 3n, 4n, 4n].map(
      (offset) => [shown(offset), seconds * 1_000] as const,
    );
    const { track, kinds } = feed(values, own);
    expect(kinds).not.toContain('reset');
    expect(track.total).toBe(14n * step);
  });

  it('is not believed at first sight: a 0 near the end is a 0', () => {
    const own = { ...limits, rolloverNkwh: 100_000n * KWH };
    const near = 100_000n * KWH - 1_000n;
    const { track, kinds } = feed([near, near, 0n, near, near + 500n], own);
    expect(kinds).toEqual(new Set(['doubted', 'believed']));
    expect(track.total).toBe(500n);
  });

  it('is not believed where the end was far: that meter was replaced', () => {
    const { track, kinds } = feed([60_000n * KWH, 60_000n * KWH, ...times(90, () => 5n * KWH)]);
    expect(kinds).toContain('reset');
    expect(track.total).toBe(0n);
  });
});

describe('a coarse register', () => {
  it('falls and rises by its steps without being doubted', () => {
    const own = { ...limits, stepNkwh: KWH };
    const { track, seen } = feed(
      [100n * KWH, 100n * KWH, 101n * KWH, 100n * KWH, 101n * KWH, 102n * KWH],
      own,
    );
    expect(seen.slice(1).every((one) => one.kind === 'believed')).toBe(true);
    expect(track.total).toBe(2n * KWH);
  });

  it('is not frozen before it has missed two steps', () => {
    const watch = new FrozenWatch('energy_import', () => 1_000);
    let frozen = false;
    // 2 kW: a step each half hour.
    for (let minute = 0; minute <= 45; minute++) frozen ||= watch.observe(5n, 2_000, minute * 60_000);
    expect(frozen).toBe(false);
    for (let minute = 46; minute <= 90; minute++) frozen ||= watch.observe(5n, 2_000, minute * 60_000);
    expect(frozen).toBe(true);
  });

  it('is not called frozen for what an inverter gives the other way round', () => {
    const watch = new FrozenWatch('energy_generated');
    for (let minute = 0; minute <= 90; minute++)
      expect(watch.observe(5n, 2_000, minute * 60_000)).toBe(false);
    expect(watch.observe(5n, -200_000, 100 * 60_000)).toBe(true);
  });
});

describe('a jump beyond rated power', () => {
  it('is not counted, whether it stays or not', () => {
    const good = feed([500n * KWH, 500n * KWH]);
    expect(feed([900n * KWH, 500n * KWH + 5n, 500n * KWH + 9n], limits, good).track.total).toBe(9n);
    const stays = feed(
      times(90, (index) => 900n * KWH + BigInt(index)),
      limits,
      good,
    );
    expect(stays.kinds).toContain('reset');
    expect(stays.track.total).toBe(89n);
  });

  it('whatever a meter says: never more is counted than rated power allows', () => {
    const value = fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 16n }),
      fc.constantFrom(0n, 500n * KWH, 99_999n * KWH, 100_000n * KWH - 1n, (1n << 32n) * 1_000_000n - 1n),
    );
    const sample = fc.tuple(value, fc.integer({ min: 100, max: 900_000 }), fc.integer({ min: 1, max: 80 }));
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 12 }),
        fc.record({
          stepNkwh: fc.constantFrom(0n, 1_000n, 10_000_000n),
          rolloverNkwh: fc.constantFrom(undefined, (1n << 32n) * 1_000_000n),
        }),
        (samples, { stepNkwh, rolloverNkwh }) => {
          const own: RegisterLimits = {
            ...limits,
            stepNkwh,
            ...(rolloverNkwh === undefined ? {} : { rolloverNkwh }),
          };
          const values = samples.flatMap(([one, stepMs, count]) =>
            times(count, () => one).map((v) => [v, stepMs] as const),
          );
          const { track, atMs, seen } = feed(values, own);
          // Rated power and a tenth over the whole time, and the slack for each value that counted.
          const counted = BigInt(seen.filter((one) => 'rise' in one && one.rise > 0n).length);
          const most = (10_000n * BigInt(atMs) * 11n) / 36n + counted * limits.slackNkwh;
          expect(track.total).toBeGreaterThanOrEqual(0n);
          expect(track.total).toBeLessThanOrEqual(most);
        },
      ),
      { numRuns: Number(process.env.GTX_RUNS ?? 200) },
    );
  });
});

describe('a meter that is exchanged', () => {
  const sample = (register: bigint, atMs: number) => ({ register, atMs, limits });
  const run = (account: ReturnType<typeof newAccount>, register: bigint, atMs: number) =>
    observeMeter(
      account,
      { produced: sample(register, atMs), consumed: sample(register / 2n, atMs) },
      1_700_000_000,
    ).account;

  it('keeps what the old one measured, counts from the new one’s first value, and says so in the next reading', () => {
    let account = newAccount('production_consumption');
    for (const second of [1n, 2n, 3n])
      account = run(account, 500n * KWH + second * 1_000n, Number(second) * 1_000);
    const before = totalsOf(account);
    expect(before.produced).toBe(2_000n);
    account = exchanged(account, ['produced'], 'production', '4711');
    expect(totalsOf(account)).toEqual(before);
    expect(account).toMatchObject({ meterReset: true, serials: { production: '4711' } });
    // A higher register, which would otherwise pass for energy after an outage.
    const next = (second: bigint) =>
      observeMeter(
        account,
        {
          produced: sample(9_000n * KWH + second * 1_000n, Number(second) * 1_000),
          consumed: sample((500n * KWH + second * 1_000n) / 2n, Number(second) * 1_000),
        },
        1_700_000_000,
      );
    for (const second of [4n, 5n, 6n]) account = next(second).account;
    expect(totalsOf(account).produced).toBe(before.produced + 2_000n);
    // The other device was not exchanged and goes on.
    expect(totalsOf(account).consumed).toBe(before.consumed + 1_500n);
  });

  it('is remembered with its serial number; books of an earlier version know none', () => {
    const account = exchanged(newAccount('bidirectional'), ['produced', 'consumed'], 'grid', 'A-1');
    const text = serialiseAccount(account, 0);
    expect(parseAccount(text, 0).serials).toEqual({ grid: 'A-1' });
    const { serials: _, ...old } = JSON.parse(text);
    expect(parseAccount(JSON.stringify(old), 0).serials).toEqual({});
  });
});
