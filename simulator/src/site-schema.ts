/** What a simulated site is made of, as a scenario file writes it. */
import { z } from 'zod';
import { ZoneClock } from './model/place.js';
import { TURBULENCE } from './model/weather.js';

const watts = z.number().min(0).max(1_000_000);
const clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, HH:MM');
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/)
  .optional()
  .describe('What `units[].of` and the plot call it; its type when left out');

export const placeSchema = z
  .strictObject({
    latitude: z.number().min(-66).max(66).default(52.5).describe('Degrees, north positive'),
    longitude: z.number().min(-180).max(180).default(13.4).describe('Degrees, east positive'),
    timezone: z
      .string()
      .refine((zone) => {
        try {
          new ZoneClock(zone);
          return true;
        } catch {
          return false;
        }
      }, 'is not a time zone (an IANA name such as Europe/Berlin)')
      .default('Europe/Berlin')
      .describe('Whose clocks people live by (IANA name)'),
  })
  .prefault({})
  .describe('Where the sites are: for sun, clocks and weather');

const weatherSchema = z
  .strictObject({
    cloud_cover: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Mean cover of the sky: 0 never a cloud, 1 always overcast'),
    wind_speed: z.number().min(0).max(30).default(5).describe('Mean wind at the turbine, m/s'),
    mean_celsius: z.number().min(-30).max(40).default(9.5).describe('Mean temperature of the year'),
    yearly_kelvin: z
      .number()
      .min(0)
      .max(40)
      .default(9.5)
      .describe('From the mean to the coldest or warmest day'),
    daily_kelvin: z
      .number()
      .min(0)
      .max(20)
      .default(4)
      .describe('From the mean to the coldest or warmest hour'),
  })
  .prefault({})
  .describe('Clouds, wind and temperature');

const solar = z.strictObject({
  type: z
    .literal('solar')
    .describe("Solar modules: the sun's position, clear sky, clouds, and the plane of the modules"),
  name,
  peak_watts: watts.default(8000).describe('Power at 1,000 W/m2'),
  tilt_degrees: z.number().min(0).max(90).default(35).describe('From the horizontal'),
  azimuth_degrees: z.number().min(0).max(360).default(180).describe('Clockwise from north: 180 faces south'),
  inverter_watts: watts.optional().describe('Most that the inverter gives; no limit when left out'),
  performance_ratio: z
    .number()
    .min(0.1)
    .max(1)
    .default(0.85)
    .describe('What heat, cables and inverter leave of it'),
  albedo: z.number().min(0).max(1).default(0.2).describe('Share of light that the ground reflects'),
});

const wind = z.strictObject({
  type: z.literal('wind').describe('A wind turbine: Weibull hours, turbulence, power curve'),
  name,
  rated_watts: watts.default(5000).describe('Most power'),
  cut_in: z.number().min(0).max(20).default(3).describe('m/s from which it gives power'),
  rated_speed: z.number().min(1).max(40).default(11).describe('m/s from which it gives most; a cubic below'),
  cut_out: z.number().min(1).max(60).default(25).describe('m/s from which it stops'),
  curve: z
    .array(z.tuple([z.number().min(0).max(60), watts]))
    .min(2)
    .optional()
    .describe('Power curve as pairs of m/s and W, rising speeds, instead of the cubic'),
  turbulence: z
    .enum(Object.keys(TURBULENCE) as [keyof typeof TURBULENCE, ...(keyof typeof TURBULENCE)[]])
    .default('B')
    .describe('Class of IEC 61400-1'),
});

const residential = z.strictObject({
  type: z.literal('residential').describe('A household by the standard load profile H0 (VDEW M-32/99)'),
  name,
  kwh_per_year: z.number().min(0).max(1_000_000).default(3500).describe('Consumption of a year'),
  variation: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("How much one home's appliances differ from the mean of many: 0 is the profile itself"),
});

const heatPump = z.strictObject({
  type: z
    .literal('heat_pump')
    .describe('A heat pump that holds 20 degrees: heat loss by temperature, on and off'),
  name,
  rated_watts: watts.default(2500).describe('Electric power while it runs'),
  loss_watts_per_kelvin: z.number().min(0).max(100_000).default(180).describe('Heat that the building loses'),
  heating_below_celsius: z
    .number()
    .min(-20)
    .max(20)
    .default(15)
    .describe('It heats when it is colder outside'),
  flow_celsius: z.number().min(20).max(70).default(35).describe('Temperature of the heating water'),
  carnot_share: z
    .number()
    .min(0.1)
    .max(0.8)
    .default(0.45)
    .describe('Share of the ideal coefficient of performance that it reaches'),
  cycle_minutes: z.number().min(1).max(240).default(30).describe('From one start to the next'),
});

const electricCar = z.strictObject({
  type: z.literal('electric_car').describe('A car that comes home in the evening and charges what it drove'),
  name,
  charge_watts: watts.default(11_000).describe('Power of the wall box'),
  kwh_per_day: z.number().min(0).max(200).default(8).describe('Mean need of a day'),
  arrives: clock.default('18:00').describe('Mean arrival; an hour earlier or later by chance'),
  leaves: clock.default('07:00').describe('Departure, when charging ends'),
});

const battery = z.strictObject({
  type: z
    .literal('battery')
    .describe("A battery that follows the site's surplus: charges with it, gives when there is too little"),
  name,
  capacity_kwh: z.number().min(0.1).max(10_000).default(10).describe('Usable capacity'),
  charge_watts: watts.default(5000).describe('Most power while charging'),
  discharge_watts: watts.default(5000).describe('Most power while giving'),
  efficiency: z.number().min(0.3).max(1).default(0.9).describe('Of charging and discharging together'),
  charged: z.number().min(0).max(1).default(0.5).describe('State of charge at the start'),
});

const constant = z.strictObject({
  type: z.literal('constant').describe('Always the same power'),
  name,
  kind: z.enum(['production', 'consumption']).default('consumption').describe('Given or drawn'),
  watts: watts.describe('Power'),
});

const replay = z.strictObject({
  type: z.literal('replay').describe('Measured data from a CSV file with a header line'),
  name,
  kind: z
    .enum(['production', 'consumption', 'grid'])
    .describe('Given, drawn, or (grid) drawn where positive and given where negative'),
  file: z.string().min(1).describe('Path, relative to the scenario file'),
  time_column: z
    .string()
    .min(1)
    .default('time')
    .describe('Column with ISO 8601 times (with offset, or UTC) or Unix seconds, rising'),
  column: z.string().min(1).default('watts').describe('Column with the values'),
  unit: z
    .enum(['W', 'kW', 'kWh'])
    .default('W')
    .describe('W, kW: power from this row until the next. kWh: a register, rising'),
  separator: z
    .enum([',', ';', '\t'])
    .default(',')
    .describe('Between columns; with `;` a decimal comma is taken'),
  align: z
    .enum(['start', 'time'])
    .default('start')
    .describe('start: the first row is at the start of the simulation. time: each row at its own time'),
  repeat: z.boolean().default(true).describe('After the last row begin again; otherwise nothing flows'),
});

export const partSchema = z.discriminatedUnion('type', [
  solar,
  wind,
  residential,
  heatPump,
  electricCar,
  battery,
  constant,
  replay,
]);
export type Part = z.infer<typeof partSchema>;

export const siteSchema = z.strictObject({
  weather: weatherSchema,
  parts: z
    .array(partSchema)
    .min(1)
    .max(32)
    .superRefine((parts, context) => {
      const names = new Set<string>();
      parts.forEach((part, index) => {
        const own = partName(part);
        if (names.has(own)) {
          context.addIssue({ code: 'custom', path: [index], message: `there are two "${own}": name them` });
        }
        names.add(own);
        if (part.type !== 'wind') return;
        if (!(part.cut_in < part.rated_speed && part.rated_speed < part.cut_out)) {
          context.addIssue({
            code: 'custom',
            path: [index],
            message: 'cut_in, rated_speed and cut_out must rise',
          });
        }
        if (
          part.curve?.some(([speed], point, all) => point > 0 && speed <= (all[point - 1]?.[0] as number))
        ) {
          context.addIssue({ code: 'custom', path: [index, 'curve'], message: 'speeds must rise' });
        }
      });
    })
    .describe('What produces, consumes and stores there'),
});
export type SiteConfig = z.infer<typeof siteSchema>;

export function partName(part: Part): string {
  return part.name ?? part.type;
}
