import { z } from 'zod';

const port = z.int().min(0).max(65_535).default(0).describe('TCP port; 0 takes a free one');
const host = z.string().min(1).default('127.0.0.1').describe('Address to listen on');
const link = z.string().min(1).describe('Path of the link to the serial device that a gateway opens');
const watts = z.number().min(0).max(1_000_000);

/** A home's sun and load, from which its meters' powers follow. */
export const scenarioSchema = z
  .strictObject({
    solar_watts: watts.default(8000).describe('Power of the solar system at noon without clouds'),
    household_watts: watts.default(500).describe('Mean power of the household over a day'),
    shape: z
      .enum(['day', 'noon', 'flat'])
      .default('day')
      .describe(
        'day: sun and habits over the day. noon: the sun stands still at noon, clouds pass (never below 55 percent). flat: exactly the given powers',
      ),
  })
  .prefault({})
  .describe('The home that the meter is in');
export type Scenario = z.infer<typeof scenarioSchema>;

const unitSchema = z.strictObject({
  unit: z.int().min(1).max(247).describe('Modbus unit id (V1.1b3: 1 to 247)'),
  profile: z.string().min(1).default('eastron-sdm630').describe('Meter model, an id of firmware-profiles'),
  role: z
    .enum(['grid', 'production', 'consumption'])
    .default('grid')
    .describe(
      'What the meter measures: the grid connection in both directions, the solar system, or the household',
    ),
  site: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Units of the same site see the same sun and household; each unit is a site of its own by default',
    ),
  scenario: scenarioSchema,
  serial_number: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .optional()
    .describe('What the meter identifies itself with; 20000000 and the unit id when left out'),
});

/** Configuration of the simulator. */
export const SimulatorConfig = z
  .strictObject({
    transport: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('tcp').describe('Modbus TCP'), host, port }),
        z.strictObject({ type: z.literal('pty').describe('Modbus RTU on a serial line; needs socat'), link }),
        z.strictObject({
          type: z.literal('auto').describe('A serial line where socat is installed, otherwise Modbus TCP'),
          link,
          host,
          port,
        }),
      ])
      .prefault({ type: 'tcp' })
      .describe('Where the meters answer; Modbus TCP on a free port when left out'),
    seed: z
      .union([z.string(), z.number()])
      .transform(String)
      .default('1')
      .describe('The same seed gives the same sun, clouds and household; 1 when left out'),
    day_seconds: z
      .number()
      .min(10)
      .max(86_400)
      .default(86_400)
      .describe(
        'Length of a simulated day. Only the shape of the day is shortened: energy stays power times real time',
      ),
    start_time: z
      .string()
      .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/)
      .default('09:00')
      .describe(
        'Time of day at which a shortened day begins when the simulator starts (a real day follows UTC)',
      ),
    state_file: z
      .string()
      .min(1)
      .optional()
      .describe('Where energy registers survive a restart; without it they begin at zero'),
    units: z
      .array(unitSchema)
      .min(1)
      .max(247)
      .prefault([{ unit: 1 }])
      .describe('The meters on the line; one with unit id 1 when left out'),
    control: z
      .strictObject({ host, port })
      .optional()
      .describe('HTTP control and metrics, on loopback by default'),
  })
  .refine((config) => new Set(config.units.map((unit) => unit.unit)).size === config.units.length, {
    path: ['units'],
    message: 'each unit id may occur once',
  });
export type SimulatorConfig = z.infer<typeof SimulatorConfig>;
/** What a user may write: every setting has a default. */
export type SimulatorConfigInput = z.input<typeof SimulatorConfig>;
export type UnitConfig = SimulatorConfig['units'][number];
