import { describe, expect, it } from 'vitest';
import {
  aged,
  allowance,
  DEFAULT_LIMITS,
  NEW_TRACK,
  type Observation,
  observe,
  type RegisterLimits,
  type RegisterTrack,
} from './plausible.js';

const KWH = 1_000_000_000n;
const limits: RegisterLimits = { ...DEFAULT_LIMITS, maxWatts: 10_000 };

/** Feeds samples a second apart and returns what became of each. */
function feed(
  values: (bigint | [bigint, number])[],
  start: RegisterTrack = NEW_TRACK,
  startMs = 0,
): { track: RegisterTrack; seen: Observation[]; kinds: string } {
  let track = start;
  let atMs = startMs;
  const seen: Observation[] = [];
  for (const item of values) {
    const [value, stepMs] = typeof item === 'bigint' ? [item, 1_000] : item;
    atMs += stepMs;
    const result = observe(track, value, atMs, limits);
    track = result.track;
    seen.push(result.observation);
  }
  return { track, seen, kinds: seen.map((one) => one.kind[0]).join('') };
}

describe('what is believed of a register', () => {
  it('allows rated power and a tenth, to the nkWh', () => {
    // 10 kW for an hour is 10 kWh.
    expect(allowance(limits, 0, 3_600_000) - limits.slackNkwh).toBe(11n * KWH);
  });

  it('begins at the first value when the second agrees', () => {
    const { track, kinds } = feed([100n * KWH, 100n * KWH + 1_000n]);
    expect(kinds).toBe('db');
    expect(track.total).toBe(1_000n);
    expect(track.believed?.register).toBe(100n * KWH + 1_000n);
  });

  it('does not begin at a 0 that a starting meter shows', () => {
    const { track } = feed([0n, 100n * KWH, 100n * KWH, 100n * KWH + 5n]);
    expect(track.total).toBe(5n);
  });

  it('drops a 0, a jump and a value of another register between good samples', () => {
    const good = feed([100n * KWH, 100n * KWH]);
    const { track, kinds } = feed(
      [0n, 100n * KWH + 10n, 5_000n * KWH, 100n * KWH + 20n, 3n * KWH, 4n, 100n * KWH + 30n],
      good.track,
      2_000,
    );
    expect(kinds).toBe('dbdbddb');
    expect(track.total).toBe(30n);
  });

  it('counts what was missed when the register comes back after an outage', () => {
    const good = feed([100n * KWH, 100n * KWH]);
    const { track, kinds } = feed([[107n * KWH, 3_600_000], 107n * KWH], good.track, 2_000);
    expect(kinds).toBe('db');
    expect(track.total).toBe(7n * KWH);
  });

  it('wants a second sample after a restart, and counts from the value before it', () => {
    const good = feed([100n * KWH, 100n * KWH]);
    const restarted = { ...good.track, unconfirmed: true };
    const { track, kinds } = feed([100n * KWH + 10n, 100n * KWH + 12n, 100n * KWH + 13n], restarted, 2_000);
    expect(kinds).toBe('dbb');
    expect(track.total).toBe(13n);
  });

  it('begins no new series after a restart before the clock is trusted', () => {
    let track: RegisterTrack = { ...feed([100n * KWH, 100n * KWH]).track, unconfirmed: true };
    let atMs = 2_000;
    const take = (value: bigint, clockTrusted: boolean) => {
      atMs += 2_000;
      const result = observe(track, value, atMs, limits, clockTrusted);
      track = result.track;
      return result.observation.kind;
    };
    // Six hours at 5 kW; by the clock, minutes.
    for (let index = 0; index < 60; index++) expect(take(130n * KWH, false)).toBe('doubted');
    // A meter that answers 0 while it starts is none either.
    for (let index = 0; index < 60; index++) expect(take(0n, false)).toBe('doubted');
    const later = aged(track, 6 * 3_600_000);
    for (let index = 0; index < 60; index++) take(130n * KWH, true);
    expect(track.total).toBe(0n);
    track = later;
    take(130n * KWH, true);
    expect(take(130n * KWH, true)).toBe('believed');
    expect(track.total).toBe(30n * KWH);
  });

  it('takes a lasting fall for a new series and invents nothing in between', () => {
    const good = feed([100n * KWH, 100n * KWH]);
    const values: (bigint | [bigint, number])[] = Array.from(
      { length: 70 },
      (_, index) => BigInt(index) * 1_000n,
    );
    const { track, seen } = feed(values, good.track, 2_000);
    expect(seen.filter((one) => one.kind === 'reset')).toHaveLength(1);
    expect(seen.findIndex((one) => one.kind === 'reset')).toBe(60);
    expect(track.total).toBe(69_000n);
  });

  it('takes a lasting jump for a new series too', () => {
    const good = feed([100n * KWH, 100n * KWH]);
    const { track } = feed(
      Array.from({ length: 62 }, (_, index) => 900n * KWH + BigInt(index)),
      good.track,
      2_000,
    );
    expect(track.total).toBe(61n);
  });

  it('goes once around with an integer register, where it is known where it ends', () => {
    const around: RegisterLimits = { ...limits, rolloverNkwh: 1_000_000n * KWH };
    let track: RegisterTrack = NEW_TRACK;
    const end = 1_000_000n * KWH - 1_000n;
    for (const [index, value] of [end, end, 2_000n, 2_500n].entries()) {
      track = observe(track, value, index * 1_000, around).track;
    }
    expect(track.total).toBe(3_500n);
  });

  describe('goes around only as far as can have flowed since it was last seen', () => {
    const own: RegisterLimits = { ...limits, maxWatts: 30_000, stepNkwh: 10_000_000n };
    /** At rest for hours, looked at each minute; then these values, two seconds apart. */
    const afterRest = (register: bigint, hours: number, values: readonly bigint[], more = own) => {
      let track: RegisterTrack = NEW_TRACK;
      let atMs = 0;
      const kinds = new Set<string>();
      const take = (value: bigint, stepMs: number) => {
        atMs += stepMs;
        const result = observe(track, value, atMs, more);
        track = result.track;
        kinds.add(result.observation.kind);
      };
      for (let minute = 0; minute < hours * 60; minute++) take(register, 60_000);
      for (const value of values) take(value, 2_000);
      return { total: track.total, kinds };
    };

    it.each([undefined, 10_000n * KWH])(
      'a starting meter that answers 0 has gone nowhere',
      (rolloverNkwh) => {
        const more = rolloverNkwh === undefined ? own : { ...own, rolloverNkwh };
        const short = afterRest(9_950n * KWH, 4, [0n, 0n, 9_950n * KWH, 9_950n * KWH], more);
        expect(short.total).toBe(0n);
        expect(short.kinds).not.toContain('reset');
        expect(afterRest(9_950n * KWH, 4, Array<bigint>(60).fill(0n), more).total).toBe(0n);
      },
    );

    it.each([undefined, 100_000n * KWH])('a replaced meter begins a new series', (rolloverNkwh) => {
      const more = rolloverNkwh === undefined ? own : { ...own, rolloverNkwh };
      const { total, kinds } = afterRest(99_500n * KWH, 16, Array<bigint>(60).fill(2n * KWH), more);
      expect(total).toBe(0n);
      expect(kinds).toContain('reset');
    });

    it('agreeing zeros settle nothing before the time in which a meter may start', () => {
      // Gateway and meter were without power for an hour.
      for (const more of [own, { ...own, rolloverNkwh: 100_000n * KWH }]) {
        let track = feed([99_990n * KWH, 99_990n * KWH]).track;
        for (const [atMs, value] of [
          [3_600_000, 0n],
          [3_602_000, 0n],
          [3_604_000, 99_990n * KWH],
          [3_606_000, 99_990n * KWH + 5n],
        ] as const) {
          track = observe(track, value, atMs, more).track;
        }
        expect(track.total).toBe(5n);
      }
    });

    it('an outage in which it went around where its profile says is counted whole', () => {
      const more = { ...own, rolloverNkwh: 100_000n * KWH };
      let track = feed([99_900n * KWH, 99_900n * KWH]).track;
      for (const [atMs, value] of [
        [36_000_000, 150n * KWH],
        [36_002_000, 150n * KWH],
      ] as const) {
        track = observe(track, value, atMs, more).track;
      }
      expect(track.total).toBe(250n * KWH);
    });

    it('a full display is guessed only where nobody has said where the register ends', () => {
      const more = { ...own, rolloverNkwh: (1n << 32n) * 1_000_000n };
      const { total, kinds } = afterRest(10_000n * KWH - 50_000_000n, 1, Array<bigint>(60).fill(0n), more);
      expect(total).toBe(0n);
      expect(kinds).toContain('reset');
    });
  });

  it('does not count the way up again after a fall within the slack', () => {
    const { track } = feed([100n * KWH, 100n * KWH, 100n * KWH - 1_000n, 100n * KWH - 500n, 100n * KWH + 7n]);
    expect(track.total).toBe(7n);
  });

  it('accepts coarse steps of a slow register', () => {
    // 1 kWh steps at 5 kW, sampled each second: each step looks like 3.6 MW for a second.
    const values: (bigint | [bigint, number])[] = [10n * KWH, 10n * KWH];
    for (let kwh = 11n; kwh <= 15n; kwh++) values.push([kwh * KWH, 720_000], [kwh * KWH, 1_000]);
    expect(feed(values).track.total).toBe(5n * KWH);
  });
});
