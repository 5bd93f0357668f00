import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryWindow, Pace, reconnectWaitMs } from './deliver.js';

describe('delivery', () => {
  it('sends in order, and again after 1, 2, 4 and 8 seconds', () => {
    const window = new DeliveryWindow();
    const sent: [number, number[]][] = [];
    let nowMs = 0;
    for (let round = 0; round < 5; round++) {
      const { send, nextMs } = window.plan([1, 2, 3], nowMs);
      sent.push([nowMs, send]);
      expect(window.plan([1, 2, 3], nowMs).send).toEqual([]);
      nowMs = nextMs as number;
    }
    expect(sent).toEqual([
      [0, [1, 2, 3]],
      [1_000, [1, 2, 3]],
      [3_000, [1, 2, 3]],
      [7_000, [1, 2, 3]],
      [15_000, [1, 2, 3]],
    ]);
    expect(window.stalled).toBe(false);
    // Five tries are over and their wait too: alert, and only the oldest is tried from now on.
    expect(window.plan([1, 2, 3], nowMs).send).toEqual([1]);
    expect(window.stalled).toBe(true);
  });

  it('goes on for ever, at most a minute apart, and at full width when the collector answers', () => {
    const window = new DeliveryWindow();
    let nowMs = 0;
    const gaps: number[] = [];
    for (let round = 0; round < 40; round++) {
      const { send, nextMs } = window.plan([5, 6], nowMs);
      expect(send[0]).toBe(5);
      gaps.push((nextMs as number) - nowMs);
      nowMs = nextMs as number;
    }
    expect(Math.max(...gaps)).toBe(60_000);
    window.answered();
    expect(window.plan([6, 7, 8], nowMs).send).toEqual([6, 7, 8]);
    expect(window.stalled).toBe(false);
  });

  it('sends everything again on a new connection', () => {
    const window = new DeliveryWindow();
    window.plan([1, 2], 0);
    window.reconnected();
    expect(window.plan([1, 2], 1).send).toEqual([1, 2]);
  });

  it('whatever is acknowledged when: each reading goes out first after all before it', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 1, max: 20_000 }),
      decide: fc.nat(7),
      answered: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 100 }), (width, steps) => {
        const window = new DeliveryWindow();
        const open = Array.from({ length: 30 }, (_, index) => index + 1);
        const first: number[] = [];
        let nowMs = 0;
        for (const { afterMs, decide, answered } of steps) {
          const part = open.slice(0, width);
          const { send } = window.plan(part, nowMs);
          expect(send).toEqual([...send].sort((a, b) => a - b));
          for (const sequence of send) {
            expect(part).toContain(sequence);
            if (!first.includes(sequence)) first.push(sequence);
          }
          const sent = open.filter((sequence) => first.includes(sequence));
          if (answered && sent.length > 0) {
            open.splice(open.indexOf(sent[decide % sent.length] as number), 1);
            window.answered();
          }
          nowMs += afterMs;
        }
        expect(first).toEqual([...first].sort((a, b) => a - b));
      }),
    );
  });

  it('sends no more than it may, in order, and asks again for the rest', () => {
    const window = new DeliveryWindow();
    expect(window.plan([1, 2, 3, 4, 5], 0, 2)).toMatchObject({ send: [1, 2], held: true });
    expect(window.plan([1, 2, 3, 4, 5], 10, 0)).toMatchObject({ send: [], held: true });
    expect(window.plan([2, 3, 4, 5], 20, 2)).toMatchObject({ send: [3, 4], held: true });
    expect(window.plan([2, 3, 4, 5], 30, 2)).toMatchObject({ send: [5], held: false });
  });

  it('a backlog goes at the pace: so many at once, then so many a second, whatever the steps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 64 }),
        fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 60 }),
        (perSecond, burst, steps) => {
          const pace = new Pace(perSecond, burst);
          let nowMs = 0;
          let sent = 0;
          for (const step of steps) {
            const may = pace.available(nowMs);
            pace.spend(may);
            sent += may;
            expect(sent).toBeLessThanOrEqual(burst + (nowMs * perSecond) / 1000 + 1e-3);
            nowMs += step;
          }
          // Nothing is withheld for longer than it says.
          const waitMs = pace.waitMs(nowMs);
          expect(pace.available(nowMs + waitMs)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  it('waits longer with each failed connection, up to a minute and a fifth', () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 50].map((failures) => reconnectWaitMs(failures, () => 0));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(reconnectWaitMs(50, () => 1)).toBe(72_000);
  });
});
