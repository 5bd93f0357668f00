import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Assumption,
  assumptionHolds,
  decodeEnergy,
  decodeMeasure,
  decodeRegisters,
  decodeText,
  encodePieces,
  encodeQuantity,
  type Fixture,
  fixtureFaults,
  fixtureGaps,
  fixtureSchema,
  float32ToRational,
  identify,
  identityWords,
  listProfiles,
  loadProfile,
  type MeterProfile,
  PROFILE_FOLDER,
  type Probe,
  parseProfile,
  parseText,
  planReads,
  probeHolds,
  profileJsonSchema,
  type Quantity,
  type RegisterDefinition,
  rolloverNkwh,
  wordsOf,
} from './index.js';

const PROFILES = listProfiles();
const fixtureFile = (id: string) => fileURLToPath(new URL(`../fixtures/${id}.json`, import.meta.url));
const fixture = (id: string): Fixture =>
  parseText(fixtureSchema, readFileSync(fixtureFile(id), 'utf8'), fixtureFile(id));
/** A fresh copy that a test may spoil. */
const copy = (id: string) => structuredClone(loadProfile(id)) as MeterProfile;

describe.each(PROFILES)('%s', (id) => {
  const profile = loadProfile(id);

  it('decodes its fixture, refuses what it must, and knows its own', () => {
    expect(fixtureFaults(profile, fixture(id))).toEqual([]);
  });

  it('has a fixture for each energy register, for power and for each probe', () => {
    expect(fixtureGaps(profile, fixture(id))).toEqual([]);
  });

  it('has serial settings of its own when it is on a serial line, and a source that was read', () => {
    const raw = JSON.parse(readFileSync(join(PROFILE_FOLDER, `${id}.json`), 'utf8'));
    if (profile.transports.includes('rtu')) expect(raw.modbus.serial).toBeDefined();
    else expect(raw.modbus.serial).toBeUndefined();
    const originals = profile.sources.filter(({ read }) => read === 'original');
    if (profile.verified === 'document') expect(originals.length).toBeGreaterThan(0);
    if (profile.verified === 'two-transcriptions') expect(profile.sources.length).toBeGreaterThan(1);
  });

  it('plans only requests that the meter answers, each quantity once', () => {
    const all = Object.keys(profile.registers) as Quantity[];
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...all), { minLength: 1 }), (quantities) => {
        const requests = planReads(profile, quantities);
        expect(requests.flatMap((request) => request.quantities).sort()).toEqual([...quantities].sort());
        for (const request of requests) {
          if (profile.modbus.even_requests) {
            expect(request.start % 2).toBe(0);
            expect(request.count % 2).toBe(0);
          }
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
      { numRuns: 30 },
    );
  });

  it('decodes what a simulated device of this model encodes, and no more energy than was counted', () => {
    for (const quantity of Object.keys(profile.registers) as Quantity[]) {
      const register = profile.registers[quantity] as RegisterDefinition;
      const words = (value: number | bigint | string) =>
        encodeQuantity(profile, quantity, value).flatMap((piece) => piece.words);
      if (quantity.startsWith('energy_')) {
        const counted = 12_345_678_901_234n;
        const shown = decodeEnergy(profile, quantity, words(counted));
        expect(shown, quantity).toBeLessThanOrEqual(counted);
        // A step is 1 kWh at most, and a float32 has 24 significant bits.
        expect(counted - shown, quantity).toBeLessThanOrEqual(1_000_000_000n);
      } else if (register.type === 'ascii') {
        expect(decodeText(profile, quantity, words('7'))).toBe('7');
      } else if (quantity === 'power_total' || quantity.startsWith('voltage_')) {
        expect(Math.abs(decodeMeasure(profile, quantity, words(230)) - 230), quantity).toBeLessThanOrEqual(1);
      }
    }
  });

  it('is met by what a simulated device of this model holds', () => {
    for (const { functionCode, address, words } of identityWords(profile)) {
      const of = <One extends Probe | Assumption>(list: readonly One[]) =>
        list.find((one) => one.function_code === functionCode && Number(one.address) === address);
      const probe = of(profile.identification.probes);
      const assumption = of(profile.assumes ?? []);
      if (probe) expect(probeHolds(profile, probe, words)).toBe(true);
      if (assumption) expect(assumptionHolds(profile, assumption, words)).toBe(true);
    }
  });
});

describe('a device that tells its model', () => {
  const all = PROFILES.map((id) => loadProfile(id));
  it.each(all.filter(({ identification, sunspec }) => identification.certainty === 'model' && !sunspec))(
    'is found as $id and nothing else',
    async (profile) => {
      const words = new Map<string, number>();
      const shown = fixture(profile.id).identification.filter(({ holds }) => holds);
      for (const probe of profile.identification.probes) {
        const content = shown.find((one) => one.probe === probe.name)?.words ?? [];
        for (const [index, word] of content.entries()) {
          words.set(`${probe.function_code}/${Number(probe.address) + index}`, Number.parseInt(word, 16));
        }
      }
      const read = async (functionCode: 3 | 4, address: number, count: number) => {
        const keys = Array.from({ length: count }, (_, index) => `${functionCode}/${address + index}`);
        return keys.some((key) => words.has(key)) ? keys.map((key) => words.get(key) ?? 0) : undefined;
      };
      expect((await identify(read, all)).map((match) => match.profile.id)).toEqual([profile.id]);
    },
  );
});

it('every fixture belongs to a profile', () => {
  const files = readdirSync(new URL('../fixtures/', import.meta.url));
  expect(files.map((name) => name.replace(/\.json$/, '')).sort()).toEqual(PROFILES);
});

it.each(['eastron-sdm120', 'eastron-sdm630'])(
  '%s reads import and export from the registers that the manufacturer names',
  (id) => {
    const profile = loadProfile(id);
    expect(profile.registers.energy_import).toMatchObject({ address: '0x0048', number: 30073, unit: 'kWh' });
    expect(profile.registers.energy_export).toMatchObject({ address: '0x004A', number: 30075, unit: 'kWh' });
    expect(profile.modbus).toMatchObject({ function_code: 4, word_order: 'high-first' });
  },
);

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

describe('register types', () => {
  const with_ = (register: Partial<RegisterDefinition>, quantity: Quantity = 'power_total') => {
    const profile = copy('eastron-sdm630');
    profile.registers[quantity] = {
      name: 'x',
      address: '0x0034',
      type: 'uint16',
      unit: 'W',
      scale: '1',
      ...register,
    };
    return (...words: number[]) => decodeRegisters(profile, quantity, words);
  };
  const value = (number: number) => ({ kind: 'measure', value: number, unit: 'W' });

  // Worked by hand from the definitions of the types.
  it.each<[string, Partial<RegisterDefinition>, number[], number]>([
    ['uint16', { type: 'uint16' }, [0xffff], 65535],
    ['int16', { type: 'int16' }, [0xffff], -1],
    ['sign and magnitude', { type: 'sm16' }, [0x8005], -5],
    ['sign and magnitude, 32 bits', { type: 'sm32' }, [0x8000, 0x0005], -5],
    ['BCD', { type: 'bcd16' }, [0x1234], 1234],
    ['BCD, 32 bits', { type: 'bcd32' }, [0x0012, 0x3456], 123456],
    ['BCD, 48 bits', { type: 'bcd48' }, [0x9999, 0x9999, 0x9999], 999999999999],
    ['int32', { type: 'int32' }, [0xffff, 0xfffe], -2],
    ['int32, low word first', { type: 'int32', word_order: 'low-first' }, [0xfffe, 0xffff], -2],
    ['int32, low byte first', { type: 'int32', byte_order: 'low-first' }, [0xffff, 0xfeff], -2],
    ['uint48', { type: 'uint48' }, [1, 0, 1], 4294967297],
    ['int48', { type: 'int48' }, [0xffff, 0xffff, 0xffff], -1],
    ['int64', { type: 'int64' }, [0xffff, 0xffff, 0xffff, 0xff9c], -100],
    ['float32', { type: 'float32' }, [0x4366, 0x8000], 230.5],
    ['float64', { type: 'float64' }, [0x406c, 0xd000, 0, 0], 230.5],
    ['float64 of 1/3', { type: 'float64' }, [0x3fd5, 0x5555, 0x5555, 0x5555], 1 / 3],
    ['exponent and 24 bits', { type: 'exp8_uint24' }, [0xfe00, 0x59d8], 230],
    ['exponent and signed 24 bits', { type: 'exp8_int24' }, [0x01ff, 0xffff], -10],
    ['a scale', { type: 'uint16', scale: '0.1' }, [2301], 230.1],
    ['an inverted sign', { type: 'int16', invert: true, scale: '10' }, [0xffff], 10],
    ['a sum', { type: 'int16', plus: [{ address: '0x0035', type: 'int16' }] }, [0xffff, 3], 2],
    [
      'a difference',
      { type: 'uint16', plus: [{ address: '0x0035', type: 'uint16', scale: '0.001', invert: true }] },
      [1, 500],
      0.5,
    ],
    [
      'an exponent register',
      { type: 'int16', scale_by: [{ address: '0x0035', type: 'int16', kind: 'exponent' }] },
      [977, 0xffff],
      97.7,
    ],
    [
      'a factor register',
      { type: 'uint16', scale_by: [{ address: '0x0035', type: 'uint16', kind: 'factor', scale: '0.1' }] },
      [100, 50],
      500,
    ],
    [
      'a unit register',
      {
        type: 'uint16',
        scale_by: [{ address: '0x0035', type: 'uint16', kind: 'choice', choices: { 0: '1', 1: '1000' } }],
      },
      [3, 1],
      3000,
    ],
  ])('%s', (_, register, words, expected) => {
    expect(with_(register)(...words)).toEqual(value(expected));
  });

  it.each<[string, Partial<RegisterDefinition>, number[]]>([
    ['a digit that is none', { type: 'bcd16' }, [0x12a4]],
    ['one of several contents for "no value"', { not_available: ['0xFFFF', '0x8000'] }, [0x8000]],
    ['a float64 that is no number', { type: 'float64' }, [0x7ff8, 0, 0, 0]],
    ['an exponent out of reach', { type: 'exp8_uint24' }, [0x7f00, 1]],
    [
      'a scale factor that is none',
      { scale_by: [{ address: '0x0035', type: 'int16', kind: 'exponent', not_available: '0x8000' }] },
      [1, 0x8000],
    ],
    [
      'a scale factor out of reach',
      { scale_by: [{ address: '0x0035', type: 'int16', kind: 'exponent' }] },
      [1, 13],
    ],
    ['a ratio of 0', { scale_by: [{ address: '0x0035', type: 'uint16', kind: 'factor' }] }, [1, 0]],
    [
      'an unknown unit',
      { scale_by: [{ address: '0x0035', type: 'uint16', kind: 'choice', choices: { 0: '1' } }] },
      [1, 7],
    ],
  ])('refuses %s', (_, register, words) => {
    expect(() => with_(register)(...words)).toThrowError(
      expect.objectContaining({ code: 'METER_VALUE_INVALID' }),
    );
  });

  it('sums energy exactly and rounds once', () => {
    const energy = with_(
      {
        type: 'uint32',
        unit: 'kWh',
        plus: [
          { address: '0x0036', type: 'uint16', unit: 'Wh', scale: '0.1' },
          { address: '0x0037', type: 'uint16', unit: 'Wh', scale: '0.000000001' },
        ],
      },
      'energy_import',
    );
    expect(energy(0, 12, 3456, 999)).toEqual({ kind: 'energy', nkwh: 12_345_600_000n });
    expect(energy(0, 12, 3456, 1000)).toEqual({ kind: 'energy', nkwh: 12_345_600_001n });
  });

  it('lets only net energy be negative', () => {
    const register = { type: 'int16', unit: 'Wh' } as const;
    expect(with_(register, 'energy_net')(0xffff)).toEqual({ kind: 'energy', nkwh: -1_000_000n });
    expect(() => with_(register, 'energy_import')(0xffff)).toThrowError(/negative/);
  });

  it('reads texts', () => {
    const profile = copy('eastron-sdm630');
    profile.registers.serial_number = {
      name: 'x',
      address: '0x0034',
      type: 'ascii',
      length: 4,
      unit: '1',
      scale: '1',
    };
    expect(decodeText(profile, 'serial_number', [0x4142, 0x3132, 0x2000, 0x0041])).toBe('AB12');
    expect(() => decodeText(profile, 'serial_number', [0xff41, 0, 0, 0])).toThrowError(/not a text/);
    profile.modbus.byte_order = 'low-first';
    expect(decodeText(profile, 'serial_number', [0x4241, 0, 0, 0])).toBe('AB');
  });

  it('says where an energy register starts again', () => {
    const profile = copy('eastron-sdm630');
    const at = (register: Partial<RegisterDefinition>) => {
      Object.assign(profile.registers, {
        energy_import: {
          name: 'x',
          address: '0x0048',
          type: 'uint32',
          unit: 'kWh',
          scale: '0.1',
          ...register,
        },
      });
      return rolloverNkwh(profile, 'energy_import');
    };
    expect(at({})).toBe(2n ** 32n * 100_000_000n);
    expect(at({ rollover_at: '1000000' })).toBe(10n ** 15n);
    expect(at({ type: 'float32' })).toBeUndefined();
    expect(at({ type: 'int32' })).toBeUndefined();
    expect(at({ not_available: '0xFFFFFFFF' })).toBeUndefined();
    expect(() => rolloverNkwh(profile, 'power_total')).toThrowError(/not active energy/);
  });

  const types = ['uint32', 'sm32', 'bcd64', 'int64', 'float32', 'float64', 'exp8_uint24', 'uint48'] as const;
  it('decode what they encode, and never more energy', () => {
    const profile = copy('eastron-sdm630');
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.constantFrom('Wh', 'kWh') as fc.Arbitrary<'Wh' | 'kWh'>,
        fc.constantFrom('1', '0.1', '0.01'),
        fc.bigInt({ min: 0n, max: 2_000_000_000_000n }),
        fc.boolean(),
        (type, unit, scale, nkwh, swapped) => {
          const order = swapped ? 'low-first' : 'high-first';
          const register: RegisterDefinition = {
            name: 'x',
            address: '0x0048',
            type,
            unit,
            scale,
            word_order: order,
            byte_order: order,
            plus: [{ address: '0x004C', type: 'uint32', unit: 'Wh', scale: '0.1' }],
          };
          profile.registers.energy_import = register;
          const shown = decodeEnergy(profile, 'energy_import', encodePieces(profile, register, nkwh).flat());
          expect(shown).toBeLessThanOrEqual(nkwh);
        },
      ),
    );
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

  const spoils: [string, (profile: MeterProfile) => void, RegExp?][] = [
    [
      'a register outside the readable ranges',
      (p) => {
        Object.assign(p.registers.energy_import as object, { address: '0x0100', number: 30257 });
      },
      /lies outside the readable ranges \(function code 4, 0x0100 to 0x0101\)/,
    ],
    [
      'registers of one value that do not come in one answer',
      (p) => {
        Object.assign(p.registers.energy_import as object, {
          plus: [{ address: '0x0156', type: 'float32' }],
        });
      },
      /must come in one answer/,
    ],
    [
      'a value longer than a request',
      (p) => {
        p.modbus.max_registers_per_request = 1;
      },
      /is longer than one request/,
    ],
    [
      'net energy in a role',
      (p) => {
        p.registers.energy_net = { ...(p.registers.energy_export as RegisterDefinition) };
        (p.roles.grid as { produced: Quantity }).produced = 'energy_net';
      },
      /nothing can be counted by it/,
    ],
    [
      'one register for both directions at the grid',
      (p) => {
        (p.roles.grid as { produced: Quantity }).produced = 'energy_total';
      },
      /one register for each direction/,
    ],
    [
      'a probe with an example that does not fit',
      (p) => {
        p.identification.probes = [
          {
            name: 'x',
            function_code: 3,
            address: '0xFC00',
            type: 'ascii',
            length: 2,
            matches: '^A',
            example: 'B',
            source: 'x',
          },
        ];
      },
      /does not match/,
    ],
    [
      'a probe outside its block',
      (p) => {
        p.identification.probes = [
          {
            name: 'x',
            function_code: 3,
            address: '0xFC00',
            type: 'uint32',
            equals: [1],
            block: { address: '0xFC01', count: 2 },
            source: 'x',
          },
        ];
      },
      /does not contain the probe/,
    ],
    [
      'no probes and yet a certainty',
      (p) => {
        p.identification.probes = [];
      },
      /belong to every certainty but/,
    ],
    [
      'a text as a power',
      (p) => {
        Object.assign(p.registers.power_total as object, { type: 'ascii', length: 2, unit: '1' });
      },
      /must be a number/,
    ],
    [
      'no roles',
      (p) => {
        p.roles = {};
      },
      /at least one role/,
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
  it.each(spoils)('with %s is refused', (_, spoil, message) => {
    const profile = copy('eastron-sdm630');
    expect(parseProfile(profile)).toEqual(profile);
    spoil(profile);
    expect(() => parseProfile(profile)).toThrowError(
      expect.objectContaining({
        code: 'PROFILE_INVALID',
        ...(message && { message: expect.stringMatching(message) }),
      }),
    );
  });

  it('has a JSON schema for editors, which is up to date (UPDATE_DOCS=1 writes it)', () => {
    const file = new URL('../profiles/profile.schema.json', import.meta.url);
    const wanted = JSON.parse(JSON.stringify(profileJsonSchema()));
    const written = () => JSON.parse(readFileSync(file, 'utf8'));
    // Only what says something else is written: the formatter has its own way with the file.
    if (process.env.UPDATE_DOCS === '1' && JSON.stringify(written()) !== JSON.stringify(wanted)) {
      writeFileSync(file, `${JSON.stringify(wanted, null, 2)}\n`);
    }
    expect(written()).toEqual(wanted);
  });
});
