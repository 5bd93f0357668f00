import { GtxError } from './errors.js';
import { assertU32, U32_MAX } from './units.js';

const ISO = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(0{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/**
 * Unix seconds of an ISO 8601 date-time (extended format, with zone, whole seconds; the RFC 3339 profile)
 * or of a number that already is Unix seconds. Days that do not exist, leap seconds and times without a
 * zone are refused rather than guessed.
 * @throws GtxError VALUE_INVALID
 */
export function parseTimestamp(value: string | number): number {
  if (typeof value === 'number') {
    assertU32(value, 'timestamp');
    return value;
  }
  const match = typeof value === 'string' ? ISO.exec(value) : null;
  if (match === null) {
    throw new GtxError('VALUE_INVALID', 'timestamp must be ISO 8601 with a zone, or Unix seconds');
  }
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const zoneHours = Number(match[9] ?? 0);
  const zoneMinutes = Number(match[10] ?? 0);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!exists || zoneHours > 23 || zoneMinutes > 59) {
    throw new GtxError('VALUE_INVALID', `timestamp does not exist: ${value}`);
  }
  const offset = (zoneHours * 60 + zoneMinutes) * 60 * (match[8] === '-' ? -1 : 1);
  const seconds = date.getTime() / 1000 - offset;
  if (seconds < 0 || seconds > U32_MAX) {
    throw new GtxError('VALUE_INVALID', `timestamp is outside 1970 to 2106: ${value}`);
  }
  return seconds;
}

/** Unix seconds as ISO 8601 in UTC ("2023-11-14T22:30:00Z"). @throws GtxError VALUE_INVALID */
export function formatTimestamp(unixSeconds: number): string {
  assertU32(unixSeconds, 'timestamp');
  return `${new Date(unixSeconds * 1000).toISOString().slice(0, 19)}Z`;
}
