import { z } from 'zod';

/**
 * The quantities that a profile may map, by the names that gateways use. Powers are signed where the meter
 * signs them; `energy_*` only rise.
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
  'voltage_average',
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
  'energy_total',
  'reactive_energy_total',
  'serial_number',
  'meter_code',
] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** Register types and their length in 16-bit registers. */
export const REGISTER_TYPES = {
  uint16: 1,
  int16: 1,
  uint32: 2,
  int32: 2,
  uint64: 4,
  int64: 4,
  float32: 2,
} as const;
export type RegisterType = keyof typeof REGISTER_TYPES;

/** Units of active energy and what one of them is in nkWh (1e-9 kWh). */
export const ENERGY_UNITS = { Wh: 1_000_000n, kWh: 1_000_000_000n, MWh: 1_000_000_000_000n } as const;
export type EnergyUnit = keyof typeof ENERGY_UNITS;

const address = z
  .string()
  .regex(/^0x[0-9A-F]{4}$/)
  .describe('Protocol start address as it goes over the wire, 0-based, for example 0x0048');

export const registerSchema = z
  .strictObject({
    name: z.string().min(1).describe("The manufacturer's name of the parameter"),
    number: z
      .int()
      .optional()
      .describe("The manufacturer's register number (30073 is address 0x0048 of the input registers)"),
    address,
    function_code: z
      .union([z.literal(3), z.literal(4)])
      .optional()
      .describe('Where it differs from modbus.function_code'),
    type: z.enum(Object.keys(REGISTER_TYPES) as [RegisterType, ...RegisterType[]]),
    unit: z.enum(['V', 'A', 'W', 'VA', 'var', 'Hz', 'Wh', 'kWh', 'MWh', 'kvarh', '1']),
    scale: z
      .string()
      .regex(/^[0-9]+(\.[0-9]{1,9})?$/)
      .refine((text) => /[1-9]/.test(text), 'must not be zero')
      .default('1')
      .describe('Decimal factor: value = raw x scale in the unit. Text, so that it stays exact'),
    not_available: z
      .string()
      .regex(/^0x[0-9A-F]{4}(?:[0-9A-F]{4}){0,3}$/)
      .optional()
      .describe('Raw content by which the meter says that it has no value'),
  })
  .refine(
    ({ number, address: text, function_code: code }) =>
      number === undefined ||
      (code === 3 ? [40_001, 400_001] : [30_001, 300_001]).includes(number - Number(text)),
    'number and address disagree (input registers: 30001 + address, holding registers: 40001 or 400001 + address)',
  );
export type RegisterDefinition = z.infer<typeof registerSchema>;

const quantity = z.enum(QUANTITIES);

const roleSchema = z.strictObject({
  consumed: quantity.optional().describe('Register of energy drawn'),
  produced: quantity.optional().describe('Register of energy given'),
  power: quantity.describe('Power for display'),
  wiring: z.string().describe('How the meter must be connected for this to hold'),
});

/** One meter model. */
export const profileSchema = z
  .strictObject({
    $schema: z.string().optional(),
    id: z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/),
    manufacturer: z.string().min(1),
    model: z.string().min(1),
    phases: z.union([z.literal(1), z.literal(3)]),
    sources: z
      .array(
        z.strictObject({
          title: z.string().min(1),
          revision: z.string().min(1),
          section: z.string().optional(),
          url: z.url().optional(),
          for: z.string().min(1).describe('What was taken from it'),
        }),
      )
      .min(1),
    modbus: z.strictObject({
      function_code: z.union([z.literal(3), z.literal(4)]),
      word_order: z
        .enum(['high-first', 'low-first'])
        .describe('Order of the 16-bit registers of one value; bytes within a register are high first'),
      max_registers_per_request: z.int().min(1).max(125),
      even_requests: z.boolean().describe('Start address and register count must both be even'),
      min_gap_ms: z.int().min(0).max(5000).describe('Least time between an answer and the next request'),
      response_timeout_ms: z.int().min(50).max(10_000),
      serial: z.strictObject({
        baud_rate: z.int().positive(),
        data_bits: z.union([z.literal(7), z.literal(8)]),
        parity: z.enum(['none', 'even', 'odd']),
        stop_bits: z.union([z.literal(1), z.literal(2)]),
      }),
    }),
    /** Address ranges (first and last, inclusive) that may be read across in one request. */
    readable: z
      .array(
        z.strictObject({
          function_code: z.union([z.literal(3), z.literal(4)]),
          first: address,
          last: address,
        }),
      )
      .min(1),
    registers: z.partialRecord(quantity, registerSchema),
    identification: z.strictObject({
      meter_codes: z
        .array(z.strictObject({ code: z.string().regex(/^0x[0-9A-F]{4}$/), source: z.string() }))
        .default([]),
      note: z.string().optional(),
    }),
    roles: z.strictObject({
      grid: roleSchema.optional(),
      production: roleSchema.optional(),
      consumption: roleSchema.optional(),
    }),
    notes: z.array(z.string()).default([]),
  })
  .superRefine((profile, context) => {
    const fail = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [name, register] of Object.entries(profile.registers)) {
      const first = Number(register.address);
      const count = REGISTER_TYPES[register.type];
      const code = register.function_code ?? profile.modbus.function_code;
      const covered = profile.readable.some(
        (range) =>
          range.function_code === code &&
          Number(range.first) <= first &&
          first + count - 1 <= Number(range.last),
      );
      if (!covered) fail(['registers', name], 'lies outside the readable ranges');
      if (profile.modbus.even_requests && first % 2 !== 0) {
        fail(['registers', name, 'address'], 'must be even: the meter answers no other');
      }
      if (name.startsWith('energy_') && !(register.unit in ENERGY_UNITS)) {
        fail(['registers', name, 'unit'], 'must be Wh, kWh or MWh');
      }
    }
    for (const [index, range] of profile.readable.entries()) {
      const length = Number(range.last) - Number(range.first) + 1;
      if (
        length < 1 ||
        (profile.modbus.even_requests && (length % 2 !== 0 || Number(range.first) % 2 !== 0))
      ) {
        fail(['readable', index], 'must be a range, even where the meter wants even requests');
      }
    }
    for (const [role, definition] of Object.entries(profile.roles)) {
      if (definition === undefined) continue;
      for (const field of ['consumed', 'produced', 'power'] as const) {
        const used = definition[field];
        if (used === undefined) continue;
        const register = profile.registers[used];
        if (register === undefined) fail(['roles', role, field], `${used} is not among the registers`);
        else if (field === 'power' ? register.unit !== 'W' : !(register.unit in ENERGY_UNITS)) {
          fail(['roles', role, field], `${used} has the wrong unit`);
        }
      }
    }
    const grid = profile.roles.grid;
    if (grid !== undefined && (grid.consumed === undefined || grid.produced === undefined)) {
      fail(['roles', 'grid'], 'needs consumed and produced');
    }
    if (profile.roles.production !== undefined && profile.roles.production.produced === undefined) {
      fail(['roles', 'production'], 'needs produced');
    }
    if (profile.roles.consumption !== undefined && profile.roles.consumption.consumed === undefined) {
      fail(['roles', 'consumption'], 'needs consumed');
    }
  });

export type MeterProfile = z.infer<typeof profileSchema>;
