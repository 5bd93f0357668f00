import { NKWH_PER_KWH, type Reading } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TestMeter } from '../testing/gateway.js';
import { DEFAULT_RULES, judge, type MeterContext, type Position, type Rules } from './rules.js';
import { type Submission, toSubmission } from './submission.js';

const NOW = 1_700_100_000;
const exact: Rules = { ...DEFAULT_RULES, intervalSeconds: 900, amount: 'exact' };
const pipelined: Rules = { ...exact, amount: 'pipelined' };

function meterOf(gateway: TestMeter): NonNullable<MeterContext['meter']> {
  return { wallet: gateway.wallet, publicKey: gateway.publicKey, status: 'active', userVerified: true };
}

function position(reading: Reading): Position {
  return {
    sequence: reading.sequence,
    start: reading.intervalStart,
    end: reading.intervalEnd,
    producedTotal: reading.producedTotal,
    consumedTotal: reading.consumedTotal,
    surplusTotal: reading.surplusTotal,
  };
}

/** A meter with two accepted readings and a third to judge. */
function scene() {
  const gateway = new TestMeter('MTR-1', NOW - 4500);
  gateway.wallet = gateway.publicKey;
  const first = toSubmission(gateway.next('2', '0.5'));
  const second = toSubmission(gateway.next('2', '0.5'));
  const third = toSubmission(gateway.next('2', '0.5'));
  const context: MeterContext = { meter: meterOf(gateway), previous: position(second.reading) };
  return { gateway, first, second, third, context };
}

function altered(
  gateway: TestMeter,
  base: Submission,
  change: Partial<Reading>,
  amount?: bigint,
): Submission {
  const reading = { ...base.reading, ...change };
  return toSubmission(gateway.submission(reading, amount ?? base.claimedNkwh));
}

const codeOf = (...args: Parameters<typeof judge>) => {
  const judgement = judge(...args);
  return judgement.kind === 'refuse' ? judgement.refusal.code : judgement.kind;
};

describe('one rule each', () => {
  const { gateway, first, second, third, context } = scene();
  const shift = (seconds: number) => ({
    intervalStart: third.reading.intervalStart + seconds,
    intervalEnd: third.reading.intervalEnd + seconds,
  });

  test('a good reading is pending with the surplus by its totals', () => {
    expect(judge(third, true, context, exact, NOW)).toEqual({
      kind: 'store',
      status: 'pending',
      amountNkwh: 1_500_000_000n,
    });
  });

  const cases: [string, string, Submission, MeterContext][] = [
    [
      'empty interval',
      'INTERVAL_INVALID',
      altered(gateway, third, { intervalStart: third.reading.intervalEnd }),
      context,
    ],
    ['timestamp beside the end', 'INTERVAL_INVALID', { ...third, timestamp: third.timestamp - 1 }, context],
    [
      'ahead by 121 s',
      'READING_IN_FUTURE',
      altered(gateway, third, shift(NOW + 121 - third.reading.intervalEnd)),
      context,
    ],
    [
      'older than 7 days',
      'READING_TOO_OLD',
      altered(gateway, third, shift(NOW - 604_801 - third.reading.intervalEnd)),
      context,
    ],
    ['sequence 0', 'SEQUENCE_INVALID', altered(gateway, third, { sequence: 0n }), context],
    ['sequence jump', 'SEQUENCE_INVALID', altered(gateway, third, { sequence: 1_000_003n }), context],
    [
      'other bytes for a stored sequence',
      'SEQUENCE_CONFLICT',
      third,
      {
        ...context,
        existing: {
          messageHash: first.messageHash,
          publicKey: gateway.publicKey,
          status: 'pending',
          amountNkwh: 0n,
        },
      },
    ],
    [
      'an end less than an interval later',
      'DUPLICATE_READING',
      altered(gateway, third, { intervalEnd: second.reading.intervalEnd + 899 }),
      context,
    ],
    [
      'overlapping the previous',
      'INTERVAL_INVALID',
      altered(gateway, third, { intervalStart: second.reading.intervalEnd - 1 }),
      context,
    ],
    [
      'falling production',
      'TOTALS_DECREASED',
      altered(gateway, third, { producedTotal: second.reading.producedTotal - 1n }),
      context,
    ],
    ['falling consumption', 'TOTALS_DECREASED', altered(gateway, third, { consumedTotal: 0n }), context],
    [
      'falling surplus',
      'TOTALS_DECREASED',
      altered(gateway, third, { surplusTotal: second.reading.surplusTotal - 1n }),
      context,
    ],
    [
      'surplus above production',
      'TOTALS_INCONSISTENT',
      altered(gateway, third, { surplusTotal: second.reading.surplusTotal + 2_000_000_001n }),
      context,
    ],
    [
      'surplus below the net',
      'TOTALS_INCONSISTENT',
      altered(gateway, third, { surplusTotal: second.reading.surplusTotal + 1_499_999_999n }),
      context,
    ],
    ['another amount', 'AMOUNT_MISMATCH', { ...third, claimedNkwh: 1_500_000_001n }, context],
    ['unknown meter', 'METER_NOT_REGISTERED', first, {}],
    [
      'suspended meter',
      'METER_SUSPENDED',
      third,
      { ...context, meter: { ...meterOf(gateway), status: 'suspended' } },
    ],
    [
      'unverified user',
      'USER_NOT_VERIFIED',
      third,
      { ...context, meter: { ...meterOf(gateway), userVerified: false } },
    ],
    [
      'another wallet',
      'WALLET_MISMATCH',
      third,
      { ...context, meter: { ...meterOf(gateway), wallet: 'other' } },
    ],
    [
      'another key',
      'KEY_MISMATCH',
      third,
      { ...context, meter: { ...meterOf(gateway), publicKey: 'other' } },
    ],
  ];
  test.each(cases)('%s: %s', (_name, code, submission, situation) => {
    expect(codeOf(submission, true, situation, exact, NOW)).toBe(code);
  });

  test('the edges of each limit are inside', () => {
    const newest = { ...context };
    expect(
      codeOf(altered(gateway, third, shift(NOW + 120 - third.reading.intervalEnd)), true, newest, exact, NOW),
    ).toBe('store');
    const alone: MeterContext = { meter: meterOf(gateway) };
    const old = altered(gateway, first, { intervalStart: NOW - 605_000, intervalEnd: NOW - 604_800 });
    expect(codeOf(old, true, alone, exact, NOW)).toBe('store');
    const jump = altered(gateway, third, { sequence: 1_000_002n });
    expect(codeOf(jump, true, context, exact, NOW)).toBe('store');
  });
});

describe('order of the rules', () => {
  const { gateway, third, context } = scene();
  /** Breaks every rule at once; then rules are mended one by one. */
  test('signature, freshness, duplicates, amount, meter, user, wallet, key', () => {
    const broken: MeterContext = {
      ...context,
      meter: { wallet: 'other', publicKey: 'other', status: 'suspended', userVerified: false },
    };
    const late = altered(gateway, third, { intervalStart: 5, intervalEnd: 10, producedTotal: 0n });
    expect(codeOf(late, false, broken, exact, NOW)).toBe('INVALID_SIGNATURE');
    expect(codeOf(late, true, broken, exact, NOW)).toBe('READING_TOO_OLD');
    const close = altered(gateway, third, {
      intervalEnd: (context.previous as Position).end + 10,
      producedTotal: 0n,
    });
    expect(codeOf(close, true, broken, exact, NOW)).toBe('DUPLICATE_READING');
    const falling = altered(gateway, third, { producedTotal: 0n });
    expect(codeOf(falling, true, broken, exact, NOW)).toBe('TOTALS_DECREASED');
    expect(codeOf({ ...third, claimedNkwh: 1n }, true, broken, exact, NOW)).toBe('AMOUNT_MISMATCH');
    expect(codeOf(third, true, {}, pipelined, NOW)).toBe('METER_NOT_REGISTERED');
    const meter = broken.meter as NonNullable<MeterContext['meter']>;
    expect(codeOf(third, true, broken, exact, NOW)).toBe('METER_SUSPENDED');
    meter.status = 'active';
    expect(codeOf(third, true, broken, exact, NOW)).toBe('USER_NOT_VERIFIED');
    meter.userVerified = true;
    expect(codeOf(third, true, broken, exact, NOW)).toBe('WALLET_MISMATCH');
    meter.wallet = gateway.wallet;
    expect(codeOf(third, true, broken, exact, NOW)).toBe('KEY_MISMATCH');
    meter.publicKey = gateway.publicKey;
    expect(codeOf(third, true, broken, exact, NOW)).toBe('store');
  });
});

test('a stranger learns nothing about the meter', () => {
  const { second, context } = scene();
  const stranger = new TestMeter('MTR-1', 0);
  stranger.wallet = stranger.publicKey;
  const forged = toSubmission(stranger.submission({ ...second.reading, sequence: 3n }, 5n));
  const judgement = judge(forged, true, context, exact, NOW);
  if (judgement.kind !== 'refuse') throw new Error(judgement.kind);
  expect(judgement.authentic).toBe(false);
  expect(judgement.refusal.code).toBe('DUPLICATE_READING');
  expect(judgement.refusal.details).toEqual({});
});

test('the identical reading is a duplicate, however old, whatever has become of the meter', () => {
  const { gateway, third } = scene();
  const existing = {
    messageHash: third.messageHash,
    publicKey: gateway.publicKey,
    status: 'minted' as const,
    amountNkwh: 7n,
  };
  const context: MeterContext = {
    meter: { wallet: 'new owner', publicKey: 'new key', status: 'suspended', userVerified: false },
    existing,
  };
  expect(judge(third, true, context, exact, NOW + 90 * 86_400)).toEqual({
    kind: 'duplicate',
    status: 'minted',
    amountNkwh: 7n,
  });
  expect(codeOf(third, false, context, exact, NOW)).toBe('INVALID_SIGNATURE');
  const byStranger = { ...context, existing: { ...existing, publicKey: 'another' } };
  expect(codeOf(third, true, byStranger, exact, NOW)).not.toBe('duplicate');
});

test('above 100 kWh is held, exactly 100 kWh is not, zero is stored', () => {
  const { gateway, second, context } = scene();
  const rise = (amount: bigint) => {
    const reading: Reading = {
      ...second.reading,
      sequence: 3n,
      intervalStart: second.reading.intervalEnd,
      intervalEnd: second.reading.intervalEnd + 900,
      producedTotal: second.reading.producedTotal + amount,
      surplusTotal: second.reading.surplusTotal + amount,
    };
    return judge(toSubmission(gateway.submission(reading, amount)), true, context, exact, NOW);
  };
  expect(rise(100n * NKWH_PER_KWH)).toMatchObject({ kind: 'store', status: 'pending' });
  expect(rise(100n * NKWH_PER_KWH + 1n)).toMatchObject({ kind: 'store', status: 'held' });
  expect(rise(0n)).toEqual({ kind: 'store', status: 'pending', amountNkwh: 0n });
});

describe('late readings', () => {
  const { gateway, first, second, third } = scene();
  const between: MeterContext = {
    meter: meterOf(gateway),
    previous: position(first.reading),
    next: position(third.reading),
  };
  test('between two accepted ones it is covered', () => {
    expect(judge(second, true, between, exact, NOW)).toMatchObject({
      kind: 'store',
      status: 'covered',
      amountNkwh: 1_500_000_000n,
    });
  });
  test('it must fit both neighbours', () => {
    const high = altered(gateway, second, {
      producedTotal: third.reading.producedTotal + 1n,
      consumedTotal: third.reading.consumedTotal,
      surplusTotal: third.reading.surplusTotal + 1n,
    });
    expect(codeOf(high, true, between, pipelined, NOW)).toBe('TOTALS_DECREASED');
    const long = altered(gateway, second, { intervalEnd: third.reading.intervalEnd - 900 + 1 });
    expect(codeOf(long, true, between, exact, NOW)).toBe('DUPLICATE_READING');
  });
  test('an amount that is not known is only bounded', () => {
    const { previous: _, ...aboveOnly } = between;
    expect(codeOf(second, true, aboveOnly, exact, NOW)).toBe('store');
    const claimed = { ...second, claimedNkwh: second.reading.surplusTotal + 1n };
    expect(codeOf(claimed, true, aboveOnly, exact, NOW)).toBe('AMOUNT_MISMATCH');
  });
  test('a reading that only the chain holds is covered when it is the same, a conflict when not', () => {
    const onChain: MeterContext = { meter: meterOf(gateway), onChain: position(second.reading) };
    expect(judge(second, true, onChain, exact, NOW)).toMatchObject({ kind: 'store', status: 'covered' });
    const other: MeterContext = { ...onChain, onChain: { ...position(second.reading), surplusTotal: 1n } };
    expect(codeOf(second, true, other, exact, NOW)).toBe('SEQUENCE_CONFLICT');
  });
});

test('across a hole a pipelining sender may have counted from a reading that never came', () => {
  const { first, third, context } = scene();
  const hole: MeterContext = { ...context, previous: position(first.reading) };
  expect(codeOf(third, true, hole, exact, NOW)).toBe('AMOUNT_MISMATCH');
  expect(judge(third, true, hole, pipelined, NOW)).toEqual({
    kind: 'store',
    status: 'pending',
    amountNkwh: 3_000_000_000n,
  });
  expect(codeOf({ ...third, claimedNkwh: 3_000_000_001n }, true, hole, pipelined, NOW)).toBe(
    'AMOUNT_MISMATCH',
  );
});

test('property: in whatever order readings of an honest meter arrive, all are stored and pending amounts add up', () => {
  const amount = fc.bigInt({ min: 0n, max: 3_000_000_000n });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(amount, amount), { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      (intervals, random) => {
        const gateway = new TestMeter('MTR-1', NOW - 20_000);
        gateway.wallet = gateway.publicKey;
        const kwh = (n: bigint) => `${n / NKWH_PER_KWH}.${(n % NKWH_PER_KWH).toString().padStart(9, '0')}`;
        const all = intervals.map(([p, c]) => toSubmission(gateway.next(kwh(p), kwh(c))));
        const last = all.at(-1) as Submission;
        const shuffled = all
          .map((submission) => ({ submission, key: random.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ submission }) => submission);
        const accepted = new Map<bigint, { position: Position; status: string; amountNkwh: bigint }>();
        for (const submission of shuffled) {
          const { sequence } = submission.reading;
          const below = [...accepted.keys()]
            .filter((other) => other < sequence)
            .sort((a, b) => (a < b ? 1 : -1))[0];
          const above = [...accepted.keys()]
            .filter((other) => other > sequence)
            .sort((a, b) => (a < b ? -1 : 1))[0];
          const context: MeterContext = { meter: meterOf(gateway) };
          if (below !== undefined) context.previous = accepted.get(below)?.position as Position;
          if (above !== undefined) context.next = accepted.get(above)?.position as Position;
          const judgement = judge(submission, true, context, pipelined, NOW);
          if (judgement.kind !== 'store') throw new Error(JSON.stringify(judgement));
          accepted.set(sequence, { position: position(submission.reading), ...judgement });
        }
        const counted = [...accepted.values()]
          .filter((entry) => entry.status !== 'covered')
          .reduce((sum, entry) => sum + entry.amountNkwh, 0n);
        return counted === last.reading.surplusTotal;
      },
    ),
  );
});
