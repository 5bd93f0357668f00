import { nkwhToKwh } from '@gridtokenx/protocol';
import { duration, table } from '../output.js';
import type { ComponentState } from '../process/supervisor.js';
import type { Observation, Power } from './observe.js';

export interface ViewState {
  readonly meterId: string;
  readonly dataDir: string;
  readonly runningMs: number;
  readonly nowMs: number;
  readonly components: readonly {
    readonly name: string;
    readonly state: ComponentState | 'external';
    readonly pid: number | undefined;
    readonly url: string;
    readonly restarts: number;
  }[];
  readonly observation: Observation;
  readonly targetMints: number | undefined;
}

/** Watts with their unit: "2,314 W". */
export const watts = (value: number): string => `${Math.round(value).toLocaleString('en-US')} W`;

/** What flows at the meter, in words. */
export function powerText(power: Power | undefined): string {
  if (power === undefined) return 'waiting for the first sample';
  const parts: string[] = [];
  if (power.productionWatts !== undefined) parts.push(`${watts(power.productionWatts)} produced`);
  if (power.consumptionWatts !== undefined) parts.push(`${watts(power.consumptionWatts)} used`);
  if (power.gridWatts !== undefined) {
    parts.push(
      power.gridWatts < 0
        ? `${watts(-power.gridWatts)} to the grid`
        : `${watts(power.gridWatts)} from the grid`,
    );
  }
  return parts.length === 0 ? 'the meter shows no power' : parts.join(', ');
}

function readingsText({ storedThisRun, storedTotal, waiting, lastReading }: Observation): string {
  const queue = waiting === undefined ? '' : `, ${waiting} waiting`;
  const last =
    lastReading === undefined
      ? ''
      : `; last: number ${lastReading.sequence}, ${nkwhToKwh(lastReading.amountNkwh)} kWh surplus, ${lastReading.status}`;
  return `${storedThisRun} stored in this run, ${storedTotal} in all${queue}${last}`;
}

/** The whole picture, redrawn on a terminal once a second. Pure: everything it shows is in `state`. */
export function renderView(state: ViewState): string {
  const { observation } = state;
  const mints = observation.mintsThisRun.length;
  const lines = [
    `gridtokenx, running for ${duration(state.runningMs)}`,
    '',
    table([
      [
        `Meter ${state.meterId}`,
        powerText(observation.power) + (observation.gatewayOnline === false ? ' (gateway offline)' : ''),
      ],
      ['Readings', readingsText(observation)],
      [
        'GRID minted',
        `${nkwhToKwh(observation.mintedThisRunNkwh)} GRID in this run by ${mints} ${mints === 1 ? 'transaction' : 'transactions'}${
          state.targetMints === undefined ? '' : ` (${state.targetMints} wanted)`
        }, ${nkwhToKwh(observation.mintedTotalNkwh)} GRID in all`,
      ],
    ]),
    '',
    'Last minting transactions',
  ];
  if (mints === 0) lines.push('  none yet');
  for (const mint of observation.mintsThisRun.slice(0, 3)) {
    lines.push(
      `  ${mint.signature}`,
      `      ${nkwhToKwh(mint.amountNkwh)} GRID, ${duration(Math.max(0, state.nowMs - mint.confirmedAtMs))} ago`,
    );
  }
  if (observation.alerts.length > 0)
    lines.push('', 'Alerts', ...observation.alerts.map((text) => `  ${text}`));
  lines.push(
    '',
    table(
      state.components.map(({ name, state: condition, pid, url, restarts }) => [
        name,
        `${condition}${pid === undefined ? '' : ` (process ${pid})`}${restarts > 0 ? `, restarted ${restarts}x` : ''}  ${url}`,
      ]),
    ),
    `Data        ${state.dataDir}`,
    '',
    'Ctrl-C stops everything; the next start goes on from here.',
  );
  return lines.join('\n');
}

/** What happened between two looks, one line each, for terminals that cannot redraw and for logs. */
export function newsLines(before: Observation, after: Observation): string[] {
  const lines: string[] = [];
  const reading = after.lastReading;
  if (reading !== undefined && reading.sequence !== before.lastReading?.sequence) {
    lines.push(
      `reading ${reading.sequence} of ${reading.meterId} stored: ${nkwhToKwh(reading.amountNkwh)} kWh surplus (${after.storedThisRun} in this run; ${powerText(after.power)})`,
    );
  }
  const known = new Set(before.mintsThisRun.map(({ signature }) => signature));
  for (const mint of [...after.mintsThisRun].reverse()) {
    if (!known.has(mint.signature))
      lines.push(`minted ${nkwhToKwh(mint.amountNkwh)} GRID: transaction ${mint.signature}`);
  }
  for (const alert of after.alerts) if (!before.alerts.includes(alert)) lines.push(`alert, ${alert}`);
  return lines;
}

/** Rows that a text takes on a terminal, where lines longer than it is wide are wrapped. */
export function screenRows(text: string, columns: number | undefined): number {
  const width = columns === undefined || columns < 1 ? Number.POSITIVE_INFINITY : columns;
  return text.split('\n').reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / width)), 0);
}
