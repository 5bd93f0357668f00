import { randomBytes } from 'node:crypto';
import { gridMintAddress } from '@gridtokenx/chain';
import { encodeBase58 } from '@gridtokenx/protocol';
import type pg from 'pg';
import { notifyChange } from '../feed/index.js';
import { randomKey } from './gateway.js';

/** Rows of a market as the event processor writes them, and the news that go with them, without a chain. */
export class TestMarket {
  readonly address = randomKey();
  readonly quoteMint = randomKey();
  private slot = 10;
  private orders = 0;

  constructor(private readonly pool: pg.Pool) {}

  async open(): Promise<void> {
    await this.pool.query(
      `INSERT INTO markets (address, base_mint, quote_mint, treasury, admin, guardian, lot_size, tick_size, fee_bps,
         band_bps, paused, slot, position) VALUES ($1, $2, $3, $4, $4, $4, 1000000, 1000000, 0, 0, FALSE, 1, 1)`,
      [this.address, gridMintAddress().toBase58(), this.quoteMint, randomKey()],
    );
    // Books hear of markets by events, or when they read everything again.
    await notifyChange(this.pool, { kind: 'gap' });
  }

  private async transaction(client: pg.PoolClient): Promise<string> {
    this.slot += 1;
    const signature = encodeBase58(randomBytes(64));
    await client.query(
      `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, last_valid_block_height)
       VALUES ($1, $2, 0, 1700000000, 1)`,
      [signature, this.slot],
    );
    return signature;
  }

  private async event(client: pg.PoolClient, signature: string, name: string, data: object): Promise<void> {
    await client.query(
      `INSERT INTO chain_events (signature, event_index, slot, tx_index, position, program_id, name, data)
       VALUES ($1, 0, $2, 0, $2::bigint * 1073741824, 'program', $3, $4)`,
      [signature, this.slot, name, data],
    );
    await notifyChange(client, { kind: 'transactions', signatures: [signature] });
  }

  private async commit<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } finally {
      client.release();
    }
  }

  /** A new order. Amount and price in thousandths of GRID and GRX. Returns its address. */
  async order(
    owner: string,
    side: 'sell' | 'buy',
    price: number,
    amount: number,
    lasts = 3600,
  ): Promise<string> {
    const address = randomKey();
    this.orders += 1;
    await this.commit(async (client) => {
      const signature = await this.transaction(client);
      await client.query(
        `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
           rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at,
           status, slot)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $7, 0, $3, $8, $9, 0, 0, $10, now(), 'open', $9)`,
        [
          address,
          this.address,
          owner,
          this.orders,
          side,
          BigInt(price) * 1_000_000n,
          BigInt(amount) * 1_000_000n,
          Math.floor(Date.now() / 1000) + lasts,
          this.slot,
          signature,
        ],
      );
      await this.event(client, signature, 'OrderCreated', { market: this.address, order: address, owner });
    });
    return address;
  }

  async cancel(address: string, owner: string): Promise<void> {
    await this.commit(async (client) => {
      const signature = await this.transaction(client);
      await client.query(
        `UPDATE orders SET status = 'cancelled', escrowed = 0, slot = $2, closed_signature = $3, closed_at = now()
         WHERE address = $1`,
        [address, this.slot, signature],
      );
      await this.event(client, signature, 'OrderCancelled', { market: this.address, order: address, owner });
    });
  }

  /** A sale of what is left of a sell order to a taker. */
  async take(address: string, seller: string, buyer: string): Promise<void> {
    await this.commit(async (client) => {
      const signature = await this.transaction(client);
      await client.query(
        `INSERT INTO trades (signature, event_index, market, slot, tx_index, position, seller, buyer, sell_order,
           sell_order_id, maker_order, taker_side, price, amount, quote, fee, sell_closed, buy_closed, executed_at)
         SELECT $2, 0, market, $3, 0, $3::bigint * 1073741824, $4, $5, address, order_id, address, 'buy', price, remaining,
           remaining * price / 1000000000, 0, TRUE, FALSE, now() FROM orders WHERE address = $1`,
        [address, signature, this.slot, seller, buyer],
      );
      await client.query(
        `UPDATE orders SET status = 'filled', remaining = 0, escrowed = 0, slot = $2, closed_signature = $3,
           closed_at = now(), filled_at = now() WHERE address = $1`,
        [address, this.slot, signature],
      );
      const data = { market: this.address, sellOrder: address, seller, buyer };
      await this.event(client, signature, 'TradeExecuted', data);
    });
  }
}
