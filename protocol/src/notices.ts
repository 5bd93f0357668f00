/**
 * What alerts and reviews are about, as data: whoever shows one can say it in any language. The sentence that the collector writes
 * beside it says the same in English, and more where there is more to say.
 */
import { z } from 'zod';

const text = z.string().min(1);
const reading = { meter_id: text, sequence: text };
const amount = { amount_kwh: text };
/** Of one meter's gateway, or of so many at once. */
const gateway = z.union([z.object({ meter_id: text }), z.object({ meters: z.number() })]);
const produced = { meter_id: text, mean_watts: z.number() };

/** The facts that each kind has, by which its sentence is made. There may be others. */
export const NOTICE_FACTS = {
  sequence_conflict: z.object(reading),
  reading_not_storable: z.object(reading),
  reading_held: z.object({ ...reading, ...amount }),
  held_amount: z.object({ ...reading, ...amount }),
  energy_held: z.object({ ...reading, ...amount }),
  implausible_production: z.discriminatedUnion('rule', [
    z.object({ rule: z.literal('above_rated'), ...produced, rated_watts: z.number() }),
    z.object({ rule: z.literal('sun_below_horizon'), ...produced }),
    z.object({
      rule: z.literal('neighbours_silent'),
      ...produced,
      neighbours: z.number(),
      silent: z.number(),
    }),
    z.object({
      rule: z.literal('above_neighbours'),
      meter_id: text,
      neighbours: z.number(),
      own_kwh_per_kw: z.number(),
      median_kwh_per_kw: z.number(),
    }),
  ]),
  sites_file_invalid: z.object({ file: text }),
  gateway_silent: gateway,
  gateway_bus: gateway,
  gateway_clock: gateway,
  settlement_failed: z.object({ ...reading, error: text }),
  settlement_dropped: z.object({ signature: text }),
  /** Which part of the collector it cannot pay for. */
  fee_payer: z.object({ wallet: text, part: z.enum(['settlement', 'matching']) }),
  certificate_refused: z.object({ meter_id: text, attempts: z.number(), error: text }),
  match_failed: z.object({ attempts: z.number(), error: text }),
  market_halted: z.object({ market: text, reason: text }),
  /** Which part of the collector does not get on. */
  chain_unavailable: z.object({ part: z.enum(['mirror', 'settlement', 'matching', 'certificates']) }),
  other_chain: z.object({}),
  mirror_failed: z.object({ signature: text }),
  chain_reading_conflict: z.object(reading),
  chain_logs_truncated: z.object({ signature: text }),
  paused: z.object({}),
  audit_difference: z.object({ kind: text }),
  alert_channel_failed: z.object({ channel: text }),
} as const;

export type NoticeKind = keyof typeof NOTICE_FACTS;
export type NoticeFacts<Kind extends NoticeKind> = z.output<(typeof NOTICE_FACTS)[Kind]>;

export interface Notice {
  /** The kind, and where it says different things which of them: `fee_payer.matching`. */
  readonly name: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/**
 * What a notice says.
 * @param details as the collector tells them; of a review with its own fields
 * @returns undefined for a kind that is not known here, or without its facts: an older or newer collector wrote it
 */
export function noticeOf(kind: string, details: Readonly<Record<string, unknown>>): Notice | undefined {
  if (!Object.hasOwn(NOTICE_FACTS, kind)) return undefined;
  const parsed = NOTICE_FACTS[kind as NoticeKind].safeParse(details);
  if (!parsed.success) return undefined;
  const facts: Record<string, string | number> = parsed.data;
  const which = facts.rule ?? facts.part ?? (facts.meters === undefined ? undefined : 'many');
  return { name: which === undefined ? kind : `${kind}.${which}`, facts };
}

/** Every name that {@link noticeOf} can give. */
export function noticeNames(): string[] {
  return Object.entries(NOTICE_FACTS).flatMap(([kind, schema]) => {
    if (schema instanceof z.ZodObject) {
      const part: unknown = (schema.shape as Record<string, unknown>).part;
      return part instanceof z.ZodEnum ? part.options.map((option) => `${kind}.${option}`) : [kind];
    }
    return schema.options.map((option) => {
      const shape: Record<string, unknown> = option.shape;
      const rule = shape.rule instanceof z.ZodLiteral ? shape.rule.value : undefined;
      return rule !== undefined ? `${kind}.${rule}` : shape.meters === undefined ? kind : `${kind}.many`;
    });
  });
}

/** Names of the facts of a kind, those of all its cases together. */
export function factNames(kind: NoticeKind): string[] {
  const schema = NOTICE_FACTS[kind];
  const shapes = schema instanceof z.ZodObject ? [schema.shape] : schema.options.map(({ shape }) => shape);
  return [...new Set(shapes.flatMap((shape) => Object.keys(shape)))];
}
