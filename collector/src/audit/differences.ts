/** What an audit can find. `action` texts below say what to do about each. */
export const DIFFERENCES = {
  SUPPLY:
    'The mint’s supply is not what was minted less what was burned. Stop settlement and look at the mint’s transactions.',
  TOTAL_MINTED:
    'The sum of the meters’ minted counters is not energy-token’s total. Stop settlement: one of the programs counts wrongly.',
  MINT_EVENTS:
    'The mint events in the programs’ history do not add up to energy-token’s total. If the node keeps no full history, ask one that does; otherwise stop settlement.',
  HISTORY_INCOMPLETE:
    'The node’s history does not reach back to the registry’s first transaction, so sums over it prove nothing. Ask a node that keeps all of it.',
  EVENTS_LOST:
    'A transaction logged so much that events are cut off which nothing else tells. Read its accounts and compare by hand.',
  TRANSACTION_MISSING:
    'The chain has a transaction that the database has not applied. Start the collector; if it stays missing, gtx audit --repair applies it.',
  TRANSACTION_UNKNOWN:
    'The database has applied a transaction that the chain does not have. It was lost in a fork or belongs to another chain: restore the database from before, or let the collector sweep.',
  EVENT_DIFFERS:
    'The events stored for a transaction are not those on the chain. gtx audit --repair applies it again; find out who writes to the database.',
  METER_MISSING:
    'The chain has a meter that the database does not know. Start the collector and let it catch up.',
  METER_UNKNOWN:
    'The database has a meter that the chain does not know. It belongs to another chain, or a fork took it back.',
  METER_DIFFERS:
    'A meter’s row is not what its account says. gtx audit --repair reads it again from the chain; if it comes again, find out who writes to the database.',
  COUNTER_DIFFERS:
    'A meter’s counter is not the sum of its events. Stop settlement: history or program is wrong.',
  KEY_UNKNOWN:
    'A reading is signed by a key that its meter never had on the chain. The reading is not proved: find out who stored it.',
  KEY_HISTORY: 'The key history says something else than the chain’s key accounts. Restore the database.',
  SIGNATURE_INVALID:
    'A settled reading’s signature does not verify. Its row was changed after it was stored: restore it from the gateway or a backup.',
  SIGNATURE_MISSING:
    'A reading that the chain accepted is stored without its signature. Import it again from its transaction.',
  READING_ALTERED: 'A reading’s columns are not what its signed bytes say. The row was changed: restore it.',
  READING_MISSING:
    'The chain accepted a reading that the database does not hold. gtx audit --repair imports it from its transaction.',
  READING_DIFFERS:
    'The chain accepted other bytes under this sequence than the database holds. Two gateways share a key: rotate it.',
  NOT_MARKED:
    'The chain has this reading’s energy, and the database still waits for it. Start the collector.',
  MARKED_WRONGLY:
    'The database says minted, and the chain has not accepted this reading or a later one. Set it back to pending.',
  MINTED_TOO_EARLY:
    'The database says minted of energy that the daily cap has put off, and that is still to be minted. Start the collector; if it stays so, the database was changed.',
  WRONG_SIGNATURE: 'The reading names another transaction than the one that minted its energy.',
  RANGE_DIFFERS:
    'What the chain counted and held between two accepted readings is not the rise of their totals. If gtx audit --repair does not mend it, stop settlement.',
  SETTLEMENT_MISSING:
    'A settlement counts as executed, and its transaction is not on the chain. Let the collector sweep.',
  SETTLEMENT_STATE:
    'A settlement counts as not executed, and its transaction is on the chain. Start the collector.',
  SETTLEMENT_AMOUNT: 'A settlement’s minted amount is not what its transaction minted.',
  CERTIFIED_OVER_SETTLED:
    'More of a meter’s energy is certified than is settled. Pause certificates: one of the programs counts wrongly.',
  CERTIFICATE_SUM:
    'A book’s totals are not the sum of its certificates. Pause certificates: the program counts wrongly.',
  CERTIFICATE_OVERLAP: 'Energy is in two certificates, or in one beyond its book. Pause certificates.',
  CERTIFICATE_UNKNOWN: 'A certificate belongs to no book. Pause certificates.',
  TOKEN_SUM:
    'The token accounts of GRID do not add up to the mint’s supply. Ask another node whether it shows all of them; if it says the same, stop settlement and trading.',
  ESCROW_SHORT:
    'An order’s escrow holds less than the order says. Pause the market: its program counts wrongly, or the node does not tell the truth.',
  ORDER_MISSING:
    'The chain has an order that the database does not know. gtx audit --repair reads it again from the chain.',
  ORDER_UNKNOWN:
    'The database has an open order that the chain does not know. It was closed, or a fork took it back: gtx audit --repair reads its history again.',
  ORDER_DIFFERS:
    'An order’s row is not what its account, or the event that closed it, says. gtx audit --repair reads it again from the chain; if it comes again, find out who writes to the database.',
  TRADE_MISSING:
    'The chain has a trade that the database does not have. gtx audit --repair applies its transaction again.',
  TRADE_DIFFERS:
    'A trade’s row is not what the chain’s event says. gtx audit --repair applies its transaction again; find out who writes to the database.',
  TRADE_UNKNOWN:
    'The database has a trade that the chain does not have. gtx audit --repair applies its transaction again, which takes it away; find out who writes to the database.',
  BALANCE_DIFFERS:
    'A wallet’s balance in the database is not what its token account holds, and no transfer explains it. gtx audit --repair reads the account again.',
  BALANCE_MISSING:
    'A wallet that takes part holds tokens of which the database knows nothing. gtx audit --repair reads the account.',
  ROW_MISSING:
    'The chain has an account (user, market, certificate, price feed, proposal) that the database does not know. gtx audit --repair reads it again from the chain.',
  ROW_UNKNOWN:
    'The database has a user, market, certificate, price feed or proposal that the chain does not know. gtx audit --repair reads its history again; what is left belongs to another chain.',
  ROW_DIFFERS:
    'A row is not what its account or its event says. gtx audit --repair reads it again from the chain; if it comes again, find out who writes to the database.',
  ENERGY_DIFFERS:
    'The energy that was added up for a quarter of an hour, which the pages and GET /api/energy show, is not that of its readings. gtx audit --repair adds it up again; if it comes again, find out who writes to the database.',
} as const;

export type DifferenceKind = keyof typeof DIFFERENCES;

/** One thing that does not agree. Amounts are nkWh (base units of tokens) as decimal strings. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** What it is about, where the kind leaves it open: `market`, `feed`, ... */
  readonly what?: string;
  readonly meter?: string;
  readonly sequence?: string;
  readonly signature?: string;
  /** Position of the event in its transaction. */
  readonly event?: string;
  /** Address of the account, base58; of a user the wallet. */
  readonly account?: string;
  readonly wallet?: string;
  readonly mint?: string;
  /** Beginning of a quarter of an hour, ISO 8601. */
  readonly quarter?: string;
  /** What should be there, and what is. */
  readonly expected: string;
  readonly actual: string;
  /** What to do about it. */
  readonly action: string;
  /** When it was first seen, ISO 8601; only where differences are remembered. */
  readonly since?: string;
}

/** What a difference is about, as one text: the same difference has the same one whenever it is found. */
export function subjectOf(difference: Omit<Difference, 'expected' | 'actual' | 'action'>): string {
  const { what, meter, sequence, signature, event, account, wallet, mint, quarter } = difference;
  const parts = [what, meter, sequence, signature, event, account, wallet, mint, quarter].filter(
    (part) => part !== undefined,
  );
  return parts.length === 0 ? 'chain' : parts.join('/');
}

/** Collects differences, the first `limit` of them in full. */
export class Differences {
  readonly list: Difference[] = [];
  count = 0;

  constructor(private readonly limit: number) {}

  add(kind: DifferenceKind, found: Omit<Difference, 'kind' | 'action'>): void {
    this.count += 1;
    if (this.list.length < this.limit) this.list.push({ kind, ...found, action: DIFFERENCES[kind] });
  }

  /** Adds one unless the two are equal. */
  expect(
    kind: DifferenceKind,
    what: string,
    expected: bigint | string | number,
    actual: bigint | string | number,
    where: Omit<Difference, 'kind' | 'action' | 'expected' | 'actual'> = {},
  ): void {
    if (String(expected) === String(actual)) return;
    this.add(kind, { ...where, expected: `${what} ${expected}`.trim(), actual: String(actual) });
  }

  addAll(others: readonly Difference[]): void {
    for (const { kind, action: _action, ...found } of others) this.add(kind, found);
  }
}
