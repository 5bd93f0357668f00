import {
  decodeEnergy,
  decodeRegisters,
  identify,
  listProfiles,
  loadProfile,
  type MeterProfile,
  ProfileError,
  planReads,
  type Quantity,
  resolveSunSpec,
  wordsOf,
} from '@gridtokenx/firmware-profiles';
import { describe, expect, it } from 'vitest';
import { SimulatorConfig } from './config.js';
import type { Home } from './home.js';
import type { VirtualMeter } from './meter.js';
import { answerPdu } from './modbus.js';
import { makeSimulation } from './simulation.js';

const START = Date.UTC(2026, 5, 1, 10);
const HOUR = 3_600_000;
const KWH = 1_000_000_000n;

/** Every model, as every role that it can play, read over Modbus as a gateway reads it. */
const cases = listProfiles().flatMap((id) =>
  (Object.keys(loadProfile(id).roles) as ('grid' | 'production' | 'consumption')[]).map((role) => ({
    id,
    role,
  })),
);

function homeOf(id: string, role: string): { home: Home; meter: VirtualMeter } {
  const config = SimulatorConfig.parse({
    units: [
      { unit: 1, profile: id, role, scenario: { shape: 'flat', solar_watts: 6000, household_watts: 1000 } },
    ],
  });
  const home = makeSimulation(config, START, '.').homes[0] as Home;
  return { home, meter: home.meters[0] as VirtualMeter };
}

function reader(meter: VirtualMeter) {
  return (functionCode: 3 | 4, address: number, count: number): number[] | undefined => {
    const request = Buffer.from([functionCode, 0, 0, 0, 0]);
    request.writeUInt16BE(address, 1);
    request.writeUInt16BE(count, 3);
    const answer = answerPdu(request, meter.map, (code) => meter.registers(code));
    if (((answer[0] as number) & 0x80) !== 0) return undefined;
    return Array.from({ length: count }, (_, index) => answer.readUInt16BE(2 + 2 * index));
  };
}

/** One quantity, read as planned. */
function read(meter: VirtualMeter, profile: MeterProfile, quantity: Quantity): number[] {
  const [request] = planReads(profile, [quantity]);
  if (request === undefined) throw new Error('nothing to read');
  const words = reader(meter)(request.functionCode, request.start, request.count);
  if (words === undefined) throw new Error(`${profile.id} refuses ${quantity}`);
  return wordsOf(profile, request, quantity, words);
}

describe.each(cases)('$id as $role', ({ id, role }) => {
  it('counts what flows in the registers that its profile names, and shows the rest', async () => {
    const { home, meter } = homeOf(id, role);
    const ask = reader(meter);
    const { profile } = await resolveSunSpec(loadProfile(id), async (...request) => ask(...request));
    const named = profile.roles[role];
    const energies = () => ({
      produced:
        named?.produced && decodeEnergy(profile, named.produced, read(meter, profile, named.produced)),
      consumed:
        named?.consumed && decodeEnergy(profile, named.consumed, read(meter, profile, named.consumed)),
    });
    const before = energies();
    home.advance(START + 2 * HOUR);
    const after = energies();
    // 6 kW of sun, 1 kW of load, 2 hours. Registers may lag by their resolution, the coarsest being whole kWh.
    const rises: [bigint | undefined, bigint | undefined, bigint][] = [
      [before.produced, after.produced, role === 'grid' ? 10n : 12n],
      [before.consumed, after.consumed, role === 'grid' ? 0n : 2n],
    ];
    for (const [from, to, kwh] of rises) {
      if (from === undefined || to === undefined) continue;
      expect(to - from).toBeLessThanOrEqual(kwh * KWH);
      expect(to - from).toBeGreaterThanOrEqual(kwh === 0n ? 0n : (kwh - 1n) * KWH);
    }
    for (const quantity of Object.keys(profile.registers) as Quantity[]) {
      // Counters that the model has and no home feeds may say that they have no value.
      try {
        decodeRegisters(profile, quantity, read(meter, profile, quantity));
      } catch (error) {
        if (!(error instanceof ProfileError) || error.code !== 'METER_VALUE_INVALID') throw error;
        expect([
          'serial_number',
          'operating_state',
          'firmware_version',
          'energy_net',
          'meter_code',
        ]).toContain(quantity);
      }
    }
    if (named?.power !== undefined) {
      const power = decodeRegisters(profile, named.power, read(meter, profile, named.power));
      if (power.kind !== 'measure') throw new Error('power is a measure');
      // A register without a sign shows nothing of what is given.
      if (role === 'grid' && profile.registers[named.power]?.type.startsWith('uint')) return;
      const watts = role === 'grid' ? 5000 : role === 'production' ? 6000 : 1000;
      expect(Math.abs(power.value)).toBeGreaterThan(watts * 0.9);
      expect(Math.abs(power.value)).toBeLessThan(watts * 1.1);
    }
  });

  it('is recognised for what it is', async () => {
    const { meter } = homeOf(id, role);
    const profile = loadProfile(id);
    if (profile.identification.probes.length === 0 || profile.sunspec !== undefined) return;
    const ask = reader(meter);
    const matches = await identify(async (...request) => ask(...request), [profile]);
    expect(matches.map(({ profile: { id: found } }) => found)).toEqual([id]);
  });
});
