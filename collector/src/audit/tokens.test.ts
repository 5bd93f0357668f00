import fc from 'fast-check';
import { expect, it } from 'vitest';
import { possibleSupply } from './tokens.js';

const step = fc.record({ mints: fc.boolean(), amount: fc.bigInt({ min: 0n, max: 1_000n }) });

it('contains the supply at every moment between two looks, and only that when nothing moved', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 100_000n, max: 200_000n }),
      fc.array(step, { maxLength: 20 }),
      (start, steps) => {
        const before = { supply: start, minted: 300_000n };
        let now = before;
        const moments = [now.supply];
        for (const { mints, amount } of steps) {
          now = mints
            ? { supply: now.supply + amount, minted: now.minted + amount }
            : { ...now, supply: now.supply - amount };
          moments.push(now.supply);
        }
        const { least, most } = possibleSupply(before, now);
        for (const supply of moments) expect(supply >= least && supply <= most).toBe(true);
        if (steps.every(({ amount }) => amount === 0n)) expect([least, most]).toEqual([start, start]);
        // As narrow as it can be: all burned first, or all minted first, reaches the ends.
        const sum = (mints: boolean) =>
          steps.filter((each) => each.mints === mints).reduce((total, { amount }) => total + amount, 0n);
        expect([least, most]).toEqual([start - sum(false), start + sum(true)]);
      },
    ),
  );
});
