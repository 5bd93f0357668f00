import { createCloseAccountInstruction, createTransferInstruction } from '@solana/spl-token';
import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, SystemProgram, TOKEN_2022_PROGRAM_ID } from './support.js';
import {
  BUY,
  feeOf,
  ONE,
  plain,
  quoteUp,
  SELL,
  type TestOrder,
  TradingWorld,
  tradingIdl,
} from './trading.js';

const codeOf = (name: string) => tradingIdl.errors?.find((error) => error.name === name)?.code;

/** A resting sell order and a resting buy order of two owners; the first of `sides` is the older one. */
function resting(
  options: { ask?: bigint; bid?: bigint; sell?: bigint; buy?: bigint; first?: number; feeBps?: number } = {},
) {
  const world = new TradingWorld({ feeBps: options.feeBps ?? 25 });
  const [seller, buyer] = [world.trader(), world.trader()];
  const orders: { sell?: TestOrder; buy?: TestOrder } = {};
  for (const side of options.first === BUY ? [BUY, SELL] : [SELL, BUY]) {
    world.nextSlot();
    if (side === SELL) {
      orders.sell = world.sell(seller, { amount: options.sell ?? 10n * ONE, price: options.ask ?? 3n * ONE });
    } else {
      orders.buy = world.buy(buyer, { amount: options.buy ?? 10n * ONE, price: options.bid ?? 3n * ONE });
    }
  }
  return { world, seller, buyer, sell: orders.sell as TestOrder, buy: orders.buy as TestOrder };
}

describe('cross_orders', () => {
  it('lets anybody settle two orders that cross, at the price of the older one', () => {
    for (const [first, price] of [
      [SELL, 3n * ONE],
      [BUY, 4n * ONE],
    ] as const) {
      const { world, seller, buyer, sell, buy } = resting({ first, ask: 3n * ONE, bid: 4n * ONE });
      const stranger = world.key();
      world.fund(stranger.publicKey);
      const result = world.must([world.crossOrders([[sell, buy]])], [], { payer: stranger });
      const quote = 10n * price;
      const fee = feeOf(quote, 25);
      expect(world.grid(buyer.publicKey)).toBe(110n * ONE);
      // What a better price left of the escrow is the buyer's.
      expect(world.quote(buyer.publicKey)).toBe(1_000n * ONE - quote);
      expect(world.quote(seller.publicKey)).toBe(1_000n * ONE + quote - fee);
      expect(world.balance(world.treasury)).toBe(fee);
      for (const key of [sell.address, sell.escrow, buy.address, buy.escrow]) {
        expect(world.account(key)).toBeUndefined();
      }
      expect(world.event(result, 'TradeExecuted')).toEqual({
        market: world.market.toBase58(),
        seller: seller.publicKey.toBase58(),
        buyer: buyer.publicKey.toBase58(),
        sell_order: sell.address.toBase58(),
        buy_order: buy.address.toBase58(),
        sell_order_id: 1n,
        buy_order_id: 1n,
        price,
        amount: 10n * ONE,
        quote,
        fee,
        sell_remaining: 0n,
        buy_remaining: 0n,
        sell_refunded: 0n,
        buy_refunded: 40n * ONE - quote,
        timestamp: BigInt(world.now()),
        taker_side: first === SELL ? BUY : SELL,
        sell_closed: 1,
        buy_closed: 1,
      });
    }
  });

  it('takes the sell order as the older one of two made in one slot', () => {
    const world = new TradingWorld({ feeBps: 0 });
    const [seller, buyer] = [world.trader(), world.trader()];
    const buy = world.buy(buyer, { price: 4n * ONE });
    const sell = world.sell(seller, { price: 3n * ONE });
    world.must([world.crossOrders([[sell, buy]])]);
    expect(world.quote(seller.publicKey)).toBe(1_030n * ONE);
  });

  it('fills the smaller order and leaves the rest of the larger', () => {
    const { world, sell, buy } = resting({ sell: 4n * ONE, buy: 10n * ONE });
    world.must([world.crossOrders([[sell, buy]])]);
    expect(world.account(sell.address)).toBeUndefined();
    expect(world.order(buy)).toMatchObject({ remaining: 6n * ONE, escrowed: 18n * ONE });
    expect(world.balance(buy.escrow)).toBe(18n * ONE);
  });

  it('returns the rent of both orders to whoever paid each', () => {
    const world = new TradingWorld();
    const [seller, buyer] = [world.trader(), world.trader()];
    for (const owner of [seller, buyer]) world.must([world.cancelOrder(world.sell(owner))], [owner]);
    const before = [seller, buyer].map(({ publicKey }) => world.lamports(publicKey));
    const sell = world.sell(seller, { payer: seller });
    const buy = world.buy(buyer, { payer: buyer });
    world.must([world.crossOrders([[sell, buy]])]);
    expect([seller, buyer].map(({ publicKey }) => world.lamports(publicKey))).toEqual(before);
  });

  it('settles several pairs in one transaction, one large order against several small ones too', () => {
    const world = new TradingWorld({ feeBps: 25 });
    const buyer = world.trader();
    const sells = [1n, 2n, 3n, 4n].map((grid) => world.sell(world.trader(), { amount: grid * ONE }));
    world.nextSlot();
    const buy = world.buy(buyer, { amount: 20n * ONE, price: 4n * ONE });
    const result = world.must([world.crossOrders(sells.map((sell) => [sell, buy]))]);
    expect(result.events.map(({ name }) => name)).toEqual(Array(4).fill('TradeExecuted'));
    expect(result.events.map(({ data }) => plain(data).buy_remaining)).toEqual(
      [19n, 17n, 14n, 10n].map((grid) => grid * ONE),
    );
    for (const sell of sells) expect(world.account(sell.address)).toBeUndefined();
    // Paid 3 GRX each; what was saved of the 4 stays in the escrow until the order ends.
    expect(world.order(buy)).toMatchObject({ remaining: 10n * ONE, escrowed: 50n * ONE });
    world.must([world.cancelOrder(buy)], [buyer]);
    expect(world.quote(buyer.publicKey)).toBe(970n * ONE);
  });

  it.each([
    ['the classic program', {}],
    ['Token-2022', { quoteExtensions: [] }],
  ])('settles five pairs of ten owners with a lookup table, GRX being of %s', (_name, options) => {
    const world = new TradingWorld(options);
    const pairs = Array.from({ length: 5 }, (): [TestOrder, TestOrder] => [
      world.sell(world.trader()),
      world.buy(world.trader()),
    ]);
    const instruction = world.crossOrders(pairs);
    const table = world.lookupTable([
      ...new Map(instruction.keys.map(({ pubkey }) => [pubkey.toBase58(), pubkey])).values(),
    ]);
    const result = world.must([instruction], [], { tables: [table] });
    expect(result.events).toHaveLength(5);
    expect(result.bytes).toBeLessThanOrEqual(1_232);
    expect(result.logs.join('').length).toBeLessThan(10_000);
    world.refused(
      'PairCount',
      [
        world.crossOrders(
          [],
          {},
          [...pairs, pairs[0] as [TestOrder, TestOrder]].flatMap(([sell, buy]) =>
            world.pairAccounts(sell, buy),
          ),
        ),
      ],
      [],
      { tables: [table] },
    );
  });

  it('refuses pairs that do not cross, of one owner, of the wrong sides, expired or gone', () => {
    const { world, seller, sell, buy } = resting();
    const refused = (error: string, pair: [TestOrder, TestOrder]) =>
      world.refused(error, [world.crossOrders([pair])]);
    refused('NotCrossing', [world.sell(seller, { price: 3n * ONE + 1_000_000n }), buy]);
    refused('SelfTrade', [sell, world.buy(seller)]);
    refused('SideMismatch', [buy, sell]);
    refused('SideMismatch', [sell, sell]);
    refused('SideMismatch', [sell, world.sell(world.trader())]);
    const soon = world.sell(seller, { expiresAt: BigInt(world.now() + 1) });
    world.setClock(world.now() + 1);
    refused('Expired', [soon, buy]);
    const gone = world.sell(seller);
    world.must([world.cancelOrder(gone)], [seller]);
    refused('OrderClosed', [gone, buy]);
    world.must([world.crossOrders([[sell, buy]])]);
    refused('OrderClosed', [sell, buy]);
  });

  it('leaves out what cannot trade and settles the rest', () => {
    const world = new TradingWorld({ feeBps: 0 });
    const [gone, frozen, closed, good] = [0, 1, 2, 3].map(() => world.sell(world.trader())) as [
      TestOrder,
      TestOrder,
      TestOrder,
      TestOrder,
    ];
    const buy = world.buy(world.trader(), { amount: 40n * ONE });
    world.must([world.cancelOrder(gone)], [gone.owner]);
    world.setState(world.quoteAccount(frozen.owner.publicKey), 2);
    const account = world.quoteAccount(closed.owner.publicKey);
    world.must(
      [
        createTransferInstruction(
          account,
          world.quoteAccount(good.owner.publicKey),
          closed.owner.publicKey,
          1_000n * ONE,
        ),
        createCloseAccountInstruction(account, closed.owner.publicKey, closed.owner.publicKey),
      ],
      [closed.owner],
    );
    const result = world.must([world.crossOrders([gone, frozen, closed, good].map((sell) => [sell, buy]))]);
    expect(result.events.map(({ name, data }) => [name, data.error_code])).toEqual([
      ['PairSkipped', codeOf('OrderClosed')],
      ['PairSkipped', codeOf('TokenAccountUnusable')],
      ['PairSkipped', codeOf('TokenAccountUnusable')],
      ['TradeExecuted', undefined],
    ]);
    expect(result.events[1]?.data).toMatchObject({ sell_order: frozen.address, pair: 1 });
    expect(world.order(frozen)).toMatchObject({ remaining: 10n * ONE });
    expect(world.order(buy)).toMatchObject({ remaining: 30n * ONE });
    // With nothing left that trades, the first reason is the error.
    world.refused('OrderClosed', [world.crossOrders([gone, frozen].map((sell) => [sell, buy]))]);
  });

  it('trades an order that was filled earlier in the same instruction no further', () => {
    const { world, sell, buy } = resting({ sell: 10n * ONE, buy: 10n * ONE });
    const other = world.buy(world.trader());
    const result = world.must([
      world.crossOrders([
        [sell, buy],
        [sell, other],
        [sell, buy],
      ]),
    ]);
    expect(result.events.map(({ name }) => name)).toEqual(['TradeExecuted', 'PairSkipped', 'PairSkipped']);
    expect(world.order(other)).toMatchObject({ remaining: 10n * ONE });
    expect(world.account(sell.address)).toBeUndefined();
  });

  describe('rounding', () => {
    it('never asks more of a buyer than the escrow holds, however often it is filled', () => {
      const world = new TradingWorld({ feeBps: 0, lotSize: 500_000_000n, tickSize: 3n });
      const buyer = world.trader();
      // Each half GRID at 3 costs 1.5 base units: rounded up each time it would be 20, and the escrow holds 15.
      const sells = Array.from({ length: 10 }, () =>
        world.sell(world.trader(), { amount: ONE / 2n, price: 3n }),
      );
      world.nextSlot();
      const buy = world.buy(buyer, { amount: 5n * ONE, price: 3n });
      expect(world.balance(buy.escrow)).toBe(15n);
      let paid = 0n;
      for (const sell of sells) {
        const before = world.quote(sell.owner.publicKey);
        world.must([world.crossOrders([[sell, buy]])]);
        const got = world.quote(sell.owner.publicKey) - before;
        expect(got === 1n || got === 2n).toBe(true);
        paid += got;
      }
      expect(paid).toBe(15n);
      expect(world.account(buy.escrow)).toBeUndefined();
      expect(world.quote(buyer.publicKey)).toBe(1_000n * ONE - paid);
    });

    it('is up where the younger order buys and its escrow covers that', () => {
      const world = new TradingWorld({ feeBps: 0, lotSize: 500_000_000n, tickSize: 3n });
      const sell = world.sell(world.trader(), { amount: ONE / 2n, price: 3n });
      world.nextSlot();
      const buy = world.buy(world.trader(), { amount: ONE / 2n, price: 6n });
      world.must([world.crossOrders([[sell, buy]])]);
      expect(world.quote(sell.owner.publicKey)).toBe(1_000n * ONE + quoteUp(ONE / 2n, 3n));
    });
  });

  it("takes a seller no more than the market's fee when the order was made", () => {
    const { world, seller, sell, buy } = resting({ feeBps: 25 });
    world.must([world.marketAdmin('set_fee', { fee_bps: 1_000 })], [world.upgradeAuthority]);
    world.must([world.crossOrders([[sell, buy]])]);
    expect(world.quote(seller.publicKey)).toBe(1_030n * ONE - feeOf(30n * ONE, 25));
  });

  it("leaves a gift in a seller's escrow for expire_order, which brings the account it goes to", () => {
    const { world, seller, buyer, sell, buy } = resting();
    world.must(
      [
        createTransferInstruction(
          pda.tokenAccount(buyer.publicKey),
          sell.escrow,
          buyer.publicKey,
          3n,
          [],
          TOKEN_2022_PROGRAM_ID,
        ),
      ],
      [buyer],
    );
    const result = world.must([world.crossOrders([[sell, buy]])]);
    expect(world.event(result, 'TradeExecuted')).toMatchObject({
      sell_remaining: 0n,
      sell_closed: 0,
      buy_closed: 1,
    });
    world.refused('OrderFilled', [world.crossOrders([[sell, world.buy(buyer)]])]);
    world.must([world.expireOrder(sell)]);
    expect(world.grid(seller.publicKey)).toBe(90n * ONE + 3n);
  });

  it('cannot be brought to pay anybody else', () => {
    const { world, sell, buy } = resting();
    const thief = world.trader();
    const other = world.sell(thief);
    const swapped = (index: number, pubkey: PublicKey) => {
      const keys = world.pairAccounts(sell, buy);
      keys[index] = { pubkey, isSigner: false, isWritable: true };
      return world.crossOrders([], {}, keys);
    };
    for (const [index, pubkey, error] of [
      [1, other.escrow, 'WrongEscrow'],
      [3, other.escrow, 'WrongEscrow'],
      [4, world.quoteAccount(thief.publicKey), 'WrongTokenAccount'],
      [5, pda.tokenAccount(thief.publicKey), 'WrongTokenAccount'],
      [6, world.quoteAccount(thief.publicKey), 'WrongTokenAccount'],
      [7, thief.publicKey, 'WrongRentPayer'],
      [8, thief.publicKey, 'WrongRentPayer'],
      [0, world.forgedCopy(sell.address), 'OrderClosed'],
      [2, world.forgedCopy(buy.address), 'OrderClosed'],
      [0, world.market, 'OrderClosed'],
    ] as const) {
      world.refused(error, [swapped(index, pubkey)]);
    }
    const readonly = world.pairAccounts(sell, buy).map((key) => ({ ...key, isWritable: false }));
    world.refused('ConstraintMut', [world.crossOrders([], {}, readonly)]);
    world.refused('PairCount', [world.crossOrders([])]);
    world.refused('PairCount', [world.crossOrders([], {}, world.pairAccounts(sell, buy).slice(1))]);
  });

  it('keeps to the price band', () => {
    const feed = Keypair.generate().publicKey;
    const oracle = new PublicKey('6asrQxkRXF4eZ3wB9eUkGZK32x2VG6XzadsvxzUhDCtz');
    const world = new TradingWorld({ feed, bandBps: 500 });
    const pair: [TestOrder, TestOrder] = [world.sell(world.trader()), world.buy(world.trader())];
    world.setFeed(feed, { price: 4n * ONE }, oracle);
    world.refused('OutOfBand', [world.crossOrders([pair])]);
    world.setFeed(feed, { price: 3n * ONE, publishedAt: world.now() - 301 }, oracle);
    world.refused('FeedStale', [world.crossOrders([pair])]);
    world.refused('WrongFeed', [world.crossOrders([pair], { feed: SystemProgram.programId })]);
    world.setFeed(feed, { price: 3n * ONE }, oracle);
    world.must([world.crossOrders([pair])]);
  });

  it('refuses wrong accounts', () => {
    const { world, sell, buy } = resting();
    refusesWrongAccounts(world, 'trading', 'cross_orders', [world.crossOrders([[sell, buy]])], [], {
      market: { other: 'IllegalOwner', copy: 'IllegalOwner' },
      treasury: { other: 'WrongTreasury', copy: 'WrongTreasury', readonly: 'ConstraintMut' },
      feed: { other: 'WrongFeed' },
      base_token_program: { other: 'ConstraintExecutable' },
      quote_token_program: { other: 'WrongTokenProgram' },
    });
  });
});
