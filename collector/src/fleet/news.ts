/** What a gateway's message says, ready to be stored. Pure. */
import { GtxError, parseJsonWith, Status, Telemetry } from '@gridtokenx/protocol';
import { OUTBOX_WAITING } from './state.js';

/** What is told of one meter at one time. */
interface News {
  meter_id: string;
  /** The gateway's clock, Unix seconds. */
  at: number;
  /** When it was taken, by the collector's clock, in milliseconds. */
  seen: number;
  /** When the gateway was heard. What the broker had kept was said earlier. */
  heard: number;
  retained: boolean;
}

/** What a status says; null: not said. The names are those of the store's statement. */
export interface StatusNews extends News {
  online: boolean;
  version: string;
  outbox: number | null;
  waiting: boolean | null;
  synchronised: boolean | null;
  clock_offset: number | null;
  bus_ok: boolean | null;
  bus_failures: number | null;
  bus_error: string | null;
  bus_devices: unknown[] | null;
  alerts: unknown[] | null;
}

export interface TelemetryNews extends News {
  production: number | null;
  consumption: number | null;
  grid: number | null;
}

/** No meter of a home measures more: 100 MW. */
const MOST_WATTS = 1e8;
const MOST_FAILURES = 2_147_483_647;
/** A message's own time beyond the time at which it was taken: the gateway's clock is ahead. */
const AHEAD_MILLIS = 5_000;
/** An older message than the last one is a late one only so long; afterwards it is the present, by a clock that was set back. */
const LATE_MILLIS = 90_000;

/** The rule of {@link supersedes} in SQL needs the same figures. */
export const ORDER = { aheadSeconds: AHEAD_MILLIS / 1000, lateSeconds: LATE_MILLIS / 1000 } as const;

/** What a message on a status topic says, if the store can keep it. @throws GtxError INVALID_BODY */
export function readStatus(payload: Uint8Array): Status {
  const status = parseJsonWith(Status, payload);
  storable(status);
  return status;
}

/** @throws GtxError INVALID_BODY */
export function statusNews(
  meterId: string,
  payload: Uint8Array,
  retained: boolean,
  nowMillis: number,
): StatusNews {
  const status = readStatus(payload);
  const { bus } = status;
  const worst = bus?.devices.filter(({ ok }) => !ok).toSorted((a, b) => b.failures - a.failures)[0];
  const failures = bus?.devices.reduce((sum, device) => sum + device.failures, 0);
  return {
    meter_id: meterId,
    ...moment(status.time, retained, nowMillis),
    online: status.state === 'online',
    version: status.version,
    outbox: status.outbox_depth ?? null,
    waiting: status.outbox_depth === undefined ? null : status.outbox_depth >= OUTBOX_WAITING,
    synchronised: status.clock?.synchronised ?? null,
    clock_offset: status.clock?.offset_ms ?? null,
    bus_ok: bus?.ok ?? null,
    bus_failures: failures === undefined ? null : Math.min(failures, MOST_FAILURES),
    bus_error: worst?.last_error ?? null,
    bus_devices: bus?.devices ?? null,
    alerts: status.alerts ?? null,
  };
}

/** @throws GtxError INVALID_BODY */
export function telemetryNews(
  meterId: string,
  payload: Uint8Array,
  retained: boolean,
  nowMillis: number,
): TelemetryNews {
  const telemetry = parseJsonWith(Telemetry, payload);
  if (telemetry.meter_id !== meterId) {
    throw new GtxError('INVALID_BODY', 'meter_id is not the meter of the topic');
  }
  return {
    meter_id: meterId,
    ...moment(telemetry.time, retained, nowMillis),
    production: watts(telemetry.production_watts),
    consumption: watts(telemetry.consumption_watts),
    grid: watts(telemetry.grid_watts),
  };
}

function moment(time: number, retained: boolean, nowMillis: number): Omit<News, 'meter_id'> {
  const heard = retained ? Math.min(time * 1000, nowMillis) : nowMillis;
  return { at: time, seen: nowMillis, heard, retained };
}

function watts(value: number | undefined): number | null {
  if (value === undefined) return null;
  if (Math.abs(value) > MOST_WATTS) throw new GtxError('INVALID_BODY', 'more power than there can be');
  return Math.round(value);
}

/** PostgreSQL takes no NUL in a text, and no half of a surrogate pair. */
function storable(value: unknown): void {
  // JSON.stringify escapes exactly these, whatever the rest is.
  if (/\\u(?:0000|d[89a-f][0-9a-f]{2})/.test(JSON.stringify(value))) {
    throw new GtxError('INVALID_BODY', 'a text with a character that is none');
  }
}

/**
 * Whether of two messages the one that came later also tells later. A broker keeps the order of a connection, but what came by
 * another way, or was kept for long, may be older. Only a gateway's own times tell, and its clock may have been set: they count
 * while the earlier message is fresh and was not ahead of the time. An `offline` is always taken: a last will bears the time at
 * which its connection began.
 */
export function supersedes(next: News & { online?: boolean }, last: News): boolean {
  if (next.online === false) return true;
  if (next.retained && next.heard < last.heard) return false;
  return (
    next.at >= last.at || last.at * 1000 > last.seen + AHEAD_MILLIS || next.seen > last.seen + LATE_MILLIS
  );
}
