import { language, t } from './text/index.js';

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

/** As much of an amount as a reader at a distance wants: fewer digits behind the point, the more there are before it. */
export const roughAmount = (text: string): string =>
  shortAmount(text, Math.max(0, 4 - Math.min(3, text.split('.')[0]?.length ?? 0)));

/** Watts as a figure and its unit: the one in which the rounded figure has at most three digits before the point. */
export function powerParts(watts: number): { value: string; unit: string } {
  const fits = (value: string) => Math.abs(Number(value)) < 1000;
  const [whole, kilo] = [String(Math.round(watts)), (watts / 1000).toFixed(2)];
  if (fits(whole)) return { value: whole, unit: 'W' };
  if (fits(kilo)) return { value: kilo, unit: 'kW' };
  return { value: (watts / 1_000_000).toFixed(2), unit: 'MW' };
}

/** Watts as a power with its unit. */
export function power(watts: number): string {
  const { value, unit } = powerParts(watts);
  return `${value} ${unit}`;
}

/** A whole number with groups of three digits. */
export const count = (value: number): string => amount(String(Math.round(value)));

const UNITS = [
  { name: 'day', seconds: 86_400 },
  { name: 'hour', seconds: 3600 },
  { name: 'minute', seconds: 60 },
] as const;

/** A length of time in its largest fitting unit, in the reader's language: `1.2 s`, `3 min`. */
export function duration(seconds: number): string {
  const unit = UNITS.find((one) => seconds >= 2 * one.seconds);
  const value = seconds / (unit?.seconds ?? 1);
  const digits = value < 10 && !Number.isInteger(value) ? 1 : 0;
  return t(`duration.${unit?.name ?? 'second'}`, { count: value.toFixed(digits) });
}

const LOCALES = { en: 'en-GB', th: 'th-TH-u-ca-gregory' } as const;
const formats = new Map<string, Intl.DateTimeFormat>();
/** What the formats were made in: each keeps its zone, and a page that stays open may travel. */
let offset = new Date().getTimezoneOffset();

/** The browser's format for dates in a language: made once, since making one takes a hundred times as long as using it. */
function formatOf(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const now = new Date().getTimezoneOffset();
  if (now !== offset) formats.clear();
  offset = now;
  const key = `${locale} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, options);
    formats.set(key, format);
  }
  return format;
}

/** The browser's format for dates in the reader's language. */
export const dates = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  formatOf(LOCALES[language.value], options);

/** The time zone that times are shown in: the reader's own. */
export const zone = (): string => formatOf(LOCALES.en, {}).resolvedOptions().timeZone;

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
const STYLES = {
  full: { year: 'numeric', month: 'short', day: '2-digit', ...CLOCK },
  dated: { month: 'short', day: '2-digit', ...CLOCK },
  clock: CLOCK,
  bare: CLOCK,
} as const;

/**
 * A time of the interface (ISO 8601) in the reader's language and zone.
 * @param style `clock`: without the date. Without the zone, where that stands beside it: `bare`, without the date too, and
 *   `dated`, without the year
 */
export function time(iso: string | number, style: keyof typeof STYLES = 'full'): string {
  const date = new Date(typeof iso === 'number' ? iso * 1000 : iso);
  if (Number.isNaN(date.getTime())) return String(iso);
  const text = dates(STYLES[style]).format(date);
  if (style === 'bare' || style === 'dated') return text;
  // Asked for together, Thai spells the hours and minutes out in words.
  const zoneName = formatOf(LOCALES.en, { timeZoneName: 'short' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return zoneName === undefined ? text : `${text} ${zoneName}`;
}

/** Both ends of an address or signature, for a place with little room. */
export function short(base58: string): string {
  return base58.length <= 12 ? base58 : `${base58.slice(0, 4)}…${base58.slice(-4)}`;
}
