import { U64_MAX } from '@gridtokenx/protocol';

/*
 * From what sources say to one price. Pure: GRX base units for 1 GRID in and out.
 */

const DECIMALS = 9;
const ONE = 1_000_000_000n;

/** Decimal text to base units, rounded half up at the ninth decimal; undefined for anything else. */
export function parsePriceText(text: string): bigint | undefined {
  const match = /^(\d{1,11})(?:\.(\d{1,40}))?$/.exec(text.trim());
  if (!match) return undefined;
  const [, whole = '', fraction = ''] = match;
  const kept = BigInt(whole + fraction.slice(0, DECIMALS).padEnd(DECIMALS, '0'));
  return (fraction[DECIMALS] ?? '0') >= '5' ? kept + 1n : kept;
}

/** A price in a document: decimal text, or a number, which is taken by its shortest decimal text. */
export function parsePriceValue(value: unknown): bigint | undefined {
  if (typeof value === 'string') return parsePriceText(value);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value >= 1e11) return undefined;
  // Below 1e-6 JavaScript writes an exponent; nine decimals are all that counts.
  return parsePriceText(value < 1e-6 ? value.toFixed(DECIMALS + 1) : String(value));
}

/** `price` times a factor of nine decimals, rounded half up. */
export const scaled = (price: bigint, factor: bigint): bigint => (price * factor + ONE / 2n) / ONE;

/** Unix seconds of a time in a document: ISO 8601 with a zone, or seconds; undefined for anything else. */
export function parseTimeValue(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (/^\d{1,12}$/.test(value)) return Number(value);
  if (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})$/.test(value)) return undefined;
  const milliseconds = Date.parse(value);
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1_000);
}

/**
 * What a JSON pointer names (RFC 6901): own properties and array elements only.
 * @returns undefined when there is nothing
 */
export function atPointer(document: unknown, pointer: string): unknown {
  let found = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null) return undefined;
    if (Array.isArray(found) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
    if (!Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** What one source said. */
export interface Quote {
  readonly source: string;
  readonly price: bigint;
  /** Unix seconds. */
  readonly at: number;
}

export interface QuoteRules {
  readonly minPrice: bigint;
  readonly maxPrice: bigint;
  /** Undefined: it counts however old it is. */
  readonly maxAgeSeconds: number | undefined;
}

/** A source's clock may be this much ahead. */
const AHEAD_SECONDS = 60;

/** Why a quote does not count; undefined when it does. @param now Unix seconds */
export function objection({ price, at }: Quote, rules: QuoteRules, now: number): string | undefined {
  if (price < rules.minPrice || price > rules.maxPrice || price > U64_MAX) return 'out_of_bounds';
  if (at > now + AHEAD_SECONDS) return 'from_the_future';
  if (rules.maxAgeSeconds !== undefined && now - at > rules.maxAgeSeconds) return 'stale';
  return undefined;
}

/**
 * One price of several good quotes, which are in the order of trust.
 * @returns undefined when there are too few. The median of an even number is the mean of the two in the middle, rounded
 * down, as the oracle's own.
 */
export function combine(
  quotes: readonly Quote[],
  rule: 'median' | 'first',
  minSources: number,
): bigint | undefined {
  if (rule === 'first') return quotes[0]?.price;
  if (quotes.length === 0 || quotes.length < minSources) return undefined;
  const prices = quotes.map(({ price }) => price).sort((one, other) => (one < other ? -1 : 1));
  const high = prices[Math.floor(prices.length / 2)] as bigint;
  const low = prices[Math.floor((prices.length - 1) / 2)] as bigint;
  return (low + high) / 2n;
}

/** Whether a price is to be submitted now. @param last what was submitted last, and when (seconds) */
export function isDue(
  price: bigint,
  last: { price: bigint; at: number } | undefined,
  rules: { intervalSeconds: number; deviationBps: number },
  now: number,
): 'first' | 'interval' | 'deviation' | undefined {
  if (last === undefined) return 'first';
  if (now - last.at >= rules.intervalSeconds) return 'interval';
  const distance = price > last.price ? price - last.price : last.price - price;
  return distance * 10_000n >= last.price * BigInt(rules.deviationBps) && distance > 0n
    ? 'deviation'
    : undefined;
}
