import { z } from 'zod';

/**
 * The quantities that a profile may map, by the names that gateways use. Powers are signed as `power_sign`
 * says. `energy_*` is active energy that only rises, but for `energy_net` (import minus export), which falls
 * too and therefore counts for nothing.
 */
export const QUANTITIES = [
  'voltage_l1',
  'voltage_l2',
  'voltage_l3',
  'current_l1',
  'current_l2',
  'current_l3',
  'power_l1',
  'power_l2',
  'power_l3',
  'apparent_power_l1',
  'apparent_power_l2',
  'apparent_power_l3',
  'reactive_power_l1',
  'reactive_power_l2',
  'reactive_power_l3',
  'power_factor_l1',
  'power_factor_l2',
  'power_factor_l3',
  'voltage_l1_l2',
  'voltage_l2_l3',
  'voltage_l3_l1',
  'voltage_average',
  'current_neutral',
  'current_average',
  'current_sum',
  'power_total',
  'apparent_power_total',
  'reactive_power_total',
  'power_factor_total',
  'frequency',
  'energy_import',
  'energy_export',
  'reactive_energy_import',
  'reactive_energy_export',
  'energy_generated',
  'energy_total',
  'energy_net',
  'reactive_energy_total',
  'power_dc',
  'temperature',
  'operating_state',
  'serial_number',
  'meter_code',
  'manufacturer_name',
  'model_name',
  'firmware_version',
] as const;
export type Quantity = (typeof QUANTITIES)[number];

/**
 * Register types of a fixed length, in 16-bit registers. `sm*` are sign and magnitude (the highest bit is the
 * sign), `bcd*` binary-coded decimal digits, `exp8_*24` a signed decimal exponent in the highest byte and a
 * 24-bit number below it.
 */
export const REGISTER_TYPES = {
  uint16: 1,
  int16: 1,
  sm16: 1,
  bcd16: 1,
  uint32: 2,
  int32: 2,
  sm32: 2,
  bcd32: 2,
  float32: 2,
  exp8_uint24: 2,
  exp8_int24: 2,
  uint48: 3,
  int48: 3,
  bcd48: 3,
  uint64: 4,
  int64: 4,
  bcd64: 4,
  float64: 4,
} as const;
export type NumberType = keyof typeof REGISTER_TYPES;
export type RegisterType = NumberType | 'ascii';

/** Units of active energy and what one of them is in nkWh (1e-9 kWh). */
export const ENERGY_UNITS = { Wh: 1_000_000n, kWh: 1_000_000_000n, MWh: 1_000_000_000_000n } as const;
export type EnergyUnit = keyof typeof ENERGY_UNITS;

const UNITS = [
  'V',
  'A',
  'W',
  'VA',
  'var',
  'Hz',
  'Wh',
  'kWh',
  'MWh',
  'varh',
  'kvarh',
  'Mvarh',
  'degC',
  '1',
] as const;

const address = z
  .string()
  .regex(/^0x[0-9A-F]{4}$/, 'must look like 0x0048 (0x and four hexadecimal digits, capitals)')
  .describe('Protocol start address as it goes over the wire, 0-based, for example 0x0048');

const functionCode = z
  .union([z.literal(3), z.literal(4)])
  .describe('Modbus function: 3 holding registers, 4 input registers');

const numberTypes = Object.keys(REGISTER_TYPES) as [NumberType, ...NumberType[]];

const order = z.enum(['high-first', 'low-first']);

const factor = z
  .string()
  .regex(/^[0-9]+(\.[0-9]{1,9})?$/, 'must be a decimal number as text, for example "0.01"')
  .refine((text) => /[1-9]/.test(text), 'must not be zero');

const rawContent = z
  .string()
  .regex(
    /^0x[0-9A-F]{4}(?:[0-9A-F]{4}){0,3}$/,
    'must look like 0xFFFF, four hexadecimal digits for each register',
  );

const bits = {
  address,
  word_order: order.optional().describe('Where it differs from `modbus.word_order`'),
  byte_order: order.optional().describe('Where it differs from `modbus.byte_order`'),
  not_available: z
    .union([rawContent, z.array(rawContent).min(1)])
    .optional()
    .describe('Raw contents (most significant digit first) by which the meter says that it has no value'),
};

const partSchema = z.strictObject({
  ...bits,
  type: z.enum(numberTypes).describe('What the content is'),
  unit: z.enum(UNITS).optional().describe("Where it differs from the quantity's"),
  scale: factor.optional().describe('Decimal factor: value = raw x scale in the unit. Default: 1'),
  invert: z.boolean().optional().describe('Subtract instead of add'),
});

const scaleBySchema = z
  .strictObject({
    ...bits,
    type: z.enum(numberTypes).describe('What the content is'),
    kind: z
      .enum(['exponent', 'factor', 'choice'])
      .describe(
        '`exponent`: value x 10^content (SunSpec scale factors). `factor`: value x content x scale (transformer ratios). `choice`: value x the factor that `choices` names for the content (unit registers)',
      ),
    scale: factor.optional().describe('For `factor`. Default: 1'),
    choices: z
      .record(z.string().regex(/^-?\d+$/), factor)
      .optional()
      .describe('For `choice`: content (decimal) to factor. Another content is no value'),
  })
  .refine((one) => (one.kind === 'choice') === (one.choices !== undefined), {
    path: ['choices'],
    message: 'belongs to kind "choice", which needs it',
  });

export const registerSchema = z
  .strictObject({
    name: z.string().min(1).describe("The manufacturer's name of the parameter"),
    number: z
      .int()
      .optional()
      .describe(
        "The manufacturer's register number, where the document gives one besides the address: address + 1, + 30001 or 300001 (input registers), + 40001 or 400001 (holding registers)",
      ),
    ...bits,
    function_code: functionCode.optional().describe('Where it differs from `modbus.function_code`'),
    type: z.enum([...numberTypes, 'ascii']).describe('What the content is'),
    length: z.int().min(1).max(64).optional().describe('Registers of an ascii text'),
    unit: z.enum(UNITS).describe('Unit of the value after scaling; "1" for plain numbers and texts'),
    scale: factor
      .default('1')
      .describe('Decimal factor: value = raw x scale in the unit. Text, so that it stays exact'),
    invert: z
      .boolean()
      .optional()
      .describe('The meter signs it the other way round: the value is multiplied by -1'),
    plus: z
      .array(partSchema)
      .min(1)
      .optional()
      .describe('Further registers that are added: phases, or the fraction of a whole number'),
    scale_by: z
      .array(scaleBySchema)
      .min(1)
      .optional()
      .describe('Registers whose content scales the (summed) value'),
    rollover_at: factor
      .optional()
      .describe(
        'Energy: the first value (in the unit) that the register cannot show; after it it starts from 0. Default: what the integer type can hold; a float has none',
      ),
    resettable: z
      .boolean()
      .optional()
      .describe('Energy: whoever operates the meter or its bus can set the register to zero'),
  })
  .superRefine((register, context) => {
    const fail = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { number, address: text, function_code: code, type } = register;
    if (number !== undefined) {
      const offsets =
        code === 3
          ? [1, 40_001, 400_001]
          : code === 4
            ? [1, 30_001, 300_001]
            : [1, 30_001, 300_001, 40_001, 400_001];
      if (!offsets.includes(number - Number(text))) {
        fail(
          'number',
          `disagrees with address ${text}: it would be one of ${offsets.map((o) => o + Number(text)).join(', ')}`,
        );
      }
    }
    if ((type === 'ascii') !== (register.length !== undefined)) {
      fail('length', 'belongs to type "ascii", which needs it');
    }
    if (type === 'ascii' && (register.plus ?? register.scale_by) !== undefined) {
      fail('type', 'a text has no `plus` and no `scale_by`');
    }
    for (const field of ['rollover_at', 'resettable'] as const) {
      if (register[field] !== undefined && !(register.unit in ENERGY_UNITS)) {
        fail(field, 'belongs to active energy only (Wh, kWh, MWh)');
      }
    }
  });
export type RegisterDefinition = z.infer<typeof registerSchema>;

const quantity = z.enum(QUANTITIES);

const roleSchema = z.strictObject({
  consumed: quantity.optional().describe('Register of energy drawn'),
  produced: quantity.optional().describe('Register of energy given'),
  power: quantity.describe('Power for display'),
  wiring: z.string().describe('How the meter must be connected for this to hold'),
});

const probeSchema = z
  .strictObject({
    name: z.string().min(1).describe('What is looked at'),
    function_code: functionCode,
    ...bits,
    type: z.enum([...numberTypes, 'ascii']).describe('What the content is'),
    length: z.int().min(1).max(64).optional().describe('Registers of an ascii text'),
    equals: z
      .array(z.union([z.int(), z.string()]))
      .min(1)
      .optional()
      .describe('Any of these: numbers, or texts (without the blanks and zeros around them)'),
    matches: z.string().min(1).optional().describe('Texts: a regular expression'),
    least: z.number().optional().describe('Numbers: not below (unscaled content)'),
    most: z.number().optional().describe('Numbers: not above (unscaled content)'),
    block: z
      .strictObject({ address, count: z.int().min(1).max(125).describe('Number of registers') })
      .optional()
      .describe('The registers that must be read at once to get it, where the device wants that'),
    example: z
      .union([z.int(), z.string()])
      .optional()
      .describe('Where `equals` is missing: a content that fits, for simulated devices'),
    source: z.string().min(1).describe('Where this is known from'),
  })
  .superRefine((probe, context) => {
    const fail = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if ((probe.type === 'ascii') !== (probe.length !== undefined)) {
      fail('length', 'belongs to type "ascii", which needs it');
    }
    if ([probe.equals, probe.matches, probe.least, probe.most].every((one) => one === undefined)) {
      fail('equals', 'a probe needs `equals`, `matches`, `least` or `most`');
    }
    if (probe.matches !== undefined) {
      if (probe.type !== 'ascii') fail('matches', 'is for texts');
      try {
        new RegExp(probe.matches, 'u');
      } catch (error) {
        fail('matches', (error as Error).message);
      }
    }
    if (probe.type === 'ascii' && (probe.least ?? probe.most) !== undefined)
      fail('type', 'least and most are for numbers');
    if (probe.matches !== undefined && probe.example !== undefined) {
      if (!safeTest(probe.matches, String(probe.example))) fail('example', 'does not match');
    }
    if (probe.block !== undefined) {
      const first = Number(probe.address) - Number(probe.block.address);
      if (first < 0 || first + wordCount(probe) > probe.block.count)
        fail('block', 'does not contain the probe');
    }
    for (const value of probe.equals ?? []) {
      if ((typeof value === 'string') !== (probe.type === 'ascii')) {
        fail('equals', 'must be texts for ascii and numbers for every other type');
      }
    }
  });
export type Probe = z.infer<typeof probeSchema>;

const assumptionSchema = z
  .strictObject({
    name: z.string().min(1).describe('The setting'),
    function_code: functionCode,
    ...bits,
    type: z.enum(numberTypes).describe('What the content is'),
    equals: z.array(z.int()).min(1).describe('Contents for which this profile is right'),
    otherwise: z.string().min(1).describe('What is wrong, and what to do, when it holds something else'),
  })
  .describe('A setting of the meter on which the registers depend');
export type Assumption = z.infer<typeof assumptionSchema>;

/** How well a profile is founded, best first. */
export const VERIFIED = {
  document: "the manufacturer's document itself was read",
  'two-transcriptions': 'two independent public transcriptions agree; the document itself was not read',
  'one-transcription': 'one public transcription; nothing to compare it with',
} as const;

/** How sure a match is, best first. */
export const CERTAINTIES = {
  model: 'an identification register names the model',
  family: 'an identification register names the family; several models share it',
  signature: 'no identification register: only what its registers plausibly hold',
  none: 'cannot be told apart by reading',
} as const;
export type Certainty = keyof typeof CERTAINTIES;

/** One meter model. */
export const profileSchema = z
  .strictObject({
    $schema: z.string().optional(),
    id: z
      .string()
      .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be small letters and digits, in parts joined by "-"')
      .describe('Name of the profile and of its file, `<manufacturer>-<model>`'),
    kind: z.enum(['meter', 'inverter']).describe('What the device is'),
    manufacturer: z.string().min(1).describe('Maker'),
    model: z.string().min(1).describe('Model, as the maker writes it'),
    phases: z.union([z.literal(1), z.literal(3)]).describe('Phases that are measured'),
    verified: z.enum(Object.keys(VERIFIED) as [keyof typeof VERIFIED, ...(keyof typeof VERIFIED)[]]).describe(
      Object.entries(VERIFIED)
        .map(([name, text]) => `\`${name}\`: ${text}`)
        .join('. '),
    ),
    sources: z
      .array(
        z.strictObject({
          title: z.string().min(1).describe('Title of the document'),
          revision: z.string().min(1).describe('Revision or date of the document'),
          section: z.string().optional().describe('Sections, tables, pages'),
          url: z.url().optional().describe('Where it was found'),
          read: z
            .enum(['original', 'transcription'])
            .default('original')
            .describe('Whether this itself was read, or what somebody else transcribed from it'),
          for: z.string().min(1).describe('What was taken from it'),
        }),
      )
      .min(1)
      .describe('Where everything in this file was taken from'),
    transports: z
      .array(z.enum(['rtu', 'tcp', 'rtu_over_tcp']))
      .min(1)
      .describe('What the device itself speaks. Gateways between may add others'),
    rated: z
      .strictObject({
        voltage_volts: z.number().positive().optional().describe('Highest voltage of a phase to neutral'),
        current_amperes: z.number().positive().optional().describe('Highest current for each phase'),
        power_watts: z.number().positive().optional().describe('Highest power, all phases'),
      })
      .optional()
      .describe("The model's documented limits, where the document gives them"),
    power_sign: z
      .enum(['import', 'generation', 'unsigned'])
      .default('import')
      .describe(
        'What a positive power means after `invert`: `import` drawn (meters), `generation` given (inverters), `unsigned` the meter does not tell',
      ),
    modbus: z
      .strictObject({
        function_code: functionCode,
        word_order: order.describe('Order of the 16-bit registers of one value'),
        byte_order: order
          .optional()
          .describe('Order of the bytes of a register. Default: high-first, as Modbus wants it'),
        max_registers_per_request: z
          .int()
          .min(1)
          .max(125)
          .describe('Longest request that the device answers'),
        even_requests: z.boolean().describe('Start address and register count must both be even'),
        min_gap_ms: z.int().min(0).max(5000).describe('Least time between an answer and the next request'),
        response_timeout_ms: z
          .int()
          .min(50)
          .max(10_000)
          .describe('So long an answer may take before the request counts as lost'),
        unit: z.int().min(0).max(255).default(1).describe('Modbus address that the device is delivered with'),
        serial: z
          .strictObject({
            baud_rate: z.int().positive().describe('Bits per second'),
            data_bits: z.union([z.literal(7), z.literal(8)]).describe('Data bits'),
            parity: z.enum(['none', 'even', 'odd']).describe('Parity'),
            stop_bits: z.union([z.literal(1), z.literal(2)]).describe('Stop bits'),
            alternatives: z
              .array(
                z.strictObject({
                  baud_rate: z.int().positive().describe('Bits per second'),
                  parity: z.enum(['none', 'even', 'odd']).describe('Parity'),
                  stop_bits: z
                    .union([z.literal(1), z.literal(2)])
                    .optional()
                    .describe('Stop bits. Default: as delivered'),
                }),
              )
              .optional()
              .describe('Other settings that are common, for a scan, likeliest first'),
          })
          .default({ baud_rate: 9600, data_bits: 8, parity: 'none', stop_bits: 1 })
          .describe('Serial settings that the device is delivered with'),
      })
      .describe('How the device is read'),
    sunspec: z
      .strictObject({
        models: z.array(z.int().min(1).max(65_535)).min(1).describe('Any of these models has this layout'),
      })
      .optional()
      .describe(
        'The device is found by its SunSpec model chain: addresses in this profile are offsets from the first register of the model (its id)',
      ),
    /** Address ranges (first and last, inclusive) that may be read across in one request. */
    readable: z
      .array(z.strictObject({ function_code: functionCode, first: address, last: address }))
      .min(1)
      .describe('Address ranges (first and last, inclusive) that one request may read across'),
    registers: z
      .partialRecord(quantity, registerSchema)
      .describe('The registers, by the quantity that they hold'),
    assumes: z.array(assumptionSchema).optional().describe('Settings of the meter that must hold'),
    identification: z
      .strictObject({
        certainty: z.enum(Object.keys(CERTAINTIES) as [Certainty, ...Certainty[]]).describe(
          Object.entries(CERTAINTIES)
            .map(([name, text]) => `\`${name}\`: ${text}`)
            .join('. '),
        ),
        probes: z.array(probeSchema).default([]).describe('All of them must hold'),
        note: z.string().optional().describe('What a person should know about it'),
      })
      .describe('How a scan recognises the device'),
    roles: z
      .strictObject({
        grid: roleSchema.optional().describe('At the grid connection: both directions'),
        production: roleSchema.optional().describe('Behind what produces'),
        consumption: roleSchema.optional().describe('Before what consumes'),
      })
      .describe('What the device can be used for'),
    notes: z.array(z.string()).default([]).describe('What else an installer should know'),
  })
  .superRefine((profile, context) => {
    const fail = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const { readable, modbus } = profile;
    for (const [name, register] of Object.entries(profile.registers)) {
      const code = register.function_code ?? modbus.function_code;
      const pieces = registerPieces(register);
      const first = Math.min(...pieces.map((piece) => piece.first));
      const last = Math.max(...pieces.map((piece) => piece.last));
      const covered = readable.some(
        (range) => range.function_code === code && Number(range.first) <= first && last <= Number(range.last),
      );
      if (!covered) {
        const what = `function code ${code}, ${hex(first)} to ${hex(last)}`;
        fail(
          ['registers', name, 'address'],
          pieces.length === 1
            ? `lies outside the readable ranges (${what})`
            : `its registers do not lie in one readable range (${what}): they must come in one answer`,
        );
      }
      if (last - first >= modbus.max_registers_per_request) {
        fail(
          ['registers', name, 'address'],
          `is longer than one request (${modbus.max_registers_per_request} registers)`,
        );
      }
      if (modbus.even_requests && first % 2 !== 0) {
        fail(['registers', name, 'address'], 'must be even: the meter answers no other');
      }
      const text = TEXTS.has(name);
      if (text && register.type !== 'ascii') fail(['registers', name, 'type'], 'must be ascii');
      if (!text && register.type === 'ascii' && name !== 'serial_number') {
        fail(['registers', name, 'type'], 'must be a number');
      }
      if (register.type === 'ascii' && register.unit !== '1')
        fail(['registers', name, 'unit'], 'a text has unit "1"');
      const unit = unitsOf(name);
      for (const [index, used] of [
        register.unit,
        ...(register.plus ?? []).map((part) => part.unit),
      ].entries()) {
        if (used === undefined || unit === undefined || unit.includes(used)) continue;
        fail(
          ['registers', name, ...(index === 0 ? [] : ['plus', index - 1]), 'unit'],
          `must be ${unit.join(' or ')}`,
        );
      }
    }
    for (const [index, range] of readable.entries()) {
      const length = Number(range.last) - Number(range.first) + 1;
      if (length < 1 || (modbus.even_requests && (length % 2 !== 0 || Number(range.first) % 2 !== 0))) {
        fail(['readable', index], 'must be a range, even where the meter wants even requests');
      }
    }
    const { certainty, probes } = profile.identification;
    if ((certainty === 'none') !== (probes.length === 0) && profile.sunspec === undefined) {
      fail(['identification', 'probes'], 'belong to every certainty but "none"');
    }
    for (const [role, definition] of Object.entries(profile.roles)) {
      if (definition === undefined) continue;
      for (const field of ['consumed', 'produced', 'power'] as const) {
        const used = definition[field];
        if (used === undefined) continue;
        const register = profile.registers[used];
        const energy = used.startsWith('energy_');
        if (register === undefined) fail(['roles', role, field], `${used} is not among the registers`);
        else if (field === 'power' ? register.unit !== 'W' : !energy) {
          fail(['roles', role, field], `${used} has the wrong unit`);
        } else if (used === 'energy_net') {
          fail(['roles', role, field], 'energy_net falls as well as rises: nothing can be counted by it');
        }
      }
    }
    const grid = profile.roles.grid;
    if (grid !== undefined) {
      if (grid.consumed === undefined || grid.produced === undefined) {
        fail(['roles', 'grid'], 'needs consumed and produced');
      } else if (grid.consumed === grid.produced || [grid.consumed, grid.produced].includes('energy_total')) {
        fail(['roles', 'grid'], 'needs one register for each direction');
      }
    }
    if (profile.roles.production !== undefined && profile.roles.production.produced === undefined) {
      fail(['roles', 'production'], 'needs produced');
    }
    if (profile.roles.consumption !== undefined && profile.roles.consumption.consumed === undefined) {
      fail(['roles', 'consumption'], 'needs consumed');
    }
    if (Object.keys(profile.roles).length === 0) fail(['roles'], 'needs at least one role');
  });

export type MeterProfile = z.infer<typeof profileSchema>;

/** One stretch of registers that a value is made of, in the order in which `wordsOf` hands them out. */
export interface RegisterPiece {
  /** 0-based protocol address of its first and last register. */
  first: number;
  last: number;
}

/** The registers that a quantity is made of: its own, then `plus`, then `scale_by`. */
export function registerPieces(
  register: Pick<RegisterDefinition, 'address' | 'type' | 'length' | 'plus' | 'scale_by'>,
): RegisterPiece[] {
  return [register, ...(register.plus ?? []), ...(register.scale_by ?? [])].map((piece) => {
    const first = Number(piece.address);
    return { first, last: first + wordCount(piece) - 1 };
  });
}

/** Whether a text fits a pattern; false for a pattern that is none. */
function safeTest(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    return false;
  }
}

/** Length of one value in 16-bit registers. */
export function wordCount(piece: { type: RegisterType; length?: number | undefined }): number {
  return piece.type === 'ascii' ? (piece.length ?? 1) : REGISTER_TYPES[piece.type];
}

const TEXTS: ReadonlySet<string> = new Set(['manufacturer_name', 'model_name', 'firmware_version']);

/** The units that a quantity may have. */
function unitsOf(name: string): readonly string[] | undefined {
  if (name.startsWith('energy_')) return ['Wh', 'kWh', 'MWh'];
  if (name.startsWith('reactive_energy_')) return ['varh', 'kvarh', 'Mvarh'];
  if (name.startsWith('voltage_')) return ['V'];
  if (name.startsWith('current_')) return ['A'];
  if (name.startsWith('apparent_power_')) return ['VA'];
  if (name.startsWith('reactive_power_')) return ['var'];
  if (name.startsWith('power_factor_')) return ['1'];
  if (name.startsWith('power_')) return ['W'];
  if (name === 'frequency') return ['Hz'];
  if (name === 'temperature') return ['degC'];
  return ['1'];
}

function hex(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(4, '0')}`;
}
