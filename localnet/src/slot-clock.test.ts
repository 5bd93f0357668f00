import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Segment, SLOT_MS, SlotClock } from './slot-clock.js';

function clockAt(start: number): { clock: SlotClock; set: (ms: number) => void; segments: Segment[] } {
  let now = start;
  const segments: Segment[] = [];
  const clock = new SlotClock(
    () => now,
    [{ slot: 0, timeMs: start, floorUnix: 0 }],
    (segment) => segments.push(segment),
  );
  return {
    clock,
    segments,
    set: (ms) => {
      now = ms;
    },
  };
}

test('a slot passes every 400 ms', () => {
  const { clock, set } = clockAt(1_000_000);
  expect(clock.advance()).toBe(0);
  set(1_000_399);
  expect(clock.advance()).toBe(0);
  set(1_000_400);
  expect(clock.advance()).toBe(1);
  set(1_000_000 + 100 * SLOT_MS);
  expect(clock.advance()).toBe(100);
  expect(clock.unixTimestamp(0)).toBe(1000);
  expect(clock.unixTimestamp(3)).toBe(1001);
});

test('a clock that goes back holds slots and times, and both go on from there', () => {
  const { clock, set, segments } = clockAt(1_000_000);
  set(1_000_000 + 10 * SLOT_MS);
  expect(clock.advance()).toBe(10);
  set(500_000);
  expect(clock.advance()).toBe(10);
  expect(segments).toEqual([{ slot: 10, timeMs: 500_000, floorUnix: 1004 }]);
  set(500_000 + 5 * SLOT_MS);
  expect(clock.advance()).toBe(15);
  expect(clock.unixTimestamp(15)).toBe(1004);
  expect(clock.unixTimestamp(9)).toBe(1003);
});

test('property: neither slots nor block times ever go back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -100_000, max: 100_000 }), { maxLength: 50 }), (moves) => {
      let now = 10_000_000;
      const { clock, set } = clockAt(now);
      let slot = 0;
      let time = 0;
      for (const move of moves) {
        now += move;
        set(now);
        const next = clock.advance();
        expect(next).toBeGreaterThanOrEqual(slot);
        expect(clock.unixTimestamp(next)).toBeGreaterThanOrEqual(time);
        slot = next;
        time = clock.unixTimestamp(next);
      }
    }),
  );
});
