import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** What one call of an instruction takes. */
export interface Cost {
  computeUnits: number;
  accounts: number;
  transactionBytes: number;
}

/** The same costs in the order in which they are committed. */
export function sortedCosts(costs: Record<string, Cost>): Record<string, Cost> {
  return Object.fromEntries(Object.entries(costs).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Compares with the committed table (`compute-units*.json` beside this folder): a rise of more than 5 percent fails.
 * `GTX_UPDATE=1` writes the table anew first; `node programs/scripts/docs.mjs` then carries it into the documentation.
 */
export function expectCosts(name: string, measured: Record<string, Cost>): void {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (process.env.GTX_UPDATE) {
    writeFileSync(file, `${JSON.stringify(measured, null, 2)}\n`);
  }
  const committed: Record<string, Cost> = JSON.parse(readFileSync(file, 'utf8'));
  expect(Object.keys(measured)).toEqual(Object.keys(committed));
  const risen = Object.entries(measured).filter(
    ([key, cost]) => cost.computeUnits > (committed[key]?.computeUnits ?? 0) * 1.05,
  );
  expect(risen).toEqual([]);
  // Sizes do not depend on the compiler: any change is a change of the interface.
  const sizes = (costs: Record<string, Cost>) =>
    Object.entries(costs).map(([key, cost]) => [key, cost.accounts, cost.transactionBytes]);
  expect(sizes(measured)).toEqual(sizes(committed));
}
