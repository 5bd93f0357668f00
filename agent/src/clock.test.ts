import { describe, expect, it } from 'vitest';
import { ClockGuard, type ClockSettings, SOFTWARE_EPOCH_MS } from './clock.js';

/** A wall clock and a monotonic one that a test moves. */
class Clocks {
  wall: number;
  monotonic = 5_000;
  readonly guard: ClockGuard;

  constructor(wall = Date.UTC(2026, 0, 1), settings: Partial<ClockSettings> = {}) {
    this.wall = wall;
    this.guard = new ClockGuard(
      { ntp: 'auto', maxOffsetMs: 60_000, ...settings },
      () => this.wall,
      () => this.monotonic,
    );
  }

  pass(ms: number, wallMs = ms): number {
    this.monotonic += ms;
    this.wall += wallMs;
    return this.guard.look();
  }
}

describe('the clock', () => {
  it('is trusted while it runs evenly, and drift is no step', () => {
    const clocks = new Clocks();
    for (let index = 0; index < 100; index++) expect(clocks.pass(60_000, 60_900)).toBe(0);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true });
  });

  it('is not trusted before the program was written', () => {
    const clocks = new Clocks(SOFTWARE_EPOCH_MS - 1);
    expect(clocks.guard.verdict(0).trusted).toBe(false);
    expect(clocks.pass(1_000, Date.UTC(2026, 0, 1) - SOFTWARE_EPOCH_MS)).toBeGreaterThan(0);
    expect(clocks.guard.verdict(0).trusted).toBe(true);
  });

  it('is not trusted before the end of the last reading', () => {
    const clocks = new Clocks();
    const lastEnd = clocks.wall / 1000 + 10;
    expect(clocks.guard.verdict(lastEnd).trusted).toBe(false);
    clocks.pass(10_000);
    expect(clocks.guard.verdict(lastEnd).trusted).toBe(true);
  });

  it('is not trusted after a step back until it has come back to where it was', () => {
    const clocks = new Clocks();
    expect(clocks.pass(1_000, -3_600_000)).toBeCloseTo(-3_601_000);
    expect(clocks.guard.verdict(0)).toMatchObject({ trusted: false, reason: 'the clock was set back' });
    clocks.pass(3_500_000);
    expect(clocks.guard.verdict(0).trusted).toBe(false);
    clocks.pass(101_000);
    expect(clocks.guard.verdict(0).trusted).toBe(true);
  });

  it('is trusted after a step back that NTP or the collector confirms', () => {
    const byNtp = new Clocks();
    byNtp.pass(1_000, -3_600_000);
    byNtp.guard.setNtp(true);
    expect(byNtp.guard.verdict(0).trusted).toBe(true);
    const byCollector = new Clocks();
    byCollector.pass(1_000, -3_600_000);
    byCollector.guard.setOffset(300);
    expect(byCollector.guard.verdict(0)).toEqual({ trusted: true, offsetMs: 300 });
  });

  it('obeys the system where it is asked to', () => {
    for (const [ntp, word, trusted] of [
      ['auto', undefined, true],
      ['auto', false, false],
      ['auto', true, true],
      ['required', undefined, false],
      ['required', true, true],
      ['off', false, true],
    ] as const) {
      const clocks = new Clocks(undefined, { ntp });
      clocks.guard.setNtp(word);
      expect([ntp, word, clocks.guard.verdict(0).trusted]).toEqual([ntp, word, trusted]);
    }
  });

  it("is not trusted far from the collector's time, until it is set", () => {
    const clocks = new Clocks();
    clocks.guard.setOffset(-90_000);
    expect(clocks.guard.verdict(0)).toMatchObject({ trusted: false, offsetMs: -90_000 });
    clocks.pass(1_000, 91_000);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true });
  });

  it('is not distrusted for ever by one word that nobody repeats', () => {
    const clocks = new Clocks();
    clocks.guard.setOffset(-70_000);
    clocks.pass(60_000);
    expect(clocks.guard.verdict(0).trusted).toBe(false);
    clocks.pass(3_600_000);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true });
    // A word that confirms does not get old: a step ends it.
    clocks.guard.setOffset(300);
    clocks.pass(3_600_000);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true, offsetMs: 300 });
  });

  it('is slow where a signed time lies ahead of it, until a later one does not', () => {
    const clocks = new Clocks();
    clocks.guard.noteSignedTime(-61_000);
    expect(clocks.guard.verdict(0)).toMatchObject({ trusted: false, offsetMs: -61_000 });
    // An old one proves nothing, neither way.
    clocks.guard.noteSignedTime(90_000);
    expect(clocks.guard.verdict(0).trusted).toBe(false);
    clocks.guard.noteSignedTime(500);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true });
    // What the collector has told to the second, a signed time that may be minutes old does not take back.
    clocks.guard.setOffset(-70_000);
    clocks.guard.noteSignedTime(500);
    expect(clocks.guard.verdict(0)).toMatchObject({ trusted: false, offsetMs: -70_000 });
  });

  it('is asked for again while the collector says that it is wrong', () => {
    const clocks = new Clocks(undefined, { collectorTells: true });
    clocks.guard.setNtp(true);
    expect(clocks.guard.unconfirmed).toBe(false);
    clocks.guard.setOffset(-70_000);
    // It has just said so: not at once again.
    expect(clocks.guard.unconfirmed).toBe(false);
    clocks.pass(59_999);
    expect(clocks.guard.unconfirmed).toBe(false);
    clocks.pass(1);
    expect(clocks.guard.unconfirmed).toBe(true);
    clocks.guard.setOffset(-70_000);
    expect(clocks.guard.unconfirmed).toBe(false);
    // An acknowledgement's time is only a bound: what the collector says is asked at once.
    clocks.guard.noteSignedTime(-80_000);
    expect(clocks.guard.unconfirmed).toBe(true);
    clocks.guard.setOffset(-1_000);
    expect(clocks.guard.unconfirmed).toBe(false);
  });

  it('had been confirmed before a step only where the word came before it', () => {
    // Set between two looks, and confirmed before the second: the word is of the new setting.
    const wrong = new Clocks(undefined, { collectorTells: true });
    wrong.pass(1_000);
    wrong.monotonic += 1_000;
    wrong.wall += 3_600_000;
    wrong.guard.setOffset(0);
    expect(wrong.guard.look()).toBeGreaterThan(0);
    expect(wrong.guard.wasConfirmed).toBe(false);
    const suspended = new Clocks(undefined, { collectorTells: true });
    suspended.guard.setOffset(0);
    suspended.pass(1_000);
    suspended.pass(1_000, 3_600_000);
    expect(suspended.guard.wasConfirmed).toBe(true);
    suspended.guard.setOffset(0);
    suspended.pass(1_000, 3_600_000);
    expect(suspended.guard.wasConfirmed).toBe(true);
    // Of the setting after that nobody has said anything.
    suspended.pass(1_000, 3_600_000);
    expect(suspended.guard.wasConfirmed).toBe(false);
  });

  it('is not trusted before the collector has confirmed it, where that can be asked', () => {
    const clocks = new Clocks(undefined, { collectorTells: true });
    expect(clocks.guard.unconfirmed).toBe(true);
    expect(clocks.guard.verdict(0)).toEqual({
      trusted: false,
      reason: 'the collector has not confirmed the clock yet',
    });
    clocks.guard.setOffset(200);
    expect(clocks.guard.verdict(0)).toEqual({ trusted: true, offsetMs: 200 });
    // Each step, ahead too, needs a word of its own.
    for (const step of [3_600_000, -3_600_000]) {
      clocks.pass(1_000, 1_000 + step);
      expect(clocks.guard.verdict(0).trusted).toBe(false);
      clocks.guard.setOffset(200);
      expect(clocks.guard.verdict(0).trusted).toBe(true);
    }
    // The system's own word is enough, for the setting that it was said of.
    const byNtp = new Clocks(undefined, { collectorTells: true });
    byNtp.guard.setNtp(true);
    expect(byNtp.guard.verdict(0)).toEqual({ trusted: true });
    byNtp.pass(1_000, 3_600_000);
    expect(byNtp.guard.verdict(0).trusted).toBe(false);
    const ignored = new Clocks(undefined, { collectorTells: true, ntp: 'off' });
    ignored.guard.setNtp(true);
    expect(ignored.guard.unconfirmed).toBe(true);
  });

  it('keeps an even time for accounting whatever is done to the wall clock', () => {
    const clocks = new Clocks();
    const begin = clocks.guard.steadyMs();
    clocks.pass(1_000, 86_400_000);
    clocks.pass(1_000, -5_000_000);
    expect(clocks.guard.steadyMs() - begin).toBe(2_000);
    expect(clocks.guard.steadyMs() + clocks.guard.wallMinusSteadyMs()).toBe(clocks.wall);
  });
});
