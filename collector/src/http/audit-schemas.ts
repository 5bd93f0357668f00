/** What comparing chain, database and wallets has found. */
import { z } from 'zod';
import { isoTime } from './fields.js';
import { type Route, route } from './route.js';

const Found = z
  .looseObject({ kind: z.string(), since: isoTime.optional() })
  .meta({ description: 'What differs; the further fields are those of its kind' });

export const Audit = z.strictObject({
  last: z
    .strictObject({
      ok: z.boolean(),
      checked_at: isoTime,
      slot: z.number().int().meta({ description: 'Everything up to this slot was compared' }),
      difference_count: z.number().int(),
      differences: z.array(Found).meta({ description: 'Of many only the first' }),
      energy: z
        .strictObject({
          whole: z.boolean().meta({ description: 'Every day; else the last days and some older ones' }),
          days: z.number().int(),
          quarters: z.number().int(),
          readings: z.number().int(),
          unproved: z.number().int().meta({
            description: 'Quarters that cannot be compared: readings before them are stored elsewhere',
          }),
          oldest: z.string().nullable().meta({ description: 'The oldest of the days, in UTC' }),
        })
        .nullable()
        .meta({
          description:
            'Energy by quarters of an hour that was compared with the readings; null in a report from before this was done',
        }),
      figures: z.record(z.string(), z.unknown()).meta({ description: 'How much was compared' }),
    })
    .nullable()
    .meta({ description: 'The last whole audit; null before the first' }),
  open: z
    .array(
      z.strictObject({
        id: z.string(),
        subject: z.string(),
        difference: Found,
        first_seen: isoTime,
        last_seen: isoTime,
        looks: z.number().int().meta({ description: 'How often it was found' }),
        confirmed_at: isoTime.nullable().meta({ description: 'null while no second look has found it' }),
        repair: z.string().nullable().meta({ description: 'What the last repair did' }),
        repaired_at: isoTime.nullable(),
      }),
    )
    .meta({ description: 'What the rolling comparison has found and not seen go away' }),
  rounds: z
    .array(
      z.strictObject({
        name: z.string(),
        rounds: z.number().int(),
        finished_at: isoTime.nullable(),
        error: z.string().nullable(),
      }),
    )
    .meta({ description: 'How far the rolling comparison is' }),
});

export const getAudit = route({
  method: 'get',
  path: '/api/audit',
  tag: 'Service',
  summary: 'Whether chain, database and wallets agree',
  description: 'The last whole audit, and what the rolling comparison finds between two of them.',
  access: 'operator',
  limit: 'read',
  answers: { 200: { description: 'What was found.', schema: Audit } },
  errors: [],
});

export const AUDIT_ROUTES: readonly Route[] = [getAudit];
