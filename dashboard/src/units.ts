/** GRID and GRX have nine decimals; so has kWh here. Amounts are base units (bigint) in between, never numbers. */
const DECIMALS = 9;
const UNIT = 10n ** BigInt(DECIMALS);

/** Base units of a decimal text; undefined when it is none, or finer than a base unit. */
export function units(text: string): bigint | undefined {
  const match = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!match) return undefined;
  const [, whole = '0', part = ''] = match;
  return BigInt(whole) * UNIT + BigInt(part.padEnd(DECIMALS, '0'));
}

export function decimal(value: bigint): string {
  const sign = value < 0n ? '-' : '';
  const absolute = value < 0n ? -value : value;
  const part = (absolute % UNIT).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
  return `${sign}${absolute / UNIT}${part === '' ? '' : `.${part}`}`;
}

/** GRX for so much GRID at a price, rounded up. */
export function quote(amount: bigint, price: bigint): bigint {
  return (amount * price + UNIT - 1n) / UNIT;
}

/** Sum of decimal texts. */
export function sum(texts: readonly string[]): string {
  return decimal(texts.reduce((total, text) => total + (units(text) ?? 0n), 0n));
}
