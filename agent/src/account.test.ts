import { describe, expect, it } from 'vitest';
import { clockWasSet, closeInterval, dueEnd, newAccount, restarted } from './account.js';

describe('the start of the first interval', () => {
  const begun = { ...newAccount('bidirectional'), startedAt: 1_000_000 };

  it('moves with a clock that is set, so that it stays the time at which counting began', () => {
    // Three days behind at the start, then set right five seconds later.
    const right = restarted(begun, 3 * 86_400_000, 1_000_005 + 3 * 86_400);
    expect(right.startedAt).toBe(1_000_000 + 3 * 86_400);
    const end = dueEnd(right, 1_000_010 + 3 * 86_400, 5) as number;
    expect(closeInterval(right, end, 5).reading).toMatchObject({
      intervalStart: 1_000_000 + 3 * 86_400,
      intervalEnd: 1_000_010 + 3 * 86_400,
    });
    // Ahead by five hours: without the move nothing would be due for five hours.
    const ahead = restarted(begun, -5 * 3_600_000, 1_000_005 - 5 * 3_600);
    expect(ahead.startedAt).toBe(1_000_000 - 5 * 3_600);
    expect(dueEnd(begun, 1_000_010 - 5 * 3_600, 5)).toBeUndefined();
    expect(dueEnd(ahead, 1_000_010 - 5 * 3_600, 5)).toBe(1_000_010 - 5 * 3_600);
  });

  it('is now where an earlier process left it in the future', () => {
    expect(restarted(begun, 0, 999_000).startedAt).toBe(999_000);
    expect(restarted(begun, 0, 1_000_007)).toEqual(begun);
  });

  it('stays once a reading is signed: the next interval begins at its end', () => {
    const signed = { ...begun, sequence: 1n, lastEnd: 1_000_005 };
    expect(restarted(signed, -3_600_000, 996_405)).toBe(signed);
    expect(restarted(newAccount('production'), 5_000, 7)).toEqual(newAccount('production'));
  });
});

describe('the times of the registers, when the clock is set', () => {
  const HOUR = 3_600_000;
  const times = { seenAtMs: 2_000, risenAtMs: 1_000 };
  const at = (unconfirmed: boolean) => ({
    ...newAccount('production'),
    produced: {
      total: 0n,
      believed: { register: 5n, ...times },
      former: { register: 9n, total: 0n, untilMs: HOUR, ...times },
      unconfirmed,
    },
  });

  it('go back with a step ahead as long as they are those of a former process', () => {
    const { produced, clockSet } = clockWasSet(at(true), HOUR, false, 0);
    const back = { seenAtMs: 2_000 - HOUR, risenAtMs: 1_000 - HOUR };
    expect(produced.believed).toEqual({ register: 5n, ...back });
    expect(produced.former).toEqual({ register: 9n, total: 0n, untilMs: HOUR, ...back });
    expect(clockSet).toBe(true);
  });

  it('of this process stay where the clock had been wrong, so that a step allows no energy', () => {
    expect(clockWasSet(at(false), HOUR, false, 0).produced).toEqual(at(false).produced);
    expect(clockWasSet(at(true), -HOUR, true, 0).produced).toEqual(at(true).produced);
  });

  it('of this process go back where the clock had been right: the machine was suspended', () => {
    const { produced } = clockWasSet(at(false), HOUR, true, 0);
    expect(produced.believed).toEqual({ register: 5n, seenAtMs: 2_000 - HOUR, risenAtMs: 1_000 });
  });
});
