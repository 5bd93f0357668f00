import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AcknowledgedReadings } from './acknowledged.js';

const ack = (through: number, stored: number[] = [], meterId = 'm') => ({
  meter_id: meterId,
  through: String(through),
  stored: stored.map(String),
  refused: [],
});

describe('AcknowledgedReadings', () => {
  it('counts a reading when it is covered for the first time, by through or by name', () => {
    const readings = new AcknowledgedReadings();
    readings.begin('m', 10n);
    expect(readings.add(ack(12, [11, 12]))).toBe(2);
    expect(readings.add(ack(12, [11, 12]))).toBe(0);
    expect(readings.add(ack(12, [14, 15]))).toBe(2);
    expect(readings.add(ack(12, [15]))).toBe(0);
    expect(readings.add(ack(15, [13]))).toBe(1);
    expect(readings.add(ack(13))).toBe(0);
    expect(readings.count).toBe(5);
    expect(readings.through('m')).toBe(15n);
  });

  it('counts meters apart', () => {
    const readings = new AcknowledgedReadings();
    readings.begin('a', 0n);
    readings.begin('b', 100n);
    expect(readings.add(ack(3, [1, 2, 3], 'a'))).toBe(3);
    expect(readings.add(ack(101, [101], 'b'))).toBe(1);
    expect(readings.count).toBe(4);
  });

  it('knows only its meters, and stops at a refusal', () => {
    const readings = new AcknowledgedReadings();
    readings.begin('m', 0n);
    expect(() => readings.add(ack(1, [], 'other'))).toThrow(/not ours/);
    const refused = [{ sequence: '1', code: 'KEY_MISMATCH', retry: 'never' as const }];
    expect(() => readings.add({ ...ack(1), refused })).toThrow(/KEY_MISMATCH/);
    expect(readings.count).toBe(0);
  });

  it('comes to the same count in whatever order the acknowledgements arrive', () => {
    const stored = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), stored)), (acks) => {
        const readings = new AcknowledgedReadings();
        readings.begin('m', 0n);
        const covered = new Set<number>();
        let sum = 0;
        for (const [through, list] of acks) {
          sum += readings.add(ack(through, list));
          for (let sequence = 1; sequence <= through; sequence += 1) covered.add(sequence);
          for (const sequence of list) covered.add(sequence);
          expect(readings.count).toBe(covered.size);
        }
        expect(sum).toBe(covered.size);
      }),
    );
  });
});
