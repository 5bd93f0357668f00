import { GtxError } from '@gridtokenx/protocol';

/**
 * What a part of a cursor may be: an integer as the database counts, one as the chain does, a time in Unix seconds, or a name in
 * base58 or of a meter.
 */
export type KeyKind = 'integer' | 'u64' | 'time' | 'text';

const MAX_BIGINT = 2n ** 63n - 1n;
const MAX_U64 = 2n ** 64n - 1n;
const isNatural = (key: string, digits: number) => key.length <= digits && /^(?:0|[1-9][0-9]*)$/.test(key);

const KINDS: Record<KeyKind, (key: string) => boolean> = {
  integer: (key) => isNatural(key, 19) && BigInt(key) <= MAX_BIGINT,
  u64: (key) => isNatural(key, 20) && BigInt(key) <= MAX_U64,
  time: (key) => isNatural(key, 11),
  text: (key) => /^[A-Za-z0-9._-]{1,88}$/.test(key),
};

/** The keys of a page's last item, as the opaque text that asks for the next page. */
export function encodeCursor(keys: readonly (string | number | bigint)[]): string {
  return Buffer.from(JSON.stringify(keys.map(String))).toString('base64url');
}

/**
 * The keys in a cursor, as text; undefined for the first page.
 * @throws GtxError INVALID_BODY when it is not a cursor of this list
 */
export function decodeCursor(text: string | undefined, kinds: readonly KeyKind[]): string[] | undefined {
  if (text === undefined) return undefined;
  const keys = parse(text);
  const fits = (kind: KeyKind, key: unknown) => typeof key === 'string' && KINDS[kind](key);
  if (
    Array.isArray(keys) &&
    keys.length === kinds.length &&
    kinds.every((kind, at) => fits(kind, keys[at]))
  ) {
    return keys;
  }
  const message = 'must be a cursor from an earlier page of the same list';
  throw new GtxError('INVALID_BODY', `cursor: ${message}`, { issues: [{ path: 'cursor', message }] });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    // Whatever it is, it is not one of ours.
    return undefined;
  }
}

/** One page from rows of which one more than `limit` was asked for. */
export function page<Row, Item>(
  rows: readonly Row[],
  limit: number,
  item: (row: Row) => Item,
  keys: (row: Row) => readonly (string | number | bigint)[],
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(item),
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor(keys(last)) : null,
  };
}
