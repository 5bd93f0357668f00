/** Clients of one collector's WebSocket that follow the same book, and how late they hear of its changes. */
import { randomBytes } from 'node:crypto';
import { gridMintAddress } from '@gridtokenx/chain';
import { notifyChange } from '@gridtokenx/collector';
import { encodeBase58 } from '@gridtokenx/protocol';
import pg from 'pg';
import { Child } from './child.js';
import type { LiveConnected, LiveMessage, LiveResult } from './live-generator.js';
import { processUsage } from './process-usage.js';
import type { Figure } from './report.js';
import { type Stack, until } from './stack.js';

const CLIENTS = 2_000;
/** Connections that are being made at once. */
const AT_ONCE = 50;
/** Price levels on each side of the book. */
const LEVELS = 250;
const CHANGES_PER_SECOND = 10;

/** Writes orders as the event processor does: row, event and notice in one transaction. */
class Writer {
  readonly market = encodeBase58(randomBytes(32));
  /** Price and when its order was committed. */
  readonly written: [string, number][] = [];
  private slot = 0;

  constructor(private readonly client: pg.Client) {}

  async open(): Promise<void> {
    await this.client.query(
      `INSERT INTO markets (address, base_mint, quote_mint, treasury, admin, guardian, lot_size, tick_size, fee_bps,
         band_bps, paused, slot, position) VALUES ($1, $2, $3, $3, $3, $3, 1000000, 1000000, 0, 0, FALSE, 1, 1)`,
      [this.market, gridMintAddress().toBase58(), encodeBase58(randomBytes(32))],
    );
    await notifyChange(this.client, { kind: 'gap' });
  }

  /** @param price in thousandths of GRX; of its own for each order */
  async order(side: 'sell' | 'buy', price: number): Promise<void> {
    const { client } = this;
    this.slot += 1;
    const [signature, address, owner] = [64, 32, 32].map((bytes) => encodeBase58(randomBytes(bytes)));
    await client.query('BEGIN');
    await client.query(
      `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, last_valid_block_height)
       VALUES ($1, $2, 0, 1700000000, 1)`,
      [signature, this.slot],
    );
    await client.query(
      `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
         rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at,
         status, slot)
       VALUES ($1, $2, $3, $4::bigint, $5, $6, 1000000, 1000000, 1000000, 1000000, 0, $3, 4000000000, $4::bigint, 0, 0, $7, now(), 'open',
         $4::bigint)`,
      [address, this.market, owner, this.slot, side, price * 1_000_000, signature],
    );
    await client.query(
      `INSERT INTO chain_events (signature, event_index, slot, tx_index, position, program_id, name, data)
       VALUES ($1, 0, $2, 0, $2::bigint * 1073741824, 'bench', 'OrderCreated', $3)`,
      [signature, this.slot, { market: this.market, order: address, owner }],
    );
    await notifyChange(client, { kind: 'transactions', signatures: [signature as string] });
    const at = performance.timeOrigin + performance.now();
    await client.query('COMMIT');
    this.written.push([String(price / 1000), at]);
  }
}

export async function measureWebSocket(
  stack: Stack,
  { quick, say }: { quick: boolean; say: (text: string) => void },
): Promise<Figure[]> {
  const clients = quick ? 200 : CLIENTS;
  const seconds = quick ? 3 : 30;
  const collector = await stack.startCollector({
    settlement: 'interval',
    settlementSeconds: 3600,
    env: {
      GTX_LIVE_CLIENTS: String(clients),
      GTX_LIVE_CLIENTS_PER_ADDRESS: String(clients),
      GTX_HTTP_READS_PER_MINUTE: '1000000',
      // The orders are on no chain: nobody is to look for them there.
      GTX_MATCHING: 'off',
      GTX_RECONCILE: 'off',
    },
  });
  const client = new pg.Client({ connectionString: stack.databaseUrl });
  const generator = new Child('live-generator', stack.nodeArgs('live-generator'));
  try {
    await client.connect();
    const writer = new Writer(client);
    await writer.open();
    say(`a book of ${2 * LEVELS} price levels`);
    for (let level = 0; level < LEVELS; level += 1) {
      await writer.order('sell', 100_000 + level);
      await writer.order('buy', 1 + level);
    }
    writer.written.length = 0;
    const book = `${collector.httpUrl}/api/book?market=${writer.market}&depth=1000`;
    await until('the book', async () => {
      const answer = await fetch(book);
      if (!answer.ok) return false;
      const { asks, bids } = (await answer.json()) as Record<'asks' | 'bids', unknown[]>;
      return asks.length + bids.length === 2 * LEVELS;
    });
    const ask = <T>(message: LiveMessage): Promise<T> => {
      generator.send(message);
      return generator.next<T>();
    };
    const before = processUsage(collector.pid);
    say(`${clients} clients connect`);
    const { httpUrl } = collector;
    const connected = await ask<LiveConnected>({
      step: 'connect',
      httpUrl,
      market: writer.market,
      clients,
      atOnce: AT_ONCE,
    });
    const idle = processUsage(collector.pid);
    await ask({ step: 'begin' });
    const changes = seconds * CHANGES_PER_SECOND;
    say(`${changes} changes of the book in ${seconds} s`);
    const begin = performance.now();
    for (let change = 0; change < changes; change += 1) {
      const wait = begin + (change * 1000) / CHANGES_PER_SECOND - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await writer.order(
        change % 2 === 0 ? 'sell' : 'buy',
        change % 2 === 0 ? 90_000 - change : 50_000 - change,
      );
    }
    const elapsed = (performance.now() - begin) / 1000;
    const after = processUsage(collector.pid);
    // What is on its way arrives; whoever has not heard of everything by then is counted.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const result = await ask<LiveResult>({ step: 'end', written: writer.written });
    if (result.incomplete > 0) throw new Error(`${result.incomplete} clients did not hear of all changes`);
    const figure = (name: string, value: number, unit: string, goal?: Figure['goal']): Figure => ({
      benchmark: 'websocket',
      name,
      value,
      unit,
      ...(goal && { goal }),
    });
    return [
      figure('clients', clients, ''),
      figure('commit to client, p50', result.p50Millis, 'ms'),
      figure('commit to client, p99', result.p99Millis, 'ms', { atMost: 250 }),
      figure('commit to client, longest', result.maxMillis, 'ms'),
      figure('changes', changes / elapsed, '/s'),
      figure('frames', result.frames / elapsed, '/s'),
      figure('all connected, with snapshot', connected.seconds, 's'),
      figure('snapshot', connected.snapshotBytes / 1000, 'kB'),
      figure('collector: processor', (100 * (after.cpuSeconds - idle.cpuSeconds)) / elapsed, '% of a core'),
      figure('generator: processor', (100 * result.cpuSeconds) / elapsed, '% of a core'),
      figure('collector: memory per client', ((after.rssMb - before.rssMb) * 1000) / clients, 'kB'),
    ];
  } finally {
    await generator.stop();
    await client.end();
    await collector.stop();
  }
}
