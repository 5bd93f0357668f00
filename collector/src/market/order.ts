import type { Side } from '@gridtokenx/chain';

/** Where on the chain something happened: what "earlier" means in the book. */
export interface ChainPosition {
  slot: number;
  /** Index of the transaction in its block. */
  transaction: number;
  /** Index of the event in its transaction. */
  event: number;
}

/** The index of a transaction that is not known. */
export const UNPLACED = Number.MAX_SAFE_INTEGER;

/**
 * The position of an order of which only the account is known: it tells the slot and no more. Such orders stand
 * behind all others of their slot until the event of their making tells the place.
 */
export function unplaced(slot: number): ChainPosition {
  return { slot, transaction: UNPLACED, event: 0 };
}

/** Negative when `a` came before `b`. */
export function comparePositions(a: ChainPosition, b: ChainPosition): number {
  return a.slot - b.slot || a.transaction - b.transaction || a.event - b.event;
}

/** An order as the chain has it. Addresses are base58. */
export interface OrderState {
  address: string;
  owner: string;
  /** Gets the rent back. */
  rentPayer: string;
  orderId: bigint;
  side: Side;
  /** GRX base units for 1 GRID. */
  price: bigint;
  /** GRID base units (nkWh) at the start. */
  amount: bigint;
  /** GRID base units not yet traded. */
  remaining: bigint;
  /** What the escrow holds for the order: GRID of a sell order, GRX of a buy order; base units. */
  escrowed: bigint;
  /** Unix seconds from which on the order only goes back. */
  expiresAt: number;
  /** The most that a sell order pays, in hundredths of a percent. */
  feeBps: number;
  position: ChainPosition;
}

/** `open`: can trade. The others exist on chain until what is left in their escrow is returned. */
export type OrderStatus = 'open' | 'expired' | 'filled';

/** An order in the book. Changes with the book. */
export interface BookOrder extends Readonly<OrderState> {
  readonly status: OrderStatus;
  /**
   * Whether `escrowed` is what the chain has. Between two fills of which the later was heard of first it is too high;
   * it never is below the cost of what remains.
   */
  readonly escrowExact: boolean;
}
