import { language } from './text/index.js';

/** Groups of three digits for people; the amount itself is not rounded: `1,234.5`. */
export function amount(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) return text;
  const [, sign = '', whole = '', part] = match;
  return `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${part === undefined ? '' : `.${part}`}`;
}

/** A decimal text with at most this many digits behind the point, cut off: nothing is shown that is not there. */
export function shortAmount(text: string, digits = 3): string {
  const [whole = '', part = ''] = text.split('.');
  const cut = part.slice(0, digits).replace(/0+$/, '');
  if (cut === '' && /^-?0*$/.test(whole) && /[1-9]/.test(part)) return `< ${(10 ** -digits).toFixed(digits)}`;
  return amount(cut === '' ? whole : `${whole}.${cut}`);
}

/** Watts as a power with its unit. */
export function power(watts: number): string {
  const absolute = Math.abs(watts);
  if (absolute >= 1_000_000) return `${(watts / 1_000_000).toFixed(2)} MW`;
  if (absolute >= 1000) return `${(watts / 1000).toFixed(2)} kW`;
  return `${Math.round(watts)} W`;
}

/** The time zone that times are shown in: the reader's own. */
export const zone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A time of the interface (ISO 8601) in the reader's language and zone, with the zone's name. */
export function time(iso: string | number, style: 'full' | 'clock' = 'full'): string {
  const date = new Date(typeof iso === 'number' ? iso * 1000 : iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const text = new Intl.DateTimeFormat(language.value === 'th' ? 'th-TH-u-ca-gregory' : 'en-GB', {
    ...(style === 'full' && { year: 'numeric', month: 'short', day: '2-digit' }),
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).format(date);
  // Asked for together, Thai spells the hours and minutes out in words.
  const zoneName = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return zoneName === undefined ? text : `${text} ${zoneName}`;
}

/** Both ends of an address or signature, for a place with little room. */
export function short(base58: string): string {
  return base58.length <= 12 ? base58 : `${base58.slice(0, 4)}…${base58.slice(-4)}`;
}
