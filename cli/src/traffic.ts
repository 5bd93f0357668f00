import {
  Ack,
  Command,
  parseTopic,
  SignedEnvelope,
  Status,
  SubmitReading,
  Telemetry,
  type TopicKind,
} from '@gridtokenx/protocol';
import { type Palette, palette } from './colours.js';
import type { Json } from './output.js';
import { watts } from './up/view.js';

export interface DescribedMessage {
  readonly json: Json;
  readonly text: string;
  /** The parts of `text`. */
  readonly parts: {
    readonly time: string;
    readonly who: string;
    readonly what: string;
    readonly kind: TopicKind | undefined;
    readonly understood: boolean;
    readonly retained: boolean;
  };
}

/** One message for a person and for a program. What cannot be understood is shown as it is, shortened. */
export function describeMessage(
  topic: string,
  payload: Uint8Array,
  { retained, atMs }: { retained: boolean; atMs: number },
): DescribedMessage {
  const parsed = parseTopic(topic);
  const raw = Buffer.from(payload).toString('utf8');
  const value = parseJson(raw);
  const time = new Date(atMs).toISOString();
  const what = parsed === undefined ? undefined : DESCRIBE[parsed.kind](value);
  const parts = {
    time: time.slice(11, 19),
    who: printable(parsed?.meterId ?? topic).padEnd(16),
    what: printable(what ?? `not understood, ${payload.length} bytes: ${raw.slice(0, 120)}`),
    kind: parsed?.kind,
    understood: what !== undefined,
    retained,
  };
  return {
    parts,
    json: {
      time,
      topic,
      meter_id: parsed?.meterId ?? null,
      kind: parsed?.kind ?? null,
      retained,
      understood: what !== undefined,
      payload: (value as Json | undefined) ?? raw.slice(0, 4_096),
    },
    text: paintedMessage({ parts }, palette(false)),
  };
}

/** Without what would move a terminal's cursor or worse: whoever may publish chooses these texts. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '·');

/** The message's line. Readings and what became of them stand out; what repeats itself is faint. */
export function paintedMessage({ parts }: Pick<DescribedMessage, 'parts'>, paint: Palette): string {
  const { time, who, what, kind, understood, retained } = parts;
  const troubled = /\b(refused|NOT synchronised|offline|alert)\b/.test(what);
  const painted = !understood
    ? paint.bad(what)
    : troubled
      ? paint.doubtful(what)
      : kind === 'reading'
        ? paint.good(what)
        : kind === 'ack' || kind === 'command'
          ? paint.fact(what)
          : what;
  return `${paint.faint(time)}  ${paint.strong(who)}  ${painted}${retained ? paint.faint('  (retained)') : ''}`;
}

const DESCRIBE: Record<TopicKind, (value: unknown) => string | undefined> = {
  reading(value) {
    const body = SubmitReading.safeParse(value);
    if (!body.success) return undefined;
    const { reading, kwh_amount, meter_signature } = body.data;
    const seconds = reading.interval_end - reading.interval_start;
    return `reading ${reading.sequence}: ${String(kwh_amount)} kWh surplus over ${seconds} s, signature ${meter_signature.slice(0, 12)}…`;
  },
  ack(value) {
    const ack = fromEnvelope(value, (payload) => Ack.safeParse(payload));
    if (ack === undefined) return undefined;
    const parts = [`through ${ack.through}`];
    if (ack.stored.length > 0) parts.push(`stored ${ack.stored.join(', ')}`);
    for (const { sequence, code, retry } of ack.refused)
      parts.push(`refused ${sequence} ${code} (retry ${retry})`);
    if (ack.held.length > 0) parts.push(`held ${ack.held.map(({ sequence }) => sequence).join(', ')}`);
    return `acknowledged ${parts.join('; ')}`;
  },
  telemetry(value) {
    const live = Telemetry.safeParse(value);
    if (!live.success) return undefined;
    const { production_watts, consumption_watts, grid_watts, devices } = live.data;
    const parts = [
      production_watts === undefined ? undefined : `${watts(production_watts)} produced`,
      consumption_watts === undefined ? undefined : `${watts(consumption_watts)} used`,
      grid_watts === undefined
        ? undefined
        : `${watts(Math.abs(grid_watts))} ${grid_watts < 0 ? 'to' : 'from'} the grid`,
      ...devices.map(({ role, online }) => (online ? undefined : `${role} meter offline`)),
    ].filter((part) => part !== undefined);
    return `live: ${parts.join(', ')}`;
  },
  status(value) {
    const status = Status.safeParse(value);
    if (!status.success) return undefined;
    const { state, version, outbox_depth, clock, alerts } = status.data;
    const parts = [`gateway ${state}, version ${version}`];
    if (outbox_depth !== undefined) parts.push(`${outbox_depth} readings waiting`);
    if (clock?.synchronised === false) parts.push('clock NOT synchronised');
    for (const { code, message } of alerts ?? []) parts.push(`alert ${code}: ${message}`);
    return parts.join(', ');
  },
  command(value) {
    const command = fromEnvelope(value, (payload) => Command.safeParse(payload));
    if (command === undefined) return undefined;
    return command.type === 'resend'
      ? `command: send again from reading ${command.from_sequence}`
      : `command: sample every ${command.sample_seconds} s`;
  },
};

function fromEnvelope<T>(
  value: unknown,
  parse: (payload: unknown) => { success: true; data: T } | { success: false },
): T | undefined {
  const envelope = SignedEnvelope.safeParse(value);
  if (!envelope.success) return undefined;
  const inner = parse(parseJson(envelope.data.payload));
  return inner.success ? inner.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
