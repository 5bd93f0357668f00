import { instructions, Side } from '@gridtokenx/chain';
import { PACKET_DATA_SIZE, PublicKey } from '@solana/web3.js';
import type { OrderBook } from './book.js';
import { type Band, crossFill, type Fill } from './fill.js';
import type { BookOrder } from './order.js';

/**
 * A token account or other account by its part: `order:ADDRESS`, `escrow:ORDER`, `grid:WALLET` and `grx:WALLET` (associated
 * accounts), `wallet:ADDRESS`, `treasury`.
 */
export type AccountName = string;

/** Tokens that move with a trade. */
export interface Transfer {
  token: 'GRID' | 'GRX';
  from: AccountName;
  to: AccountName;
  /** Base units. */
  amount: bigint;
}

/** Two orders to bring together, and what comes of it. */
export interface PlannedPair {
  sell: BookOrder;
  buy: BookOrder;
  fill: Fill;
  /** GRID base units that each has left afterwards. */
  sellRemaining: bigint;
  buyRemaining: bigint;
  /** GRX base units that go back to the buyer because its order is filled; 0 while it is not. Gifts come on top. */
  buyRefund: bigint;
  /** Without what others put into the escrows as gifts. */
  transfers: Transfer[];
}

/** One transaction with one `cross_orders`. */
export interface PlannedTransaction {
  pairs: PlannedPair[];
  /** Indexes of earlier transactions of the plan with the same orders: send this one once those are confirmed. */
  after: number[];
  /** Size on the wire with all of {@link buildTransaction}'s budget instructions. */
  bytes: number;
  /** Accounts that it locks. */
  accounts: number;
}

/** What holds for all pairs. */
export interface PlanTerms {
  /** The market's fee now. */
  feeBps: number;
  /** Around the feed's price; a market without a band has none. */
  band?: Band | undefined;
  /** Orders that expire within so many seconds of the book's clock are left alone: they could be late. */
  marginSeconds?: number;
  /** No more pairs than this. */
  maxPairs?: number;
  /** Orders that cannot trade now, by address: found unusable before sending, or refused by the chain. */
  blocked?: (order: BookOrder) => boolean;
  /** Pairs that are not to be tried now, though both orders may trade with others. */
  blockedPair?: (sell: BookOrder, buy: BookOrder) => boolean;
}

/** What fits into one transaction. */
export interface PackLimits {
  /** Base58: pays the fee. */
  feePayer: string;
  maxPairs: number;
  maxBytes: number;
  maxAccounts: number;
  /** Whether an account stands in the lookup table; without it there is no table. */
  inTable?: ((account: AccountName) => boolean) | undefined;
}

/** Accounts that a transaction may lock (MAX_TX_ACCOUNT_LOCKS of Agave). */
export const MAX_ACCOUNT_LOCKS = 64;

/** Solana's and the program's limits. */
export function packLimits(feePayer: string, inTable?: PackLimits['inTable']): PackLimits {
  return {
    feePayer,
    maxPairs: instructions.MAX_CROSSED_PAIRS,
    maxBytes: PACKET_DATA_SIZE,
    maxAccounts: MAX_ACCOUNT_LOCKS,
    inTable,
  };
}

/** What is left of an order while a plan is made. */
interface Left {
  remaining: bigint;
  escrowed: bigint;
}

/**
 * Which orders trade, in which order.
 *
 * The sell orders are taken from the best on; each trades with the buy orders from the best on, until it is filled or none is
 * left that crosses. Nobody trades with themselves: an order passes over orders of its own owner and takes the next one of
 * another, and the order that was passed over keeps its place for everybody else.
 *
 * So each trade is of two orders of which each is the best that the other can have at that moment: for no side is there an
 * unfilled order with a better price, or of the same price and older, that could trade with this counterpart. Proof: a better
 * sell order was dealt with before, and what it left over it could not trade with any buy order that is still there; and the
 * buy orders are tried from the best on.
 *
 * @returns pairs in the order in which they must be carried out
 */
export function planPairs(book: OrderBook, terms: PlanTerms): PlannedPair[] {
  const { feeBps, band, blocked, blockedPair } = terms;
  const maxPairs = terms.maxPairs ?? Number.POSITIVE_INFINITY;
  const latest = book.now + (terms.marginSeconds ?? 0);
  const usable = (order: BookOrder) => order.expiresAt > latest && !blocked?.(order);
  const pairs: PlannedPair[] = [];
  const bids = new Bids(book, usable);
  for (const sell of book.queue(Side.Sell)) {
    const bestBid = bids.at(bids.first)?.order.price;
    if (pairs.length >= maxPairs || bestBid === undefined || sell.price > bestBid) break;
    if (!usable(sell)) continue;
    const left: Left = { remaining: sell.remaining, escrowed: sell.escrowed };
    for (let index = bids.firstFor(sell.owner); left.remaining > 0n && pairs.length < maxPairs; index += 1) {
      const bid = bids.at(index);
      if (bid === undefined || bid.order.price < sell.price) break;
      if (bid.left.remaining === 0n || bid.order.owner === sell.owner) continue;
      const buy = bid.order;
      if (blockedPair?.(sell, buy)) continue;
      const fill = crossFill({ ...stateOf(sell), ...left }, { ...stateOf(buy), ...bid.left }, feeBps, band);
      // A pair that the chain would refuse, for the band: the same orders can still trade with others.
      if ('refused' in fill) continue;
      left.remaining -= fill.amount;
      left.escrowed -= fill.amount;
      bid.left.remaining -= fill.amount;
      bid.left.escrowed -= fill.quote;
      pairs.push(planned(sell, buy, fill, left, bid.left));
    }
  }
  return pairs;
}

/** The buy orders from the best on, read as far as needed, with what the plan leaves of them. */
class Bids {
  readonly #list: { order: BookOrder; left: Left }[] = [];
  readonly #source: Generator<BookOrder>;
  /** For each owner, where its next sell order begins to look: before are filled and its own orders only. */
  readonly #firstFor = new Map<string, number>();
  #first = 0;

  constructor(
    book: OrderBook,
    private readonly usable: (order: BookOrder) => boolean,
  ) {
    this.#source = book.queue(Side.Buy);
  }

  at(index: number): { order: BookOrder; left: Left } | undefined {
    while (this.#list.length <= index) {
      const { value, done } = this.#source.next();
      if (done) return undefined;
      if (this.usable(value)) {
        this.#list.push({ order: value, left: { remaining: value.remaining, escrowed: value.escrowed } });
      }
    }
    return this.#list[index];
  }

  /** The best one that is not filled. */
  get first(): number {
    while (this.at(this.#first)?.left.remaining === 0n) this.#first += 1;
    return this.#first;
  }

  /** The best one that is not filled and of another owner: a wallet with many own orders is passed over once. */
  firstFor(owner: string): number {
    let index = Math.max(this.first, this.#firstFor.get(owner) ?? 0);
    for (let bid = this.at(index); bid !== undefined; bid = this.at(index)) {
      if (bid.left.remaining > 0n && bid.order.owner !== owner) break;
      index += 1;
    }
    this.#firstFor.set(owner, index);
    return index;
  }
}

/** The properties that a copy takes: those of an order in the book are not all its own. */
function stateOf({ owner, side, price, feeBps, position }: BookOrder) {
  return { owner, side, price, feeBps, position };
}

function planned(sell: BookOrder, buy: BookOrder, fill: Fill, sellLeft: Left, buyLeft: Left): PlannedPair {
  const buyRefund = buyLeft.remaining === 0n ? buyLeft.escrowed : 0n;
  const from = `escrow:${buy.address}`;
  const transfers: Transfer[] = [
    { token: 'GRID', from: `escrow:${sell.address}`, to: `grid:${buy.owner}`, amount: fill.amount },
    { token: 'GRX', from, to: `grx:${sell.owner}`, amount: fill.proceeds },
    { token: 'GRX', from, to: 'treasury', amount: fill.fee },
    { token: 'GRX', from, to: `grx:${buy.owner}`, amount: buyRefund },
  ];
  return {
    sell,
    buy,
    fill,
    sellRemaining: sellLeft.remaining,
    buyRemaining: buyLeft.remaining,
    buyRefund,
    transfers: transfers.filter(({ amount }) => amount > 0n),
  };
}

/**
 * Packs pairs into transactions: in their order, each as full as it gets. Transactions that share no order can be on
 * their way at the same time.
 */
export function packPairs(pairs: readonly PlannedPair[], limits: PackLimits): PlannedTransaction[] {
  const transactions: PlannedTransaction[] = [];
  const lastWith = new Map<string, number>();
  let current: PlannedPair[] = [];
  let size = { bytes: 0, accounts: 0 };
  const finish = () => {
    if (current.length === 0) return;
    const after = new Set<number>();
    for (const { sell, buy } of current) {
      for (const { address } of [sell, buy]) {
        const before = lastWith.get(address);
        if (before !== undefined && before !== transactions.length) after.add(before);
        lastWith.set(address, transactions.length);
      }
    }
    transactions.push({ pairs: current, after: [...after].sort((a, b) => a - b), ...size });
    current = [];
  };
  for (const pair of pairs) {
    let next = crossSize([...current, pair], limits);
    if (current.length > 0 && !fits(current.length + 1, next, limits)) {
      finish();
      next = crossSize([pair], limits);
    }
    if (!fits(current.length + 1, next, limits))
      throw new RangeError('not even one pair fits into these limits');
    current.push(pair);
    size = next;
  }
  finish();
  return transactions;
}

function fits(pairs: number, size: { bytes: number; accounts: number }, limits: PackLimits): boolean {
  return pairs <= limits.maxPairs && size.bytes <= limits.maxBytes && size.accounts <= limits.maxAccounts;
}

/** The accounts that a pair brings to `cross_orders`, in any order. */
export function accountsOf({ sell, buy }: Pick<PlannedPair, 'sell' | 'buy'>): AccountName[] {
  return [
    `order:${sell.address}`,
    `escrow:${sell.address}`,
    `order:${buy.address}`,
    `escrow:${buy.address}`,
    `grx:${sell.owner}`,
    `grid:${buy.owner}`,
    `grx:${buy.owner}`,
    `wallet:${sell.rentPayer}`,
    `wallet:${buy.rentPayer}`,
  ];
}

/** Accounts of `cross_orders` besides the pairs', as its builder has them. */
const FIXED_ACCOUNTS = instructions.crossOrders({
  market: {
    quoteMint: PublicKey.default,
    quoteTokenProgram: PublicKey.default,
    treasury: PublicKey.default,
    feed: PublicKey.default,
  },
  pairs: [],
}).keys.length;
const fixedNames: AccountName[] = Array.from({ length: FIXED_ACCOUNTS }, (_, index) => `fixed:${index}`);

const compact = (length: number): number => (length < 0x80 ? 1 : length < 0x4000 ? 2 : 3);

/**
 * Size of a version 0 transaction with these pairs: budget instructions (uniqueness, limit, price) and one `cross_orders`,
 * one signature. The market's own accounts are `fixed:0` and so on for `inTable`. 33 bytes too much for a market whose two
 * tokens are of one token program.
 */
export function crossSize(
  pairs: readonly Pick<PlannedPair, 'sell' | 'buy'>[],
  { feePayer, inTable }: Pick<PackLimits, 'feePayer' | 'inTable'>,
): { bytes: number; accounts: number } {
  const named = new Set<AccountName>([...fixedNames, ...pairs.flatMap(accountsOf)]);
  named.delete(`wallet:${feePayer}`);
  const looked = inTable === undefined ? [] : [...named].filter(inTable);
  // Signer, the programs that are called (compute budget, trading), and what no table has.
  const listed = 3 + named.size - looked.length;
  const indexes = FIXED_ACCOUNTS + 9 * pairs.length;
  const call = (accounts: number, data: number) => 1 + compact(accounts) + accounts + compact(data) + data;
  const bytes =
    1 +
    64 +
    (1 + 3) +
    (compact(listed) + 32 * listed) +
    32 +
    (1 + call(0, 5) + call(0, 5) + call(0, 9) + call(indexes, 8)) +
    (1 + (looked.length > 0 ? 32 + 1 + 1 + looked.length : 0));
  return { bytes, accounts: 3 + named.size };
}
