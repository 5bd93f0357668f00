/** Measured data from a CSV file as power over time. Reading is apart; this is pure. */
import { GtxError } from '@gridtokenx/protocol';
import type { Part } from '../site-schema.js';

type ReplayPart = Extract<Part, { type: 'replay' }>;

interface Row {
  timeMs: number;
  /** Power from this row until the next, whole milliwatts. */
  milliwatts: number;
}

const MOST_ISSUES = 20;
const MOST_WATTS = 1_000_000;
/** An ISO 8601 time; without an offset it is UTC. */
const ISO = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Power over time. */
export class Series {
  readonly #rows: readonly Row[];
  readonly #endMs: number;

  /** @param endMs when the last row's power ends */
  constructor(
    rows: readonly Row[],
    endMs: number,
    private readonly align: 'start' | 'time',
    private readonly repeat: boolean,
  ) {
    this.#rows = rows;
    this.#endMs = endMs;
  }

  get firstMs(): number {
    return this.#rows[0]?.timeMs ?? 0;
  }

  get durationMs(): number {
    return this.#endMs - this.firstMs;
  }

  /** @param sinceStartMs model time since the simulation's start */
  milliwatts(timeMs: number, sinceStartMs: number): number {
    let at = this.align === 'start' ? this.firstMs + sinceStartMs : timeMs;
    if (at < this.firstMs && !this.repeat) return 0;
    if (at >= this.#endMs || at < this.firstMs) {
      if (!this.repeat) return 0;
      const past = (at - this.firstMs) % this.durationMs;
      at = this.firstMs + (past < 0 ? past + this.durationMs : past);
    }
    let low = 0;
    let high = this.#rows.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle] as Row).timeMs <= at) low = middle;
      else high = middle;
    }
    return (this.#rows[low] as Row).milliwatts;
  }
}

/**
 * Reads CSV text.
 * @param file its name, for errors
 * @throws GtxError CONFIG_INVALID; the message has a line `file:line: what is wrong` for each fault
 */
export function parseReplay(text: string, part: ReplayPart, file: string): Series {
  const issues: string[] = [];
  const fault = (line: number, message: string) => {
    if (issues.length < MOST_ISSUES) issues.push(`${file}:${line}: ${message}`);
  };
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  const header = splitLine(lines[0] ?? '', part.separator);
  const columns = { time: header.indexOf(part.time_column), value: header.indexOf(part.column) };
  for (const [name, index] of [
    [part.time_column, columns.time],
    [part.column, columns.value],
  ] as const) {
    if (index < 0) fault(1, `there is no column "${name}"; there are: ${header.join(', ')}`);
  }
  const points: { timeMs: number; value: number; line: number }[] = [];
  if (issues.length === 0) {
    lines.slice(1).forEach((content, index) => {
      const line = index + 2;
      if (content.trim() === '') return;
      const cells = splitLine(content, part.separator);
      if (cells.length !== header.length) {
        fault(line, `${cells.length} columns, the header has ${header.length}`);
        return;
      }
      const timeMs = timeOf(cells[columns.time] as string);
      const value = numberOf(cells[columns.value] as string, part.separator);
      if (timeMs === undefined) fault(line, `"${cells[columns.time]}" is no time (ISO 8601 or Unix seconds)`);
      if (value === undefined) fault(line, `"${cells[columns.value]}" is no number`);
      if (timeMs === undefined || value === undefined) return;
      const before = points.at(-1);
      if (before !== undefined && timeMs <= before.timeMs) {
        fault(line, `the time does not rise (line ${before.line} is not earlier)`);
        return;
      }
      if (before !== undefined && part.unit === 'kWh' && value < before.value) {
        fault(line, `the register falls from ${before.value} to ${value} kWh`);
        return;
      }
      points.push({ timeMs, value, line });
    });
    if (points.length < 2 && issues.length === 0) fault(lines.length, 'at least two rows are needed');
  }
  const rows: Row[] = [];
  for (const [index, point] of points.entries()) {
    const next = points[index + 1];
    if (part.unit === 'kWh' && next === undefined) break;
    const watts =
      part.unit === 'kWh' && next !== undefined
        ? ((next.value - point.value) * 3.6e9) / (next.timeMs - point.timeMs)
        : point.value * (part.unit === 'kW' ? 1000 : 1);
    if (Math.abs(watts) > MOST_WATTS) fault(point.line, `${watts} W is above ${MOST_WATTS} W`);
    else if (watts < 0 && part.kind !== 'grid') {
      fault(point.line, `${point.value} is negative; only kind grid has a direction`);
    }
    rows.push({ timeMs: point.timeMs, milliwatts: Math.round(watts * 1000) });
  }
  if (issues.length > 0) throw new GtxError('CONFIG_INVALID', issues.join('\n'), { issues });
  const last = points.at(-1) as { timeMs: number };
  const step = last.timeMs - (points.at(-2) as { timeMs: number }).timeMs;
  // The last row lasts as long as the one before it; a register's last row only ends its predecessor.
  const endMs = part.unit === 'kWh' ? last.timeMs : last.timeMs + step;
  return new Series(rows, endMs, part.align, part.repeat);
}

/** RFC 4180 without line breaks inside of cells. */
function splitLine(line: string, separator: string): string[] {
  const cells: string[] = [];
  let rest = line;
  for (;;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*/.exec(rest);
    const end = quoted === null ? rest.indexOf(separator) : quoted[0].length;
    if (quoted !== null) {
      cells.push((quoted[1] as string).replaceAll('""', '"'));
      rest = rest.slice(end);
      if (!rest.startsWith(separator)) return cells;
      rest = rest.slice(separator.length);
      continue;
    }
    cells.push((end < 0 ? rest : rest.slice(0, end)).trim());
    if (end < 0) return cells;
    rest = rest.slice(end + separator.length);
  }
}

function timeOf(text: string): number | undefined {
  if (/^\d{9,11}(\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!ISO.test(text)) return undefined;
  const zoned = /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) ? text : `${text}Z`;
  const time = Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(time) ? undefined : time;
}

function numberOf(text: string, separator: string): number | undefined {
  const plain = separator === ';' ? text.replace(',', '.') : text;
  return /^[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/.test(plain) ? Number(plain) : undefined;
}
