import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assumptionHolds,
  bindSunSpec,
  decodeEnergy,
  decodeMeasure,
  decodeRegisters,
  decodeText,
  discoverSunSpec,
  loadProfile,
  type MeterProfile,
  planReads,
  profileSchema,
  type Quantity,
  type ReadRegisters,
  resolveSunSpec,
  rolloverNkwh,
  type SunSpecDevice,
  wordsOf,
} from './index.js';

const UNSET = 0x8000;
const SUNS = [0x5375, 0x6e53];

/** A text in registers, padded with zeros, as type "string" wants it. */
const text = (value: string, registers: number) =>
  Array.from(
    { length: registers },
    (_, index) => ((value.charCodeAt(2 * index) || 0) << 8) | (value.charCodeAt(2 * index + 1) || 0),
  );

/** Model 1 of the reference: Mn 16, Md 16, Opt 8, Vr 8, SN 16 registers, DA, padding. */
const common = (manufacturer: string, model: string, options: string, version: string, serial: string) => [
  1,
  66,
  ...text(manufacturer, 16),
  ...text(model, 16),
  ...text(options, 8),
  ...text(version, 8),
  ...text(serial, 16),
  1,
  UNSET,
];

const float = (value: number) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
};

/** A model by its id and length: words at offsets (from the id on), 0x8000 and 0xFFFF for what is not there. */
const model = (id: number, length: number, points: Record<number, number | number[]>) => {
  const words = [id, length, ...Array<number>(length).fill(UNSET)];
  for (const [offset, content] of Object.entries(points)) {
    for (const [index, word] of [content].flat().entries()) words[Number(offset) + index] = word & 0xffff;
  }
  return words;
};

/** Model 103 with the offsets of the reference: A 2 (SF 6), V 7 to 12 (SF 13), W 14, Hz 16, WH 24, SF 26. */
const inverter = model(103, 50, {
  2: [1234, 412, 411, 411, -2],
  7: [4001, 4002, 4003, 2310, 2311, 2312, -1],
  14: [8532, 0],
  16: [5001, -2],
  18: [8600, 0],
  24: [0x0001, 0xe240, 1],
  31: [8800, 0],
  33: [412, UNSET, UNSET, UNSET, -1],
  38: [4],
});

/** Model 203: TotWhExp 38, TotWhImp 46, their scale factor 54; W 18 with 22; Hz 16 with 17. */
const meter = model(203, 105, {
  8: [2301, 2302, 2303],
  15: [-1],
  16: [500, -1],
  18: [-1234, -400, -411, -423, 0],
  38: [0x0000, 0x3039],
  46: [0xffff, 0xfffe],
  54: [2],
});

/** Model 113: AphA 4, PhVphA 16, W 22, Hz 24, WH 32. */
const floats = model(113, 60, {
  4: [...float(3.5), ...float(Number.NaN), ...float(Number.NaN)],
  16: float(230.5),
  22: float(812.25),
  24: float(50.0),
  32: float(16_777_216),
});

interface Device {
  read: ReadRegisters;
  asked: string[];
}

/** A device that holds words from an address on and refuses everything else, 125 registers at most. */
function device(words: readonly number[], base = 40_000): Device {
  const asked: string[] = [];
  return {
    asked,
    read: async (functionCode, address, count) => {
      asked.push(`${functionCode}/${address}/${count}`);
      if (functionCode !== 3 || count > 125) return undefined;
      if (address < base || address + count > base + words.length) return undefined;
      return Uint16Array.from(words.slice(address - base, address - base + count));
    },
  };
}

const END = [0xffff, 0];
const known = common('Maker', 'Model 8.2', 'opt', '1.2.3', 'S-4711');
const image = (...models: number[][]) => [...SUNS, ...models.flat(), ...END];
const whole = image(known, inverter);

/** Reads a quantity of a concrete profile as a gateway does. */
async function words(profile: MeterProfile, read: ReadRegisters, quantity: Quantity) {
  const [request] = planReads(profile, [quantity]);
  if (request === undefined) throw new Error('no request');
  const answer = await read(request.functionCode, request.start, request.count);
  return wordsOf(profile, request, quantity, Array.from(answer ?? []));
}

describe('discovery', () => {
  it.each([40_000, 50_000, 0])('finds "SunS" at %d', async (base) => {
    const found = await discoverSunSpec(device(image(known, inverter), base).read);
    expect(found).toEqual({
      base,
      identity: {
        manufacturer: 'Maker',
        model: 'Model 8.2',
        options: 'opt',
        version: '1.2.3',
        serialNumber: 'S-4711',
      },
      models: [
        { id: 1, address: base + 2, length: 66 },
        { id: 103, address: base + 70, length: 50 },
      ],
      complete: true,
    });
  });

  it('asks a device that does not speak it three questions', async () => {
    const other = device([1, 2, 3, 4], 40_000);
    expect(await discoverSunSpec(other.read)).toBeUndefined();
    expect(other.asked).toEqual(['3/40000/2', '3/50000/2', '3/0/2']);
  });

  it('walks a long chain, each model once, with no request longer than 32 registers', async () => {
    const long = device(image(known, inverter, model(120, 26, {}), model(64_001, 0, {}), meter));
    const found = await discoverSunSpec(long.read);
    expect(found?.models.map(({ id, address }) => [id, address])).toEqual([
      [1, 40_002],
      [103, 40_070],
      [120, 40_122],
      [64_001, 40_150],
      [203, 40_152],
    ]);
    expect(Math.max(...long.asked.map((question) => Number(question.split('/')[2])))).toBe(32);
    expect(new Set(long.asked).size).toBe(long.asked.length);
  });

  it('takes a common model without padding', async () => {
    const short = known.slice(0, -1).with(1, 65);
    const found = await discoverSunSpec(device(image(short, inverter)).read);
    expect(found?.models).toEqual([
      { id: 1, address: 40_002, length: 65 },
      { id: 103, address: 40_069, length: 50 },
    ]);
  });

  it('says when the chain breaks off instead of ending', async () => {
    const found = await discoverSunSpec(device(whole.slice(0, -2)).read);
    expect(found).toMatchObject({ complete: false, models: [{ id: 1 }, { id: 103 }] });
  });

  it('lets texts be empty or spoiled', async () => {
    const spoiled = known.with(2, 0).with(18, 0xfffe).with(19, 0x4142);
    const found = await discoverSunSpec(device(image(spoiled, inverter)).read);
    expect(found?.identity).toMatchObject({ manufacturer: '', version: '1.2.3' });
    expect(found?.identity.model).toMatch(/^AB/);
  });

  it.each<[string, number[]]>([
    ['nothing', []],
    ['an end at once', END],
    ['a model 0', [...known, 0, 10]],
    ['another model than the common one first', inverter],
    ['a common model that is too short', known.with(1, 40)],
    ['an inverter that is too short', [...known, ...inverter.with(1, 12)]],
    ['a model that reaches beyond the last address', [...known, 64_000, 65_000]],
    ['a chain without an end', [...known, ...Array.from({ length: 300 }, () => [64_000, 0]).flat()]],
    ['only rubbish', Array<number>(300).fill(0x7fff)],
  ])('refuses a chain that holds %s', async (_, chain) => {
    const broken = device([...SUNS, ...chain]);
    await expect(discoverSunSpec(broken.read)).rejects.toMatchObject({ code: 'METER_VALUE_INVALID' });
    expect(broken.asked.length).toBeLessThan(110);
  });

  it('ends, whatever the registers hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 66, 50, 103, 0xffff)), { maxLength: 400 }),
        fc.boolean(),
        async (rest, begins) => {
          const any = device([...SUNS, ...(begins ? known : []), ...rest]);
          try {
            const found = await discoverSunSpec(any.read);
            for (const { address, length } of found?.models ?? []) {
              expect(address + 1 + length).toBeLessThanOrEqual(0xffff);
            }
          } catch (error) {
            expect(error).toMatchObject({ code: 'METER_VALUE_INVALID' });
          }
          expect(any.asked.length).toBeLessThan(110);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 200) },
    );
  });

  it('hands on what the bus throws', async () => {
    const dead: ReadRegisters = async () => {
      throw new Error('no answer');
    };
    await expect(discoverSunSpec(dead)).rejects.toThrow('no answer');
    await expect(resolveSunSpec(loadProfile('sunspec-inverter'), dead)).rejects.toThrow('no answer');
  });
});

describe('a profile that is written for a model', () => {
  it('becomes one with the addresses of the device', async () => {
    const at = device(whole);
    const { profile, device: found } = await resolveSunSpec(loadProfile('sunspec-inverter'), at.read);
    expect(found?.identity.manufacturer).toBe('Maker');
    expect(profile).toMatchObject({ manufacturer: 'Maker', model: 'Model 8.2', phases: 3 });
    expect(profile.sunspec).toBeUndefined();
    expect(profile.readable).toEqual([
      { function_code: 3, first: '0x9C86', last: '0x9CB9' },
      { function_code: 3, first: '0x9C42', last: '0x9C83' },
    ]);
    expect(decodeText(profile, 'serial_number', await words(profile, at.read, 'serial_number'))).toBe(
      'S-4711',
    );
    // Still a profile like any other.
    expect(profileSchema.safeParse(profile).error).toBeUndefined();
    expect(decodeEnergy(profile, 'energy_generated', await words(profile, at.read, 'energy_generated'))).toBe(
      1_234_560_000_000n,
    );
    const measures: [Quantity, number][] = [
      ['power_total', 8532],
      ['voltage_l1', 231],
      ['voltage_l1_l2', 400.1],
      ['current_l3', 4.11],
      ['frequency', 50.01],
      ['power_dc', 8800],
      ['temperature', 41.2],
      ['operating_state', 4],
    ];
    for (const [quantity, value] of measures) {
      expect(decodeMeasure(profile, quantity, await words(profile, at.read, quantity)), quantity).toBe(value);
    }
    // Not implemented: VAr and its scale factor hold 0x8000.
    const reactive = await words(profile, at.read, 'reactive_power_total');
    expect(() => decodeRegisters(profile, 'reactive_power_total', reactive)).toThrowError(
      expect.objectContaining({ code: 'METER_VALUE_INVALID' }),
    );
  });

  it('reads energy, power and their scale factors at once', async () => {
    const { profile } = await resolveSunSpec(loadProfile('sunspec-inverter'), device(whole).read);
    expect(planReads(profile, ['energy_generated', 'power_total', 'frequency', 'voltage_l1'])).toHaveLength(
      1,
    );
  });

  it('counts import and export of a meter, beside its sign of power', async () => {
    const at = device(image(known, meter));
    const { profile } = await resolveSunSpec(loadProfile('sunspec-meter'), at.read);
    expect(decodeEnergy(profile, 'energy_export', await words(profile, at.read, 'energy_export'))).toBe(
      1_234_500_000_000n,
    );
    expect(decodeEnergy(profile, 'energy_import', await words(profile, at.read, 'energy_import'))).toBe(
      4_294_967_294n * 100n * 1_000_000n,
    );
    expect(decodeMeasure(profile, 'power_total', await words(profile, at.read, 'power_total'))).toBe(-1234);
  });

  it('takes floats as they are and NaN for nothing', async () => {
    const at = device(image(known, floats));
    const { profile } = await resolveSunSpec(loadProfile('sunspec-inverter-float'), at.read);
    expect(decodeEnergy(profile, 'energy_generated', await words(profile, at.read, 'energy_generated'))).toBe(
      16_777_216_000_000n,
    );
    expect(decodeMeasure(profile, 'power_total', await words(profile, at.read, 'power_total'))).toBe(812.25);
    const current = await words(profile, at.read, 'current_l2');
    expect(() => decodeMeasure(profile, 'current_l2', current)).toThrowError(/not a number/);
    expect(rolloverNkwh(profile, 'energy_generated')).toBeUndefined();
  });

  const bound = (id: string, number: number, length: number, models: SunSpecDevice['models'] = []) =>
    bindSunSpec(loadProfile(id), {
      base: 40_000,
      identity: { manufacturer: '', model: '', options: '', version: '', serialNumber: '' },
      models: [...models, { id: number, address: 40_070, length }],
      complete: true,
    });

  it('keeps its own name where the device has none', () => {
    expect(bound('sunspec-inverter', 102, 50)).toMatchObject({ manufacturer: 'SunSpec' });
  });

  it.each<[string, number, number, 1 | 3, Quantity[], Quantity[]]>([
    [
      'sunspec-inverter',
      101,
      50,
      1,
      ['voltage_l1', 'current_l1'],
      ['voltage_l2', 'current_l3', 'voltage_l1_l2'],
    ],
    [
      'sunspec-inverter',
      102,
      50,
      3,
      ['voltage_l2', 'voltage_l1_l2'],
      ['current_l3', 'voltage_l2_l3', 'voltage_l3_l1'],
    ],
    ['sunspec-inverter', 103, 50, 3, ['current_l3', 'voltage_l3_l1'], []],
    ['sunspec-inverter-float', 111, 60, 1, ['voltage_l1'], ['voltage_l2', 'voltage_l3_l1']],
    ['sunspec-meter', 201, 105, 1, ['power_l1', 'voltage_l1'], ['power_l2', 'voltage_l2_l3']],
    ['sunspec-meter', 204, 105, 3, ['voltage_l1_l2', 'current_l1'], ['voltage_l1', 'voltage_l3']],
    ['sunspec-meter-float', 213, 124, 3, ['power_l3', 'voltage_l1'], []],
  ])('%s for model %d has its phases', (id, number, length, phases, has, lacks) => {
    const profile = bound(id, number, length);
    expect(profile.phases).toBe(phases);
    for (const quantity of has) expect(profile.registers).toHaveProperty(quantity);
    for (const quantity of lacks) expect(profile.registers).not.toHaveProperty(quantity);
    for (const role of Object.values(profile.roles)) {
      for (const used of [role?.produced, role?.consumed, role?.power]) {
        if (used !== undefined) expect(profile.registers).toHaveProperty(used);
      }
    }
    expect(profileSchema.safeParse(profile).error).toBeUndefined();
  });

  it('has the serial number of the common model before it', async () => {
    const behind = common('Maker', 'Meter', '', '7', 'M-1');
    const at = device(image(known, inverter, behind, meter));
    const both = [];
    for (const id of ['sunspec-inverter', 'sunspec-meter']) {
      const { profile } = await resolveSunSpec(loadProfile(id), at.read);
      both.push(decodeText(profile, 'serial_number', await words(profile, at.read, 'serial_number')));
    }
    expect(both).toEqual(['S-4711', 'M-1']);
  });

  it('takes the first of several models that fit', () => {
    const two = bound('sunspec-meter', 203, 105, [{ id: 201, address: 39_000, length: 105 }]);
    expect(two.registers.energy_import?.address).toBe(`0x${(39_046).toString(16).toUpperCase()}`);
  });

  it.each([
    [0, 4_294_967_296n * 1_000_000n],
    [1, 42_949_672_960n * 1_000_000n],
    [3, 4_294_967_296_000n * 1_000_000n],
    [-2, 42_949_672_960_000n],
    [-9, 4_294_967n],
    [-10, undefined],
    [11, undefined],
  ])('starts again where 32 bits end at scale factor %d', async (factor, rollover) => {
    const scaled = inverter.with(26, factor & 0xffff);
    const { profile } = await resolveSunSpec(
      loadProfile('sunspec-inverter'),
      device(image(known, scaled)).read,
    );
    expect(rolloverNkwh(profile, 'energy_generated')).toBe(rollover);
  });

  it('knows no rollover without a scale factor', async () => {
    const { profile } = await resolveSunSpec(
      loadProfile('sunspec-inverter'),
      device(image(known, inverter.with(26, UNSET))).read,
    );
    expect(rolloverNkwh(profile, 'energy_generated')).toBeUndefined();
  });

  it('says that its model must stand where it stood', async () => {
    const at = device(whole);
    const { profile } = await resolveSunSpec(loadProfile('sunspec-inverter'), at.read);
    const holds = async (read: ReadRegisters) =>
      Promise.all(
        (profile.assumes ?? []).map(async (one) => {
          const answer = await read(one.function_code, Number(one.address), 1);
          return assumptionHolds(profile, one, Array.from(answer ?? []));
        }),
      );
    expect(await holds(at.read)).toEqual([true, true]);
    // Another model has come between after an update.
    expect(await holds(device(image(known, model(120, 26, {}), inverter)).read)).toEqual([false, false]);
    expect(await holds(device(image(known, inverter.with(1, 52), [0, 0])).read)).toEqual([true, false]);
  });

  it('is refused by a device without its model, and by one without SunSpec', async () => {
    await expect(resolveSunSpec(loadProfile('sunspec-meter'), device(whole).read)).rejects.toMatchObject({
      code: 'METER_VALUE_INVALID',
      message: expect.stringMatching(/it has 1, 103/),
    });
    await expect(resolveSunSpec(loadProfile('sunspec-meter'), device([], 40_000).read)).rejects.toMatchObject(
      { code: 'METER_VALUE_INVALID', message: expect.stringMatching(/does not speak/) },
    );
  });

  it('has every address moved, of sums and settings too', () => {
    const own = structuredClone(loadProfile('sunspec-meter')) as MeterProfile;
    Object.assign(own.registers, {
      energy_total: {
        name: 'sum of the phases',
        address: '0x0030',
        type: 'uint32',
        unit: 'Wh',
        scale: '1',
        plus: [{ address: '0x0032', type: 'uint32' }],
        scale_by: [{ address: '0x0036', type: 'int16', kind: 'exponent' }],
      },
    });
    own.assumes = [
      { name: 'own', function_code: 3, address: '0x0002', type: 'int16', equals: [0], otherwise: 'no' },
    ];
    const moved = bindSunSpec(own, {
      base: 0,
      identity: { manufacturer: '', model: '', options: '', version: '', serialNumber: '' },
      models: [{ id: 203, address: 0x1000, length: 105 }],
      complete: true,
    });
    expect(moved.registers.energy_total).toMatchObject({
      address: '0x1030',
      plus: [{ address: '0x1032' }],
      scale_by: [{ address: '0x1036' }],
    });
    expect(moved.assumes?.map(({ address }) => address)).toEqual(['0x1002', '0x1000', '0x1001']);
    expect(profileSchema.safeParse(moved).error).toBeUndefined();
  });

  it('is refused where its model would reach beyond the last address', () => {
    const end: SunSpecDevice = {
      base: 0,
      identity: { manufacturer: '', model: '', options: '', version: '', serialNumber: '' },
      models: [{ id: 103, address: 65_520, length: 50 }],
      complete: true,
    };
    expect(() => bindSunSpec(loadProfile('sunspec-inverter'), end)).toThrowError(
      expect.objectContaining({ code: 'METER_VALUE_INVALID' }),
    );
  });
});

describe('any other profile', () => {
  it('is itself, without a question', async () => {
    const at = device(whole);
    const profile = loadProfile('eastron-sdm630');
    expect(await resolveSunSpec(profile, at.read)).toEqual({ profile });
    expect(at.asked).toEqual([]);
  });

  it('cannot be bound to a model', () => {
    const found = { base: 0, models: [], complete: true } as unknown as SunSpecDevice;
    expect(() => bindSunSpec(loadProfile('eastron-sdm630'), found)).toThrowError(
      expect.objectContaining({ code: 'PROFILE_INVALID' }),
    );
  });
});
