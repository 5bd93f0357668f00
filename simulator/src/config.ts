import { u64Text } from '@gridtokenx/protocol';
import { z } from 'zod';
import { FaultRules } from './fault-plan.js';
import { partName, placeSchema, siteSchema } from './site-schema.js';

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
  .describe('A simple home for the meter, where its `site` is not described under `sites`');
export type Scenario = z.infer<typeof scenarioSchema>;

const siteName = z.string().min(1).max(64);

const unitSchema = z.strictObject({
  unit: z.int().min(1).max(247).describe('Modbus unit id (V1.1b3: 1 to 247)'),
  profile: z
    .string()
    .min(1)
    .default('eastron-sdm630')
    .describe('Meter model: the id of a profile that comes along, or of one in `profiles`'),
  role: z
    .enum(['grid', 'production', 'consumption'])
    .default('grid')
    .describe(
      'What the meter measures: the grid connection in both directions, the solar system, or the household',
    ),
  site: siteName
    .optional()
    .describe(
      'One of `sites`, or any name: units of the same site see the same powers; each unit is a site of its own by default',
    ),
  of: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Names of the parts of its site that the meter measures; all when left out'),
  scenario: scenarioSchema,
  serial_number: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .optional()
    .describe('What the meter identifies itself with; 20000000 and the unit id when left out'),
  registers: z
    .strictObject({
      import_nkwh: u64Text.optional().describe('Import register of a new meter in nkWh; 0 when left out'),
      export_nkwh: u64Text.optional().describe('Export register of a new meter in nkWh; 0 when left out'),
      rollover_in_nkwh: u64Text
        .optional()
        .describe('Both registers begin so far below the end at which they start again from zero'),
    })
    .optional()
    .describe('Where the registers begin, if not at zero'),
});

/** Configuration of the simulator. */
export const SimulatorConfig = z
  .strictObject({
    transport: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('tcp').describe('Modbus TCP'), host, port }),
        z.strictObject({ type: z.literal('rtu_over_tcp').describe('RTU frames over TCP'), host, port }),
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
        'Length of a simulated day in seconds of real time: below 86400 time is lapsed. See `energy_time`',
      ),
    energy_time: z
      .enum(['real', 'simulated'])
      .default('real')
      .describe(
        'Energy is power times this time. real: a shortened day has only its shape, and no meter claims more than its power. simulated: a shortened day has the energy of a whole one, and registers rise as much faster',
      ),
    date: z.iso
      .date()
      .optional()
      .describe(
        'Local date on which the simulation begins, for the sun and the habits of that day; today when left out',
      ),
    start_time: z
      .string()
      .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/)
      .default('09:00')
      .describe(
        'Local time at which the simulation begins, where `date` is given or the day is shortened (otherwise it follows the clock)',
      ),
    state_file: z
      .string()
      .min(1)
      .optional()
      .describe('Where energy registers survive a restart; without it they begin at zero'),
    place: placeSchema,
    sites: z
      .record(siteName, siteSchema)
      .default({})
      .describe('Homes in detail: what produces, consumes and stores there, by name'),
    profiles: z
      .array(z.string().min(1))
      .default([])
      .describe('Own meter profiles: folders or files, relative to the scenario file'),
    faults: FaultRules.default([]).describe('What goes wrong, by schedule or by chance'),
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
  .superRefine((config, context) => {
    const fail = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const units = new Set<number>();
    config.units.forEach((unit, index) => {
      if (units.has(unit.unit)) fail(['units', index, 'unit'], 'each unit id may occur once');
      units.add(unit.unit);
      const site = unit.site === undefined ? undefined : config.sites[unit.site];
      if (unit.of !== undefined && site === undefined) {
        fail(['units', index, 'of'], 'needs a site that is described under sites');
      }
      const names = site?.parts.map(partName) ?? [];
      for (const part of unit.of ?? []) {
        if (site === undefined || names.includes(part)) continue;
        fail(['units', index, 'of'], `site ${unit.site} has no part "${part}"; it has ${names.join(', ')}`);
      }
      const { registers } = unit;
      if (registers?.rollover_in_nkwh !== undefined && (registers.import_nkwh ?? registers.export_nkwh)) {
        fail(['units', index, 'registers'], 'give either rollover_in_nkwh or the registers');
      }
    });
    config.faults.forEach((rule, index) => {
      if (rule.unit === undefined || units.has(rule.unit)) return;
      fail(['faults', index, 'unit'], `there is no unit ${rule.unit}`);
    });
    if (config.energy_time === 'simulated' && config.day_seconds === 86_400) {
      fail(['energy_time'], 'only a shortened day (day_seconds) has a simulated time of its own');
    }
  });
export type SimulatorConfig = z.infer<typeof SimulatorConfig>;
/** What a user may write: every setting has a default. */
export type SimulatorConfigInput = z.input<typeof SimulatorConfig>;
export type UnitConfig = SimulatorConfig['units'][number];
