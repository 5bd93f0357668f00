import { energySourceName } from '@gridtokenx/chain';
import type pg from 'pg';
import type { LandedEvent } from './landed.js';

// Everything here is worked out from `chain_events`, whatever order they came in: a row is made anew from all events
// about its subject. So a transaction that was late, repeated or taken back by a fork needs no rule of its own.

/** Trades of which something is still to be filled in, as `idx_trades_unfinished` has it. */
const UNFINISHED = `(price = 0 OR (sell_order IS NOT NULL AND sell_order_id IS NULL)
  OR (buy_order IS NOT NULL AND buy_order_id IS NULL))`;
/** The zero key, by which events say "none". */
const NONE = '11111111111111111111111111111111';

/** Rows that are to be made anew, by address. */
export interface Subjects {
  readonly orders: ReadonlySet<string>;
  readonly markets: ReadonlySet<string>;
  readonly feeds: ReadonlySet<string>;
  /** Books of certificates: all certificates of a meter. */
  readonly books: ReadonlySet<string>;
  readonly proposals: ReadonlySet<string>;
}

type Kind = keyof Subjects;

const KINDS: Partial<Record<LandedEvent['name'], Kind>> = {
  OrderCreated: 'orders',
  OrderCancelled: 'orders',
  OrderExpired: 'orders',
  MarketChanged: 'markets',
  FeedChanged: 'feeds',
  PriceSubmitted: 'feeds',
  PublisherChanged: 'feeds',
  BookOpened: 'books',
  BookAdopted: 'books',
  SourceAttested: 'books',
  CertificateIssued: 'books',
  CertificateSplit: 'books',
  CertificateTransferred: 'books',
  CertificateRetired: 'books',
  ProposalCreated: 'proposals',
  InstructionAdded: 'proposals',
  ProposalActivated: 'proposals',
  VoteCast: 'proposals',
  VoteClosed: 'proposals',
  ProposalFinalized: 'proposals',
  ProposalCancelled: 'proposals',
  InstructionExecuted: 'proposals',
  ProposalRemoved: 'proposals',
};
const FIELDS: Record<Kind, string> = {
  orders: 'order',
  markets: 'market',
  feeds: 'feed',
  books: 'book',
  proposals: 'proposal',
};

/** What an event is about, for `chain_events.subject`. */
export function subjectOf(name: LandedEvent['name'], json: Record<string, unknown>): string | undefined {
  const kind = KINDS[name];
  const address = kind && json[FIELDS[kind]];
  return typeof address === 'string' ? address : undefined;
}

/** The addresses that an event names, each once. */
export function addressesIn(data: object): string[] {
  const found = new Set<string>();
  for (const value of Object.values(data) as unknown[]) {
    if (typeof value !== 'object' || value === null || !('toBase58' in value)) continue;
    const address = (value as { toBase58(): string }).toBase58();
    if (address !== NONE) found.add(address);
  }
  return [...found];
}

/** What the rows of these events are. */
export function subjectsOf(
  events: Iterable<{ readonly name: string; readonly json: Record<string, unknown> }>,
): Subjects {
  const found: Record<Kind, Set<string>> = {
    orders: new Set(),
    markets: new Set(),
    feeds: new Set(),
    books: new Set(),
    proposals: new Set(),
  };
  for (const { name, json } of events) {
    const kind = KINDS[name as LandedEvent['name']];
    const subject = subjectOf(name as LandedEvent['name'], json);
    if (kind && subject !== undefined) found[kind].add(subject);
    if (name !== 'TradeExecuted') continue;
    for (const order of [json.sellOrder, json.buyOrder])
      if (typeof order === 'string' && order !== NONE) found.orders.add(order);
  }
  return found;
}

/** An event as a row of `chain_events`. */
export interface EventRow {
  readonly signature: string;
  readonly event_index: number;
  readonly slot: number;
  readonly tx_index: number;
  /** See `positionOf`; as a decimal string. */
  readonly position: string;
  readonly name: string;
  readonly data: Record<string, unknown>;
}

const EVENT_COLUMNS = `signature text, event_index integer, slot bigint, tx_index integer, position bigint, data jsonb`;

/** Writes what these events are by themselves: trades, submitted prices, votes. Each at most once. */
export async function insertFacts(client: pg.ClientBase, rows: readonly EventRow[]): Promise<void> {
  const named = (name: string) => rows.filter((row) => row.name === name);
  const trades = named('TradeExecuted');
  if (trades.length > 0) {
    await client.query(
      `INSERT INTO trades (signature, event_index, market, slot, tx_index, position, seller, buyer, sell_order,
         buy_order, sell_order_id, buy_order_id, maker_order, taker_side, price, amount, quote, fee, sell_closed,
         buy_closed, executed_at)
       SELECT signature, event_index, data ->> 'market', slot, tx_index, position, data ->> 'seller', data ->> 'buyer',
         nullif(data ->> 'sellOrder', $2), nullif(data ->> 'buyOrder', $2),
         CASE WHEN data ->> 'sellOrder' <> $2 THEN (data ->> 'sellOrderId')::numeric END,
         CASE WHEN data ->> 'buyOrder' <> $2 THEN (data ->> 'buyOrderId')::numeric END,
         CASE WHEN data ->> 'takerSide' = '0' THEN data ->> 'buyOrder' ELSE data ->> 'sellOrder' END,
         CASE WHEN data ->> 'takerSide' = '0' THEN 'sell' ELSE 'buy' END,
         (data ->> 'price')::numeric, (data ->> 'amount')::numeric, (data ->> 'quote')::numeric,
         (data ->> 'fee')::numeric, (data ->> 'sellClosed')::boolean, (data ->> 'buyClosed')::boolean,
         to_timestamp((data ->> 'timestamp')::bigint)
       FROM jsonb_to_recordset($1::jsonb) AS e (${EVENT_COLUMNS})
       ON CONFLICT DO NOTHING`,
      [JSON.stringify(trades), NONE],
    );
  }
  const prices = named('PriceSubmitted');
  if (prices.length > 0) {
    await client.query(
      `INSERT INTO prices (signature, event_index, feed, publisher, submitted, median, price, outcome, observed_at,
         published_at, submitted_at, slot, position)
       SELECT signature, event_index, data ->> 'feed', data ->> 'publisher', (data ->> 'submitted')::numeric,
         (data ->> 'median')::numeric, (data ->> 'price')::numeric,
         (ARRAY['published', 'too_few', 'guarded'])[(data ->> 'outcome')::integer + 1],
         (data ->> 'observedAt')::bigint, (data ->> 'publishedAt')::bigint,
         to_timestamp((data ->> 'timestamp')::bigint), slot, position
       FROM jsonb_to_recordset($1::jsonb) AS e (${EVENT_COLUMNS})
       ON CONFLICT DO NOTHING`,
      [JSON.stringify(prices)],
    );
  }
  const votes = named('VoteCast');
  if (votes.length > 0)
    await writeVotes(client, `jsonb_to_recordset($1::jsonb) AS e (${EVENT_COLUMNS})`, [
      JSON.stringify(votes),
    ]);
}

/**
 * Makes these rows anew from the stored events. Inside the caller's transaction.
 * @param shrunk whether events may be gone since the rows were made: then a row may have to go too
 */
export async function project(client: pg.ClientBase, subjects: Subjects, shrunk = false): Promise<void> {
  const parts = [
    ['markets', 'MarketChanged', projectMarkets, subjects.markets],
    ['orders', 'OrderCreated', projectOrders, subjects.orders],
    ['price_feeds', 'FeedChanged', projectFeeds, subjects.feeds],
    ['proposals', 'ProposalCreated', projectProposals, subjects.proposals],
  ] as const;
  for (const [table, first, make, addresses] of parts) {
    if (addresses.size === 0) continue;
    await make(client, sorted(addresses));
    if (shrunk) await removeWithout(client, table, sorted(addresses), first);
  }
  await projectBooks(client, sorted(subjects.books));
}

/** One order for everybody who writes several rows, so that nobody waits in a circle. */
function sorted(addresses: ReadonlySet<string>): string[] {
  return [...addresses].sort();
}

async function projectMarkets(client: pg.ClientBase, addresses: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO markets (address, base_mint, quote_mint, treasury, feed, admin, guardian, lot_size, tick_size, fee_bps,
       band_bps, paused, slot, position)
     SELECT a.address, data ->> 'baseMint', data ->> 'quoteMint', data ->> 'treasury', nullif(data ->> 'feed', $2),
       data ->> 'admin', data ->> 'guardian', (data ->> 'lotSize')::numeric, (data ->> 'tickSize')::numeric,
       (data ->> 'feeBps')::integer, (data ->> 'bandBps')::integer, (data ->> 'paused')::boolean, e.slot, e.position
     FROM unnest($1::text[]) AS a (address) CROSS JOIN LATERAL (
       SELECT * FROM chain_events e WHERE e.subject = a.address AND e.name = 'MarketChanged'
       ORDER BY e.position DESC LIMIT 1) AS e
     ON CONFLICT (address) DO UPDATE SET base_mint = excluded.base_mint, quote_mint = excluded.quote_mint,
       treasury = excluded.treasury, feed = excluded.feed, admin = excluded.admin, guardian = excluded.guardian,
       lot_size = excluded.lot_size, tick_size = excluded.tick_size, fee_bps = excluded.fee_bps,
       band_bps = excluded.band_bps, paused = excluded.paused, slot = excluded.slot, position = excluded.position,
       updated_at = now()`,
    [addresses, NONE],
  );
}

/** Rows whose first event is gone with a fork. */
async function removeWithout(
  client: pg.ClientBase,
  table: 'markets' | 'orders' | 'price_feeds' | 'proposals',
  addresses: readonly string[],
  event: string,
): Promise<void> {
  await client.query(
    `DELETE FROM ${table} t WHERE t.address = ANY($1::text[]) AND NOT EXISTS (
       SELECT FROM chain_events e WHERE e.subject = t.address AND e.name = $2)`,
    [addresses, event],
  );
}

/**
 * An order is what its making put into the book, less its trades, until something closed it. The fee that one of a cut
 * log had is its market's of that time.
 */
async function projectOrders(client: pg.ClientBase, addresses: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
       rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at,
       status, closed_signature, closed_at, filled_at, slot)
     SELECT a.address, c.data ->> 'market', c.data ->> 'owner', (c.data ->> 'orderId')::numeric,
       CASE WHEN c.sells THEN 'sell' ELSE 'buy' END, (c.data ->> 'price')::numeric, c.amount, r.remaining,
       CASE WHEN x.signature IS NOT NULL OR t.closed_signature IS NOT NULL THEN 0
         WHEN c.sells THEN r.remaining ELSE greatest(0, c.deposited - t.quote) END,
       c.deposited,
       coalesce((c.data ->> 'feeBps')::integer, (SELECT (m.data ->> 'feeBps')::integer FROM chain_events m
         WHERE m.subject = c.data ->> 'market' AND m.name = 'MarketChanged' AND m.position < c.position
         ORDER BY m.position DESC LIMIT 1), 0),
       c.data ->> 'rentPayer', (c.data ->> 'expiresAt')::bigint, c.slot, c.tx_index, c.event_index, c.signature,
       to_timestamp((c.data ->> 'timestamp')::bigint),
       CASE WHEN r.remaining = 0 THEN 'filled' WHEN x.name = 'OrderCancelled' THEN 'cancelled'
         WHEN x.name = 'OrderExpired' THEN 'expired' WHEN t.closed_signature IS NOT NULL THEN 'filled' ELSE 'open' END,
       coalesce(x.signature, t.closed_signature), coalesce(x.at, t.closed_at),
       CASE WHEN r.remaining = 0 THEN t.last_at END,
       greatest(c.slot, t.slot, x.slot)
     FROM unnest($1::text[]) AS a (address)
     CROSS JOIN LATERAL (
       SELECT e.*, e.data ->> 'side' = '0' AS sells, (e.data ->> 'amount')::numeric AS amount,
         (e.data ->> 'escrowed')::numeric AS deposited
       FROM chain_events e WHERE e.subject = a.address AND e.name = 'OrderCreated'
       ORDER BY e.position DESC LIMIT 1) AS c
     CROSS JOIN LATERAL (
       SELECT coalesce(sum(f.amount), 0) AS amount, coalesce(sum(f.quote), 0) AS quote, max(f.slot) AS slot,
         max(f.executed_at) AS last_at,
         (array_agg(f.signature ORDER BY f.position DESC) FILTER (WHERE f.closed))[1] AS closed_signature,
         (array_agg(f.executed_at ORDER BY f.position DESC) FILTER (WHERE f.closed))[1] AS closed_at
       FROM (
         SELECT amount, quote, slot, position, executed_at, signature, sell_closed AS closed
         FROM trades WHERE sell_order = a.address
         UNION ALL
         SELECT amount, quote, slot, position, executed_at, signature, buy_closed
         FROM trades WHERE buy_order = a.address) AS f) AS t
     CROSS JOIN LATERAL (SELECT greatest(0, c.amount - t.amount) AS remaining) AS r
     LEFT JOIN LATERAL (
       SELECT e.signature, e.name, e.slot, to_timestamp((e.data ->> 'timestamp')::bigint) AS at
       FROM chain_events e WHERE e.subject = a.address AND e.name IN ('OrderCancelled', 'OrderExpired')
       ORDER BY e.position DESC LIMIT 1) AS x ON TRUE
     ON CONFLICT (address) DO UPDATE SET market = excluded.market, owner = excluded.owner,
       order_id = excluded.order_id, side = excluded.side, price = excluded.price, amount = excluded.amount,
       remaining = excluded.remaining, escrowed = excluded.escrowed, deposited = excluded.deposited,
       fee_bps = excluded.fee_bps, rent_payer = excluded.rent_payer, expires_at = excluded.expires_at,
       created_slot = excluded.created_slot, created_tx_index = excluded.created_tx_index,
       created_event_index = excluded.created_event_index, created_signature = excluded.created_signature,
       created_at = excluded.created_at, status = excluded.status, closed_signature = excluded.closed_signature,
       closed_at = excluded.closed_at, filled_at = excluded.filled_at, slot = excluded.slot, updated_at = now()`,
    [addresses],
  );
  // What the calls of a transaction with a cut log do not tell of its trades: the ids, and of two crossed orders the price,
  // which is the older one's. The index of such trades is empty nearly always.
  const { rows } = await client.query(`SELECT FROM trades WHERE ${UNFINISHED} LIMIT 1`);
  if (rows.length === 0) return;
  await client.query(
    `UPDATE trades t SET sell_order_id = s.order_id FROM orders s
     WHERE t.sell_order = s.address AND s.address = ANY($1::text[]) AND t.sell_order_id IS NULL`,
    [addresses],
  );
  await client.query(
    `UPDATE trades t SET buy_order_id = b.order_id FROM orders b
     WHERE t.buy_order = b.address AND b.address = ANY($1::text[]) AND t.buy_order_id IS NULL`,
    [addresses],
  );
  await client.query(
    `UPDATE trades t SET
       price = CASE WHEN b.created_slot < s.created_slot THEN b.price ELSE s.price END,
       maker_order = CASE WHEN b.created_slot < s.created_slot THEN b.address ELSE s.address END,
       taker_side = CASE WHEN b.created_slot < s.created_slot THEN 'sell' ELSE 'buy' END
     FROM orders s, orders b
     WHERE t.sell_order = s.address AND t.buy_order = b.address AND t.price = 0
       AND (t.sell_order = ANY($1::text[]) OR t.buy_order = ANY($1::text[]))`,
    [addresses],
  );
}

async function projectFeeds(client: pg.ClientBase, addresses: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO price_feeds (address, symbol, price, published_at, paused, max_age_seconds, guard_seconds,
       max_deviation_bps, min_publishers, override_publishers, publishers, slot, position)
     SELECT a.address, convert_from(rtrim(decode(f.data ->> 'symbol', 'hex'), '\\x00'::bytea), 'UTF8'),
       (n.data ->> 'price')::numeric, (n.data ->> 'publishedAt')::bigint, (f.data ->> 'paused')::boolean,
       (f.data ->> 'maxAgeSeconds')::bigint, (f.data ->> 'guardSeconds')::bigint,
       (f.data ->> 'maxDeviationBps')::integer, (f.data ->> 'minPublishers')::integer,
       (f.data ->> 'overridePublishers')::integer, (f.data ->> 'publishers')::integer, n.slot, n.position
     FROM unnest($1::text[]) AS a (address)
     CROSS JOIN LATERAL (
       SELECT * FROM chain_events e WHERE e.subject = a.address AND e.name = 'FeedChanged'
       ORDER BY e.position DESC LIMIT 1) AS f
     LEFT JOIN LATERAL (
       SELECT * FROM chain_events e WHERE e.subject = a.address AND e.name = 'PriceSubmitted'
       ORDER BY e.position DESC LIMIT 1) AS p ON TRUE
     CROSS JOIN LATERAL (
       SELECT f.data, f.slot, f.position WHERE p.position IS NULL OR p.position < f.position
       UNION ALL SELECT p.data, p.slot, p.position WHERE p.position > f.position) AS n
     ON CONFLICT (address) DO UPDATE SET symbol = excluded.symbol, price = excluded.price,
       published_at = excluded.published_at, paused = excluded.paused, max_age_seconds = excluded.max_age_seconds,
       guard_seconds = excluded.guard_seconds, max_deviation_bps = excluded.max_deviation_bps,
       min_publishers = excluded.min_publishers, override_publishers = excluded.override_publishers,
       publishers = excluded.publishers, slot = excluded.slot, position = excluded.position, updated_at = now()`,
    [addresses],
  );
}

async function projectProposals(client: pg.ClientBase, addresses: readonly string[]): Promise<void> {
  const newest = (name: string, alias: string, condition = '') => `LEFT JOIN LATERAL (
       SELECT * FROM chain_events e WHERE e.subject = a.address AND e.name = '${name}' ${condition}
       ORDER BY e.position DESC LIMIT 1) AS ${alias} ON TRUE`;
  await client.query(
    `INSERT INTO proposals (address, id, proposer, title, uri, description_hash, status, yes, no, abstain, supply, quorum,
       threshold_bps, instructions, executed, voting_ends_at, executable_at, expires_at, created_signature, created_at,
       removed_at, slot)
     SELECT a.address, (c.data ->> 'id')::numeric, c.data ->> 'proposer', c.data ->> 'title', c.data ->> 'uri',
       c.data ->> 'descriptionHash',
       CASE WHEN k.signature IS NOT NULL THEN 'cancelled' WHEN d.signature IS NOT NULL THEN 'executed'
         WHEN f.data ->> 'status' = '4' THEN 'defeated' WHEN f.signature IS NOT NULL THEN 'queued'
         WHEN v.signature IS NOT NULL THEN 'voting' ELSE 'draft' END,
       coalesce((f.data ->> 'yes')::numeric, (w.data ->> 'yes')::numeric, 0),
       coalesce((f.data ->> 'no')::numeric, (w.data ->> 'no')::numeric, 0),
       coalesce((f.data ->> 'abstain')::numeric, (w.data ->> 'abstain')::numeric, 0),
       (v.data ->> 'supply')::numeric, (v.data ->> 'quorum')::numeric, (v.data ->> 'thresholdBps')::integer,
       coalesce((v.data ->> 'instructions')::integer, (i.data ->> 'index')::integer + 1, 0),
       coalesce((x.data ->> 'index')::integer + 1, 0),
       (v.data ->> 'votingEndsAt')::bigint, (v.data ->> 'executableAt')::bigint, (v.data ->> 'expiresAt')::bigint,
       c.signature, to_timestamp((c.data ->> 'timestamp')::bigint), to_timestamp((r.data ->> 'timestamp')::bigint),
       greatest(c.slot, v.slot, w.slot, f.slot, k.slot, i.slot, x.slot, r.slot)
     FROM unnest($1::text[]) AS a (address)
     CROSS JOIN LATERAL (
       SELECT * FROM chain_events e WHERE e.subject = a.address AND e.name = 'ProposalCreated'
       ORDER BY e.position DESC LIMIT 1) AS c
     ${newest('InstructionAdded', 'i')}
     ${newest('ProposalActivated', 'v')}
     ${newest('VoteCast', 'w')}
     ${newest('ProposalFinalized', 'f')}
     ${newest('ProposalCancelled', 'k')}
     ${newest('InstructionExecuted', 'x')}
     ${newest('InstructionExecuted', 'd', "AND (e.data ->> 'done')::boolean")}
     ${newest('ProposalRemoved', 'r')}
     ON CONFLICT (address) DO UPDATE SET id = excluded.id, proposer = excluded.proposer, title = excluded.title,
       uri = excluded.uri, description_hash = excluded.description_hash, status = excluded.status,
       yes = excluded.yes, no = excluded.no, abstain = excluded.abstain, supply = excluded.supply,
       quorum = excluded.quorum, threshold_bps = excluded.threshold_bps, instructions = excluded.instructions,
       executed = excluded.executed, voting_ends_at = excluded.voting_ends_at,
       executable_at = excluded.executable_at, expires_at = excluded.expires_at,
       created_signature = excluded.created_signature, created_at = excluded.created_at,
       removed_at = excluded.removed_at, slot = excluded.slot, updated_at = now()`,
    [addresses],
  );
}

/** The newest vote of each wallet on each proposal among these events, unless a newer one is known. */
async function writeVotes(client: pg.ClientBase, from: string, values: unknown[]): Promise<void> {
  await client.query(
    `INSERT INTO votes (proposal, wallet, choice, weight, voted_at, signature, slot, position)
     SELECT DISTINCT ON (data ->> 'proposal', data ->> 'wallet') data ->> 'proposal', data ->> 'wallet',
       (ARRAY['no', 'yes', 'abstain'])[(data ->> 'choice')::integer + 1], (data ->> 'weight')::numeric,
       to_timestamp((data ->> 'timestamp')::bigint), signature, slot, position
     FROM ${from}
     ORDER BY data ->> 'proposal', data ->> 'wallet', position DESC
     ON CONFLICT (proposal, wallet) DO UPDATE SET choice = excluded.choice, weight = excluded.weight,
       voted_at = excluded.voted_at, signature = excluded.signature, slot = excluded.slot,
       position = excluded.position, updated_at = now()
     WHERE votes.position < excluded.position`,
    values,
  );
}

/**
 * Writes the orders that these events make and that nothing else is known of, which is what nearly all new orders are.
 * Returns them: they need not be worked out.
 */
export async function insertNewOrders(
  client: pg.ClientBase,
  rows: readonly EventRow[],
): Promise<Set<string>> {
  const told = new Map<string, number>();
  for (const { name, data } of rows) {
    const orders = name === 'TradeExecuted' ? [data.sellOrder, data.buyOrder] : [data.order];
    for (const order of orders) if (typeof order === 'string') told.set(order, (told.get(order) ?? 0) + 1);
  }
  const fresh = rows.filter(
    ({ name, data }) =>
      name === 'OrderCreated' && told.get(String(data.order)) === 1 && typeof data.feeBps === 'number',
  );
  if (fresh.length === 0) return new Set();
  const { rows: written } = await client.query<{ address: string }>(
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
       rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at,
       status, slot)
     SELECT data ->> 'order', data ->> 'market', data ->> 'owner', (data ->> 'orderId')::numeric,
       CASE WHEN data ->> 'side' = '0' THEN 'sell' ELSE 'buy' END, (data ->> 'price')::numeric,
       (data ->> 'amount')::numeric, (data ->> 'amount')::numeric, (data ->> 'escrowed')::numeric,
       (data ->> 'escrowed')::numeric, (data ->> 'feeBps')::integer, data ->> 'rentPayer',
       (data ->> 'expiresAt')::bigint, slot, tx_index, event_index, signature,
       to_timestamp((data ->> 'timestamp')::bigint), 'open', slot
     FROM jsonb_to_recordset($1::jsonb) AS e (${EVENT_COLUMNS})
     WHERE (data ->> 'amount')::numeric > 0
       AND NOT EXISTS (SELECT FROM trades t WHERE t.sell_order = data ->> 'order')
       AND NOT EXISTS (SELECT FROM trades t WHERE t.buy_order = data ->> 'order')
       AND NOT EXISTS (SELECT FROM chain_events x WHERE x.subject = data ->> 'order'
         AND x.name IN ('OrderCancelled', 'OrderExpired'))
     ON CONFLICT DO NOTHING RETURNING address`,
    [JSON.stringify(fresh)],
  );
  return new Set(written.map(({ address }) => address));
}

/** Makes the votes that this transaction cast what they were before it: it is gone. */
export async function restoreVotes(
  client: pg.ClientBase,
  votes: readonly { proposal: string; wallet: string }[],
): Promise<void> {
  for (const { proposal, wallet } of votes) {
    await client.query('DELETE FROM votes WHERE proposal = $1 AND wallet = $2', [proposal, wallet]);
    await writeVotes(
      client,
      `chain_events e WHERE e.subject = $1 AND e.name = 'VoteCast' AND e.data ->> 'wallet' = $2`,
      [proposal, wallet],
    );
  }
}

interface CertificateRow {
  address: string;
  book: string;
  meter: string;
  meter_id: string;
  producer: string;
  holder: string;
  attested_by: string;
  serial: string;
  split_from: string | null;
  from_total: string;
  to_total: string;
  period_start: number;
  period_end: number;
  source: string;
  status: 'held' | 'retired';
  beneficiary: string | null;
  reason: string | null;
  retirement: string | null;
  issued_signature: string;
  issued_at: number;
  retired_signature: string | null;
  retired_at: number | null;
  slot: string;
}

interface CertificateEvent {
  name: string;
  signature: string;
  slot: string;
  data: Record<string, unknown>;
}

/** The certificates of a book, from its events in the order of the chain. */
export function certificatesOf(book: string, events: readonly CertificateEvent[]): CertificateRow[] {
  const found = new Map<string, CertificateRow>();
  for (const { name, signature, slot, data } of events) {
    const text = (field: string): string => String(data[field]);
    const number = (field: string): number => Number(data[field]);
    const address = text('certificate');
    const known = found.get(address);
    if (name === 'CertificateIssued') {
      found.set(address, {
        address,
        book,
        meter: text('meter'),
        meter_id: text('meterId'),
        producer: text('producer'),
        holder: text('producer'),
        attested_by: text('attestedBy'),
        serial: text('serial'),
        split_from: null,
        from_total: text('fromTotal'),
        to_total: text('toTotal'),
        period_start: number('periodStart'),
        period_end: number('periodEnd'),
        source: energySourceName(number('source')),
        status: 'held',
        beneficiary: null,
        reason: null,
        retirement: null,
        issued_signature: signature,
        issued_at: number('timestamp'),
        retired_signature: null,
        retired_at: null,
        slot,
      });
    } else if (known && name === 'CertificateSplit') {
      const part = text('part');
      found.set(part, {
        ...known,
        address: part,
        serial: text('partSerial'),
        split_from: text('serial'),
        from_total: text('splitTotal'),
        to_total: text('toTotal'),
        slot,
      });
      Object.assign(known, { to_total: text('splitTotal'), slot });
    } else if (known && name === 'CertificateTransferred') {
      Object.assign(known, { holder: text('newHolder'), slot });
    } else if (known && name === 'CertificateRetired') {
      Object.assign(known, {
        status: 'retired',
        holder: text('retiredBy'),
        beneficiary: text('beneficiary'),
        reason: text('reason'),
        retirement: text('retirement'),
        retired_signature: signature,
        retired_at: number('timestamp'),
        slot,
      });
    }
  }
  return [...found.values()];
}

async function projectBooks(client: pg.ClientBase, books: readonly string[]): Promise<void> {
  for (const book of books) {
    const { rows: events } = await client.query<CertificateEvent>(
      `SELECT name, signature, slot, data FROM chain_events
       WHERE subject = $1 AND name IN ('CertificateIssued', 'CertificateSplit', 'CertificateTransferred', 'CertificateRetired')
       ORDER BY position`,
      [book],
    );
    const rows = certificatesOf(book, events);
    await client.query(`DELETE FROM certificates WHERE book = $1 AND address <> ALL($2::text[])`, [
      book,
      rows.map(({ address }) => address),
    ]);
    if (rows.length === 0) continue;
    await client.query(
      `INSERT INTO certificates (address, book, meter, meter_id, producer, holder, attested_by, serial, split_from,
         from_total, to_total, period_start, period_end, source, status, beneficiary, reason, retirement,
         issued_signature, issued_at, retired_signature, retired_at, slot)
       SELECT address, book, meter, meter_id, producer, holder, attested_by, serial, split_from, from_total, to_total,
         period_start, period_end, source, status, beneficiary, reason, retirement, issued_signature,
         to_timestamp(issued_at), retired_signature, to_timestamp(retired_at), slot
       FROM jsonb_to_recordset($1::jsonb) AS r (address text, book text, meter text, meter_id text, producer text,
         holder text, attested_by text, serial numeric, split_from numeric, from_total numeric, to_total numeric,
         period_start bigint, period_end bigint, source text, status text, beneficiary text, reason text,
         retirement text, issued_signature text, issued_at bigint, retired_signature text, retired_at bigint, slot bigint)
       ON CONFLICT (address) DO UPDATE SET book = excluded.book, meter = excluded.meter, meter_id = excluded.meter_id,
         producer = excluded.producer, holder = excluded.holder, attested_by = excluded.attested_by,
         serial = excluded.serial, split_from = excluded.split_from, from_total = excluded.from_total,
         to_total = excluded.to_total, period_start = excluded.period_start, period_end = excluded.period_end,
         source = excluded.source, status = excluded.status, beneficiary = excluded.beneficiary,
         reason = excluded.reason, retirement = excluded.retirement, issued_signature = excluded.issued_signature,
         issued_at = excluded.issued_at, retired_signature = excluded.retired_signature,
         retired_at = excluded.retired_at, slot = excluded.slot, updated_at = now()`,
      [JSON.stringify(rows)],
    );
  }
}
