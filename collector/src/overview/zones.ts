/** Quarters, hours and days of a time zone's clocks. */
import { GtxError } from '@gridtokenx/protocol';
import { MAX_BUCKETS, type Step } from './schemas.js';

export const QUARTER_SECONDS = 900;
const DAY_SECONDS = 86_400;

/**
 * Where the parts of a period begin, in Unix seconds, and where the last one ends: one more than there are parts.
 *
 * The first part is the one that holds `from`, the last the one that holds the second before `to`. Quarters and hours
 * follow the zone's clocks (an hour of Kathmandu begins at a quarter to the hour of UTC), and days begin with the first
 * moment of a date, so that they have 23 or 25 hours when the clocks are changed, and another begin where midnight is left out.
 * @param from Unix seconds
 * @param zone IANA name
 * @throws GtxError INVALID_BODY when there would be none, or too many
 */
export function partsOf(from: number, to: number, step: Step, zone: string): number[] {
  if (to <= from) throw invalid('to', 'must be after from');
  const least = { quarter: QUARTER_SECONDS, hour: 3600, day: DAY_SECONDS - 2 * 3600 }[step];
  if ((to - from) / least > MAX_BUCKETS + 1) throw tooMany();
  const starts = step === 'day' ? daysOf(from, to, zone) : hoursOf(from, to, step, zone);
  if (starts.length > MAX_BUCKETS + 1) throw tooMany();
  return starts;
}

function tooMany(): GtxError {
  return invalid('from', `ask for at most ${MAX_BUCKETS} parts at once`);
}

function invalid(path: string, message: string): GtxError {
  return new GtxError('INVALID_BODY', `${path}: ${message}`, { issues: [{ path, message }] });
}

function hoursOf(from: number, to: number, step: 'quarter' | 'hour', zone: string): number[] {
  const length = step === 'quarter' ? QUARTER_SECONDS : 3600;
  const offsetAt = offsets(zone);
  const starts: number[] = [];
  // Every quarter is looked at: where the offset changes by half an hour, as on Lord Howe Island, an hour has 30 or 90 minutes.
  const first = Math.floor(from / QUARTER_SECONDS) * QUARTER_SECONDS;
  const begins = (at: number) => (((at + offsetAt(at)) % length) + length) % length < QUARTER_SECONDS;
  let at = first;
  while (!begins(at)) at -= QUARTER_SECONDS;
  for (; at < to; at += QUARTER_SECONDS) if (begins(at)) starts.push(at);
  while (!begins(at)) at += QUARTER_SECONDS;
  starts.push(at);
  return starts;
}

function daysOf(from: number, to: number, zone: string): number[] {
  const offsetAt = offsets(zone);
  const dayOf = (at: number) => Math.floor((at + offsetAt(at)) / DAY_SECONDS);
  /** The first quarter of an hour whose date is not before this one. */
  const beginOf = (day: number) => {
    // Offsets are between -12 and +14 hours, and clocks are changed by less than a day.
    let before = day * DAY_SECONDS - 38 * 3600;
    let after = day * DAY_SECONDS + 38 * 3600;
    while (after - before > QUARTER_SECONDS) {
      const middle = Math.floor((before + after) / 2 / QUARTER_SECONDS) * QUARTER_SECONDS;
      if (dayOf(middle) < day) before = middle;
      else after = middle;
    }
    return after;
  };
  const starts: number[] = [];
  for (let day = dayOf(from); ; day++) {
    const at = beginOf(day);
    // A date that a zone left out (Samoa had no 30 December 2011) begins where the next one does.
    if (at !== starts.at(-1)) starts.push(at);
    if (at >= to) return starts;
  }
}

/** Offset from UTC in seconds at a moment (Unix seconds), remembered for each hour and quarter asked for. */
function offsets(zone: string): (at: number) => number {
  const format = formatOf(zone);
  const known = new Map<number, number>();
  return (at) => {
    const before = known.get(at);
    if (before !== undefined) return before;
    const parts: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(at * 1000)) parts[type] = value;
    const local = Date.UTC(
      Number(parts.year),
      Number(parts.month) - 1,
      Number(parts.day),
      Number(parts.hour),
      Number(parts.minute),
      Number(parts.second),
    );
    const offset = Math.round(local / 1000) - at;
    known.set(at, offset);
    return offset;
  };
}

/** By the zone: making one takes longer than many uses of it, and there are some hundred zones. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  // The same zone has many spellings: the names of all of them are not kept.
  if (formats.size < 1000) formats.set(zone, format);
  return format;
}
