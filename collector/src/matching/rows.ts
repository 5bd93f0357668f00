import { Side } from '@gridtokenx/chain';
import type pg from 'pg';
import { type OrderState, UNPLACED } from '../market/index.js';

/** A market as the chain has it. Addresses are base58. */
export interface MarketInfo {
  address: string;
  baseMint: string;
  quoteMint: string;
  /** Receives the fees. */
  treasury: string;
  /** The oracle's feed around whose price trades must be; undefined for a market without a band. */
  feed: string | undefined;
  /** GRID base units. */
  lotSize: bigint;
  /** GRX base units for 1 GRID. */
  tickSize: bigint;
  /** Of the quote, in hundredths of a percent. */
  feeBps: number;
  /** How far from the feed's price trades may be, in hundredths of a percent; 0 without a feed. */
  bandBps: number;
  paused: boolean;
}

/** An order's row: what the database knows of it, and from which slot. */
export interface OrderRow {
  market: string;
  state: OrderState;
  open: boolean;
  /** Of the newest fact. */
  slot: number;
}

/** The system program: what a market without a feed names. */
const NO_FEED = '11111111111111111111111111111111';

const ORDER_COLUMNS = `address, market, owner, order_id, side, price, amount, remaining, escrowed, fee_bps, rent_payer,
  expires_at, created_slot, created_tx_index, created_event_index, status, slot`;

type Column = string | number | null;

function orderRow(row: Record<string, Column>): OrderRow {
  const text = (name: string) => String(row[name]);
  return {
    market: text('market'),
    open: row.status === 'open',
    slot: Number(row.slot),
    state: {
      address: text('address'),
      owner: text('owner'),
      rentPayer: text('rent_payer'),
      orderId: BigInt(text('order_id')),
      side: row.side === 'sell' ? Side.Sell : Side.Buy,
      price: BigInt(text('price')),
      amount: BigInt(text('amount')),
      remaining: BigInt(text('remaining')),
      escrowed: BigInt(text('escrowed')),
      expiresAt: Number(row.expires_at),
      feeBps: Number(row.fee_bps),
      position: {
        slot: Number(row.created_slot),
        transaction: row.created_tx_index === null ? UNPLACED : Number(row.created_tx_index),
        event: Number(row.created_event_index ?? 0),
      },
    },
  };
}

/** Orders by their addresses, open or not; one that the database does not know is absent. */
export async function readOrders(
  client: pg.ClientBase | pg.Pool,
  addresses: readonly string[],
): Promise<Map<string, OrderRow>> {
  const { rows } = await client.query(`SELECT ${ORDER_COLUMNS} FROM orders WHERE address = ANY($1::text[])`, [
    addresses,
  ]);
  return new Map(rows.map((row) => [String(row.address), orderRow(row)]));
}

/** Every open order. */
export async function readOpenOrders(client: pg.ClientBase | pg.Pool): Promise<OrderRow[]> {
  const { rows } = await client.query(`SELECT ${ORDER_COLUMNS} FROM orders WHERE status = 'open'`);
  return rows.map(orderRow);
}

/** Filled orders of a market whose accounts still exist, since something is left in their escrow. */
export async function readUnreturned(pool: pg.Pool, market: string, limit: number): Promise<OrderState[]> {
  const { rows } = await pool.query(
    `SELECT ${ORDER_COLUMNS} FROM orders
     WHERE market = $1 AND status = 'filled' AND closed_signature IS NULL LIMIT $2`,
    [market, limit],
  );
  return rows.map((row) => orderRow(row).state);
}

/** Every market whose base mint is one of these. */
export async function readMarkets(client: pg.ClientBase | pg.Pool, baseMint: string): Promise<MarketInfo[]> {
  const { rows } = await client.query<Record<string, Column | boolean>>(
    `SELECT address, base_mint, quote_mint, treasury, feed, lot_size, tick_size, fee_bps, band_bps, paused
     FROM markets WHERE base_mint = $1 ORDER BY address`,
    [baseMint],
  );
  return rows.map((row) => {
    const text = (name: string) => String(row[name]);
    return {
      address: text('address'),
      baseMint: text('base_mint'),
      quoteMint: text('quote_mint'),
      treasury: text('treasury'),
      feed: row.feed === null || row.feed === NO_FEED ? undefined : text('feed'),
      lotSize: BigInt(text('lot_size')),
      tickSize: BigInt(text('tick_size')),
      feeBps: Number(row.fee_bps),
      bandBps: Number(row.band_bps),
      paused: row.paused === true,
    };
  });
}
