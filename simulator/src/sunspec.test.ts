import {
  decodeEnergy,
  discoverSunSpec,
  listProfiles,
  loadProfile,
  planReads,
  type Quantity,
  type ReadRegisters,
  type ReadRequest,
  resolveSunSpec,
  wordsOf,
} from '@gridtokenx/firmware-profiles';
import { describe, expect, it } from 'vitest';
import { RegisterMap } from './register-map.js';

const ENERGIES = ['energy_generated', 'energy_import', 'energy_export'] as const;

describe.each(listProfiles().filter((id) => loadProfile(id).sunspec !== undefined))('%s', (id) => {
  const profile = loadProfile(id);
  const map = new RegisterMap(profile);
  const shown = Object.fromEntries(
    ENERGIES.filter((name) => profile.registers[name] !== undefined).map((name, index) => [
      name,
      1_234_567_000_000n * BigInt(index + 1),
    ]),
  );
  const words = map.words(3, { ...shown, serial_number: '20000000' });
  const read: ReadRegisters = async (functionCode, address, count) =>
    map.ranges.some(
      (range) =>
        range.functionCode === functionCode && range.first <= address && address + count - 1 <= range.last,
    )
      ? Uint16Array.from({ length: count }, (_, index) => words.get(address + index) ?? 0)
      : undefined;

  it('is found and read as its simulated device shows it', async () => {
    const device = await discoverSunSpec(read);
    expect(device?.base).toBe(40_000);
    expect(device?.identity?.serialNumber).toBe('20000000');
    expect(device?.models.map((model) => model.id)).toContain(profile.sunspec?.models[0]);
    const { profile: bound } = await resolveSunSpec(profile, read);
    expect(bound.sunspec).toBeUndefined();
    const [request, ...more] = planReads(bound, Object.keys(shown) as Quantity[]);
    expect(more).toEqual([]);
    const answer = await read(3, request?.start ?? -1, request?.count ?? 0);
    for (const [name, nkwh] of Object.entries(shown)) {
      const quantity = name as Quantity;
      const content = wordsOf(bound, request as ReadRequest, quantity, Array.from(answer ?? []));
      // A float32 of this size has steps of an eighth of a Wh; whole Wh and more are exact.
      const error = decodeEnergy(bound, quantity, content) - nkwh;
      expect(error > -1_000_000n && error < 1_000_000n, `${quantity} is off by ${error} nkWh`).toBe(true);
    }
  });
});
