import {
  type ChainEvent,
  confirmTransaction,
  decodeMarket,
  escrowAddress,
  eventsOf,
  gridTokenAccount,
  instructions,
  type PreparedTransaction,
  prepareTransaction,
  quoteTokenAccount,
  type Resolution,
  recentPriorityFee,
  type SentTransaction,
  Side,
  sendPrepared,
  simulate,
  TRADING_PROGRAM_ID,
  type TradingMarket,
  toChainError,
  trading,
} from '@gridtokenx/chain';
import {
  type AddressLookupTableAccount,
  type Connection,
  type Keypair,
  PublicKey,
  SYSVAR_CLOCK_PUBKEY,
} from '@solana/web3.js';
import type { OrderState, PlannedPair } from '../market/index.js';
import { type Account, type MarketTerms, marketTerms, type OrderAccounts } from './preflight.js';
import type { MarketInfo } from './rows.js';

/** Accounts in one getMultipleAccounts. */
const PER_REQUEST = 100;
/** Of each order: itself, its escrow, where what it wants goes. */
const PER_ORDER = 3;
/** Unix seconds stand at this offset of the clock sysvar: slot, epoch start, epoch, leader schedule epoch before it. */
const CLOCK_UNIX_OFFSET = 32;
/** Five pairs take 62,000 units where the token programs are the newer ones; the older ones add some 4,500 a transfer. */
const UNITS_BASE = 30_000;
const UNITS_PER_PAIR = 40_000;
const UNITS_PER_RETURN = 30_000;

export interface MatchingChainOptions {
  connection: Connection;
  feePayer: Keypair;
  /** Highest priority fee in micro-lamports per compute unit; 0: none. */
  maxPriorityMicroLamports: number;
  signal: AbortSignal;
}

type Order = Readonly<OrderState>;

/** What a transaction would do, or did. */
export interface Effects {
  /** Set when nothing of it happens. */
  failure?: { name: string; message: string };
  /** Pairs that are passed over, by their place, with the program's error. */
  skipped: Map<number, string>;
  events: readonly ChainEvent[];
}

/** The matcher's side of the chain, over JSON-RPC. */
export class MatchingChain {
  /** What was read last has to be seen by whatever is read next, also where several nodes answer. */
  private minContextSlot = 0;

  constructor(private readonly options: MatchingChainOptions) {}

  /** Later reads are of this slot or a later one. */
  saw(slot: number | undefined): void {
    this.minContextSlot = Math.max(this.minContextSlot, slot ?? 0);
  }

  /** The market's accounts at one slot. @throws GtxError CHAIN_UNAVAILABLE */
  async terms({ address, treasury, feed }: MarketInfo): Promise<MarketTerms | undefined> {
    const look = async (named: { treasury: PublicKey; feed: PublicKey }) => {
      const keys = [new PublicKey(address), named.treasury, named.feed, SYSVAR_CLOCK_PUBKEY];
      const { accounts } = await this.read(keys);
      const [market = null, treasury = null, feed = null, clock = null] = accounts;
      const now = Number(clock?.data.readBigInt64LE(CLOCK_UNIX_OFFSET) ?? 0n);
      return { market, treasury, feed, now };
    };
    const told = { treasury: new PublicKey(treasury), feed: feed ? new PublicKey(feed) : PublicKey.default };
    let seen = await look(told);
    if (seen.market?.owner.equals(TRADING_PROGRAM_ID)) {
      const actual = decodeMarket(seen.market.data);
      // The projection has not heard yet that they are others now.
      if (!actual.treasury.equals(told.treasury) || !actual.feed.equals(told.feed)) seen = await look(actual);
    }
    return marketTerms(seen, seen.now);
  }

  /**
   * The accounts of orders, those of one group at one slot.
   * @param groups orders that belong together; at most 33 each
   * @param receives which of the owner's accounts is the receiver: of what the order wants, or of what it offered
   * @returns by the order's address; of an order in several groups the newest look
   */
  async orders(
    market: TradingMarket,
    groups: readonly (readonly Order[])[],
    receives: 'wanted' | 'offered' = 'wanted',
  ): Promise<Map<string, OrderAccounts & { slot: number }>> {
    const batches: Order[][] = [];
    let batch: Order[] = [];
    for (const group of groups) {
      const fresh = group.filter((order) => !batch.includes(order));
      if ((batch.length + fresh.length) * PER_ORDER > PER_REQUEST) {
        batches.push(batch);
        batch = [...group];
      } else batch.push(...fresh);
    }
    if (batch.length > 0) batches.push(batch);
    const seen = new Map<string, OrderAccounts & { slot: number }>();
    await Promise.all(
      batches.map(async (asked) => {
        const { slot, accounts } = await this.read(asked.flatMap((order) => keysOf(order, market, receives)));
        asked.forEach(({ address }, index) => {
          const [order = null, escrow = null, receiver = null] = accounts.slice(PER_ORDER * index);
          const before = seen.get(address);
          if (before === undefined || before.slot <= slot)
            seen.set(address, { order, escrow, receiver, slot });
        });
      }),
    );
    return seen;
  }

  /** Builds and signs a `cross_orders`. @throws GtxError CHAIN_UNAVAILABLE */
  async prepareCross(
    market: TradingMarket,
    pairs: readonly Pick<PlannedPair, 'sell' | 'buy'>[],
    lookupTables: readonly AddressLookupTableAccount[],
  ): Promise<PreparedTransaction> {
    const { connection, feePayer } = this.options;
    const named = pairs.map(({ sell, buy }) => ({ sell: refOf(sell), buy: refOf(buy) }));
    return prepareTransaction(connection, {
      payer: feePayer,
      instructions: [instructions.crossOrders({ market, pairs: named })],
      lookupTables,
      computeUnitLimit: UNITS_BASE + UNITS_PER_PAIR * pairs.length,
      ...(await this.priorityFee(pairs.flatMap(({ sell, buy }) => [sell, buy]))),
    });
  }

  /** Builds and signs one `expire_order` for each order. @throws GtxError CHAIN_UNAVAILABLE */
  async prepareExpire(market: TradingMarket, orders: readonly Order[]): Promise<PreparedTransaction> {
    const { connection, feePayer } = this.options;
    return prepareTransaction(connection, {
      payer: feePayer,
      instructions: orders.map((order) => instructions.expireOrder({ market, order: refOf(order) })),
      computeUnitLimit: UNITS_BASE + UNITS_PER_RETURN * orders.length,
      ...(await this.priorityFee(orders)),
    });
  }

  /** What it would do on the newest confirmed state. @throws GtxError CHAIN_UNAVAILABLE */
  async simulate({ transaction }: PreparedTransaction): Promise<Effects> {
    const { failure, logs } = await simulate(this.options.connection, transaction);
    if (failure) {
      return { failure: { name: failure.reason, message: failure.message }, skipped: new Map(), events: [] };
    }
    return effectsOf(eventsOf({ err: null, logMessages: logs }).events);
  }

  /** Sends it, once, without another simulation. @throws GtxError CHAIN_UNAVAILABLE */
  async send({ wire, signature }: Pick<PreparedTransaction, 'wire' | 'signature'>): Promise<void> {
    await sendPrepared(this.options.connection, { wire, signature }, { skipPreflight: true });
  }

  /**
   * Waits for the outcome, sending the bytes again meanwhile. It counts as expired when it has no status after its last valid
   * height was confirmed: should a fork bring it nevertheless, its pairs trade only what is left of them.
   * @throws GtxError CHAIN_UNAVAILABLE when it stays unknown
   */
  async outcome(sent: SentTransaction): Promise<Resolution> {
    const { connection, signal } = this.options;
    const resolution = await confirmTransaction(connection, sent, {
      expiryCommitment: 'confirmed',
      pollMs: 400,
      unavailableAfterMs: 10_000,
      signal,
    });
    this.saw(resolution.slot);
    return resolution;
  }

  /** What an executed transaction did; undefined when the node does not tell, or not all. @throws GtxError CHAIN_UNAVAILABLE */
  async effects(signature: string): Promise<Effects | undefined> {
    try {
      const landed = await this.options.connection.getTransaction(signature, {
        commitment: 'confirmed',
        maxSupportedTransactionVersion: 0,
      });
      if (!landed) return undefined;
      const { events, truncated } = eventsOf(landed.meta);
      return truncated ? undefined : effectsOf(events);
    } catch (error) {
      throw toChainError(error);
    }
  }

  private async read(keys: readonly PublicKey[]): Promise<{ slot: number; accounts: Account[] }> {
    const { connection } = this.options;
    try {
      const { context, value } = await connection.getMultipleAccountsInfoAndContext([...keys], {
        commitment: 'confirmed',
        ...(this.minContextSlot > 0 && { minContextSlot: this.minContextSlot }),
      });
      this.saw(context.slot);
      return { slot: context.slot, accounts: value };
    } catch (error) {
      throw toChainError(error);
    }
  }

  private async priorityFee(orders: readonly Order[]): Promise<{ microLamportsPerCu?: number }> {
    const { connection, maxPriorityMicroLamports } = this.options;
    if (maxPriorityMicroLamports <= 0) return {};
    const writable = orders.slice(0, 10).map(({ address }) => new PublicKey(address));
    const fee = await recentPriorityFee(connection, writable, {
      percentile: 75,
      max: maxPriorityMicroLamports,
    });
    return fee > 0 ? { microLamportsPerCu: fee } : {};
  }
}

/** What the instruction builders need of an order in the book. */
function refOf({ owner, orderId, side, rentPayer }: Order) {
  return { owner: new PublicKey(owner), orderId, side, rentPayer: new PublicKey(rentPayer) };
}

function keysOf(
  order: Order,
  { quoteMint, quoteTokenProgram }: TradingMarket,
  receives: 'wanted' | 'offered',
): PublicKey[] {
  const owner = new PublicKey(order.owner);
  const address = new PublicKey(order.address);
  const inQuote = (order.side === Side.Sell) === (receives === 'wanted');
  return [
    address,
    escrowAddress(address),
    inQuote ? quoteTokenAccount(quoteMint, quoteTokenProgram, owner) : gridTokenAccount(owner),
  ];
}

function effectsOf(events: readonly ChainEvent[]): Effects {
  const skipped = new Map<number, string>();
  for (const event of events) {
    if (event.name !== 'PairSkipped') continue;
    const { pair, errorCode } = event.data;
    skipped.set(pair, trading.error(errorCode)?.name ?? `Custom(${errorCode})`);
  }
  return { skipped, events };
}
