/** A site's day as a picture (SVG 1.1): production, consumption, surplus. Pure. */
import { GtxError } from '@gridtokenx/protocol';
import type { SimulatorConfig } from './config.js';
import { sumFlows } from './model/flow.js';
import { ZoneClock } from './model/place.js';
import { simpleDay } from './model/simple-day.js';
import { siteModel } from './simulation.js';

/** Mean powers between two moments, in watts. */
export interface DayPoint {
  /** Hours since the local midnight that the day begins with; a day of changed clocks has 23 or 25. */
  hours: number;
  /** Given by sun and wind, and drawn by loads: without batteries. */
  productionWatts: number;
  consumptionWatts: number;
  /** What is left for the grid after loads and batteries. */
  surplusWatts: number;
}

export interface Day {
  site: string;
  /** Local date, YYYY-MM-DD. */
  date: string;
  /** Length of the day in hours. */
  hours: number;
  points: DayPoint[];
}

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const STEP_MS = 60_000;
const HOUR_MS = 3_600_000;
/** One point of the picture for each five minutes. */
const STEPS_PER_POINT = 5;

/**
 * Computes the local day on which a scenario begins, from midnight to midnight.
 * @param site a described site, or the unit id ("unit-1") of a simple home; the first there is when left out
 * @throws GtxError CONFIG_INVALID for a site that is not there
 */
export function simulateDay(
  config: SimulatorConfig,
  folder: string,
  options: { site?: string | undefined; date?: string | undefined; nowMs: number },
): Day {
  const simple = config.units.filter(({ site }) => site === undefined || config.sites[site] === undefined);
  const names = [...Object.keys(config.sites), ...simple.map(({ unit }) => `unit-${unit}`)];
  const name = options.site ?? names[0];
  if (name === undefined || !names.includes(name)) {
    throw new GtxError('CONFIG_INVALID', `there is no site "${name}"; there are: ${names.join(', ')}`);
  }
  const zone = new ZoneClock(config.place.timezone);
  const today = zone.local(options.nowMs);
  const [year, month, day] = (options.date ?? config.date)?.split('-').map(Number) ?? [
    today.year,
    today.month,
    today.day,
  ];
  const at = (days: number) => zone.timeOf(year as number, month as number, (day as number) + days, 0);
  const begin = at(0);
  const end = at(1);
  const described = config.sites[name];
  const unit = simple.find((one) => `unit-${one.unit}` === name);
  const model = described && siteModel(config, name, described, { startModelMs: begin }, folder);
  const seed = `${config.seed}/${unit?.site ?? name}`;
  const points: DayPoint[] = [];
  const nothing = { production: 0, consumption: 0, surplus: 0 };
  let sum = { ...nothing };
  let steps = 0;
  for (let time = begin; time < end; time += STEP_MS) {
    const flows = model?.flows(time, STEP_MS) ?? [];
    model?.flowed(flows, STEP_MS);
    if (unit !== undefined) {
      flows.push({
        name: 'home',
        kind: 'production',
        ...simpleDay(seed, unit.scenario, (time - begin) / HOUR_MS),
      });
    }
    for (const flow of flows) {
      if (flow.kind === 'storage') continue;
      sum.production += flow.producedMilliwatts;
      sum.consumption += flow.consumedMilliwatts;
    }
    const all = sumFlows(flows);
    sum.surplus += Math.max(0, all.producedMilliwatts - all.consumedMilliwatts);
    steps += 1;
    if (steps < STEPS_PER_POINT && time + STEP_MS < end) continue;
    points.push({
      hours: (time + STEP_MS - steps * STEP_MS - begin) / HOUR_MS,
      productionWatts: sum.production / steps / 1000,
      consumptionWatts: sum.consumption / steps / 1000,
      surplusWatts: sum.surplus / steps / 1000,
    });
    sum = { ...nothing };
    steps = 0;
  }
  const local = zone.local(begin);
  const pad = (value: number) => String(value).padStart(2, '0');
  return {
    site: name,
    date: `${local.year}-${pad(local.month)}-${pad(local.day)}`,
    hours: (end - begin) / HOUR_MS,
    points,
  };
}

/** Energy of a day in kWh. */
export function dayEnergy({ points, hours }: Day): {
  production: number;
  consumption: number;
  surplus: number;
} {
  const sum = { production: 0, consumption: 0, surplus: 0 };
  points.forEach((point, index) => {
    const length = (points[index + 1]?.hours ?? hours) - point.hours;
    const kwh = (watts: number) => (watts * length) / 1000;
    sum.production += kwh(point.productionWatts);
    sum.consumption += kwh(point.consumptionWatts);
    sum.surplus += kwh(point.surplusWatts);
  });
  return sum;
}

const WIDTH = 960;
const HEIGHT = 420;
/** Where the curves are. */
const PLOT = { left: 64, right: 936, top: 64, bottom: 364 };
/** Colours that people with any common colour vision tell apart, on light and on dark. */
const COLOURS = {
  light: {
    paper: '#ffffff',
    ink: '#1b1f24',
    faint: '#d5d9de',
    production: '#b35900',
    consumption: '#0057b8',
    surplus: '#2e8b57',
  },
  dark: {
    paper: '#14181d',
    ink: '#e8ebee',
    faint: '#3a424b',
    production: '#ffb454',
    consumption: '#6cb6ff',
    surplus: '#5fd38d',
  },
} as const;

/**
 * Draws a day. Axes: local time in hours, power in watts or kilowatts. With theme `auto` the picture follows its
 * viewer's light or dark mode.
 */
export function plotDay(day: Day, theme: Theme = 'auto'): string {
  const highest = Math.max(
    100,
    ...day.points.flatMap((point) => [point.productionWatts, point.consumptionWatts]),
  );
  const step = niceStep(highest / 5);
  const top = Math.ceil(highest / step) * step;
  const kilowatts = top >= 2000;
  const x = (hours: number) => PLOT.left + ((PLOT.right - PLOT.left) * hours) / day.hours;
  const y = (watts: number) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * watts) / top;
  const energy = dayEnergy(day);
  const parts: string[] = [];

  for (let watts = 0; watts <= top; watts += step) {
    const label = kilowatts ? trim(watts / 1000) : trim(watts);
    parts.push(
      `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${round(y(watts))}" y2="${round(y(watts))}"/>`,
    );
    parts.push(`<text x="${PLOT.left - 8}" y="${round(y(watts) + 4)}" text-anchor="end">${label}</text>`);
  }
  for (let hour = 0; hour <= day.hours; hour += 3) {
    parts.push(
      `<line class="grid" x1="${round(x(hour))}" x2="${round(x(hour))}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>`,
    );
    parts.push(`<text x="${round(x(hour))}" y="${PLOT.bottom + 20}" text-anchor="middle">${hour}</text>`);
  }
  parts.push(
    `<text x="${PLOT.left - 8}" y="${PLOT.top - 14}" text-anchor="end">${kilowatts ? 'kW' : 'W'}</text>`,
    `<text x="${PLOT.right}" y="${PLOT.bottom + 40}" text-anchor="end">local time in hours</text>`,
  );
  const corner = (index: number, watts: number) => {
    const from = day.points[index]?.hours ?? 0;
    const to = day.points[index + 1]?.hours ?? day.hours;
    return `${round(x(from))},${round(y(watts))} ${round(x(to))},${round(y(watts))}`;
  };
  const area = day.points.map(({ surplusWatts }, index) => corner(index, surplusWatts));
  const ends = `${round(x(day.hours))},${PLOT.bottom} ${round(x(day.points[0]?.hours ?? 0))},${PLOT.bottom}`;
  parts.push(`<polygon class="surplus" points="${[...area, ends].join(' ')}"/>`);
  for (const name of ['consumption', 'production'] as const) {
    const line = day.points.map((point, index) => corner(index, point[`${name}Watts`]));
    parts.push(`<polyline class="${name}" points="${line.join(' ')}"/>`);
  }
  const title = `${day.site}, ${day.date}`;
  const legend = (['production', 'consumption', 'surplus'] as const).map((name, index) => {
    const left = PLOT.left + 250 + index * 220;
    const mark =
      name === 'surplus'
        ? `<rect class="surplus" x="${left}" y="24" width="24" height="12"/>`
        : `<line class="${name}" x1="${left}" x2="${left + 24}" y1="30" y2="30"/>`;
    return `${mark}<text x="${left + 32}" y="34">${name} ${energy[name].toFixed(1)} kWh</text>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title description">
<title id="title">${xmlText(title)}</title>
<desc id="description">${xmlText(
    `Power over the day. Surplus is what is left for the grid after loads and batteries. Production ${energy.production.toFixed(1)} kWh, consumption ${energy.consumption.toFixed(1)} kWh, surplus ${energy.surplus.toFixed(1)} kWh.`,
  )}</desc>
<style>
${style(theme)}
</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
<text x="${PLOT.left}" y="34" class="title">${xmlText(title)}</text>
${legend.join('\n')}
${parts.join('\n')}
</svg>
`;
}

function style(theme: Theme): string {
  const rules = (name: 'light' | 'dark') => {
    const colour = COLOURS[name];
    return [
      `.paper { fill: ${colour.paper}; }`,
      `text { fill: ${colour.ink}; }`,
      `.grid { stroke: ${colour.faint}; }`,
      `.production { stroke: ${colour.production}; }`,
      `.consumption { stroke: ${colour.consumption}; }`,
      `.surplus { fill: ${colour.surplus}; }`,
    ].join('\n');
  };
  const common = [
    'text { font: 14px sans-serif; }',
    '.title { font-weight: bold; font-size: 16px; }',
    '.production, .consumption { fill: none; stroke-width: 2; stroke-linejoin: round; }',
    // Not by colour alone.
    '.consumption { stroke-dasharray: 6 3; }',
    '.surplus { fill-opacity: 0.3; stroke: none; }',
  ].join('\n');
  if (theme !== 'auto') return `${common}\n${rules(theme)}`;
  return `${common}\n${rules('light')}\n@media (prefers-color-scheme: dark) {\n${rules('dark')}\n}`;
}

/** 1, 2 or 5 times a power of ten, not below the value. */
function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) as number) * power;
}

function round(value: number): string {
  return trim(Math.round(value * 100) / 100);
}

function trim(value: number): string {
  return String(Number(value.toFixed(6)));
}

function xmlText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
