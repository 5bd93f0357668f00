/*
 * The cost of each instruction of trading, as compute-units.test.ts does it for the registry and energy-token.
 * `GTX_UPDATE=1 npx vitest run programs/tests/compute-units` writes the tables anew.
 */
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { type Cost, expectCosts, sortedCosts } from './costs.js';
import { BUY, ONE, SELL, type TestOrder, TradingWorld, tradingIdl } from './trading.js';

/** What costs more where GRX is of Token-2022. */
function measureToken2022(costs: Record<string, Cost>): void {
  const world = new TradingWorld({ seed: 'compute-units of Token-2022', quoteExtensions: [] });
  const [maker, taker] = [world.trader(), world.trader()];
  const take = (name: string, instruction: TransactionInstruction, signer: Keypair) => {
    const result = world.must([instruction], [signer]);
    costs[`trading.${name}, GRX of Token-2022`] = {
      computeUnits: result.units.at(-1) as number,
      accounts: instruction.keys.length,
      transactionBytes: result.bytes,
    };
  };
  world.open(maker);
  const planned = world.planned(maker, { side: BUY });
  take('create_order', world.createOrder(planned), maker);
  take('match_order', world.matchOrder(taker.publicKey, planned), taker);
  world.used(planned);
  take('cancel_order', world.cancelOrder(world.buy(maker)), maker);
}

function measure(): Record<string, Cost> {
  const costs: Record<string, Cost> = {};
  measureToken2022(costs);
  const world = new TradingWorld({ noMarket: true, seed: 'compute-units' });
  const admin = world.upgradeAuthority;

  /** Sends, and books the last instruction under a name. */
  const take = (
    name: string,
    instruction: TransactionInstruction,
    signers: Keypair[] = [],
    options: Parameters<TradingWorld['must']>[2] = {},
  ) => {
    const result = world.must([instruction], signers, options);
    costs[name] = {
      computeUnits: result.units.at(-1) as number,
      accounts: instruction.keys.length,
      transactionBytes: result.bytes,
    };
  };

  take('trading.create_market', world.createMarket(), [admin]);
  const [maker, taker] = [world.trader(), world.trader()];
  const order = (name: string, side: number) => {
    const planned = world.planned(maker, { side });
    take(name, world.createOrder(planned), [maker]);
    world.used(planned);
    return planned;
  };
  take('trading.open_trader', world.openTrader(maker.publicKey), [maker]);
  const first = order('trading.create_order, the first of an owner', SELL);
  const sell = order('trading.create_order, a sell order', SELL);
  const buy = order('trading.create_order, a buy order', BUY);
  take('trading.match_order, part', world.matchOrder(taker.publicKey, first, { amount: ONE }), [taker]);
  take('trading.match_order, a whole sell order', world.matchOrder(taker.publicKey, sell), [taker]);
  take('trading.match_order, a whole buy order', world.matchOrder(taker.publicKey, buy), [taker]);
  take('trading.cancel_order', world.cancelOrder(first), [maker]);
  const expiring = world.sell(maker, { expiresAt: BigInt(world.now() + 1) });
  world.setClock(world.now() + 1);
  take('trading.expire_order', world.expireOrder(expiring));

  for (const count of [1, 2, 4, 5]) {
    const pairs = Array.from({ length: count }, (): [TestOrder, TestOrder] => {
      const asked = world.sell(world.trader());
      world.nextSlot();
      return [asked, world.buy(world.trader(), { price: 4n * ONE })];
    });
    const instruction = world.crossOrders(pairs);
    const table = world.lookupTable([
      ...new Map(instruction.keys.map(({ pubkey }) => [pubkey.toBase58(), pubkey])).values(),
    ]);
    take(`trading.cross_orders, ${count} ${count === 1 ? 'pair' : 'pairs'} of strangers`, instruction, [], {
      tables: [table],
    });
  }
  const sells = [1, 2, 3, 4].map(() => world.sell(world.trader()));
  const large = world.buy(world.trader(), { amount: 40n * ONE });
  take(
    'trading.cross_orders, 4 pairs of one buy order, no lookup table',
    world.crossOrders(sells.map((each) => [each, large])),
  );

  const feed = world.key().publicKey;
  world.must([world.marketAdmin('set_band', { feed, band_bps: 500 })], [admin]);
  world.feed = feed;
  world.setFeed(feed, { price: 3n * ONE }, new PublicKey('6asrQxkRXF4eZ3wB9eUkGZK32x2VG6XzadsvxzUhDCtz'));
  const banded = world.sell(maker);
  take('trading.match_order, with a price band', world.matchOrder(taker.publicKey, banded), [taker]);

  const next = world.key();
  take('trading.set_band', world.marketAdmin('set_band', { feed: PublicKey.default, band_bps: 0 }), [admin]);
  take('trading.set_fee', world.marketAdmin('set_fee', { fee_bps: 30 }), [admin]);
  take('trading.set_guardian', world.marketAdmin('set_guardian', { new_guardian: next.publicKey }), [admin]);
  take('trading.set_treasury', world.setTreasury(world.treasury), [admin]);
  take('trading.set_paused', world.pauseMarket(true), [admin]);
  take('trading.propose_admin', world.marketAdmin('propose_admin', { new_admin: next.publicKey }), [admin]);
  take('trading.accept_admin', world.acceptMarketAdmin(next.publicKey), [next]);
  return sortedCosts(costs);
}

describe('compute units of trading', () => {
  const measured = measure();
  const most = (prefix: string) =>
    Math.max(
      ...Object.entries(measured)
        .filter(([name]) => name.startsWith(prefix))
        .map(([, { computeUnits }]) => computeUnits),
    );

  it('are within the goals', () => {
    expect(most('trading.create_order')).toBeLessThanOrEqual(12_000);
    expect(most('trading.match_order')).toBeLessThanOrEqual(16_000);
    expect(most('trading.cancel_order')).toBeLessThanOrEqual(9_000);
    expect(most('trading.cross_orders, 4 pairs')).toBeLessThanOrEqual(200_000);
  });

  it('are known for every instruction', () => {
    const known = new Set(Object.keys(measured).map((name) => name.split(',')[0]));
    expect(tradingIdl.instructions.filter(({ name }) => !known.has(`trading.${name}`))).toEqual([]);
  });

  it('have not risen by more than 5 percent over the committed table', () => {
    expectCosts('compute-units.trading.json', measured);
  });
});
