/**
 * A meter, a gateway and a clock, as a whole and without I/O: whatever the sampling, lost samples, restarts, exchanges and
 * steps of the clock, what is signed is what the meter's registers say, for the time that it says. GTX_RUNS for more runs.
 */
import { type Reading, ReadingFlag } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clockWasSet,
  closeInterval,
  dueEnd,
  exchanged,
  type MeterAccount,
  type MeterMode,
  newAccount,
  observeMeter,
  parseAccount,
  restarted,
  serialiseAccount,
} from './account.js';
import { ClockGuard } from './clock.js';
import { DEFAULT_LIMITS, type RegisterLimits } from './plausible.js';

const INTERVAL = 60;
const WATTS = 20_000;
const RUNS = Number(process.env.GTX_RUNS ?? 60);
/** The registers' end: 32 bits of 1 Wh. */
const END = (1n << 32n) * 1_000_000n;
const limits: RegisterLimits = {
  ...DEFAULT_LIMITS,
  maxWatts: WATTS,
  stepNkwh: 1_000_000n,
  rolloverNkwh: END,
};

type Event =
  | { kind: 'pass'; seconds: number; produced: number; consumed: number; every: number; lose: number }
  /** Off for a time. `asleep`: the clock too, which goes on where it stood, as on a machine without a battery. */
  | { kind: 'restart'; orderly: boolean; seconds: number; asleep: boolean }
  /** The machine is suspended; the meter and the clock that tells the date go on. */
  | { kind: 'suspend'; seconds: number }
  | { kind: 'exchange'; produced: bigint; consumed: bigint }
  /** The clock is set wrong by so much; nobody has confirmed it then. */
  | { kind: 'step'; seconds: number }
  /** Somebody confirms the clock: it is set right. */
  | { kind: 'right' };

const register = fc.oneof(
  fc.bigInt({ min: 0n, max: 4_000_000n }),
  // Near the end, so that it goes once around.
  fc.bigInt({ min: (1n << 32n) - 2_000n, max: (1n << 32n) - 1n }),
);
const passing = fc.record({
  kind: fc.constant('pass' as const),
  seconds: fc.integer({ min: 1, max: 900 }),
  produced: fc.integer({ min: 0, max: WATTS }),
  consumed: fc.integer({ min: 0, max: WATTS }),
  every: fc.integer({ min: 3, max: 300 }),
  lose: fc.integer({ min: 0, max: 4 }),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: passing },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      orderly: fc.boolean(),
      // In tens, so that what a sleeping clock misses is never too small to be seen.
      seconds: fc.integer({ min: 0, max: 4_000 }).map((tens) => tens * 10),
      asleep: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('suspend' as const),
      seconds: fc.integer({ min: 0, max: 40_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('exchange' as const), produced: register, consumed: register }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      // In tens of seconds, so that no two of them together are too small to be seen.
      seconds: fc.integer({ min: -2_000, max: 2_000 }).map((tens) => tens * 10),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'right' as const }) },
);

/** One side of the meter, as it is in truth (in Wh steps), and what may be signed of it. */
interface Truth {
  /** Micro-watt-hours, exact. */
  exact: bigint;
  /** What the register has risen since the base, summed over the devices that there were. */
  known: bigint;
  last: bigint | undefined;
}

class World {
  trueMs = 1_760_000_000_000;
  private offsetMs = 0;
  private suspendedMs = 0;
  private account: MeterAccount;
  private stored: string | undefined;
  private guard: ClockGuard;
  private readonly truth: Record<'produced' | 'consumed', Truth>;
  /** The clock was stepped since the last reading. */
  private stepped = false;
  private exchangedSince = false;
  private asked = false;
  readonly readings: { reading: Reading; trueSeconds: number; stepped: boolean; exchanged: boolean }[] = [];
  serial = 1;

  constructor(
    private readonly mode: MeterMode,
    first: { produced: bigint; consumed: bigint },
  ) {
    const side = (wh: bigint): Truth => ({ exact: wh * 1_000_000n, known: 0n, last: undefined });
    this.truth = { produced: side(first.produced), consumed: side(first.consumed) };
    this.account = newAccount(mode);
    this.guard = this.newGuard();
  }

  private wall = () => this.trueMs + this.offsetMs;

  private newGuard(): ClockGuard {
    const guard = new ClockGuard(
      { ntp: 'auto', maxOffsetMs: 60_000, collectorTells: true },
      this.wall,
      () => this.trueMs - this.suspendedMs,
    );
    // The system knows whether it is synchronised: it is, exactly when the clock is right.
    guard.setNtp(this.offsetMs === 0);
    return guard;
  }

  flow(seconds: number, produced: number, consumed: number): void {
    this.trueMs += seconds * 1_000;
    this.truth.produced.exact += (BigInt(produced) * BigInt(seconds) * 1_000_000n) / 3_600n;
    this.truth.consumed.exact += (BigInt(consumed) * BigInt(seconds) * 1_000_000n) / 3_600n;
  }

  /** What the display shows, in nkWh: whole Wh, from 0 again after its end. */
  private shown(side: 'produced' | 'consumed'): bigint {
    return ((this.truth[side].exact / 1_000_000n) * 1_000_000n) % END;
  }

  private lookAtClock(): void {
    const step = this.guard.look();
    // The system is asked after a step, and answers a moment later.
    if (this.asked) this.guard.setNtp(this.offsetMs === 0);
    this.asked = step !== 0;
    if (step === 0) return;
    this.stepped = true;
    const wall = Math.floor(this.wall() / 1_000);
    this.account = clockWasSet(this.account, step, this.guard.wasConfirmed, wall);
    if (this.account.startedAt > 0) this.store();
  }

  sample(): void {
    this.lookAtClock();
    const wall = () => Math.floor(this.wall() / 1_000);
    const atMs = this.guard.steadyMs();
    const began = this.account.startedAt;
    const { trusted } = this.guard.verdict(this.account.lastEnd);
    const seen = observeMeter(
      this.account,
      {
        produced: { register: this.shown('produced'), atMs, limits },
        consumed: { register: this.shown('consumed'), atMs, limits },
      },
      wall(),
      trusted,
    );
    this.account = seen.account;
    if (began === 0 && this.account.startedAt > 0) this.store();
    if (!seen.ready || !trusted) return;
    this.account = restarted(this.account, 0, wall());
    const end = dueEnd(this.account, wall(), INTERVAL);
    if (end === undefined || this.wall() - end * 1_000 > INTERVAL * 100) return;
    const closed = closeInterval(this.account, end, INTERVAL);
    this.account = closed.account;
    this.store();
    this.readings.push({
      reading: closed.reading,
      trueSeconds: Math.floor(this.trueMs / 1_000),
      stepped: this.stepped,
      exchanged: this.exchangedSince,
    });
    this.stepped = false;
    this.exchangedSince = false;
  }

  private store(): void {
    this.stored = serialiseAccount(this.account, this.guard.wallMinusSteadyMs());
  }

  /** The process ends, and another one begins later, after a time in which this has flowed. */
  restart(orderly: boolean, seconds: number, watts: number, asleep = false): void {
    if (orderly) {
      this.lookAtClock();
      if (this.account.startedAt > 0) this.store();
    }
    this.flow(seconds, watts, watts);
    if (asleep) this.offsetMs -= seconds * 1_000;
    this.guard = this.newGuard();
    // Nothing has begun yet, so that no interval under way saw the clock being set.
    if (this.stored === undefined) this.stepped = false;
    this.account =
      this.stored === undefined
        ? newAccount(this.mode)
        : parseAccount(this.stored, this.guard.wallMinusSteadyMs());
  }

  /** Only a clock that is known to be right shows afterwards how long it was. */
  suspend(seconds: number, watts: number): void {
    this.flow(seconds, watts, watts);
    if (this.guard.verdict(0).trusted) this.suspendedMs += seconds * 1_000;
  }

  step(seconds: number): void {
    this.offsetMs += seconds * 1_000;
  }

  right(): void {
    this.offsetMs = 0;
  }

  /** Another device, noticed by its serial number. @returns totals that the old one had, which must stay */
  exchange(produced: bigint, consumed: bigint): void {
    this.truth.produced.exact = produced * 1_000_000n;
    this.truth.consumed.exact = consumed * 1_000_000n;
    this.account = exchanged(this.account, ['produced', 'consumed'], 'grid', String(++this.serial));
    this.exchangedSince = true;
    if (this.account.startedAt > 0) this.store();
  }

  get totals(): { produced: bigint; consumed: bigint } {
    return {
      produced: this.account.produced.total,
      consumed: this.account.consumed?.total ?? 0n,
    };
  }

  get registers(): { produced: bigint; consumed: bigint } {
    const of = (side: 'produced' | 'consumed') => (this.truth[side].exact / 1_000_000n) * 1_000_000n;
    return { produced: of('produced'), consumed: of('consumed') };
  }
}

function play(world: World, events: readonly Event[]): void {
  for (const item of events) {
    if (item.kind === 'restart') world.restart(item.orderly, item.seconds, 5_000, item.asleep);
    else if (item.kind === 'suspend') world.suspend(item.seconds, 5_000);
    else if (item.kind === 'exchange') world.exchange(item.produced, item.consumed);
    else if (item.kind === 'step') world.step(item.seconds);
    else if (item.kind === 'right') world.right();
    else {
      let taken = 0;
      for (let left = item.seconds; left > 0; left -= item.every) {
        world.flow(Math.min(left, item.every), item.produced, item.consumed);
        if (item.lose === 0 || ++taken % (item.lose + 1) !== 0) world.sample();
      }
    }
  }
}

/** Some minutes in which nothing happens: each doubt is settled, and an interval ends. */
function settle(world: World): void {
  world.right();
  for (let seconds = 0; seconds < 4 * INTERVAL; seconds += 3) {
    world.flow(3, 3_600, 1_800);
    world.sample();
  }
  // The last of them may have gone once around, which has to last where it begins with a 0.
  for (let index = 0; index < 21; index++) {
    world.flow(3, 0, 0);
    world.sample();
  }
}

const start = fc.record({ produced: register, consumed: register });
const scenario = fc.array(event, { maxLength: 40 });

describe('what flows while the gateway does not look', () => {
  const begun = () => {
    const world = new World('production', { produced: 1_000_000n, consumed: 0n });
    world.sample();
    pass(world, 600);
    const before = world.registers.produced - world.totals.produced;
    return { world, before };
  };
  const pass = (world: World, seconds: number) => {
    for (let left = seconds; left > 0; left -= 5) {
      world.flow(5, 5_000, 0);
      world.sample();
    }
  };

  it.each([true, false])(
    'is counted whole where the clock slept too and is set right minutes later',
    (orderly) => {
      const { world, before } = begun();
      world.restart(orderly, 6 * 3_600, 5_000, true);
      pass(world, 600);
      // Nobody knows yet how long it was: neither counted nor given up.
      expect(world.totals.produced).toBeLessThan(world.registers.produced - before);
      world.right();
      pass(world, 600);
      expect(world.totals.produced).toBe(world.registers.produced - before);
      for (const { reading } of world.readings) expect(reading.flags & ReadingFlag.MeterReset).toBe(0);
    },
  );

  it('is counted whole where the machine was suspended', () => {
    const { world, before } = begun();
    world.suspend(6 * 3_600, 5_000);
    pass(world, 600);
    expect(world.totals.produced).toBe(world.registers.produced - before);
    for (const { reading } of world.readings) expect(reading.flags & ReadingFlag.MeterReset).toBe(0);
  });
});

describe.each<MeterMode>(['bidirectional', 'production_consumption', 'production'])('in mode %s', (mode) => {
  it('whatever the sampling, restarts, lost samples and gaps: the totals are what the registers have risen', () => {
    const quiet = scenario.map((events) =>
      events.filter((one) => one.kind !== 'step' && one.kind !== 'exchange'),
    );
    fc.assert(
      fc.property(start, quiet, (first, events) => {
        const world = new World(mode, first);
        // Two samples make the base.
        world.sample();
        world.flow(1, 0, 0);
        world.sample();
        const base = world.registers;
        play(world, events);
        settle(world);
        const now = world.registers;
        expect(world.totals.produced).toBe(now.produced - base.produced);
        if (mode !== 'production') expect(world.totals.consumed).toBe(now.consumed - base.consumed);
        for (const { reading } of world.readings) expect(reading.flags & ReadingFlag.MeterReset).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  it('whatever happens to the clock: each interval is right, follows the last one, and says that the clock was set', () => {
    const timely = scenario.map((events) => events.filter((one) => one.kind !== 'exchange'));
    fc.assert(
      fc.property(start, timely, (first, events) => {
        const world = new World(mode, first);
        play(world, events);
        settle(world);
        let previous: Reading | undefined;
        for (const { reading, trueSeconds, stepped } of world.readings) {
          // Signed when the interval has just ended, in truth.
          expect(reading.intervalEnd).toBeLessThanOrEqual(trueSeconds);
          expect(trueSeconds - reading.intervalEnd).toBeLessThanOrEqual(INTERVAL / 10 + 1);
          expect(reading.intervalEnd % INTERVAL).toBe(0);
          expect(reading.intervalStart).toBeLessThan(reading.intervalEnd);
          if (previous) {
            expect(reading.intervalStart).toBe(previous.intervalEnd);
            expect(reading.sequence).toBe(previous.sequence + 1n);
          }
          if (stepped) expect(reading.flags & ReadingFlag.ClockSet).toBe(ReadingFlag.ClockSet);
          previous = reading;
        }
        // It comes back: in the quiet minutes at the end something was signed.
        expect(world.readings.length).toBeGreaterThan(0);
      }),
      { numRuns: RUNS },
    );
  });

  it('whatever is exchanged: nothing that was measured is lost, nothing is invented, and the reading says so', () => {
    const step = fc.tuple(fc.array(passing, { minLength: 1, maxLength: 6 }), register, register);
    fc.assert(
      fc.property(start, fc.array(step, { minLength: 1, maxLength: 6 }), (first, steps) => {
        const world = new World(mode, first);
        world.sample();
        world.flow(1, 0, 0);
        world.sample();
        let base = world.registers;
        let kept = { produced: 0n, consumed: 0n };
        const known = () => {
          const now = world.registers;
          return {
            produced: kept.produced + now.produced - base.produced,
            consumed: kept.consumed + now.consumed - base.consumed,
          };
        };
        const expectTotals = () => {
          expect(world.totals.produced).toBe(known().produced);
          if (mode !== 'production') expect(world.totals.consumed).toBe(known().consumed);
        };
        for (const [events, produced, consumed] of steps) {
          play(world, events);
          settle(world);
          expectTotals();
          kept = known();
          world.exchange(produced, consumed);
          // The first sample of the new device is its base, once a second one agrees.
          world.sample();
          base = world.registers;
          world.flow(1, 0, 0);
          world.sample();
        }
        settle(world);
        expectTotals();
        expect(world.readings.some(({ reading }) => (reading.flags & ReadingFlag.MeterReset) !== 0)).toBe(
          true,
        );
        for (const { reading, exchanged: was } of world.readings) {
          expect((reading.flags & ReadingFlag.MeterReset) !== 0).toBe(was);
        }
      }),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });
});
