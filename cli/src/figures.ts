/** What the page shows at a glance, for the terminal: power, energy and GRID of today, the way of readings, the fleet. */
import { GtxError } from '@gridtokenx/protocol';
import { z } from 'zod';
import { type Palette, palette } from './colours.js';
import type { OperatorApi } from './operator-api.js';
import { duration, table } from './output.js';
import { watts } from './up/view.js';

// What is shown of the collector's answers (docs/http.md); a newer collector may tell more.
const count = z.number();
const Overview = z.object({
  time: z.string(),
  power: z
    .object({ production_watts: count, consumption_watts: count, surplus_watts: count, meters: count })
    .nullable(),
  power_hidden: z.string().nullable(),
  today: z.object({
    since: z.string(),
    produced_kwh: z.string().nullable(),
    consumed_kwh: z.string().nullable(),
    surplus_kwh: z.string().nullable(),
    minted_grid: z.string(),
    readings: count,
  }),
  total: z.object({ minted_grid: z.string(), readings: count, meters: count, users: count }),
  pipeline: z.array(
    z.object({
      stage: z.string(),
      count_minute: count,
      count_hour: count,
      waiting: count,
      lag_seconds_p50: count.nullable(),
      lag_seconds_p95: count.nullable(),
    }),
  ),
});
const Fleet = z.object({
  meters: count,
  states: z.object({ online: count, silent: count, offline: count, never: count }),
  problems: z.object({ clock: count, bus: count, outbox: count, alerts: count }),
  outbox_readings: count,
});
const Settlement = z.object({
  queue: z.object({ pending: count, covered: count, accepted: count, held: count, review: count }),
  oldest_waiting_seconds: count.nullable(),
  in_flight_count: count,
  last_hour: z.object({
    confirmed: count,
    failed: count,
    expired: count,
    p50_seconds: count.nullable(),
    p95_seconds: count.nullable(),
  }),
  paused: z.boolean().nullable(),
});
const Service = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string(),
  checks: z.object({ database: z.string(), broker: z.string(), chain: z.string() }),
});
/** So many are counted; more are told as more. */
const MOST_ALERTS = 100;
const Alerts = z.object({
  items: z.array(z.object({ severity: z.string(), kind: z.string() })),
  next_cursor: z.string().nullable(),
});

export interface Figures {
  /** Of the collector itself: undefined when it answered the overview and not this. */
  readonly service: z.infer<typeof Service>;
  readonly overview: z.infer<typeof Overview>;
  /** What only operators see; undefined without an operator's login. */
  readonly operator:
    | {
        readonly fleet: z.infer<typeof Fleet>;
        readonly settlement: z.infer<typeof Settlement>;
        readonly alerts: { readonly open: number; readonly more: boolean; readonly critical: number };
      }
    | undefined;
}

/** Midnight of this machine's day, as the collector wants to be asked for today. */
export const midnight = (nowMs: number): string => {
  const day = new Date(nowMs);
  day.setHours(0, 0, 0, 0);
  return day.toISOString();
};

/**
 * Asks a collector for everything that is shown.
 * @throws GtxError COLLECTOR_UNAVAILABLE; LOGIN_REFUSED when the operator's login is wrong
 */
export async function askFigures(api: OperatorApi, nowMs: number): Promise<Figures> {
  const operator = async (): Promise<Figures['operator']> => {
    if (!api.hasLogin) return undefined;
    const [fleet, settlement, alerts] = await Promise.all([
      api.get('/api/fleet/summary', {}, Fleet),
      api.get('/api/settlement', {}, Settlement),
      api.get('/api/alerts', { status: 'open', limit: String(MOST_ALERTS) }, Alerts),
    ]);
    return {
      fleet,
      settlement,
      alerts: {
        open: alerts.items.length,
        more: alerts.next_cursor !== null,
        critical: alerts.items.filter(({ severity }) => severity === 'critical').length,
      },
    };
  };
  const [service, overview, more] = await Promise.all([
    // It answers 503 while the database is away, and says so in the same shape.
    api.get('/healthz', {}, Service, [503]),
    api.get('/api/overview', { since: midnight(nowMs) }, Overview),
    operator(),
  ]);
  return { service, overview, operator: more };
}

const number = (value: number): string => value.toLocaleString('en-US');
/** A number of things: "1 meter", "2,000 meters". */
const counted = (value: number, word: string): string => `${number(value)} ${word}${value === 1 ? '' : 's'}`;
const seconds = (value: number | null): string => (value === null ? '–' : duration(value * 1000));
/** kWh and GRID keep three decimals for people; the whole value is in --json. */
export function short(amount: string): string {
  const [whole = '0', fraction = ''] = amount.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === '' ? grouped : `${grouped}.${fraction.slice(0, 3).padEnd(3, '0')}`;
}
const amount = (value: string | null, unit: string): string =>
  value === null ? `too few meters to show ${unit}` : `${short(value)} ${unit}`;

const STAGES: Record<string, string> = {
  received: 'received',
  stored: 'stored',
  accepted: 'on the chain',
  minted: 'minted',
  final: 'final',
};

function powerLine({ power, power_hidden }: Figures['overview'], paint: Palette): string {
  if (power !== null) {
    return [
      `${paint.good(watts(power.production_watts))} produced`,
      `${paint.doubtful(watts(power.consumption_watts))} used`,
      `${paint.fact(watts(power.surplus_watts))} surplus`,
      `of ${counted(power.meters, 'meter')}`,
    ].join(', ');
  }
  return power_hidden === null
    ? 'no meter tells it'
    : 'shown to operators only: of fewer meters it would be the business of single homes';
}

function todayLine({ today }: Figures['overview'], paint: Palette): string {
  const energy =
    today.produced_kwh === null
      ? amount(null, 'energy')
      : `${paint.good(amount(today.produced_kwh, 'kWh'))} produced, ${paint.doubtful(amount(today.consumed_kwh, 'kWh'))} used, ${paint.fact(amount(today.surplus_kwh, 'kWh'))} surplus`;
  return `${energy}; ${counted(today.readings, 'reading')}`;
}

const gridLine = ({ today, total }: Figures['overview'], paint: Palette): string =>
  `${paint.strong(amount(today.minted_grid, 'GRID'))} minted today, ${paint.strong(amount(total.minted_grid, 'GRID'))} in all`;

/** A number that is bad news when it is not 0. */
const ill = (value: number, word: string, paint: (text: string) => string): string =>
  value === 0 ? `0 ${word}` : paint(`${number(value)} ${word}`);

function fleetLine({ states, problems, outbox_readings }: z.infer<typeof Fleet>, paint: Palette): string {
  const bad = [
    ill(states.silent, 'silent', paint.bad),
    ill(states.offline, 'offline', paint.doubtful),
    `${number(states.never)} never heard`,
  ];
  const troubled = Object.entries(problems).filter(([, meters]) => meters > 0);
  const told =
    troubled.length === 0
      ? ''
      : `; ${paint.doubtful(troubled.map(([problem, meters]) => `${problem} ${number(meters)}`).join(', '))}`;
  return `${paint.good(`${number(states.online)} online`)}, ${bad.join(', ')}${told}; ${counted(outbox_readings, 'reading')} still in gateways`;
}

function settlementLine(
  { queue, oldest_waiting_seconds, in_flight_count, last_hour, paused }: z.infer<typeof Settlement>,
  paint: Palette,
): string {
  const oldest = oldest_waiting_seconds === null ? '' : `, the oldest for ${seconds(oldest_waiting_seconds)}`;
  return [
    ...(paused === true ? [paint.bad('PAUSED')] : []),
    `${number(queue.pending)} waiting${oldest}`,
    ill(queue.held, 'held', paint.doubtful),
    ill(queue.review, 'in review', paint.doubtful),
    `${counted(in_flight_count, 'transaction')} under way`,
    `last hour: ${number(last_hour.confirmed)} confirmed, ${ill(last_hour.failed, 'failed', paint.bad)}, half within ${seconds(last_hour.p50_seconds)}`,
  ].join('; ');
}

const alertLine = (
  { open, more, critical }: NonNullable<Figures['operator']>['alerts'],
  paint: Palette,
): string =>
  open === 0
    ? paint.good('none open')
    : `${paint.doubtful(`${number(open)}${more ? ' and more' : ''} open`)}${critical === 0 ? '' : `, ${paint.bad(`${number(critical)} critical`)}`}: gtx alerts list`;

function pipelineLine({ pipeline }: Figures['overview'], paint: Palette): string {
  return pipeline
    .map(({ stage, count_minute, waiting }) => {
      const name = STAGES[stage] ?? stage;
      return `${name} ${paint.fact(`${number(count_minute)}/min`)}${waiting === 0 ? '' : ` (${number(waiting)} wait)`}`;
    })
    .join(' → ');
}

function pipelineTable({ pipeline }: Figures['overview']): string[] {
  const rows = pipeline.map(
    ({ stage, count_minute, count_hour, waiting, lag_seconds_p50, lag_seconds_p95 }) => [
      STAGES[stage] ?? stage,
      number(count_minute),
      number(count_hour),
      number(waiting),
      seconds(lag_seconds_p50),
      seconds(lag_seconds_p95),
    ],
  );
  const all = [['stage', 'last minute', 'last hour', 'wait here', 'half within', '95 % within'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all.map(
    (row) =>
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
  );
}

/** Name and line of each figure. `brief`: as few lines as say it. */
export function figureRows(figures: Figures, paint: Palette): [string, string][] {
  const { overview, operator } = figures;
  return [
    ['Power now', powerLine(overview, paint)],
    ['Today', todayLine(overview, paint)],
    ['GRID', gridLine(overview, paint)],
    ...(operator === undefined
      ? []
      : ([
          ['Gateways', fleetLine(operator.fleet, paint)],
          ['Settlement', settlementLine(operator.settlement, paint)],
          ['Alerts', alertLine(operator.alerts, paint)],
        ] satisfies [string, string][])),
  ];
}

/** Figures as `gtx status` shows them. */
export function figuresText(figures: Figures, paint: Palette = palette(false)): string {
  const { total } = figures.overview;
  return [
    table(figureRows(figures, paint)),
    '',
    `From meter to token: ${counted(total.readings, 'reading')} of ${counted(total.meters, 'meter')} of ${counted(total.users, 'user')} so far; times from the end of a reading’s interval`,
    ...pipelineTable(figures.overview),
  ].join('\n');
}

/** Figures as `gtx watch` keeps them below its lines. */
export function figuresPanel(figures: Figures, paint: Palette): string[] {
  return table([...figureRows(figures, paint), ['Readings', pipelineLine(figures.overview, paint)]]).split(
    '\n',
  );
}

/** In one line why there are no figures. */
export const noFiguresLine = (error: unknown): string =>
  error instanceof GtxError ? `no figures (${error.code}): ${error.message}` : `no figures: ${String(error)}`;
