import {
  assertChecks,
  buildTransaction,
  describeFailure,
  escrowOf,
  feeOf,
  fetchMarket,
  fetchOrders,
  GRID_TOKEN_PROGRAM_ID,
  type MarketCheck,
  type MarketPlan,
  marketAddress,
  orderAddress,
  planCancel,
  planOrder,
  planTake,
  programIdsOf,
  quoteOf,
  refusedError,
  Side,
  TRADING_PROGRAM_ID,
  type TradingMarket,
  type TradingOrder,
  toChainError,
  trading,
  tradingIdl,
} from '@gridtokenx/chain';
import { formatTimestamp, GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import {
  type Connection,
  PublicKey,
  type TransactionInstruction,
  type VersionedTransaction,
} from '@solana/web3.js';
import type pg from 'pg';
import { marketMeant } from './market-queries.js';
import type { BuildOrder, BuiltOrder } from './order-schemas.js';
import { adviceFor } from './program-advice.js';

export interface OrderBuilderDeps {
  pool: pg.Pool;
  connection: Connection;
  now: () => number;
}

/** How long an order stands unless its maker says otherwise, and at most. */
const ORDER_SECONDS = 7 * 86_400;
const MAX_ORDER_SECONDS = 366 * 86_400;
/** How long a blockhash counts, in blocks and, as blocks come on Solana, in seconds. */
const BLOCKHASH_SECONDS = 60;

type Shown = Pick<BuiltOrder, 'message' | 'order' | 'pays' | 'receives' | 'price' | 'quote' | 'trading_fee'>;

/** Makes transactions that a wallet signs itself. It holds no key. */
export class OrderBuilder {
  constructor(private readonly deps: OrderBuilderDeps) {}

  /**
   * @param wallet base58; signs, pays, and owns what comes of it
   * @throws GtxError of the first check that fails, with all in `details.checks`; NOT_FOUND, FORBIDDEN, CHAIN_REFUSED when
   *   the trial run fails (`details.reason`, `details.what_to_do`), CHAIN_UNAVAILABLE
   */
  async build(wallet: string, wish: BuildOrder): Promise<BuiltOrder> {
    const owner = new PublicKey(wallet);
    switch (wish.kind) {
      case 'create':
        return this.create(owner, wish);
      case 'match':
        return this.match(owner, wish);
      case 'cancel':
        return this.cancel(owner, wish);
    }
  }

  private async create(owner: PublicKey, wish: Extract<BuildOrder, { kind: 'create' }>): Promise<BuiltOrder> {
    const market = await this.market(await marketMeant(this.deps.pool, wish.market));
    const { amount, price } = wish;
    const lifetime =
      wish.expires_at === undefined ? ORDER_SECONDS : wish.expires_at - Math.floor(this.deps.now() / 1000);
    if (lifetime < 1 || lifetime > MAX_ORDER_SECONDS) {
      throw new GtxError('VALUE_INVALID', 'expires_at: an order expires in the future, within 366 days');
    }
    const side = wish.side === 'sell' ? Side.Sell : Side.Buy;
    const plan = await planOrder(this.deps.connection, {
      market,
      payer: owner,
      owner,
      side,
      amount,
      price,
      lifetimeSeconds: BigInt(lifetime),
    });
    assertChecks(plan.checks);
    const [quote, sells] = [quoteOf(amount, price, 'up'), side === Side.Sell];
    const fee = sells ? feeOf(quote, market.feeBps) : 0n;
    const what = `${sells ? 'Sell' : 'Buy'} ${nkwhToKwh(amount)} GRID at ${nkwhToKwh(price)} GRX each`;
    return this.finish(owner, plan, {
      message: `${what}: ${nkwhToKwh(quote)} GRX when all of it is ${sells ? 'sold' : 'bought'}`,
      order: {
        address: plan.order.toBase58(),
        order_id: plan.orderId.toString(),
        expires_at: formatTimestamp(Number(plan.expiresAt)),
      },
      pays: { token: sells ? 'GRID' : 'GRX', amount: nkwhToKwh(escrowOf(side, amount, price)) },
      receives: sells
        ? { token: 'GRX', amount: nkwhToKwh(quote - fee) }
        : { token: 'GRID', amount: nkwhToKwh(amount) },
      price: nkwhToKwh(price),
      quote: nkwhToKwh(quote),
      trading_fee: nkwhToKwh(fee),
    });
  }

  private async match(taker: PublicKey, wish: Extract<BuildOrder, { kind: 'match' }>): Promise<BuiltOrder> {
    const found = await this.order(wish.order);
    const market = await this.market(found.market.toBase58());
    const plan = await planTake(this.deps.connection, {
      market,
      payer: taker,
      taker,
      owner: found.owner,
      orderId: found.orderId,
      amount: wish.amount,
      minAmount: wish.min_amount,
      limit: wish.limit_price,
    });
    assertChecks(plan.checks);
    const { order, amount, quote, fee } = plan;
    const buys = order.side === Side.Sell;
    const price = nkwhToKwh(order.price);
    return this.finish(taker, plan, {
      message: `${buys ? 'Buy' : 'Sell'} ${nkwhToKwh(amount)} GRID at ${price} GRX each now: ${nkwhToKwh(quote)} GRX`,
      order: shownOrder(order),
      pays: buys ? { token: 'GRX', amount: nkwhToKwh(quote) } : { token: 'GRID', amount: nkwhToKwh(amount) },
      receives: buys
        ? { token: 'GRID', amount: nkwhToKwh(amount) }
        : { token: 'GRX', amount: nkwhToKwh(quote - fee) },
      price,
      quote: nkwhToKwh(quote),
      trading_fee: nkwhToKwh(fee),
    });
  }

  private async cancel(owner: PublicKey, wish: Extract<BuildOrder, { kind: 'cancel' }>): Promise<BuiltOrder> {
    const found = await this.order(wish.order);
    if (!found.owner.equals(owner)) throw new GtxError('FORBIDDEN', "this is another wallet's order");
    const market = await this.market(found.market.toBase58());
    const plan = await planCancel(this.deps.connection, {
      market,
      payer: owner,
      owner,
      orderId: found.orderId,
    });
    const { order } = plan;
    const token = order.side === Side.Sell ? 'GRID' : 'GRX';
    return this.finish(owner, plan, {
      message: `Take back the order ${order.orderId}: ${nkwhToKwh(order.escrowed)} ${token} return to the wallet`,
      order: shownOrder(order),
      pays: { token: 'none', amount: '0' },
      receives: { token, amount: nkwhToKwh(order.escrowed) },
      price: null,
      quote: null,
      trading_fee: '0',
    });
  }

  /** @throws GtxError ORDER_CLOSED */
  private async order(address: string): Promise<TradingOrder> {
    const [order] = await fetchOrders(this.deps.connection, [new PublicKey(address)]);
    if (order !== undefined) return order;
    throw new GtxError(
      'ORDER_CLOSED',
      'there is no such order (any more): it was filled, cancelled or returned, or never made',
    );
  }

  /** The market's account as it is now. @throws GtxError NOT_FOUND, CHAIN_UNAVAILABLE */
  private async market(address: string): Promise<TradingMarket> {
    const { rows } = await this.deps.pool.query<{ quote_mint: string }>(
      'SELECT quote_mint FROM markets WHERE address = $1',
      [address],
    );
    const mint = rows[0] && new PublicKey(rows[0].quote_mint);
    const market = mint && (await fetchMarket(this.deps.connection, mint));
    if (mint === undefined || market === undefined || marketAddress(mint).toBase58() !== address) {
      throw new GtxError('NOT_FOUND', 'no such market');
    }
    return market;
  }

  /** Makes the transaction, tries it out, and says what it takes. */
  private async finish(wallet: PublicKey, plan: MarketPlan, shown: Shown): Promise<BuiltOrder> {
    const { connection, now } = this.deps;
    try {
      const latest = await connection.getLatestBlockhash('confirmed');
      const { blockhash, lastValidBlockHeight } = latest;
      const transaction = buildTransaction({ payer: wallet, instructions: plan.instructions, blockhash });
      const [before, fee, rents] = await Promise.all([
        connection.getBalance(wallet, 'confirmed'),
        connection.getFeeForMessage(transaction.message, 'confirmed'),
        this.rentsOf(plan.instructions),
      ]);
      const networkFee = fee.value ?? 0;
      const sol = solCheck(before, networkFee, rents);
      assertChecks([...plan.checks, sol]);
      const after = await this.tryOut(transaction, wallet);
      // What the trial run took beyond the fee is rent.
      const rent = before - networkFee - after;
      return {
        transaction: Buffer.from(transaction.serialize()).toString('base64'),
        ...shown,
        blockhash,
        last_valid_block_height: lastValidBlockHeight,
        expires_at: formatTimestamp(Math.floor(now() / 1000) + BLOCKHASH_SECONDS),
        pre_flight: [
          ...[...plan.checks, sol].map(({ check, message }) => ({ check, ok: true as const, message })),
          { check: 'trial_run', ok: true, message: 'the chain would carry it out as it is now' },
        ],
        network_fee: nkwhToKwh(BigInt(networkFee)),
        rent: nkwhToKwh(BigInt(Math.max(0, rent))),
        rent_returned: nkwhToKwh(BigInt(Math.max(0, -rent))),
      };
    } catch (error) {
      throw toChainError(error);
    }
  }

  /** Lamports of rent for the accounts that these instructions make, and what a wallet has to keep itself. */
  private async rentsOf(list: readonly TransactionInstruction[]): Promise<{ made: number; kept: number }> {
    const sizes = list.flatMap(bytesMade);
    const each = new Map<number, number>();
    for (const size of new Set([0, ...sizes])) {
      each.set(size, await this.deps.connection.getMinimumBalanceForRentExemption(size, 'confirmed'));
    }
    return { made: sizes.reduce((sum, size) => sum + (each.get(size) ?? 0), 0), kept: each.get(0) ?? 0 };
  }

  /** @returns the wallet's lamports afterwards */
  private async tryOut(transaction: VersionedTransaction, wallet: PublicKey): Promise<number> {
    const { value } = await this.deps.connection.simulateTransaction(transaction, {
      commitment: 'confirmed',
      replaceRecentBlockhash: true,
      sigVerify: false,
      accounts: { encoding: 'base64', addresses: [wallet.toBase58()] },
    });
    if (value.err !== null) {
      throw withAdvice(refusedError(describeFailure(value.err, value.logs ?? [], programIdsOf(transaction))));
    }
    return value.accounts?.[0]?.lamports ?? 0;
  }
}

/** A token account, and one of Token-2022 whose owner is for ever, as associated ones are. */
const TOKEN_BYTES = 165;
const ASSOCIATED_2022_BYTES = 170;
const ORDER_BYTES = trading.accountBytes('Order');
const TRADER_BYTES = trading.accountBytes('Trader');
/** Where the associated token program is told the token program. */
const TOKEN_PROGRAM_KEY = 5;

const isPrefix = (prefix: readonly number[], data: Uint8Array): boolean =>
  prefix.every((byte, at) => data[at] === byte);

/** Bytes of each account that an instruction makes. */
function bytesMade({ programId, data, keys }: TransactionInstruction): number[] {
  if (programId.equals(TRADING_PROGRAM_ID)) {
    const { name } = tradingIdl.instructions.find(({ discriminator }) => isPrefix(discriminator, data)) ?? {};
    if (name === 'create_order') return [ORDER_BYTES, TOKEN_BYTES];
    return name === 'open_trader' ? [TRADER_BYTES] : [];
  }
  const grid = keys[TOKEN_PROGRAM_KEY]?.pubkey.equals(GRID_TOKEN_PROGRAM_ID) ?? false;
  return [grid ? ASSOCIATED_2022_BYTES : TOKEN_BYTES];
}

/** Whether the wallet can pay the fee and the rent, and keep what its own account needs. */
function solCheck(has: number, fee: number, rents: { made: number; kept: number }): MarketCheck {
  const sol = (lamports: number) => nkwhToKwh(BigInt(lamports));
  const needed = fee + rents.made + rents.kept;
  const what = `the wallet has ${sol(has)} SOL and needs ${sol(needed)}: ${sol(fee)} for the fee, ${sol(rents.made)} for accounts`;
  const message = `${what}, and ${sol(rents.kept)} that stay in it`;
  if (has >= needed) return { check: 'sol', ok: true, message };
  return {
    check: 'sol',
    ok: false,
    code: 'BALANCE_TOO_LOW',
    message: `${message}: ${sol(needed - has)} are missing`,
    figures: { token: 'SOL', has: sol(has), needs: sol(needed), missing: sol(needed - has) },
  };
}

const shownOrder = (order: TradingOrder): BuiltOrder['order'] => ({
  address: orderAddress(order.owner, order.orderId).toBase58(),
  order_id: order.orderId.toString(),
  expires_at: formatTimestamp(Number(order.expiresAt)),
});

/** A refusal with what to do about it. */
export function withAdvice(error: GtxError): GtxError {
  if (error.code !== 'CHAIN_REFUSED') return error;
  const reason = error.details?.reason;
  return new GtxError(error.code, error.message, {
    ...error.details,
    what_to_do: adviceFor(typeof reason === 'string' ? reason : undefined),
  });
}
