import { type ChainEvent, gridMintAddress, quoteOf, trading } from '@gridtokenx/chain';
import { decodeBase58 } from '@gridtokenx/protocol';
import { PublicKey, type VersionedTransactionResponse } from '@solana/web3.js';
import { type LandedEvent, landedEvent } from './landed.js';

/** Trading's calls whose events can be told from the calls themselves and the transfers that they made. */
export const RECOVERABLE_TRADING: ReadonlySet<string> = new Set([
  'create_order',
  'match_order',
  'cross_orders',
  'cancel_order',
  'expire_order',
  'open_trader',
]);

/** Indexes of events that were read from calls: above any that a transaction can log, and above recovered mints. */
const FIRST_INDEX = 12_000;
/** Accounts of each pair of cross_orders behind its own. */
const ACCOUNTS_PER_PAIR = 9;
/** The token programs' instruction Transfer: tag, amount u64. */
const TRANSFER = 3;
const TRANSFER_BYTES = 9;
const SELL = 0;

interface Call {
  readonly programId: string;
  readonly accounts: readonly string[];
  readonly data: Uint8Array;
  /** Calls that it made, in order, and those that they made. */
  readonly inner: readonly Call[];
}

type TradingEventName = 'OrderCreated' | 'OrderCancelled' | 'OrderExpired' | 'TradeExecuted';

/**
 * The events of trading that a cut log has lost, from the calls that are on record. Logged events are the first ones of
 * the transaction, in the order of the calls: what a call should have told and did not, is made good.
 *
 * What only the order's own history tells is left out of an event (`null` in its JSON): the fee that a new order has, and of two crossed orders
 * the price and the ids. The projections fill these in.
 */
export function lostTradingEvents(
  response: VersionedTransactionResponse,
  nameOf: (index: number) => string,
  logged: readonly LandedEvent[],
): LandedEvent[] {
  const programId = trading.programId.toBase58();
  const left = logged.filter((event) => event.programId === programId);
  const found: LandedEvent[] = [];
  const facts = new Facts(response, nameOf);
  /** Whether the next logged event is this call's; then it is used up. */
  const told = (matches: (event: LandedEvent) => boolean): boolean => {
    const [next] = left;
    if (!next || !matches(next)) return false;
    left.shift();
    return true;
  };
  const add = (name: TradingEventName, data: Record<string, unknown>, unknown: readonly string[] = []) => {
    const event = { name, programId, index: FIRST_INDEX + found.length, data } as unknown as ChainEvent;
    const landed = landedEvent(event);
    for (const field of unknown) landed.json[field] = null;
    landed.json.recovered = true;
    found.push(landed);
  };
  const timestamp = BigInt(response.blockTime ?? 0);

  for (const call of calls(response, nameOf)) {
    if (call.programId !== programId) continue;
    const decoded = trading.decodeInstruction(call.data);
    if (!decoded) continue;
    const at = (index: number): string => call.accounts[index] ?? '';
    const key = (index: number): PublicKey => new PublicKey(at(index));
    switch (decoded.name) {
      case 'create_order': {
        // payer, owner, market, trader, order, escrow
        if (told(({ name, json }) => name === 'OrderCreated' && json.order === at(4))) break;
        const { orderId, side, amount, price, expiresAt } = decoded.args as Record<string, bigint> & {
          side: number;
        };
        add(
          'OrderCreated',
          {
            market: key(2),
            order: key(4),
            owner: key(1),
            rentPayer: key(0),
            orderId,
            price,
            amount,
            escrowed: side === SELL ? amount : quoteOf(amount as bigint, price as bigint, 'up'),
            expiresAt,
            timestamp,
            slot: BigInt(response.slot),
            feeBps: 0,
            side,
          },
          ['feeBps'],
        );
        break;
      }
      case 'cancel_order': {
        // owner, order, escrow, destination
        if (told(({ name, json }) => name === 'OrderCancelled' && json.order === at(1))) break;
        const refunded = sent(call, at(2), at(3));
        const common = { order: key(1), owner: key(0), destination: key(3), refunded, timestamp };
        add('OrderCancelled', common, ['market', 'orderId', 'remaining', 'side']);
        break;
      }
      case 'expire_order': {
        // order, escrow, destination
        if (told(({ name, json }) => name === 'OrderExpired' && json.order === at(0))) break;
        const refunded = sent(call, at(1), at(2));
        const owner = facts.ownerOf(at(2));
        const common = { order: key(0), ...(owner && { owner }), destination: key(2), refunded, timestamp };
        add('OrderExpired', common, ['market', 'orderId', 'remaining', 'side']);
        break;
      }
      case 'match_order': {
        // taker, market, order, escrow, taker_source, taker_destination, maker_destination, maker_refund, treasury
        const order = at(2);
        if (
          told(
            ({ name, json }) =>
              name === 'TradeExecuted' && (json.sellOrder === order || json.buyOrder === order),
          )
        )
          break;
        const { price } = decoded.args as { price: bigint };
        const paid = sent(call, at(4), at(6));
        const received = sent(call, at(3), at(5));
        const feeOfBuyer = sent(call, at(4), at(8));
        const feeOfMaker = sent(call, at(3), at(8));
        // The order's side is told by what it keeps in escrow.
        const sells = facts.isBase(at(3));
        const maker = facts.ownerOf(at(6)) ?? PublicKey.default;
        add('TradeExecuted', {
          market: key(1),
          seller: sells ? maker : key(0),
          buyer: sells ? key(0) : maker,
          sellOrder: sells ? key(2) : PublicKey.default,
          buyOrder: sells ? PublicKey.default : key(2),
          price,
          amount: sells ? received : paid,
          quote: sells ? paid + feeOfBuyer : received + feeOfMaker,
          fee: sells ? feeOfBuyer : feeOfMaker,
          timestamp,
          takerSide: sells ? 1 : 0,
          sellClosed: sells && facts.isGone(order),
          buyClosed: !sells && facts.isGone(order),
        });
        break;
      }
      case 'cross_orders': {
        // market, treasury, feed, and the two token programs; then the pairs
        for (let first = decoded.accountCount; first < call.accounts.length; first += ACCOUNTS_PER_PAIR) {
          const pair = (index: number) => at(first + index);
          const [sellOrder, sellEscrow, buyOrder, buyEscrow, sellerQuote, buyerBase] = [0, 1, 2, 3, 4, 5].map(
            pair,
          );
          const known = told(
            ({ name, json }) =>
              (name === 'TradeExecuted' || name === 'PairSkipped') &&
              json.sellOrder === sellOrder &&
              json.buyOrder === buyOrder,
          );
          const amount = sent(call, sellEscrow, buyerBase);
          // A pair that was skipped moved nothing.
          if (known || amount === 0n) continue;
          const fee = sent(call, buyEscrow, at(1));
          add(
            'TradeExecuted',
            {
              market: key(0),
              seller: facts.ownerOf(sellerQuote) ?? PublicKey.default,
              buyer: facts.ownerOf(buyerBase) ?? PublicKey.default,
              sellOrder: new PublicKey(sellOrder ?? ''),
              buyOrder: new PublicKey(buyOrder ?? ''),
              price: 0n,
              amount,
              quote: sent(call, buyEscrow, sellerQuote) + fee,
              fee,
              timestamp,
              takerSide: 1,
              sellClosed: facts.isGone(sellOrder),
              buyClosed: facts.isGone(buyOrder),
            },
            ['sellOrderId', 'buyOrderId', 'sellRemaining', 'buyRemaining'],
          );
        }
        break;
      }
      default:
        // Any other call of trading tells of a market at most: one event, or none.
        told(({ name }) => name === 'MarketChanged');
    }
  }
  return found;
}

/** All calls of a transaction in the order in which they ran. */
function calls(response: VersionedTransactionResponse, nameOf: (index: number) => string): Call[] {
  const { message } = response.transaction;
  const found: Call[] = [];
  for (const [index, top] of message.compiledInstructions.entries()) {
    const inner = (response.meta?.innerInstructions ?? [])
      .filter((entry) => entry.index === index)
      .flatMap(({ instructions }) => instructions);
    const flat = inner.map(({ programIdIndex, accounts, data, ...rest }) => ({
      programId: nameOf(programIdIndex),
      accounts: accounts.map(nameOf),
      data: data === '' ? new Uint8Array() : decodeBase58(data),
      // Older nodes do not tell the depth: then everything counts as called by the outermost.
      height: (rest as { stackHeight?: number | null }).stackHeight ?? 2,
    }));
    const below = (at: number, height: number): Call[] => {
      const end = flat.findIndex((call, position) => position >= at && call.height <= height);
      return flat.slice(at, end < 0 ? undefined : end).map((call) => ({ ...call, inner: [] }));
    };
    found.push({
      programId: nameOf(top.programIdIndex),
      accounts: top.accountKeyIndexes.map(nameOf),
      data: top.data,
      inner: below(0, 1),
    });
    for (const [position, call] of flat.entries())
      found.push({ ...call, inner: below(position + 1, call.height) });
  }
  return found;
}

/** What a call moved from one token account to another. */
function sent(call: Call, from: string | undefined, to: string | undefined): bigint {
  let amount = 0n;
  for (const { data, accounts } of call.inner) {
    if (data[0] !== TRANSFER || data.length !== TRANSFER_BYTES) continue;
    if (accounts[0] === from && accounts[1] === to) amount += Buffer.from(data).readBigUInt64LE(1);
  }
  return amount;
}

/** What a transaction's balances say of its accounts. */
class Facts {
  private readonly owners = new Map<string, string>();
  private readonly mints = new Map<string, string>();
  private readonly gone = new Set<string>();

  constructor({ meta }: VersionedTransactionResponse, nameOf: (index: number) => string) {
    for (const { accountIndex, mint, owner } of [
      ...(meta?.preTokenBalances ?? []),
      ...(meta?.postTokenBalances ?? []),
    ]) {
      this.mints.set(nameOf(accountIndex), mint);
      if (owner !== undefined) this.owners.set(nameOf(accountIndex), owner);
    }
    for (const [index, lamports] of (meta?.postBalances ?? []).entries())
      if (lamports === 0) this.gone.add(nameOf(index));
  }

  ownerOf(tokenAccount: string | undefined): PublicKey | undefined {
    const owner = this.owners.get(tokenAccount ?? '');
    return owner === undefined ? undefined : new PublicKey(owner);
  }

  isBase(tokenAccount: string): boolean {
    return this.mints.get(tokenAccount) === gridMintAddress().toBase58();
  }

  /** Whether the account no longer exists. */
  isGone(address: string | undefined): boolean {
    return this.gone.has(address ?? '');
  }
}
