/** Fields that several schemas of the HTTP interface share. */
import { isMeterId, parseTimestamp, publicKeyText, signatureText, u64Text } from '@gridtokenx/protocol';
import { z } from 'zod';

export const meterId = z
  .string()
  .refine(isMeterId, 'must be a meter id')
  .meta({ examples: ['MTR-001'] });
export const kwh = z.string().meta({ description: 'kWh as decimal text', examples: ['15.3'] });
export const isoTime = z.string().meta({ examples: ['2023-11-14T22:30:00Z'] });

/** A time in a query, as Unix seconds. */
export const instant = z
  .string()
  .max(40)
  .transform((text, context) => {
    try {
      return parseTimestamp(/^[0-9]{1,10}$/.test(text) ? Number(text) : text);
    } catch {
      context.addIssue({
        code: 'custom',
        message: 'must be ISO 8601 with a zone and whole seconds, or Unix seconds',
      });
      return z.NEVER;
    }
  })
  .meta({ description: 'ISO 8601 with zone, or Unix seconds' });

export const address = publicKeyText.meta({ description: 'Base58 address' });
export const wallet = publicKeyText.meta({ description: "A wallet's base58 address" });
export const signature = signatureText.meta({ description: "A transaction's base58 signature" });
export const u64 = u64Text;

export const grid = z
  .string()
  .meta({ description: 'GRID as decimal text (1 GRID = 1 kWh)', examples: ['10'] });
export const grx = z.string().meta({ description: 'GRX as decimal text', examples: ['30'] });
export const price = z.string().meta({ description: 'GRX for 1 GRID as decimal text', examples: ['3'] });

export const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(500)
  .default(100)
  .meta({ description: 'Most items of the page' });
export const cursor = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be a cursor from an earlier page')
  .optional()
  .meta({ description: '`next_cursor` of the page before' });

/** A page of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'Give it as `cursor` for the next page' }),
  });
