import { randomBytes } from 'node:crypto';
import { meterAddress } from '@gridtokenx/chain';
import type { Connection } from '@solana/web3.js';
import pg from 'pg';
import type { Logger } from 'pino';
import { Alerts } from '../alerts.js';
import { migrate } from '../store/migrate.js';
import { undoTransaction } from './apply.js';
import { ofKnownMint } from './balances.js';
import type { MirrorMetrics } from './metrics.js';
import { ChainMirror, type Reprojection } from './mirror.js';
import { inTransaction } from './transaction.js';

/** How far a replay is. */
export interface ReplayProgress {
  readonly step: 'list' | 'apply' | 'compare' | 'repair';
  readonly transactions: number;
  readonly events: number;
  /** Listed and still to be applied. */
  readonly queued: number;
}

/** A row that is not what the chain makes of it. */
export interface ReplayDifference {
  readonly table: string;
  /** The row's key columns. */
  readonly key: Readonly<Record<string, string>>;
  /** `missing`: the chain has it and the database has not; `extra`: the other way round. */
  readonly kind: 'missing' | 'extra' | 'differs';
  /** What differs: as the database has it, and as it follows from the chain. */
  readonly columns: Readonly<Record<string, { database: unknown; chain: unknown }>>;
}

export interface ReplayReport {
  /** Whether every row is what follows from the chain (now, if rows were repaired). */
  readonly identical: boolean;
  readonly transactions: number;
  readonly events: number;
  readonly seconds: number;
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly differing: number }[];
  /** At most {@link MAX_DIFFERENCES} of each table. */
  readonly differences: readonly ReplayDifference[];
  /** Rows that were read again from the chain. */
  readonly repaired: number;
}

export interface ReplayOptions {
  readonly databaseUrl: string;
  readonly connection: Connection;
  readonly logger: Logger;
  readonly now: () => number;
  /** Reads rows that differ again from the chain, through the doors that collectors use; false: only compares. */
  readonly repair: boolean;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
  /** Stops between two steps. */
  readonly signal?: AbortSignal | undefined;
}

interface Table {
  readonly name: string;
  readonly key: readonly string[];
  /** Columns that a clock, a counter of the database, or somebody else than the mirror writes. */
  readonly but: readonly string[];
  /** A part of the table, when not all of it follows from the chain alone. */
  readonly where?: string;
}

/** Everything that follows from the chain alone. */
const TABLES: readonly Table[] = [
  {
    name: 'chain_transactions',
    key: ['signature'],
    but: ['applied', 'applied_at', 'last_valid_block_height', 'finalized'],
  },
  { name: 'chain_events', key: ['signature', 'event_index'], but: [] },
  { name: 'users', key: ['wallet_address'], but: ['id', 'created_at', 'updated_at', 'slot'] },
  {
    name: 'meters',
    key: ['meter_id'],
    but: [
      'user_id',
      'created_at',
      'updated_at',
      'slot',
      'mint_due_since',
      'last_sequence',
      'last_end',
      'last_produced_total',
      'last_consumed_total',
      'last_surplus_total',
      'through',
      'holds',
      'last_login',
    ],
  },
  { name: 'meter_keys', key: ['public_key'], but: [] },
  { name: 'chain_readings', key: ['meter_id', 'sequence'], but: [] },
  { name: 'markets', key: ['address'], but: ['updated_at'] },
  { name: 'orders', key: ['address'], but: ['updated_at'] },
  { name: 'trades', key: ['signature', 'event_index'], but: [] },
  {
    name: 'user_balances',
    key: ['wallet', 'mint'],
    // When it was looked at; and an account that is not there is the same as an empty one.
    but: ['updated_at', 'slot', 'tx_index', 'signature'],
    where: `amount > 0 AND ${ofKnownMint()}`,
  },
  { name: 'certificates', key: ['address'], but: ['updated_at'] },
  { name: 'price_feeds', key: ['address'], but: ['updated_at'] },
  { name: 'prices', key: ['signature', 'event_index'], but: [] },
  { name: 'proposals', key: ['address'], but: ['updated_at'] },
  { name: 'votes', key: ['proposal', 'wallet'], but: ['updated_at'] },
];

/** Differences of one table that are looked at in one round. */
const MAX_DIFFERENCES = 200;
/** While the chain goes on, what differs may only be what one of the two has not seen yet. */
const ROUNDS = 5;
const PREFIX = 'gtx_replay_';

/**
 * Builds everything that follows from the chain a second time, from the chain, in a schema of its own beside the rows
 * that collectors write, and compares the two. Collectors go on meanwhile: rows that differ are looked at again
 * when both have caught up. The schema is dropped at the end.
 *
 * @throws GtxError CHAIN_UNAVAILABLE, CONFIG_INVALID (the database mirrors another chain), or the database's error
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { databaseUrl, connection, logger, now, repair, onProgress, signal } = options;
  const started = now();
  const schema = `${PREFIX}${randomBytes(6).toString('hex')}`;
  const open = (path?: string, max = 4) => {
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      max,
      application_name: 'gtx-replay',
      ...(path === undefined ? {} : { options: `-c search_path=${path}` }),
    });
    pool.on('error', (error) => logger.debug({ err: error }, 'a database connection was lost'));
    return pool;
  };
  const pool = open();
  const fresh = open(schema);
  const holder = await pool.connect();
  let step: ReplayProgress['step'] = 'list';
  const seen = { transactions: 0, events: 0, queued: 0 };
  const tell = () => onProgress?.({ step, ...seen });
  const metrics: MirrorMetrics = {
    applied(transactions, events) {
      seen.transactions += transactions;
      seen.events += events;
      step = 'apply';
      tell();
    },
    failed() {},
    caughtUp() {},
    queued(transactions) {
      seen.queued = transactions;
      tell();
    },
  };
  try {
    await dropAbandoned(holder);
    // Whoever finds the schema later knows by this lock that it is in use.
    await holder.query('SELECT pg_advisory_lock(hashtext($1))', [schema]);
    const { rows } = await holder.query<{ schema: string }>('SELECT current_schema() AS schema');
    const live = rows[0]?.schema ?? 'public';
    tell();
    await migrate(fresh, logger, schema);
    // What they tell is meant for those who look at the database's own rows.
    for (const table of ['reviews', 'alerts']) await fresh.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    const quiet = logger.child({}, { level: 'silent' });
    const common = { connection, logger: quiet, now };
    const second = new ChainMirror({
      ...common,
      pool: fresh,
      alerts: new Alerts(fresh, quiet),
      metrics,
      config: { wsUrl: false, announce: false },
    });
    const first = new ChainMirror({
      ...common,
      pool,
      alerts: new Alerts(pool, logger),
      config: { wsUrl: false },
    });
    await second.catchUp();

    let repaired = 0;
    let differences: Compared[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      signal?.throwIfAborted();
      await first.catchUp();
      await second.catchUp();
      await first.refreshAllBalances();
      await second.refreshAllBalances();
      step = 'compare';
      tell();
      differences = [];
      for (const table of TABLES) differences.push(await compare(pool, table, live, schema));
      const found = differences.flatMap((each) => each.found);
      if (found.length === 0) break;
      // The first look may have come between a transaction and its other half.
      if (repair && round > 1) {
        step = 'repair';
        tell();
        repaired += await readAgain(pool, first, found);
      }
    }
    signal?.throwIfAborted();
    const found = differences.flatMap((each) => each.found);
    return {
      identical: found.length === 0,
      transactions: seen.transactions,
      events: seen.events,
      seconds: Math.round((now() - started) / 10) / 100,
      tables: differences.map(({ table, rows: count, differing }) => ({ table, rows: count, differing })),
      differences: found,
      repaired,
    };
  } finally {
    await fresh.end();
    await holder.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`).catch((error: unknown) => {
      logger.warn({ err: error, schema }, 'the schema of the replay is left; the next replay drops it');
    });
    holder.release(true);
    await pool.end();
  }
}

/** Drops what a replay left that was killed. */
async function dropAbandoned(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE '${PREFIX}%'`,
  );
  for (const { name } of rows) {
    const { rows: lock } = await client.query<{ free: boolean }>(
      'SELECT pg_try_advisory_lock(hashtext($1)) AS free',
      [name],
    );
    if (lock[0]?.free) await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(name)} CASCADE`);
  }
}

interface Compared {
  readonly table: string;
  /** Rows that follow from the chain. */
  readonly rows: number;
  readonly differing: number;
  readonly found: readonly ReplayDifference[];
}

async function compare(pool: pg.Pool, table: Table, live: string, schema: string): Promise<Compared> {
  const { name, key, but, where } = table;
  const { rows: columns } = await pool.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
     ORDER BY ordinal_position`,
    [schema, name],
  );
  const compared = columns.map((column) => column.name).filter((column) => !but.includes(column));
  const part = (from: string) =>
    `(SELECT ${compared.join(', ')} FROM "${from}".${name}${where ? ` WHERE ${where}` : ''})`;
  const list = (alias: string) => compared.map((column) => `${alias}.${column}`).join(', ');
  const join = `${part(live)} AS a FULL JOIN ${part(schema)} AS b USING (${key.join(', ')})`;
  // Whole rows are compared: a row that is not there is no row of nulls.
  const differs = `(a IS NULL) OR (b IS NULL) OR ROW(${list('a')}) IS DISTINCT FROM ROW(${list('b')})`;
  const { rows: counts } = await pool.query<{ rows: number; differing: number }>(
    `SELECT count(*) FILTER (WHERE NOT b.absent)::int AS rows, (count(*) FILTER (WHERE d))::int AS differing FROM (
       SELECT b IS NULL AS absent, ${differs} AS d FROM ${join}) AS b`,
  );
  const { rows: found } = await pool.query<{
    a: Record<string, unknown> | null;
    b: Record<string, unknown> | null;
  }>(
    `SELECT CASE WHEN a IS NULL THEN NULL ELSE to_jsonb(a) END AS a, CASE WHEN b IS NULL THEN NULL ELSE to_jsonb(b) END AS b
     FROM ${join} WHERE ${differs} LIMIT ${MAX_DIFFERENCES}`,
  );
  return {
    table: name,
    rows: counts[0]?.rows ?? 0,
    differing: counts[0]?.differing ?? 0,
    found: found.map(({ a, b }) => ({
      table: name,
      key: Object.fromEntries(key.map((column) => [column, String((a ?? b)?.[column])])),
      kind: a === null ? 'missing' : b === null ? 'extra' : 'differs',
      columns:
        a === null || b === null
          ? {}
          : Object.fromEntries(
              compared
                .filter((column) => JSON.stringify(a[column]) !== JSON.stringify(b[column]))
                .map((column) => [column, { database: a[column], chain: b[column] }]),
            ),
    })),
  };
}

/** Reads what differs again from the chain. Returns of how many rows. */
async function readAgain(
  pool: pg.Pool,
  mirror: ChainMirror,
  differences: readonly ReplayDifference[],
): Promise<number> {
  const rows: Record<Exclude<keyof Reprojection, undefined>, string[]> = {
    meters: [],
    users: [],
    orders: [],
    markets: [],
    certificates: [],
    feeds: [],
    proposals: [],
  };
  const again = new Set<string>();
  const wallets = new Set<string>();
  for (const { table, key, columns } of differences) {
    const address = key.address ?? '';
    if (key.signature !== undefined) again.add(key.signature);
    else if (table === 'orders') rows.orders.push(address);
    else if (table === 'markets') rows.markets.push(address);
    else if (table === 'certificates') rows.certificates.push(address);
    else if (table === 'price_feeds') rows.feeds.push(address);
    else if (table === 'proposals') rows.proposals.push(address);
    else if (table === 'users') rows.users.push(key.wallet_address ?? '');
    else if (table === 'user_balances') wallets.add(key.wallet ?? '');
    else if (table === 'meters') {
      rows.meters.push(meterAddress(key.meter_id ?? '').toBase58());
    } else if (table === 'votes') {
      const { rows: found } = await pool.query<{ signature: string }>(
        `SELECT signature FROM chain_events WHERE subject = $1 AND name = 'VoteCast' AND data ->> 'wallet' = $2`,
        [key.proposal, key.wallet],
      );
      for (const { signature } of found) again.add(signature);
    } else if (table === 'chain_readings' || table === 'meter_keys') {
      const { rows: found } = await pool.query<{ signature: string }>(
        `SELECT signature FROM chain_readings WHERE meter_id = $1 AND sequence = $2::numeric
         UNION SELECT from_signature FROM meter_keys WHERE public_key = $3`,
        [key.meter_id ?? null, key.sequence ?? null, key.public_key ?? null],
      );
      for (const { signature } of found) again.add(signature);
      const told = columns.signature ?? columns.from_signature;
      if (typeof told?.chain === 'string') again.add(told.chain);
    }
  }
  const applied = new Set(await mirror.reapply([...again]));
  // The chain does not have them.
  for (const signature of again) {
    const extra = differences.some(
      ({ table, kind, key }) =>
        table === 'chain_transactions' && kind === 'extra' && key.signature === signature,
    );
    if (extra && !applied.has(signature))
      await inTransaction(pool, (client) => undoTransaction(client, signature));
  }
  await mirror.reproject(rows);
  await mirror.refreshBalances([...wallets]);
  return differences.length;
}
