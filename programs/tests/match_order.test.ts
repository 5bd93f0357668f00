import {
  AuthorityType,
  createApproveInstruction,
  createAssociatedTokenAccountIdempotentInstruction,
  createCloseAccountInstruction,
  createSetAuthorityInstruction,
  createTransferInstruction,
} from '@solana/spl-token';
import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, program, refusesWrongAccounts, SystemProgram, TOKEN_2022_PROGRAM_ID } from './support.js';
import { BUY, feeOf, LOT, ONE, quoteDown, quoteUp, SELL, type TestOrder, TradingWorld } from './trading.js';

/** A market with a maker's order and a taker. */
function scene(side = SELL, options: ConstructorParameters<typeof TradingWorld>[0] = {}) {
  const world = new TradingWorld(options);
  const [maker, taker] = [world.trader(), world.trader()];
  const order = world.place(maker, { side });
  return { world, maker, taker, order };
}

describe('match_order', () => {
  it('fills a sell order: GRID to the buyer, GRX to the seller, the fee to the treasury, rent to who paid', () => {
    const { world, maker, taker, order } = scene(SELL, { feeBps: 25 });
    const rent = world.lamports(order.address) + world.lamports(order.escrow);
    const payer = world.lamports(order.payer.publicKey);
    const result = world.must([world.matchOrder(taker.publicKey, order)], [taker], { payer: taker });
    const fee = feeOf(30n * ONE, 25);
    expect(world.grid(taker.publicKey)).toBe(110n * ONE);
    expect(world.quote(taker.publicKey)).toBe(970n * ONE);
    expect(world.grid(maker.publicKey)).toBe(90n * ONE);
    expect(world.quote(maker.publicKey)).toBe(1_030n * ONE - fee);
    expect(world.balance(world.treasury)).toBe(fee);
    expect(world.account(order.address)).toBeUndefined();
    expect(world.account(order.escrow)).toBeUndefined();
    expect(world.lamports(order.payer.publicKey)).toBe(payer + rent);
    expect(world.event(result, 'TradeExecuted')).toEqual({
      market: world.market.toBase58(),
      seller: maker.publicKey.toBase58(),
      buyer: taker.publicKey.toBase58(),
      sell_order: order.address.toBase58(),
      buy_order: PublicKey.default.toBase58(),
      sell_order_id: 1n,
      buy_order_id: 0n,
      price: 3n * ONE,
      amount: 10n * ONE,
      quote: 30n * ONE,
      fee,
      sell_remaining: 0n,
      buy_remaining: 0n,
      sell_refunded: 0n,
      buy_refunded: 0n,
      timestamp: BigInt(world.now()),
      taker_side: BUY,
      sell_closed: 1,
      buy_closed: 0,
    });
  });

  it('fills a buy order: the taker sells, and pays the fee out of what it receives', () => {
    const { world, maker, taker, order } = scene(BUY, { feeBps: 100 });
    const result = world.must([world.matchOrder(taker.publicKey, order)], [taker]);
    const fee = feeOf(30n * ONE, 100);
    expect(world.grid(maker.publicKey)).toBe(110n * ONE);
    expect(world.quote(maker.publicKey)).toBe(970n * ONE);
    expect(world.grid(taker.publicKey)).toBe(90n * ONE);
    expect(world.quote(taker.publicKey)).toBe(1_030n * ONE - fee);
    expect(world.balance(world.treasury)).toBe(fee);
    expect(world.account(order.address)).toBeUndefined();
    expect(world.event(result, 'TradeExecuted')).toMatchObject({
      seller: taker.publicKey.toBase58(),
      buyer: maker.publicKey.toBase58(),
      sell_order: PublicKey.default.toBase58(),
      buy_order: order.address.toBase58(),
      taker_side: SELL,
      sell_closed: 0,
      buy_closed: 1,
    });
  });

  it('fills in parts, at least as much as the taker names and at most what is left', () => {
    const { world, taker, order } = scene();
    world.must([world.matchOrder(taker.publicKey, order, { amount: 4n * ONE })], [taker]);
    expect(world.order(order)).toMatchObject({ remaining: 6n * ONE, escrowed: 6n * ONE, amount: 10n * ONE });
    expect(world.balance(order.escrow)).toBe(6n * ONE);
    world.refused(
      'AmountTooSmall',
      [world.matchOrder(taker.publicKey, order, { amount: 7n * ONE, minAmount: 7n * ONE })],
      [taker],
    );
    const result = world.must(
      [world.matchOrder(taker.publicKey, order, { amount: 7n * ONE, minAmount: LOT })],
      [taker],
    );
    expect(world.event(result, 'TradeExecuted')).toMatchObject({ amount: 6n * ONE, sell_remaining: 0n });
    expect(world.grid(taker.publicKey)).toBe(110n * ONE);
    // Too late: what is gone is told so.
    world.refused('OrderClosed', [world.matchOrder(taker.publicKey, order)], [taker]);
  });

  it('holds the taker to the price it named and the amounts to lots', () => {
    const { world, taker, order } = scene();
    const refused = (error: string, args: Parameters<TradingWorld['matchOrder']>[2]) =>
      world.refused(error, [world.matchOrder(taker.publicKey, order, args)], [taker]);
    refused('PriceMismatch', { price: 3n * ONE - 1n });
    refused('PriceMismatch', { price: 3n * ONE + 1n });
    refused('AmountNotInLots', { amount: 0n, minAmount: 0n });
    refused('AmountNotInLots', { amount: LOT + 1n });
    refused('FeeInvalid', { maxFeeBps: 10_001 });
    refused('AmountTooSmall', { amount: 2n ** 64n - 1n });
    world.must(
      [world.matchOrder(taker.publicKey, order, { amount: 2n ** 64n - 1n, minAmount: 1n })],
      [taker],
    );
  });

  describe('rounding', () => {
    it('is up when the taker buys and down when it sells, whole and in parts', () => {
      const [price, amount] = [3n, 5n * ONE];
      for (const side of [SELL, BUY]) {
        // Half a GRID costs 1.5 base units.
        const fine = new TradingWorld({ feeBps: 0, lotSize: 500_000_000n, tickSize: 3n });
        const [m, t] = [fine.trader(), fine.trader()];
        const order = fine.place(m, { side, amount, price });
        let paid = 0n;
        for (const part of [500_000_000n, 1_500_000_000n, 3_000_000_000n]) {
          const before = fine.quote(t.publicKey);
          fine.must([fine.matchOrder(t.publicKey, order, { amount: part })], [t]);
          const moved = side === SELL ? before - fine.quote(t.publicKey) : fine.quote(t.publicKey) - before;
          expect(moved).toBe((side === SELL ? quoteUp : quoteDown)(part, price));
          paid += moved;
        }
        expect(paid).toBe(side === SELL ? 2n + 5n + 9n : 1n + 4n + 9n);
        // The buyer's escrow held 15 and gave 14: the rest came back, nothing is stuck.
        expect(fine.account(order.escrow)).toBeUndefined();
        expect(fine.quote(m.publicKey)).toBe(1_000n * ONE + (side === SELL ? paid : -paid));
      }
    });

    it('refuses a trade that is worth nothing', () => {
      const { world, taker, order } = scene(BUY, { lotSize: 1n, tickSize: ONE, feeBps: 0 });
      // No instruction makes such an order: the price of a millionth is forced.
      world.patch(order.address, 8 + 6 * 32 + 8, 1n);
      world.refused(
        'ZeroQuote',
        [world.matchOrder(taker.publicKey, order, { price: 1n, amount: 10n })],
        [taker],
      );
    });
  });

  describe('the fee', () => {
    it("never rises for a sell order in the book, and falls with the market's", () => {
      const { world, maker, taker, order } = scene(SELL, { feeBps: 25 });
      const setFee = (fee_bps: number) =>
        world.must([world.marketAdmin('set_fee', { fee_bps })], [world.upgradeAuthority]);
      setFee(1_000);
      world.must([world.matchOrder(taker.publicKey, order, { amount: ONE, maxFeeBps: 0 })], [taker]);
      expect(world.balance(world.treasury)).toBe(feeOf(3n * ONE, 25));
      setFee(10);
      world.must([world.matchOrder(taker.publicKey, order, { amount: ONE })], [taker]);
      expect(world.balance(world.treasury)).toBe(feeOf(3n * ONE, 25) + feeOf(3n * ONE, 10));
      setFee(0);
      world.must([world.matchOrder(taker.publicKey, order, { amount: 8n * ONE })], [taker]);
      expect(world.quote(maker.publicKey)).toBe(1_030n * ONE - world.balance(world.treasury));
    });

    it('is at most what a selling taker accepts', () => {
      const { world, taker, order } = scene(BUY, { feeBps: 25 });
      world.refused('FeeTooHigh', [world.matchOrder(taker.publicKey, order, { maxFeeBps: 24 })], [taker]);
      world.must([world.matchOrder(taker.publicKey, order, { maxFeeBps: 25 })], [taker]);
    });

    it('needs a usable treasury only where there is a fee', () => {
      const { world, taker, order } = scene(SELL, { feeBps: 25 });
      world.setState(world.treasury, 2);
      world.refused('TreasuryInvalid', [world.matchOrder(taker.publicKey, order)], [taker]);
      world.must([world.marketAdmin('set_fee', { fee_bps: 0 })], [world.upgradeAuthority]);
      world.must([world.matchOrder(taker.publicKey, order)], [taker]);
    });

    it("may flow to the maker's or the taker's own account, when that is the treasury", () => {
      const world = new TradingWorld({ feeBps: 100 });
      const [maker, taker] = [world.trader(), world.trader()];
      for (const owner of [maker, taker]) {
        world.treasury = world.quoteAccount(owner.publicKey);
        world.must([world.setTreasury(world.treasury)], [world.upgradeAuthority]);
        const before = world.quote(maker.publicKey) + world.quote(taker.publicKey);
        world.must([world.matchOrder(taker.publicKey, world.sell(maker))], [taker]);
        world.must([world.matchOrder(taker.publicKey, world.buy(maker))], [taker]);
        expect(world.quote(maker.publicKey) + world.quote(taker.publicKey)).toBe(before);
      }
    });
  });

  it('refuses trades with oneself', () => {
    const { world, maker, order } = scene();
    world.refused('SelfTrade', [world.matchOrder(maker.publicKey, order)], [maker]);
  });

  it('refuses an expired order from its second on', () => {
    const { world, taker, order } = scene();
    world.setClock(Number(order.expiresAt) - 1);
    world.must([world.matchOrder(taker.publicKey, order, { amount: ONE })], [taker]);
    world.setClock(Number(order.expiresAt));
    world.refused('Expired', [world.matchOrder(taker.publicKey, order, { amount: ONE })], [taker]);
  });

  it('refuses what the taker cannot pay, and moves nothing', () => {
    const { world, order } = scene();
    const poor = world.trader(0n, 30n * ONE - 1n);
    // SPL Token: 1 InsufficientFunds, at the last transfer or before.
    world.refused('Custom(1)', [world.matchOrder(poor.publicKey, order)], [poor]);
  });

  describe("the maker's accounts", () => {
    it('can be made again by the taker where the maker closed them', () => {
      const world = new TradingWorld();
      const [maker, taker] = [world.trader(10n * ONE, 0n), world.trader()];
      const order = world.sell(maker);
      world.must(
        [world.quoteAccount(maker.publicKey), pda.tokenAccount(maker.publicKey)].map((account) =>
          createCloseAccountInstruction(
            account,
            maker.publicKey,
            maker.publicKey,
            [],
            world.account(account)?.owner,
          ),
        ),
        [maker],
      );
      world.refused('TokenAccountUnusable', [world.matchOrder(taker.publicKey, order)], [taker]);
      world.must(
        [
          createAssociatedTokenAccountIdempotentInstruction(
            taker.publicKey,
            world.quoteAccount(maker.publicKey),
            maker.publicKey,
            world.grx.publicKey,
          ),
          world.matchOrder(taker.publicKey, order),
        ],
        [taker],
      );
      expect(world.account(order.address)).toBeUndefined();
    });

    it('must be theirs still: a thief who was given one receives nothing', () => {
      const { world, maker, taker, order } = scene();
      const thief = Keypair.generate().publicKey;
      world.must(
        [
          createSetAuthorityInstruction(
            world.quoteAccount(maker.publicKey),
            maker.publicKey,
            AuthorityType.AccountOwner,
            thief,
          ),
        ],
        [maker],
      );
      world.refused('TokenAccountUnusable', [world.matchOrder(taker.publicKey, order)], [taker]);
    });

    it('must not be frozen', () => {
      const { world, maker, taker, order } = scene();
      world.setState(world.quoteAccount(maker.publicKey), 2);
      world.refused('TokenAccountUnusable', [world.matchOrder(taker.publicKey, order)], [taker]);
      world.setState(world.quoteAccount(maker.publicKey), 1);
      world.setState(order.escrow, 2);
      world.refused('TokenAccountUnusable', [world.matchOrder(taker.publicKey, order)], [taker]);
    });

    it('cannot pay the maker: a delegate of the maker would get GRID for nothing', () => {
      const { world, maker, taker, order } = scene();
      const source = world.quoteAccount(maker.publicKey);
      world.must([createApproveInstruction(source, taker.publicKey, maker.publicKey, 1_000n * ONE)], [maker]);
      world.refused(
        'TokenAccountUnusable',
        [world.matchOrder(taker.publicKey, order, {}, { taker_source: source })],
        [taker],
      );
    });

    it('cannot be swapped for those of another user, nor the escrow or the rent payer', () => {
      const { world, taker, order } = scene();
      const other = world.trader();
      const second = world.sell(other);
      const refused = (error: string, accounts: Record<string, PublicKey>) =>
        world.refused(error, [world.matchOrder(taker.publicKey, order, {}, accounts)], [taker]);
      refused('WrongTokenAccount', { maker_destination: world.quoteAccount(other.publicKey) });
      refused('WrongTokenAccount', { maker_destination: world.quoteAccount(taker.publicKey) });
      refused('WrongTokenAccount', { maker_refund: pda.tokenAccount(other.publicKey) });
      refused('WrongEscrow', { escrow: second.escrow });
      refused('WrongRentPayer', { rent_payer: taker.publicKey });
      refused('WrongTreasury', { treasury: world.quoteAccount(taker.publicKey) });
      refused('ConstraintDuplicateMutableAccount', { taker_destination: order.escrow });
      // Paid in the wrong token: an account of the other token program.
      refused('TokenAccountUnusable', { taker_source: pda.tokenAccount(taker.publicKey) });
      refused('IncorrectProgramId', { taker_destination: world.quoteAccount(taker.publicKey) });
    });
  });

  describe('tokens that somebody sends to an escrow', () => {
    const gift = (world: TradingWorld, order: TestOrder, giver: Keypair, amount: bigint) =>
      world.must(
        [
          createTransferInstruction(
            order.side === SELL ? pda.tokenAccount(giver.publicKey) : world.quoteAccount(giver.publicKey),
            order.escrow,
            giver.publicKey,
            amount,
            [],
            world.programOf(order),
          ),
        ],
        [giver],
      );

    it("are the owner's when the order is filled", () => {
      for (const side of [SELL, BUY]) {
        const { world, maker, taker, order } = scene(side);
        gift(world, order, taker, 7n);
        const before = side === SELL ? world.grid(maker.publicKey) : world.quote(maker.publicKey);
        const result = world.must([world.matchOrder(taker.publicKey, order)], [taker]);
        expect(world.event(result, 'TradeExecuted')).toMatchObject(
          side === SELL ? { sell_refunded: 7n } : { buy_refunded: 7n },
        );
        const after = side === SELL ? world.grid(maker.publicKey) : world.quote(maker.publicKey);
        expect(after - before).toBe(7n);
        expect(world.account(order.escrow)).toBeUndefined();
      }
    });

    it('cannot stop a trade: without an account to return them to, the order waits for one', () => {
      const world = new TradingWorld();
      const [maker, taker] = [world.trader(10n * ONE), world.trader()];
      const order = world.sell(maker);
      world.must(
        [
          createCloseAccountInstruction(
            pda.tokenAccount(maker.publicKey),
            maker.publicKey,
            maker.publicKey,
            [],
            TOKEN_2022_PROGRAM_ID,
          ),
        ],
        [maker],
      );
      gift(world, order, taker, 1n);
      const result = world.must([world.matchOrder(taker.publicKey, order)], [taker]);
      expect(world.event(result, 'TradeExecuted')).toMatchObject({ sell_remaining: 0n, sell_closed: 0 });
      expect(world.quote(maker.publicKey)).toBeGreaterThan(1_000n * ONE);
      expect(world.order(order)).toMatchObject({ remaining: 0n, escrowed: 0n });
      world.refused('OrderFilled', [world.matchOrder(taker.publicKey, order)], [taker]);
      world.refused('TokenAccountUnusable', [world.expireOrder(order)]);
      world.createTokenAccount(maker.publicKey);
      // Anybody, at once: there is nothing left to trade.
      const returned = world.must([world.expireOrder(order)]);
      expect(world.event(returned, 'OrderExpired')).toMatchObject({ remaining: 0n, refunded: 1n });
      expect(world.account(order.address)).toBeUndefined();
    });
  });

  describe('the price band', () => {
    const ORACLE = { id: new PublicKey('6asrQxkRXF4eZ3wB9eUkGZK32x2VG6XzadsvxzUhDCtz') };
    const feed = Keypair.generate().publicKey;
    const banded = () => scene(SELL, { feed, bandBps: 500 });
    const attempt = ({ world, taker, order }: ReturnType<typeof scene>) =>
      world.simulate([world.matchOrder(taker.publicKey, order, { amount: ONE })], [taker]);

    it('lets trades through within it, both ends included', () => {
      const here = banded();
      for (const [price, error] of [
        [3_000_000_000n, undefined],
        // 3 GRX is 5 percent above 2.857142857..., and 5 percent below 3.157894736...
        [2_857_142_858n, undefined],
        [2_857_142_856n, 'OutOfBand'],
        [3_157_894_736n, undefined],
        [3_157_894_738n, 'OutOfBand'],
        [2n ** 64n - 1n, 'OutOfBand'],
        [1n, 'OutOfBand'],
      ] as const) {
        here.world.setFeed(feed, { price }, ORACLE.id);
        expect([price, attempt(here)]).toEqual([price, error]);
      }
    });

    it('stops trades without a fresh price, and nothing else', () => {
      const here = banded();
      const { world, maker, order } = here;
      const price = 3n * ONE;
      const outcome = (change: Partial<Parameters<TradingWorld['setFeed']>[1]>, owner = ORACLE.id) => {
        world.setFeed(feed, { price, ...change }, owner);
        return attempt(here);
      };
      expect(outcome({ publishedAt: world.now() - 300 })).toBeUndefined();
      expect(outcome({ publishedAt: world.now() - 301 })).toBe('FeedStale');
      expect(outcome({ publishedAt: 0, maxAgeSeconds: 2 ** 32 - 1 })).toBe('FeedStale');
      expect(outcome({ price: 0n })).toBe('FeedStale');
      expect(outcome({ paused: 1 })).toBe('FeedPaused');
      expect(outcome({}, SystemProgram.programId)).toBe('FeedInvalid');
      world.setAccount(feed, ORACLE.id, new Uint8Array(256));
      expect(attempt(here)).toBe('FeedInvalid');
      world.refused(
        'WrongFeed',
        [world.matchOrder(here.taker.publicKey, order, { amount: ONE }, { feed: SystemProgram.programId })],
        [here.taker],
      );
      world.sell(maker);
      world.must([world.cancelOrder(order)], [maker]);
    });
  });

  it('stops on an order whose numbers contradict each other, which no instruction brings about', () => {
    // Behind discriminator and six addresses: order_id, price, amount, remaining, escrowed.
    const at = (field: number) => 8 + 6 * 32 + 8 * field;
    const sell = scene(SELL);
    sell.world.patch(sell.order.address, at(4), 11n * ONE);
    const take = ({ world, taker, order }: ReturnType<typeof scene>, amount = ONE) =>
      world.refused('InvariantViolated', [world.matchOrder(taker.publicKey, order, { amount })], [taker]);
    take(sell);
    // A buy order that counts on less than its rest costs.
    const buy = scene(BUY);
    buy.world.patch(buy.order.address, at(4), 30n * ONE - 1n);
    take(buy);
    buy.world.patch(buy.order.address, at(4), ONE);
    buy.world.refused(
      'ArithmeticOverflow',
      [buy.world.matchOrder(buy.taker.publicKey, buy.order, { amount: ONE })],
      [buy.taker],
    );
    // More left than there ever was.
    const more = scene(SELL);
    more.world.patch(more.order.address, at(2), ONE);
    take(more);
  });

  it('refuses an order of another market', () => {
    const { world, taker, order } = scene();
    // A second market in the first world.
    const mint = world.key();
    world.createMint(mint);
    const market = PublicKey.findProgramAddressSync(
      [Buffer.from('market'), mint.publicKey.toBytes()],
      program('trading').id,
    )[0];
    const treasury = world.key();
    world.setAccount(
      treasury.publicKey,
      world.account(world.treasury)?.owner as PublicKey,
      Buffer.concat([mint.publicKey.toBuffer(), world.dataOf(world.treasury).subarray(32)]),
    );
    world.must(
      [world.createMarket({}, { quote_mint: mint.publicKey, market, treasury: treasury.publicKey })],
      [world.upgradeAuthority],
    );
    world.refused('WrongMarket', [world.matchOrder(taker.publicKey, order, {}, { market })], [taker]);
  });

  it('refuses wrong accounts', () => {
    const { world, taker, order } = scene();
    refusesWrongAccounts(
      world,
      'trading',
      'match_order',
      [world.matchOrder(taker.publicKey, order)],
      [taker],
      {
        taker: { other: 'TokenAccountUnusable', unsigned: 'MissingRequiredSignature' },
        market: { other: 'IllegalOwner', copy: 'IllegalOwner' },
        order: { other: 'OrderClosed', copy: 'OrderClosed', readonly: 'ConstraintMut' },
        escrow: { other: 'WrongEscrow', copy: 'WrongEscrow', readonly: 'ConstraintMut' },
        taker_source: {
          other: 'TokenAccountUnusable',
          copy: 'TokenAccountUnusable',
          readonly: 'ConstraintMut',
        },
        // The token program, or the runtime, refuses: the taker harms nobody but itself.
        taker_destination: {
          other: 'IncorrectProgramId',
          copy: 'IncorrectProgramId',
          readonly: 'ConstraintMut',
        },
        maker_destination: {
          other: 'WrongTokenAccount',
          copy: 'WrongTokenAccount',
          readonly: 'ConstraintMut',
        },
        maker_refund: { other: 'WrongTokenAccount', copy: 'WrongTokenAccount', readonly: 'ConstraintMut' },
        treasury: { other: 'WrongTreasury', copy: 'WrongTreasury', readonly: 'ConstraintMut' },
        rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
        feed: { other: 'WrongFeed' },
        base_token_program: { other: 'ConstraintExecutable' },
        quote_token_program: { other: 'WrongTokenProgram' },
      },
    );
  });
});
