import { describe, expect, it } from 'vitest';
import { FaultPlan, type FaultRule, faultRuleSchema } from './fault-plan.js';

const rule = (input: object): FaultRule => faultRuleSchema.parse(input);
const START = 1_000_000;
const kinds = (plan: FaultPlan, unit: number, seconds: number) =>
  plan.atRequest(unit, START + seconds * 1000).lasting.map(({ fault }) => fault.type);

describe('a schedule', () => {
  it('holds from its time for its time, again and again', () => {
    const plan = new FaultPlan(
      [rule({ unit: 2, fault: { type: 'dead' }, at_seconds: 10, for_seconds: 5, every_seconds: 60 })],
      'x',
      START,
    );
    const dead = [0, 9.9, 10, 14.9, 15, 69.9, 70, 74.9, 75, 130].filter(
      (at) => kinds(plan, 2, at).length > 0,
    );
    expect(dead).toEqual([10, 14.9, 70, 74.9, 130]);
    expect(kinds(plan, 1, 12)).toEqual([]);
  });

  it('without an end holds for good, and without a unit for the whole line', () => {
    const plan = new FaultPlan([rule({ fault: { type: 'echo' }, at_seconds: 3 })], 'x', START);
    expect([kinds(plan, 1, 2), kinds(plan, 1, 3), kinds(plan, 9, 1e6)]).toEqual([[], ['echo'], ['echo']]);
  });

  it('lets what happens once happen once each time, in order, also when nobody looked', () => {
    const plan = new FaultPlan(
      [
        rule({ fault: { type: 'cut' }, at_seconds: 20, every_seconds: 20 }),
        rule({ unit: 1, fault: { type: 'exchange' }, at_seconds: 30 }),
      ],
      'x',
      START,
    );
    expect(plan.nextCutMs()).toBe(START + 20_000);
    const due = (seconds: number) =>
      plan.due(START + seconds * 1000).map(({ fault, atMs }) => [fault.type, (atMs - START) / 1000]);
    expect(due(19)).toEqual([]);
    expect(due(61)).toEqual([
      ['cut', 20],
      ['exchange', 30],
      ['cut', 40],
      ['cut', 60],
    ]);
    expect(due(61)).toEqual([]);
    expect(plan.nextCutMs()).toBe(START + 80_000);
  });
});

describe('chance', () => {
  it('is as likely as it says, the same for the same seed', () => {
    const rules = [
      rule({ fault: { type: 'bad-crc' }, chance: 0.2 }),
      rule({ fault: { type: 'late', delay_ms: 9 }, chance: 0.5 }),
    ];
    const draw = (seed: string) => {
      const plan = new FaultPlan(rules, seed, START);
      return Array.from({ length: 5000 }, (_, index) => kinds(plan, 1, index).join());
    };
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
    const share = draw('a').filter((text) => text.includes('bad-crc')).length / 5000;
    expect(share).toBeGreaterThan(0.18);
    expect(share).toBeLessThan(0.22);
    expect(draw('a').filter((text) => text === 'bad-crc,late').length).toBeGreaterThan(400);
  });

  it('keeps to its window', () => {
    const plan = new FaultPlan(
      [rule({ fault: { type: 'dead' }, chance: 1, after_seconds: 10, until_seconds: 20 })],
      'x',
      START,
    );
    expect([9, 10, 19.9, 20].map((at) => kinds(plan, 1, at).length)).toEqual([0, 1, 1, 0]);
  });

  it('can exchange a meter', () => {
    const plan = new FaultPlan([rule({ fault: { type: 'exchange' }, chance: 1 })], 'x', START);
    expect(plan.atRequest(4, START).once).toMatchObject([
      { unit: 4, fault: { type: 'exchange', import_nkwh: '0' } },
    ]);
  });
});

describe('a rule', () => {
  it.each([
    ['neither schedule nor chance', { fault: { type: 'dead' } }],
    ['both', { fault: { type: 'dead' }, at_seconds: 1, chance: 0.1 }],
    ['a cut of one unit', { unit: 1, fault: { type: 'cut' }, at_seconds: 1 }],
    ['an exchange that lasts', { fault: { type: 'exchange' }, at_seconds: 1, for_seconds: 2 }],
    ['chance with an end of its own', { fault: { type: 'dead' }, chance: 0.1, for_seconds: 2 }],
    ['a schedule with a window', { fault: { type: 'dead' }, at_seconds: 1, until_seconds: 2 }],
    ['times of a fault set by hand', { fault: { type: 'dead', times: 2 }, at_seconds: 1 }],
    ['longer than its period', { fault: { type: 'dead' }, at_seconds: 1, for_seconds: 9, every_seconds: 5 }],
    ['an unknown fault', { fault: { type: 'lightning' }, at_seconds: 1 }],
  ])('with %s is refused', (_, input) => {
    expect(faultRuleSchema.safeParse(input).success).toBe(false);
  });
});
