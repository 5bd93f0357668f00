import pg from 'pg';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CHANNEL, type Change, type Payload, type StoredEvent } from './change.js';

export interface ChangeFeedDeps {
  /** The database; or a pool on it, whose settings the feed's own connection then has. */
  readonly databaseUrl?: string | undefined;
  readonly pool?: pg.Pool | undefined;
  readonly logger: Logger;
  /** Notifications that wait to be read; with more, they are dropped and a gap is told. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** Milliseconds between two questions whether the connection still lives. Default 15,000. */
  readonly checkMs?: number | undefined;
}

const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;
const CHECK_MS = 15_000;
const MAX_WAITING = 10_000;
/** Transactions whose events are read together. */
const READ_PAGE = 500;

const PAYLOAD = z.object({
  k: z.enum([
    'transactions',
    'undone',
    'orders',
    'readings',
    'balances',
    'alert',
    'review',
    'guide',
    'gap',
  ] as const satisfies readonly Payload['k'][]),
  id: z.union([z.string(), z.array(z.string())]).optional(),
});

type Listener = (change: Change) => void;

/**
 * Hears of what any collector on this database wrote (LISTEN). Has one connection of its own, made anew when it breaks;
 * as nothing is kept for a listener that is away, a gap is told then.
 *
 * Changes come in the order of their commits; a listener may hear of one twice, or later than it sees the row.
 */
export class ChangeFeed {
  private readonly listeners = new Set<Listener>();
  private client: pg.Client | undefined;
  private waiting: Payload[] = [];
  private missed = false;
  private delivering: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private check: NodeJS.Timeout | undefined;
  private retryMs = FIRST_RETRY_MS;
  private connecting: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly deps: ChangeFeedDeps) {
    if (!deps.databaseUrl && !deps.pool) throw new TypeError('a change feed wants databaseUrl or pool');
  }

  /** Returns when it listens, or has found that the database is away: then it listens as soon as it is back. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.connect();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    clearInterval(this.check);
    await this.connecting;
    const { client } = this;
    this.client = undefined;
    this.waiting = [];
    await client?.end().catch(() => {});
    await this.delivering;
  }

  /** Calls `listener` with every change. Returns a function that ends that. */
  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private connect(): Promise<void> {
    this.connecting = this.tryConnect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  private async tryConnect(): Promise<void> {
    const { databaseUrl, pool, logger } = this.deps;
    const client = new pg.Client({
      ...(databaseUrl === undefined ? pool?.options : { connectionString: databaseUrl }),
      application_name: 'gtx-feed',
      connectionTimeoutMillis: 5_000,
      query_timeout: 30_000,
      keepAlive: true,
    });
    let over = false;
    const lost = (reason?: Error) => {
      if (over) return;
      over = true;
      if (this.client === client) this.client = undefined;
      client.removeAllListeners('notification');
      // An ended connection answers no end(): it is let go.
      void client.end().catch(() => {});
      if (this.stopped) return;
      logger.debug({ err: reason, retryMs: this.retryMs }, 'the change feed has lost the database');
      this.missed = true;
      this.retryLater();
    };
    client.on('error', lost);
    client.on('end', () => lost());
    client.on('notification', ({ payload }) => this.receive(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch (error) {
      lost(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (over) return;
    if (this.stopped) {
      await client.end().catch(() => {});
      return;
    }
    this.client = client;
    this.retryMs = FIRST_RETRY_MS;
    clearInterval(this.check);
    // A connection whose other end vanished says nothing at all: only a question shows it.
    this.check = setInterval(() => {
      client.query('SELECT 1').catch(lost);
    }, this.deps.checkMs ?? CHECK_MS);
    this.check.unref();
    this.deliver();
  }

  private retryLater(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private receive(text: string | undefined): void {
    let payload: z.infer<typeof PAYLOAD>;
    try {
      payload = PAYLOAD.parse(JSON.parse(text ?? ''));
    } catch (error) {
      // Of a newer version, or of nobody of ours: whatever it was, the rows tell.
      this.deps.logger.warn({ err: error }, 'a change was announced in a form that is not known');
      payload = { k: 'gap' };
    }
    this.waiting.push(payload as Payload);
    if (this.waiting.length > (this.deps.maxWaiting ?? MAX_WAITING)) {
      this.waiting = [];
      this.missed = true;
    }
    this.deliver();
  }

  private deliver(): void {
    if (this.delivering) return;
    this.delivering = this.deliverAll().finally(() => {
      this.delivering = undefined;
      if (this.client && (this.missed || this.waiting.length > 0)) this.deliver();
    });
  }

  private async deliverAll(): Promise<void> {
    while (!this.stopped && this.client) {
      if (this.missed) {
        // Whatever waits is in what is read again.
        this.missed = false;
        this.waiting = [];
        this.tell({ kind: 'gap' });
      }
      const payload = this.waiting.shift();
      if (!payload) return;
      if (payload.k !== 'transactions') {
        const change = changeOf(payload);
        if (change) this.tell(change);
        continue;
      }
      const signatures = listOf(payload);
      while (this.waiting[0]?.k === 'transactions' && signatures.length < READ_PAGE)
        signatures.push(...listOf(this.waiting.shift() as Payload));
      const { client } = this;
      try {
        for (const change of await readTransactions(client, signatures)) this.tell(change);
      } catch (error) {
        this.deps.logger.warn({ err: error }, 'the change feed cannot read what was announced');
        this.missed = true;
        // The connection is of no use: a new one begins with a gap.
        if (this.client === client) {
          this.client = undefined;
          void client.end().catch(() => {});
        }
        return;
      }
    }
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) {
      try {
        listener(change);
      } catch (error) {
        this.deps.logger.error({ err: error, change: change.kind }, 'a listener of the change feed failed');
      }
    }
  }
}

function listOf({ id }: Payload): string[] {
  return typeof id === 'string' ? [id] : [...(id ?? [])];
}

function changeOf(payload: Payload): Change | undefined {
  const [first] = listOf(payload);
  switch (payload.k) {
    case 'undone':
      return first === undefined ? undefined : { kind: 'undone', signature: first };
    case 'orders':
      return { kind: 'orders', addresses: listOf(payload) };
    case 'readings':
      return { kind: 'readings', meterIds: listOf(payload) };
    case 'balances':
      return { kind: 'balances', wallets: listOf(payload) };
    case 'alert':
    case 'review':
      return first === undefined ? undefined : { kind: payload.k, id: first };
    case 'guide':
    case 'gap':
      return { kind: payload.k };
    case 'transactions':
      return undefined;
  }
}

interface EventRow {
  signature: string;
  tx_slot: string;
  block_time: string | null;
  event_index: number | null;
  tx_index: number;
  program_id: string;
  name: string;
  data: Record<string, unknown>;
}

/**
 * Applied transactions with their events, in the order of the chain; one that was undone meanwhile is left out.
 * @throws the database's error
 */
export async function readTransactions(
  client: Pick<pg.ClientBase, 'query'>,
  signatures: readonly string[],
): Promise<Extract<Change, { kind: 'transaction' }>[]> {
  const { rows } = await client.query<EventRow>(
    `SELECT t.signature, t.slot AS tx_slot, t.block_time, e.event_index, e.tx_index, e.program_id, e.name, e.data
     FROM chain_transactions t LEFT JOIN chain_events e ON e.signature = t.signature
     WHERE t.signature = ANY($1::text[])
     ORDER BY t.slot, t.tx_index NULLS FIRST, t.signature, e.event_index`,
    [signatures],
  );
  const found: { kind: 'transaction'; signature: string; slot: number; events: StoredEvent[] }[] = [];
  for (const row of rows) {
    let last = found.at(-1);
    if (last?.signature !== row.signature) {
      last = { kind: 'transaction', signature: row.signature, slot: Number(row.tx_slot), events: [] };
      found.push(last);
    }
    if (row.event_index === null) continue;
    last.events.push({
      name: row.name,
      programId: row.program_id,
      index: row.event_index,
      txIndex: row.tx_index,
      slot: last.slot,
      signature: row.signature,
      blockTime: row.block_time === null ? undefined : Number(row.block_time),
      data: row.data,
    });
  }
  return found;
}
