/** The steps in which registers move, as profiles name them, and what is made of them. */
import { loadProfile } from '@gridtokenx/firmware-profiles';
import { describe, expect, it } from 'vitest';
import { FrozenWatch } from './frozen.js';
import { DeviceReader } from './measure.js';
import { ModbusLine } from './modbus-line.js';
import { DEFAULT_LIMITS, stepOf } from './plausible.js';

const NKWH_PER_WH = 1_000_000n;
const limitsOf = (id: string, side: 'produced' | 'consumed', role: 'grid' | 'consumption' = 'grid') =>
  new DeviceReader(
    { role, profile: id, unit: 1, connection: { type: 'tcp', host: 'unused', port: 1 } },
    loadProfile(id),
    new ModbusLine({ type: 'tcp', host: 'unused', port: 1 }),
    Date.now,
    () => 0,
  ).registerLimits(side);

describe('the step of a register', () => {
  it.each([
    ['deye-sg-lp1-meter', 'produced', 100n * NKWH_PER_WH],
    // Two words, of which the lower moves in 0.1 kWh.
    ['deye-sg-lp1-meter', 'consumed', 200n * NKWH_PER_WH],
    // Two tariffs of 0.01 kWh, each of which may be behind.
    ['saia-burgess-ale3', 'consumed', 20n * NKWH_PER_WH, 'consumption'],
    ['dzg-dvh4013', 'consumed', NKWH_PER_WH],
    ['siemens-pac2200', 'consumed', undefined],
    // Only the device tells its exponent.
    ['finder-7m24', 'consumed', undefined],
  ] as const)('%s, %s: %s nkWh', (id, side, step, role?: 'consumption') => {
    expect(limitsOf(id, side, role).stepNkwh).toBe(step);
  });

  it('of 100 Wh at a steady 300 W is not taken for a frozen register', () => {
    const limits = { ...DEFAULT_LIMITS, maxWatts: 10_000, ...limitsOf('deye-sg-lp1-meter', 'consumed') };
    const watch = new FrozenWatch(
      'energy_import',
      (register) => Number(stepOf(limits, register)) / Number(NKWH_PER_WH),
    );
    let frozen = 0;
    for (let minute = 0; minute < 600; minute++) {
      const register = BigInt(Math.floor((minute * 5) / 100)) * 100n * NKWH_PER_WH;
      if (watch.observe(register, 300, minute * 60_000)) frozen++;
    }
    expect(frozen).toBe(0);
  });
});
