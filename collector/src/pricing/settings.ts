import { readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { PriceGuideSettings } from '../market/index.js';

/**
 * The price guide's settings from a JSON file; the defaults without one.
 * @throws GtxError CONFIG_INVALID, naming what is wrong
 */
export function readPriceGuideSettings(path: string | undefined): PriceGuideSettings {
  if (path === undefined) return PriceGuideSettings.parse({});
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new GtxError('CONFIG_INVALID', `GTX_PRICE_GUIDE_FILE: cannot read ${path} (${reason})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GtxError(
      'CONFIG_INVALID',
      `GTX_PRICE_GUIDE_FILE: ${path} is not JSON: ${(error as Error).message}`,
    );
  }
  const result = PriceGuideSettings.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: where, message }) => `${where.join('.')}: ${message}`);
  throw new GtxError('CONFIG_INVALID', `GTX_PRICE_GUIDE_FILE: ${problems.join('; ')}`, { problems });
}
