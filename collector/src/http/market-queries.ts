import { gridMintAddress } from '@gridtokenx/chain';
import { formatTimestamp, GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { z } from 'zod';
import type { BalanceSnapshot } from '../mirror/balances.js';
import { decodeCursor, page } from './cursor.js';
import type * as schemas from './market-schemas.js';

type Item<Schema extends z.ZodType> = z.infer<Schema>;
type Query<R extends { query?: z.ZodType }> = z.output<NonNullable<R['query']>>;
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** numeric and bigint are text, times are dates. */
type Row = pg.QueryResultRow;

/** Conditions of a query, and the values that stand in it as $1, $2... */
class Where {
  private readonly parts: string[] = [];

  /** @param values of the whole query; those here are added to them */
  constructor(readonly values: unknown[] = []) {}

  /** @param sql each `?` is one of the values */
  and(sql: string, ...values: unknown[]): this {
    let next = 0;
    this.parts.push(sql.replaceAll('?', () => this.value(values[next++])));
    return this;
  }

  /** Only if there is a value. */
  equal(column: string, value: unknown): this {
    return value === undefined ? this : this.and(`${column} = ?`, value);
  }

  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  toString(): string {
    return this.parts.length === 0 ? '' : `WHERE ${this.parts.join(' AND ')}`;
  }
}

const amount = (text: string): string => nkwhToKwh(BigInt(text));
const orNull = <T, U>(value: T | null, make: (value: T) => U): U | null =>
  value === null ? null : make(value);
const iso = (date: Date): string => formatTimestamp(Math.floor(date.getTime() / 1000));
const isoOf = (seconds: string | number): string => formatTimestamp(Number(seconds));
const epoch = (date: Date): number => Math.floor(date.getTime() / 1000);

/** All markets; there are few. */
export async function marketsPage(pool: pg.Pool): Promise<Page<Item<typeof schemas.MarketItem>>> {
  const { rows } = await pool.query<Row>('SELECT * FROM markets ORDER BY address LIMIT 1000');
  const items = rows.map((row) => ({
    address: row.address,
    base_mint: row.base_mint,
    quote_mint: row.quote_mint,
    lot_size: amount(row.lot_size),
    tick_size: amount(row.tick_size),
    fee_bps: row.fee_bps,
    band_bps: row.band_bps,
    feed: row.feed,
    treasury: row.treasury,
    admin: row.admin,
    guardian: row.guardian,
    paused: row.paused,
    slot: Number(row.slot),
  }));
  return { items, next_cursor: null };
}

/**
 * The market that is meant: the one that is named, else the only one.
 * @throws GtxError NOT_FOUND, INVALID_BODY when there are several
 */
export async function marketMeant(pool: pg.Pool, asked: string | undefined): Promise<string> {
  const { rows } = await pool.query<{ address: string }>(
    'SELECT address FROM markets WHERE $1::text IS NULL OR address = $1 ORDER BY address LIMIT 2',
    [asked ?? null],
  );
  const [market, another] = rows;
  if (market === undefined) throw new GtxError('NOT_FOUND', 'no such market');
  if (another !== undefined) {
    const message = 'there are several markets: name one of /api/markets';
    throw new GtxError('INVALID_BODY', `market: ${message}`, { issues: [{ path: 'market', message }] });
  }
  return market.address;
}

function orderItem(row: Row, nowSeconds: number): Item<typeof schemas.OrderItem> {
  const over = row.status === 'open' && Number(row.expires_at) <= nowSeconds;
  return {
    address: row.address,
    market: row.market,
    owner: row.owner,
    order_id: row.order_id,
    side: row.side as 'sell' | 'buy',
    price: amount(row.price),
    amount: amount(row.amount),
    remaining: amount(row.remaining),
    escrowed: amount(row.escrowed),
    fee_bps: row.fee_bps,
    status: (over ? 'expired' : row.status) as 'open',
    expires_at: isoOf(row.expires_at),
    created_at: iso(row.created_at),
    created_signature: row.created_signature,
    filled_at: orNull(row.filled_at, iso),
    closed_at: orNull(row.closed_at, iso),
    closed_signature: row.closed_signature,
    slot: Number(row.slot),
  };
}

/** Orders, newest first: an owner's by its own numbers, all by their place on the chain. */
export async function ordersPage(
  pool: pg.Pool,
  query: Query<typeof schemas.listOrders>,
  nowSeconds: number,
): Promise<Page<Item<typeof schemas.OrderItem>>> {
  const { owner, market, side, status, limit, cursor } = query;
  const keys =
    owner === undefined ? ['created_slot', 'created_tx_index', 'created_event_index'] : ['order_id'];
  const after = decodeCursor(
    cursor,
    keys.map(() => (owner === undefined ? 'integer' : 'u64')),
  );
  const newest = `ORDER BY ${keys.map((key) => `${key} DESC`).join(', ')}`;
  const values: unknown[] = [limit + 1];
  const from = (condition?: string, ...its: unknown[]): string => {
    const where = new Where(values).equal('owner', owner).equal('market', market).equal('side', side);
    if (condition !== undefined) where.and(condition, ...its);
    if (after !== undefined)
      where.and(
        `(${keys}) < (${keys.map(() => `?::${owner === undefined ? 'bigint' : 'numeric'}`)})`,
        ...after,
      );
    return `(SELECT * FROM orders ${where} ${newest} LIMIT $1)`;
  };
  // Until it has been returned, an expired order is an open one in the table.
  const sources =
    status === undefined
      ? [from()]
      : status === 'open'
        ? [from("status = 'open' AND expires_at > ?", nowSeconds)]
        : status === 'expired'
          ? [from("status = 'expired'"), from("status = 'open' AND expires_at <= ?", nowSeconds)]
          : [from('status = ?', status)];
  const { rows } = await pool.query(
    `SELECT * FROM (${sources.join(' UNION ALL ')}) AS o ${newest} LIMIT $1`,
    values,
  );
  return page(
    rows,
    limit,
    (row) => orderItem(row, nowSeconds),
    (row) => keys.map((key) => row[key]),
  );
}

/** @throws GtxError NOT_FOUND */
export async function orderOf(
  pool: pg.Pool,
  address: string,
  nowSeconds: number,
): Promise<Item<typeof schemas.OrderItem>> {
  const { rows } = await pool.query<Row>('SELECT * FROM orders WHERE address = $1', [address]);
  if (rows[0] === undefined) throw new GtxError('NOT_FOUND', 'no such order');
  return orderItem(rows[0], nowSeconds);
}

/** Trades, newest first. A wallet's, and an order's, are found from both sides of the market. */
export async function tradesPage(
  pool: pg.Pool,
  query: Query<typeof schemas.listTrades>,
): Promise<Page<Item<typeof schemas.TradeItem>>> {
  const { market, wallet, order, limit, cursor } = query;
  const after = decodeCursor(cursor, ['time', 'integer']);
  const newest = 'ORDER BY executed_at DESC, position DESC';
  const values: unknown[] = [limit + 1];
  const from = (column = 'market', value = market): string => {
    const where = new Where(values).equal(column, value);
    if (column !== 'market') where.equal('market', market);
    if (after !== undefined)
      where.and('(executed_at, position) < (to_timestamp(?::bigint), ?::bigint)', ...after);
    return `(SELECT * FROM trades ${where} ${newest} LIMIT $1)`;
  };
  const sources =
    wallet !== undefined
      ? [from('seller', wallet), from('buyer', wallet)]
      : order !== undefined
        ? [from('sell_order', order), from('buy_order', order)]
        : [from()];
  const { rows } = await pool.query<Row>(
    `SELECT * FROM (${sources.join(' UNION ALL ')}) AS t ${newest} LIMIT $1`,
    values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      signature: row.signature,
      event_index: row.event_index,
      market: row.market,
      seller: row.seller,
      buyer: row.buyer,
      sell_order: row.sell_order,
      buy_order: row.buy_order,
      maker_order: row.maker_order,
      taker_side: row.taker_side as 'sell' | 'buy',
      price: amount(row.price),
      amount: amount(row.amount),
      quote: amount(row.quote),
      fee: amount(row.fee),
      executed_at: iso(row.executed_at),
      slot: Number(row.slot),
    }),
    (row) => [epoch(row.executed_at), row.position],
  );
}

/** The feeds as they stand. */
export async function feedsNow(
  pool: pg.Pool,
  nowSeconds: number,
): Promise<Item<typeof schemas.Prices>['feeds']> {
  const { rows } = await pool.query<Row>('SELECT * FROM price_feeds ORDER BY address LIMIT 1000');
  return rows.map((row) => {
    const publishedAt = Number(row.published_at);
    const age = nowSeconds - publishedAt;
    return {
      address: row.address,
      symbol: row.symbol,
      price: row.price === '0' ? null : amount(row.price),
      published_at: publishedAt === 0 ? null : isoOf(publishedAt),
      counts: !row.paused && publishedAt > 0 && age <= Number(row.max_age_seconds),
      paused: row.paused,
      max_age_seconds: Number(row.max_age_seconds),
      max_deviation_bps: row.max_deviation_bps,
      publishers: row.publishers,
      slot: Number(row.slot),
    };
  });
}

/** Prices that a feed had, newest first. */
export async function publishedPricesPage(
  pool: pg.Pool,
  feed: string,
  query: Query<typeof schemas.listPublishedPrices>,
): Promise<Page<Item<typeof schemas.PublishedPrice>>> {
  const { limit, cursor } = query;
  const [before] = decodeCursor(cursor, ['integer']) ?? [];
  const where = new Where().equal('feed', feed).and("outcome = 'published'");
  if (before !== undefined) where.and('position < ?::bigint', before);
  const { rows } = await pool.query<Row>(
    `SELECT * FROM prices ${where} ORDER BY position DESC LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      price: amount(row.price),
      published_at: isoOf(row.published_at),
      publisher: row.publisher,
      submitted: amount(row.submitted),
      signature: row.signature,
      slot: Number(row.slot),
    }),
    (row) => [row.position],
  );
}

/**
 * A wallet's GRID, and what the markets trade it against, in its accounts and in escrow.
 * @param now what its accounts hold on the chain, where that could be read: a plain transfer names no program of ours, so the
 *   database may hear of it later, or, of a wallet that has never traded, not at all
 */
export async function balancesOf(
  pool: pg.Pool,
  wallet: string,
  now?: BalanceSnapshot,
): Promise<Item<typeof schemas.Balances>> {
  const gridMint = gridMintAddress().toBase58();
  const [quoteMints, held, escrowed] = await Promise.all([
    pool.query<Row>('SELECT DISTINCT quote_mint FROM markets ORDER BY quote_mint'),
    pool.query<Row>('SELECT * FROM user_balances WHERE wallet = $1', [wallet]),
    pool.query<Row>(
      `SELECT CASE WHEN o.side = 'sell' THEN m.base_mint ELSE m.quote_mint END AS mint,
         sum(o.escrowed)::text AS amount, max(o.slot) AS slot
       FROM orders o JOIN markets m ON m.address = o.market
       WHERE o.owner = $1 AND o.escrowed > 0 GROUP BY 1`,
      [wallet],
    ),
  ]);
  const mints = [gridMint, ...quoteMints.rows.map((row) => row.quote_mint as string)];
  const balances = mints.map((mint) => {
    const stored = held.rows.find((row) => row.mint === mint);
    const read = now?.balances.find((balance) => balance.mint === mint);
    const account =
      now && read && now.slot >= Number(stored?.slot ?? 0) && (stored !== undefined || read.amount > 0n)
        ? { token_account: read.tokenAccount, amount: read.amount, slot: now.slot }
        : stored;
    const escrow = escrowed.rows.find((row) => row.mint === mint);
    const [free, bound] = [BigInt(account?.amount ?? 0), BigInt(escrow?.amount ?? 0)];
    return {
      mint,
      symbol: mint === gridMint ? ('GRID' as const) : ('GRX' as const),
      token_account: account?.token_account ?? null,
      amount: nkwhToKwh(free),
      escrowed: nkwhToKwh(bound),
      total: nkwhToKwh(free + bound),
      slot: Math.max(Number(account?.slot ?? 0), Number(escrow?.slot ?? 0)),
    };
  });
  return { wallet, balances };
}

/**
 * Settlements of a wallet's meters, newest first; those from before a meter was handed over to it are not its own.
 * @param wallet undefined: of all meters
 */
export async function settlementsPage(
  pool: pg.Pool,
  wallet: string | undefined,
  query: Pick<Query<typeof schemas.listSettlements>, 'meter_id' | 'limit' | 'cursor'>,
): Promise<Page<Item<typeof schemas.SettlementItem>>> {
  const { meter_id, limit, cursor } = query;
  const after = decodeCursor(cursor, ['integer', 'text']);
  const where = new Where().equal('i.meter_id', meter_id);
  if (wallet !== undefined) {
    where
      .and(
        `i.meter_id IN (SELECT m.meter_id FROM meters m JOIN users u ON u.id = m.user_id WHERE u.wallet_address = ?)`,
        wallet,
      )
      .and(
        `NOT EXISTS (SELECT FROM chain_events e JOIN meters m ON m.address = e.meter
           WHERE m.meter_id = i.meter_id AND e.name = 'MeterTransferred' AND e.block_time > extract(epoch FROM s.created_at))`,
      );
  }
  if (after !== undefined) where.and('(i.settlement_id, i.meter_id) < (?::bigint, ?)', ...after);
  const { rows } = await pool.query<Row>(
    `SELECT i.*, s.signature, s.state, s.created_at, s.confirmed_at, s.error
     FROM settlement_items i
     -- OFFSET 0: looked up row by row, whatever the planner thinks of reading the table whole.
     CROSS JOIN LATERAL (SELECT * FROM settlements WHERE id = i.settlement_id OFFSET 0) AS s ${where}
     ORDER BY i.settlement_id DESC, i.meter_id DESC LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      id: row.settlement_id,
      signature: row.signature,
      state: row.state as 'confirmed',
      meter_id: row.meter_id,
      kind: row.kind as 'submit' | 'mint',
      after_sequence: row.after_sequence,
      through_sequence: row.through_sequence,
      expected: amount(row.expected_nkwh),
      minted: orNull(row.minted_nkwh, amount),
      created_at: row.created_at.toISOString(),
      confirmed_at: orNull(row.confirmed_at, (date: Date) => date.toISOString()),
      error: row.error,
    }),
    (row) => [row.settlement_id, row.meter_id],
  );
}

/** Certificates, newest first. */
export async function certificatesPage(
  pool: pg.Pool,
  query: Query<typeof schemas.listCertificates>,
): Promise<Page<Item<typeof schemas.CertificateItem>>> {
  const { holder, meter_id, status, limit, cursor } = query;
  const after = decodeCursor(cursor, ['time', 'text']);
  const where = new Where().equal('holder', holder).equal('meter_id', meter_id).equal('status', status);
  if (after !== undefined) where.and('(issued_at, address) < (to_timestamp(?::bigint), ?)', ...after);
  const { rows } = await pool.query<Row>(
    `SELECT * FROM certificates ${where} ORDER BY issued_at DESC, address DESC LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      address: row.address,
      meter_id: row.meter_id,
      producer: row.producer,
      holder: row.holder,
      serial: row.serial,
      split_from: row.split_from,
      energy: nkwhToKwh(BigInt(row.to_total) - BigInt(row.from_total)),
      from_total: amount(row.from_total),
      to_total: amount(row.to_total),
      period_start: isoOf(row.period_start),
      period_end: isoOf(row.period_end),
      source: row.source,
      status: row.status as 'held' | 'retired',
      beneficiary: row.beneficiary,
      reason: row.reason,
      issued_at: iso(row.issued_at),
      issued_signature: row.issued_signature,
      retired_at: orNull(row.retired_at, iso),
      retired_signature: row.retired_signature,
      slot: Number(row.slot),
    }),
    (row) => [epoch(row.issued_at), row.address],
  );
}

/** Proposals, newest first. */
export async function proposalsPage(
  pool: pg.Pool,
  query: Query<typeof schemas.listProposals>,
): Promise<Page<Item<typeof schemas.ProposalItem>>> {
  const { status, limit, cursor } = query;
  const [before] = decodeCursor(cursor, ['integer']) ?? [];
  const where = new Where().equal('status', status);
  if (before !== undefined) where.and('id < ?::numeric', before);
  const { rows } = await pool.query<Row>(
    `SELECT * FROM proposals ${where} ORDER BY id DESC LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      address: row.address,
      id: row.id,
      proposer: row.proposer,
      title: row.title,
      uri: row.uri,
      description_hash: row.description_hash,
      status: row.status as 'voting',
      yes: amount(row.yes),
      no: amount(row.no),
      abstain: amount(row.abstain),
      quorum: orNull(row.quorum, amount),
      threshold_bps: row.threshold_bps,
      instructions: row.instructions,
      executed: row.executed,
      voting_ends_at: orNull(row.voting_ends_at, isoOf),
      executable_at: orNull(row.executable_at, isoOf),
      expires_at: orNull(row.expires_at, isoOf),
      created_at: iso(row.created_at),
      removed_at: orNull(row.removed_at, iso),
      slot: Number(row.slot),
    }),
    (row) => [row.id],
  );
}

/** Votes on a proposal, by wallet. */
export async function votesPage(
  pool: pg.Pool,
  proposal: string,
  query: Query<typeof schemas.listVotes>,
): Promise<Page<Item<typeof schemas.VoteItem>>> {
  const { limit, cursor } = query;
  const [after] = decodeCursor(cursor, ['text']) ?? [];
  const where = new Where().equal('proposal', proposal);
  if (after !== undefined) where.and('wallet > ?', after);
  const { rows } = await pool.query<Row>(
    `SELECT * FROM votes ${where} ORDER BY wallet LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      wallet: row.wallet,
      choice: row.choice as 'yes' | 'no' | 'abstain',
      weight: amount(row.weight),
      voted_at: iso(row.voted_at),
      signature: row.signature,
      slot: Number(row.slot),
    }),
    (row) => [row.wallet],
  );
}

/** Slots in a position: see `chain_events.position`. */
const POSITION_BITS = 30n;

/** What a home used and when: on the chain for whoever collects it, but not handed out here to everybody. */
const READINGS = 'MeterReadingSubmitted';

/** Events of the programs, newest first; without readings, which are their owners'. */
export async function eventsPage(
  pool: pg.Pool,
  query: Query<typeof schemas.listEvents>,
): Promise<Page<Item<typeof schemas.EventItem>>> {
  const { account, name, signature, limit, cursor } = query;
  const [before] = decodeCursor(cursor, ['integer']) ?? [];
  const where = new Where()
    .equal('e.signature', signature)
    .equal('e.name', name)
    .and('e.name <> ?', READINGS);
  if (account !== undefined) where.and('e.accounts @> ARRAY[?]::varchar[]', account);
  if (before !== undefined) {
    where.and('e.position < ?::bigint', before);
    // The same order, in words of the index by name.
    if (name !== undefined) where.and('e.slot <= ?::bigint', BigInt(before) >> POSITION_BITS);
  }
  const order = name === undefined ? 'e.position DESC' : 'e.slot DESC, e.position DESC';
  const { rows } = await pool.query<Row>(
    `SELECT e.*, (SELECT finalized FROM chain_transactions t WHERE t.signature = e.signature) AS finalized
     FROM chain_events e ${where} ORDER BY ${order} LIMIT ${where.value(limit + 1)}`,
    where.values,
  );
  return page(
    rows,
    limit,
    (row) => ({
      signature: row.signature,
      event_index: row.event_index,
      name: row.name,
      program_id: row.program_id,
      slot: Number(row.slot),
      time: orNull(row.block_time, isoOf),
      finalized: row.finalized,
      data: row.data,
    }),
    (row) => [row.position],
  );
}
