import { GtxError, kwhToNkwh } from '@gridtokenx/protocol';

const DECIMALS = 9;

/**
 * Decimal text of GRID or GRX to base units, exactly.
 * @throws GtxError VALUE_INVALID for anything else, with the nearest value where there are too many decimals
 */
export function parseTokens(text: string): bigint {
  const match = /^(0|[1-9]\d*)(?:\.(\d+))?$/.exec(text);
  if (!match) throw new GtxError('VALUE_INVALID', 'It must be a decimal number such as 10 or 0.5.');
  const [, whole = '0', fraction = ''] = match;
  if (fraction.length > DECIMALS && /[1-9]/.test(fraction.slice(DECIMALS))) {
    const down = BigInt(whole + fraction.slice(0, DECIMALS));
    const nearest = (fraction[DECIMALS] ?? '0') >= '5' ? down + 1n : down;
    throw new GtxError(
      'VALUE_INVALID',
      `It has at most ${DECIMALS} decimals; the nearest is ${decimal(nearest)}.`,
    );
  }
  return kwhToNkwh(fraction === '' ? whole : `${whole}.${fraction.slice(0, DECIMALS)}`);
}

/** Base units as the shortest decimal text, of any size. */
export function decimal(amount: bigint): string {
  const digits = amount.toString().padStart(DECIMALS + 1, '0');
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, '');
  const whole = digits.slice(0, -DECIMALS);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
/** The trading program's longest life of an order. */
const MOST_SECONDS = 366 * 86_400;

/**
 * `90s`, `30m`, `24h` or `7d` in seconds.
 * @throws GtxError VALUE_INVALID for another form, for 0 and above 366 days
 */
export function parseLifetime(text: string): bigint {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : 0;
  if (seconds === 0 || seconds > MOST_SECONDS)
    throw new GtxError('VALUE_INVALID', 'It must be a time such as 90s, 30m, 24h or 7d, at most 366d.');
  return BigInt(seconds);
}
