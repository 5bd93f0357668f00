import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { GtxError, parseWith } from '@gridtokenx/protocol';
import { z } from 'zod';
import { parsePriceText } from './price.js';

/*
 * The publisher's settings: one JSON file, which holds no secret but may name the file of one.
 */

const price = z.string().transform((text, context) => {
  const value = parsePriceText(text);
  if (value !== undefined && value > 0n) return value;
  context.addIssue({ code: 'custom', message: 'is not a price above zero such as "3" or "0.25"' });
  return z.NEVER;
});
const seconds = (most: number) => z.int().min(1).max(most);
/** RFC 6901: '' is the whole document. */
const pointer = z
  .string()
  .regex(/^(\/([^~/]|~[01])*)*$/, 'is not a JSON pointer (RFC 6901) such as /data/price');

const common = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'is a short name in lower case')
    .describe('How logs and metrics call it.'),
  pointer: pointer
    .default('')
    .describe('Where in the JSON the price is; "" for a file or answer that is only the price.'),
  time_pointer: pointer
    .optional()
    .describe(
      'Where the time of the price is: ISO 8601 or Unix seconds. Without it: when the file was written or the answer came.',
    ),
  scale: price
    .default(1_000_000_000n)
    .describe('Factor from the source to GRX for 1 kWh: "0.001" for a source in GRX for 1 MWh.'),
  max_age_seconds: seconds(7 * 86_400)
    .optional()
    .describe('A price that is older does not count. Without it a price counts however old it is.'),
};

const FileSource = z.strictObject({
  type: z.literal('file'),
  path: z.string().min(1).describe('A JSON file, or one with nothing but a number; relative to this file.'),
  ...common,
});
const HttpSource = z.strictObject({
  type: z.literal('http'),
  url: z.url({ protocol: /^https?$/ }).describe('Asked with GET; the answer is JSON.'),
  headers_file: z
    .string()
    .min(1)
    .optional()
    .describe('JSON file with request headers, for instance an API key; mode 0600.'),
  timeout_seconds: seconds(60).default(10),
  ...common,
});

export const PublisherSettings = z
  .strictObject({
    rpc_url: z.url({ protocol: /^https?$/ }).describe('Solana RPC.'),
    key_file: z
      .string()
      .min(1)
      .describe('The publisher’s own key, mode 0600; it pays the fees. Relative to this file.'),
    symbol: z.string().default('GRX/GRID').describe('The feed.'),
    sources: z
      .array(z.discriminatedUnion('type', [FileSource, HttpSource]))
      .min(1)
      .max(16)
      .describe('Where prices come from, in the order of trust.'),
    combine: z
      .enum(['median', 'first'])
      .default('median')
      .describe('median: of all sources that have a good price. first: of the first one that has.'),
    min_sources: z
      .int()
      .min(1)
      .max(16)
      .default(1)
      .describe('With median: so many sources have to have a good price.'),
    min_price: price.describe('What is below is no price. GRX for 1 kWh, as the next.'),
    max_price: price.describe('What is above is no price.'),
    poll_seconds: seconds(86_400).default(30).describe('How often the sources are asked.'),
    interval_seconds: seconds(86_400).default(300).describe('Submit at least this often.'),
    deviation_bps: z
      .int()
      .min(1)
      .max(10_000)
      .default(50)
      .describe(
        'Submit at once when the price is this far from the last submitted, in hundredths of a percent.',
      ),
    http: z
      .strictObject({ host: z.string().default('127.0.0.1'), port: z.int().min(0).max(65_535).default(0) })
      .default({ host: '127.0.0.1', port: 0 })
      .describe('Where /healthz and /metrics are served; port 0 takes a free one.'),
  })
  .refine(({ min_price, max_price }) => min_price < max_price, {
    path: ['max_price'],
    message: 'is not above min_price',
  })
  .refine(({ sources, min_sources }) => min_sources <= sources.length, {
    path: ['min_sources'],
    message: 'is more than there are sources',
  })
  .refine(({ sources }) => new Set(sources.map(({ name }) => name)).size === sources.length, {
    path: ['sources'],
    message: 'have names that are used twice',
  });

export type PublisherConfig = z.infer<typeof PublisherSettings>;
export type SourceConfig = PublisherConfig['sources'][number];

/**
 * Reads a publisher's configuration; file names in it become absolute.
 * @throws GtxError CONFIG_INVALID naming each setting that is wrong
 */
export function loadPublisherConfig(path: string): PublisherConfig {
  if (!existsSync(path)) throw new GtxError('CONFIG_INVALID', `there is no configuration ${path}`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `${path} is no JSON: ${(error as Error).message}`);
  }
  const config = parseWith(PublisherSettings, value, 'CONFIG_INVALID');
  const from = (file: string) => resolve(dirname(path), file);
  return {
    ...config,
    key_file: from(config.key_file),
    sources: config.sources.map((source) =>
      source.type === 'file'
        ? { ...source, path: from(source.path) }
        : {
            ...source,
            ...(source.headers_file === undefined ? {} : { headers_file: from(source.headers_file) }),
          },
    ),
  };
}
