import { type LiveItem, type TrafficFilter, type TrafficKind, topicFor } from '@gridtokenx/protocol';
import type { PassingMessage } from '../broker/bus.js';
import { StreamTopic } from './list-topic.js';
import type { LiveMetrics } from './metrics.js';
import type { Seen } from './seen.js';

/** Something that passes, told only when somebody wants it. */
export interface Traffic {
  meterId: string;
  kind: TrafficKind;
  outcome: 'stored' | 'refused' | undefined;
  item: () => LiveItem;
}

/** Items a second of one filter. */
const PER_SECOND = 20;
const MOST_TEXT = 200;

/** What fits one filter: the filter comes before the sampling, so that the rare is found among the many. */
export class TrafficTopic extends StreamTopic {
  private pending: LiveItem[] = [];
  private idleSince: number | undefined;

  constructor(
    private readonly filter: TrafficFilter,
    metrics: LiveMetrics,
  ) {
    super({ channel: 'traffic' }, metrics);
  }

  wants({ meterId, kind, outcome }: Traffic): boolean {
    if (this.subscriptions.size === 0 || this.pending.length >= PER_SECOND) return false;
    const { filter } = this;
    return (
      (filter.meter === undefined || meterId.startsWith(filter.meter)) &&
      (filter.kinds === undefined || filter.kinds.includes(kind)) &&
      (filter.outcome === undefined || filter.outcome === outcome)
    );
  }

  show(item: LiveItem): void {
    this.pending.unshift(item);
  }

  /** Sends what has come within the second. */
  flush(): void {
    this.add(this.pending.splice(0));
  }

  isIdle(now: number, millis: number): boolean {
    this.idleSince = this.subscriptions.size > 0 ? undefined : (this.idleSince ?? now);
    return this.idleSince !== undefined && now - this.idleSince > millis;
  }
}

/** A reading that was decided about. */
export function seenTraffic({ meterId, overMqtt, sequence, outcome, status, kwh }: Seen): Traffic {
  return {
    meterId,
    kind: outcome === 'stored' ? 'reading' : 'refused',
    outcome,
    item: () => ({
      meter_id: meterId,
      kind: outcome === 'stored' ? 'reading' : 'refused',
      topic: overMqtt ? topicFor(meterId, 'reading') : null,
      direction: 'in',
      bytes: null,
      summary:
        outcome === 'stored'
          ? `reading ${sequence}: ${kwh} kWh, ${status}`
          : `reading ${sequence}: ${status}`,
      sequence,
      outcome,
      status,
      kwh_amount: kwh,
    }),
  };
}

/** A message at the broker. */
export function passingTraffic({
  meterId,
  kind,
  topic,
  direction,
  payload,
  retained,
  refused,
}: PassingMessage): Traffic {
  const shown: TrafficKind = refused === undefined ? kind : 'refused';
  const outcome = refused === undefined ? undefined : 'refused';
  return {
    meterId,
    kind: shown,
    outcome,
    item: () => ({
      meter_id: meterId,
      kind: shown,
      topic,
      direction,
      bytes: Buffer.byteLength(payload),
      retained,
      summary: refused === undefined ? summaryOf(kind, payload) : `${kind}: ${REFUSED[refused]}`,
      ...(outcome !== undefined && { outcome, status: refused }),
    }),
  };
}

const REFUSED: Record<NonNullable<PassingMessage['refused']>, string> = {
  forbidden: "the login may not publish on this meter's topic",
  oversized: 'too large',
  waiting: 'the meter is not registered yet',
};

/** One line about a message; it was not validated, and may be anything. */
function summaryOf(kind: PassingMessage['kind'], payload: Uint8Array | string): string {
  const value = jsonOf(payload);
  if (value === undefined) return 'not understood';
  const inner = kind === 'ack' || kind === 'command' ? jsonOf(String(value.payload ?? '')) : value;
  return (inner === undefined ? 'not understood' : SUMMARY[kind](inner)).slice(0, MOST_TEXT);
}

type Fields = Record<string, unknown>;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const SUMMARY: Record<PassingMessage['kind'], (fields: Fields) => string> = {
  reading: ({ kwh_amount }) => `reading: ${String(kwh_amount)} kWh`,
  ack({ through, stored, refused, held }) {
    const parts = [`through ${String(through)}`];
    for (const [name, values] of Object.entries({ stored, refused, held })) {
      if (list(values).length > 0) parts.push(`${list(values).length} ${name}`);
    }
    return parts.join(', ');
  },
  telemetry: (fields) =>
    ['production', 'consumption', 'grid']
      .filter((name) => typeof fields[`${name}_watts`] === 'number')
      .map((name) => `${name} ${Math.round(Number(fields[`${name}_watts`]))} W`)
      .join(', '),
  status({ state, version, outbox_depth, clock, bus, alerts }) {
    const parts = [String(state), `version ${String(version)}`];
    if (Number(outbox_depth) > 0) parts.push(`${Number(outbox_depth)} readings wait`);
    if ((clock as Fields | undefined)?.synchronised === false) parts.push('clock not synchronised');
    if ((bus as Fields | undefined)?.ok === false) parts.push('bus failed');
    for (const alert of list(alerts)) parts.push(String((alert as Fields | null)?.code));
    return parts.join(', ');
  },
  command: ({ type, from_sequence, sample_seconds }) =>
    `${String(type)} ${String(from_sequence ?? sample_seconds ?? '')}`.trim(),
};

function jsonOf(payload: Uint8Array | string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(
      typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8'),
    );
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    // Whatever it is, it is shown as what it is: not understood.
    return undefined;
  }
}
