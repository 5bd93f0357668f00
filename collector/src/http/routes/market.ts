import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import { type BalanceSnapshot, fetchBalances } from '../../mirror/balances.js';
import { mayActAsOperator } from '../guards.js';
import * as queries from '../market-queries.js';
import * as schemas from '../market-schemas.js';
import { type HttpContext, ownWallet, serve } from '../route.js';

/** What the routes need of the live books. */
export interface BookSource {
  /** @throws GtxError NOT_FOUND */
  snapshot(
    market: string,
    depth?: number,
  ): { epoch: string; sequence: number; asks: readonly BookLevel[]; bids: readonly BookLevel[] };
}
interface BookLevel {
  price: bigint;
  amount: bigint;
  orders: number;
}

export interface MarketDeps {
  pool: pg.Pool;
  connection: Connection;
  now: () => number;
  books: BookSource;
  /** The present price guides; a market without a price has none. */
  guides: () => Promise<schemas.GuidePrice[]> | schemas.GuidePrice[];
}

/** What the chain says now; undefined when it does not answer: then the database's last word, with its slot, has to do. */
async function balancesNow(
  { pool, connection }: MarketDeps,
  wallet: string,
): Promise<BalanceSnapshot | undefined> {
  try {
    return await fetchBalances(connection, pool, [wallet]);
  } catch (error) {
    if (error instanceof GtxError && error.code === 'CHAIN_UNAVAILABLE') return undefined;
    throw error;
  }
}

/** What the collector knows from the chain. */
export function marketRoutes(app: FastifyInstance, context: HttpContext, deps: MarketDeps): void {
  const { pool, books, guides } = deps;
  const nowSeconds = () => Math.floor(deps.now() / 1000);

  serve(app, context, schemas.listMarkets, () => queries.marketsPage(pool));
  serve(app, context, schemas.getBook, async ({ query }) => {
    const market = await queries.marketMeant(pool, query.market);
    const { epoch, sequence, asks, bids } = books.snapshot(market, query.depth);
    const levels = (side: readonly BookLevel[]) =>
      side.map(({ price, amount, orders }) => ({
        price: nkwhToKwh(price),
        amount: nkwhToKwh(amount),
        orders,
      }));
    return { market, epoch, sequence, asks: levels(asks), bids: levels(bids) };
  });
  serve(app, context, schemas.listOrders, ({ query }) => queries.ordersPage(pool, query, nowSeconds()));
  serve(app, context, schemas.getOrder, ({ params }) => queries.orderOf(pool, params.address, nowSeconds()));
  serve(app, context, schemas.listTrades, ({ query }) => queries.tradesPage(pool, query));
  serve(app, context, schemas.getPrices, async () => {
    const [feeds, now] = await Promise.all([queries.feedsNow(pool, nowSeconds()), guides()]);
    return { feeds, guides: now };
  });
  serve(app, context, schemas.listPublishedPrices, ({ params, query }) =>
    queries.publishedPricesPage(pool, params.feed, query),
  );
  serve(app, context, schemas.getBalances, async ({ params, principal }) => {
    const wallet = ownWallet(principal, params.wallet);
    return queries.balancesOf(pool, wallet, await balancesNow(deps, wallet));
  });
  serve(app, context, schemas.listSettlements, ({ query, principal }) => {
    const all = query.wallet === undefined && mayActAsOperator(principal) && principal?.wallet === undefined;
    return queries.settlementsPage(pool, all ? undefined : ownWallet(principal, query.wallet), query);
  });
  serve(app, context, schemas.listCertificates, ({ query }) => queries.certificatesPage(pool, query));
  serve(app, context, schemas.listProposals, ({ query }) => queries.proposalsPage(pool, query));
  serve(app, context, schemas.listVotes, ({ params, query }) =>
    queries.votesPage(pool, params.proposal, query),
  );
  serve(app, context, schemas.listEvents, ({ query }) => queries.eventsPage(pool, query));
}
