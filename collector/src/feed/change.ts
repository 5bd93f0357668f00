import type pg from 'pg';

/** The channel of Postgres on which collectors tell each other what they wrote. */
export const CHANNEL = 'gtx_changes';
/** Postgres takes payloads under 8000 bytes. */
const MAX_PAYLOAD_BYTES = 7900;

/** An event of the chain as the database has it. */
export interface StoredEvent {
  readonly name: string;
  /** Base58. */
  readonly programId: string;
  /** Of the event in its transaction. */
  readonly index: number;
  /** Of the transaction in its block. */
  readonly txIndex: number;
  readonly slot: number;
  readonly signature: string;
  /** Unix seconds by the chain's clock. */
  readonly blockTime: number | undefined;
  /** Integers of 64 bits as decimal strings, keys in base58, bytes in hex. */
  readonly data: Record<string, unknown>;
}

/** What is told of rows that were written. The rows themselves are in the database by then. */
export type Change =
  /** A transaction was applied; its events in order. */
  | {
      readonly kind: 'transaction';
      readonly signature: string;
      readonly slot: number;
      readonly events: readonly StoredEvent[];
    }
  /** A fork took an applied transaction back. */
  | { readonly kind: 'undone'; readonly signature: string }
  /** Rows of `orders` were corrected without a new transaction: from the accounts. */
  | { readonly kind: 'orders'; readonly addresses: readonly string[] }
  /** Readings of these meters were stored, or their status changed. */
  | { readonly kind: 'readings'; readonly meterIds: readonly string[] }
  | { readonly kind: 'balances'; readonly wallets: readonly string[] }
  | { readonly kind: 'alert'; readonly id: string }
  | { readonly kind: 'review'; readonly id: string }
  /** The price guide was published anew. */
  | { readonly kind: 'guide' }
  /** Changes may have been missed: read again what you hold. */
  | { readonly kind: 'gap' };

/** A change as its writer announces it: of transactions the signatures are enough. */
export type Announcement =
  | Exclude<Change, { kind: 'transaction' }>
  | { readonly kind: 'transactions'; readonly signatures: readonly string[] };

/** An announcement as it travels. */
export interface Payload {
  readonly k: Announcement['kind'];
  readonly id?: string | readonly string[];
}

function idOf(change: Announcement): string | readonly string[] | undefined {
  switch (change.kind) {
    case 'transactions':
      return change.signatures;
    case 'undone':
      return change.signature;
    case 'orders':
      return change.addresses;
    case 'readings':
      return change.meterIds;
    case 'balances':
      return change.wallets;
    case 'alert':
    case 'review':
      return change.id;
    case 'guide':
    case 'gap':
      return undefined;
  }
}

/** The payloads of an announcement, each short enough for Postgres; none for an empty list. */
export function payloads(change: Announcement): string[] {
  const id = idOf(change);
  if (id === undefined) return [JSON.stringify({ k: change.kind })];
  if (typeof id === 'string') return [JSON.stringify({ k: change.kind, id })];
  const found: string[] = [];
  let part: string[] = [];
  const overhead = JSON.stringify({ k: change.kind, id: [] }).length;
  let bytes = overhead;
  for (const item of id) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1;
    if (bytes + size > MAX_PAYLOAD_BYTES && part.length > 0) {
      found.push(JSON.stringify({ k: change.kind, id: part }));
      part = [];
      bytes = overhead;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) found.push(JSON.stringify({ k: change.kind, id: part }));
  return found;
}

/**
 * Announces changes to every collector on this database, when the caller's transaction commits and only then.
 *
 * Postgres lets transactions that announce something commit one after the other: where thousands a second commit, they
 * are announced together, from a transaction of their own.
 */
export async function notifyChange(
  client: Pick<pg.ClientBase, 'query'>,
  ...changes: readonly Announcement[]
): Promise<void> {
  const texts = changes.flatMap(payloads);
  if (texts.length === 0) return;
  await client.query('SELECT pg_notify($1, p) FROM unnest($2::text[]) AS p', [CHANNEL, texts]);
}
