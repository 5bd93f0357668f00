import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEnergy,
  decodeMeasure,
  decodeRegisters,
  float32ToRational,
  listProfiles,
  loadProfile,
  type MeterProfile,
  parseProfile,
  planReads,
  profileJsonSchema,
  type Quantity,
  wordsOf,
} from './index.js';

interface Fixture {
  cases: { quantity: Quantity; words: string[]; value?: number; nkwh?: string; note?: string }[];
  refused: { quantity: Quantity; words: string[]; note: string }[];
}
const fixture = (id: string): Fixture =>
  JSON.parse(readFileSync(new URL(`./fixtures/${id}.json`, import.meta.url), 'utf8'));
const numbers = (words: string[]) => words.map((word) => Number.parseInt(word, 16));
/** A fresh copy that a test may spoil. */
const copy = (id: string) => structuredClone(loadProfile(id)) as MeterProfile;

describe.each(listProfiles())('%s', (id) => {
  const profile = loadProfile(id);
  const { cases, refused } = fixture(id);

  it.each(cases)('decodes $quantity $words ($note)', ({ quantity, words, value, nkwh }) => {
    if (nkwh !== undefined) expect(decodeEnergy(profile, quantity, numbers(words))).toBe(BigInt(nkwh));
    else expect(decodeMeasure(profile, quantity, numbers(words))).toBe(value);
  });

  it.each(refused)('refuses $quantity $words: $note', ({ quantity, words }) => {
    expect(() => decodeRegisters(profile, quantity, numbers(words))).toThrowError(
      expect.objectContaining({ code: 'METER_VALUE_INVALID' }),
    );
  });

  it('reads import and export from the registers that the manufacturer names', () => {
    expect(profile.registers.energy_import).toMatchObject({ address: '0x0048', number: 30073, unit: 'kWh' });
    expect(profile.registers.energy_export).toMatchObject({ address: '0x004A', number: 30075, unit: 'kWh' });
    expect(profile.modbus).toMatchObject({ function_code: 4, word_order: 'high-first' });
  });

  it('plans only requests that the meter answers, each quantity once', () => {
    const all = Object.keys(profile.registers) as Quantity[];
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...all), { minLength: 1 }), (quantities) => {
        const requests = planReads(profile, quantities);
        expect(requests.flatMap((request) => request.quantities).sort()).toEqual([...quantities].sort());
        for (const request of requests) {
          expect(request.start % 2).toBe(0);
          expect(request.count % 2).toBe(0);
          expect(request.count).toBeLessThanOrEqual(profile.modbus.max_registers_per_request);
          expect(
            profile.readable.some(
              (range) =>
                range.function_code === request.functionCode &&
                Number(range.first) <= request.start &&
                request.start + request.count - 1 <= Number(range.last),
            ),
          ).toBe(true);
          const answer = Array.from({ length: request.count }, (_, index) => request.start + index);
          for (const quantity of request.quantities) {
            expect(wordsOf(profile, request, quantity, answer)[0]).toBe(
              Number(profile.registers[quantity]?.address),
            );
          }
          expect(() =>
            wordsOf(profile, request, request.quantities[0] as Quantity, answer.slice(1)),
          ).toThrow();
        }
      }),
    );
  });
});

describe('the longest request', () => {
  it('is kept: what reaches one register further is asked for separately', () => {
    const profile = copy('eastron-sdm630');
    const plan = () => planReads(profile, ['voltage_l1', 'power_total']).map(({ count }) => count);
    profile.modbus.max_registers_per_request = 0x36;
    expect(plan()).toEqual([0x36]);
    profile.modbus.max_registers_per_request = 0x35;
    expect(plan()).toEqual([2, 2]);
  });
});

describe('what a gateway needs in one cycle', () => {
  const wanted: Quantity[] = ['energy_import', 'energy_export', 'power_total', 'voltage_l1', 'frequency'];
  it('is one request on the three-phase meter and two on the single-phase one', () => {
    expect(planReads(loadProfile('eastron-sdm630'), wanted)).toHaveLength(1);
    expect(planReads(loadProfile('eastron-sdm120'), wanted)).toHaveLength(2);
  });
});

describe('energy', () => {
  const profile = loadProfile('eastron-sdm630');
  const wordsOfFloat = (value: number) => {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value);
    return [view.getUint16(0), view.getUint16(2)];
  };

  it('is the float itself, exactly, and rounds down', () => {
    fc.assert(
      fc.property(fc.float({ min: 0, max: Math.fround(1e7), noNaN: true }), (value) => {
        const nkwh = decodeEnergy(profile, 'energy_import', wordsOfFloat(value));
        // Independent: a float32 below 2^24 scaled by 2^149 is an integer, as any binary32 is.
        const rational = float32ToRational(new Uint32Array(new Float32Array([value]).buffer)[0] as number);
        if (rational === undefined) throw new Error('finite floats are rational');
        const scaled = rational.numerator * 1_000_000_000n;
        expect(nkwh << BigInt(rational.shift)).toBeLessThanOrEqual(scaled);
        expect((nkwh + 1n) << BigInt(rational.shift)).toBeGreaterThan(scaled);
        expect(Number(rational.numerator) / 2 ** rational.shift).toBe(value);
      }),
    );
  });

  it('never falls when the register rises', () => {
    const float = fc.float({ min: 0, max: Math.fround(1e9), noNaN: true });
    fc.assert(
      fc.property(float, float, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(decodeEnergy(profile, 'energy_export', wordsOfFloat(low))).toBeLessThanOrEqual(
          decodeEnergy(profile, 'energy_export', wordsOfFloat(high)),
        );
      }),
    );
  });

  it('is scaled exactly where a meter counts in integers', () => {
    const other = copy('eastron-sdm120');
    other.registers.energy_import = {
      name: 'counter',
      address: '0x0048',
      type: 'uint32',
      unit: 'kWh',
      scale: '0.01',
    };
    expect(decodeEnergy(other, 'energy_import', [0x0001, 0x0003])).toBe(65539n * 10_000_000n);
    other.registers.energy_import.type = 'int32';
    expect(() => decodeEnergy(other, 'energy_import', [0xffff, 0xffff])).toThrowError(/negative/);
    other.registers.energy_import.not_available = '0xFFFFFFFF';
    expect(() => decodeEnergy(other, 'energy_import', [0xffff, 0xffff])).toThrowError(/not available/);
    other.modbus.word_order = 'low-first';
    other.registers.energy_import.unit = 'Wh';
    other.registers.energy_import.scale = '1';
    expect(decodeEnergy(other, 'energy_import', [0x0003, 0x0001])).toBe(65539n * 1_000_000n);
  });

  it('is never handed out as a float', () => {
    expect(() => decodeMeasure(profile, 'energy_import', [0, 0])).toThrowError(/never a float/);
    expect(() => decodeEnergy(profile, 'power_total', [0, 0])).toThrowError(/not active energy/);
  });

  it('is refused from words that are not the register', () => {
    for (const words of [[], [1], [1, 2, 3], [1, 65536], [-1, 0], [0.5, 0]]) {
      expect(() => decodeEnergy(profile, 'energy_import', words)).toThrowError(
        expect.objectContaining({ code: 'PROFILE_INVALID' }),
      );
    }
  });
});

describe('a profile file', () => {
  it('is loaded by id only', () => {
    for (const id of ['', 'none', '../package', 'profile.schema', 'eastron-sdm630.json']) {
      expect(() => loadProfile(id)).toThrowError(expect.objectContaining({ code: 'PROFILE_INVALID' }));
    }
  });

  const spoils: [string, (profile: MeterProfile) => void][] = [
    [
      'a register outside the readable ranges',
      (p) => {
        (p.registers.energy_import as { address: string }).address = '0x0100';
      },
    ],
    [
      'a number that is not the address',
      (p) => {
        (p.registers.energy_import as { number: number }).number = 30072;
      },
    ],
    [
      'an odd address',
      (p) => {
        Object.assign(p.registers.energy_import as object, { address: '0x0047', number: 30072 });
      },
    ],
    [
      'energy in watts',
      (p) => {
        (p.registers.energy_import as { unit: string }).unit = 'W';
      },
    ],
    [
      'a role with a register that is not there',
      (p) => {
        delete p.registers.energy_export;
      },
    ],
    [
      'a grid role without export',
      (p) => {
        delete p.roles.grid?.produced;
      },
    ],
    [
      'no source',
      (p) => {
        p.sources = [];
      },
    ],
    [
      'a scale of zero',
      (p) => {
        (p.registers.energy_import as { scale: string }).scale = '0.0';
      },
    ],
    [
      'a reversed range',
      (p) => {
        Object.assign(p.readable[0] as object, { first: '0x0050' });
      },
    ],
    [
      'an unknown field',
      (p) => {
        Object.assign(p, { extra: 1 });
      },
    ],
  ];
  it.each(spoils)('with %s is refused', (_, spoil) => {
    const profile = copy('eastron-sdm630');
    expect(parseProfile(profile)).toEqual(profile);
    spoil(profile);
    expect(() => parseProfile(profile)).toThrowError(expect.objectContaining({ code: 'PROFILE_INVALID' }));
  });

  it('has a JSON schema for editors, which is up to date (UPDATE_DOCS=1 writes it)', () => {
    const file = new URL('../profiles/profile.schema.json', import.meta.url);
    const text = `${JSON.stringify(profileJsonSchema(), null, 2)}\n`;
    if (process.env.UPDATE_DOCS === '1') writeFileSync(file, text);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(text));
  });
});
