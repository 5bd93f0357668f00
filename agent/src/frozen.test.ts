import { describe, expect, it } from 'vitest';
import { FrozenWatch } from './frozen.js';

function watch(
  quantity: 'energy_import' | 'energy_export',
  watts: number,
  minutes: number,
  risesEvery = 0,
): boolean {
  const frozen = new FrozenWatch(quantity);
  let register = 1_000n;
  let result = false;
  for (let minute = 0; minute <= minutes; minute++) {
    if (risesEvery > 0 && minute % risesEvery === 0) register += 1n;
    result = frozen.observe(register, watts, minute * 60_000);
  }
  return result;
}

describe('a frozen register', () => {
  it('is noticed when power flows past it, in its own direction only', () => {
    expect(watch('energy_import', 2_000, 3)).toBe(true);
    expect(watch('energy_import', -2_000, 600)).toBe(false);
    expect(watch('energy_export', -2_000, 3)).toBe(true);
  });

  it('is not one that rises now and then, nor one at rest, nor one below its starting current', () => {
    expect(watch('energy_import', 500, 600, 5)).toBe(false);
    expect(watch('energy_import', 0, 600)).toBe(false);
    expect(watch('energy_import', 30, 6_000)).toBe(false);
  });
});
