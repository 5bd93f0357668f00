import { createApproveInstruction, createCloseAccountInstruction } from '@solana/spl-token';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID } from './support.js';
import { BUY, LOT, ONE, quoteUp, SELL, TICK, TRADING, TradingWorld, tradingPda } from './trading.js';

const ORDER_BYTES = 272;
const TRADER_BYTES = 8 + 4 * 32 + 16 + 32;
const TOKEN_ACCOUNT_BYTES = 165;

describe('create_order', () => {
  it('escrows the GRID of a sell order and tells everything about it', () => {
    const world = new TradingWorld({ feeBps: 25 });
    const seller = world.trader(15n * ONE);
    world.open(seller);
    const order = world.planned(seller);
    const result = world.must([world.createOrder(order)], [seller]);
    expect(world.grid(seller.publicKey)).toBe(5n * ONE);
    expect(world.balance(order.escrow)).toBe(10n * ONE);
    // The escrow is its own authority: only the program can sign for it.
    expect(world.tokenOwner(order.escrow)).toEqual(order.escrow);
    expect(world.order(order)?.raw).toMatchObject({
      market: world.market,
      owner: seller.publicKey,
      rent_payer: world.payer.publicKey,
      escrow: order.escrow,
      base_account: pda.tokenAccount(seller.publicKey),
      quote_account: world.quoteAccount(seller.publicKey),
      side: SELL,
      fee_bps: 25,
    });
    expect(world.order(order)).toMatchObject({
      amount: 10n * ONE,
      remaining: 10n * ONE,
      escrowed: 10n * ONE,
      price: 3n * ONE,
      expiresAt: order.expiresAt,
    });
    expect(world.event(result, 'OrderCreated')).toEqual({
      market: world.market.toBase58(),
      order: order.address.toBase58(),
      owner: seller.publicKey.toBase58(),
      rent_payer: world.payer.publicKey.toBase58(),
      order_id: 1n,
      price: 3n * ONE,
      amount: 10n * ONE,
      escrowed: 10n * ONE,
      expires_at: order.expiresAt,
      timestamp: BigInt(world.now()),
      slot: world.svm.getClock().slot,
      fee_bps: 25,
      side: SELL,
    });
  });

  it('escrows what a buy order costs, rounded up', () => {
    const world = new TradingWorld({ lotSize: 1n, tickSize: ONE });
    const buyer = world.trader(0n);
    const order = world.buy(buyer, { amount: 333_333_333n, price: 7n * ONE });
    expect(world.balance(order.escrow)).toBe(quoteUp(333_333_333n, 7n * ONE));
    expect(world.quote(buyer.publicKey)).toBe(1_000n * ONE - 2_333_333_331n);
    const fine = new TradingWorld({ lotSize: ONE, tickSize: 1n });
    const other = fine.trader(0n);
    const rounded = fine.buy(other, { amount: 3n * ONE, price: 1n });
    expect(fine.order(rounded)).toMatchObject({ escrowed: 3n });
  });

  it('takes exactly the rent of the accounts, from the payer alone', () => {
    const world = new TradingWorld();
    const [seller, sponsor] = [world.trader(), world.key()];
    world.fund(sponsor.publicKey);
    const start = world.lamports(sponsor.publicKey);
    // The account of ids is made before, and stays.
    world.must([world.openTrader(seller.publicKey, sponsor.publicKey)], [sponsor, seller]);
    expect(world.lamports(sponsor.publicKey)).toBe(start - world.rent(TRADER_BYTES));
    const before = [world.lamports(seller.publicKey), world.lamports(sponsor.publicKey)];
    const order = world.sell(seller, { payer: sponsor });
    const accounts = world.rent(ORDER_BYTES) + world.rent(TOKEN_ACCOUNT_BYTES);
    expect(world.lamports(order.address)).toBe(world.rent(ORDER_BYTES));
    expect(world.lamports(order.escrow)).toBe(world.rent(TOKEN_ACCOUNT_BYTES));
    expect(world.lamports(seller.publicKey)).toBe(before[0]);
    expect(world.lamports(sponsor.publicKey)).toBe((before[1] as bigint) - accounts);
    const second = world.sell(seller, { payer: seller });
    expect(world.lamports(seller.publicKey)).toBe((before[0] as bigint) - accounts);
    expect(world.order(second)?.raw.rent_payer).toEqual(seller.publicKey);
  });

  describe('order ids', () => {
    it('only rise, per owner, and never come back', () => {
      const world = new TradingWorld();
      const [seller, other] = [world.trader(), world.trader()];
      const order = world.sell(seller, { id: 5n });
      expect(world.lastOrderId(seller.publicKey)).toBe(5n);
      for (const id of [0n, 1n, 4n]) {
        world.refused('OrderIdNotHigher', [world.createOrder(world.planned(seller, { id }))], [seller]);
      }
      world.must([world.cancelOrder(order)], [seller]);
      // The account is gone; its address stays used.
      world.refused('OrderIdNotHigher', [world.createOrder(world.planned(seller, { id: 5n }))], [seller]);
      world.sell(seller, { id: 6n });
      // Another owner's ids are others.
      world.sell(other, { id: 5n });
    });

    it('skip at most a million, so that no mistake uses them up', () => {
      const world = new TradingWorld();
      const seller = world.trader();
      world.open(seller);
      for (const id of [1_000_001n, 2n ** 64n - 1n]) {
        world.refused('OrderIdJump', [world.createOrder(world.planned(seller, { id }))], [seller]);
      }
      world.sell(seller, { id: 1_000_000n });
      world.sell(seller, { id: 2_000_000n });
    });

    it("are counted in the owner's own account", () => {
      const world = new TradingWorld();
      const [seller, other] = [world.trader(), world.trader()];
      world.sell(seller);
      const trader = tradingPda.trader(seller.publicKey);
      world.refused('TraderNotOpen', [world.createOrder(world.planned(other))], [other]);
      world.refused('WrongTrader', [world.createOrder(world.planned(other), { trader })], [other]);
      const order = world.sell(other);
      for (const account of [trader, order.address]) {
        world.refused('WrongTrader', [world.createOrder(world.planned(other), { trader: account })], [other]);
      }
    });

    it('belong to accounts that nobody can take first by sending lamports', () => {
      const world = new TradingWorld();
      const seller = world.trader();
      const order = world.planned(seller);
      for (const key of [order.address, order.escrow, tradingPda.trader(seller.publicKey)]) world.fund(key);
      world.must([world.openTrader(seller.publicKey), world.createOrder(order)], [seller]);
      expect(world.balance(order.escrow)).toBe(10n * ONE);
    });
  });

  it('refuses amounts outside lots, prices outside ticks, other sides, and times out of range', () => {
    const world = new TradingWorld();
    const seller = world.trader();
    const refused = (error: string, options: Parameters<TradingWorld['planned']>[1]) =>
      world.refused(error, [world.createOrder(world.planned(seller, options))], [seller]);
    refused('AmountNotInLots', { amount: 0n });
    refused('AmountNotInLots', { amount: LOT - 1n });
    refused('AmountNotInLots', { amount: LOT + 1n });
    refused('PriceNotInTicks', { price: 0n });
    refused('PriceNotInTicks', { price: TICK + 1n });
    refused('SideInvalid', { side: 2 });
    refused('ExpiryInvalid', { expiresAt: 0n });
    refused('ExpiryInvalid', { expiresAt: BigInt(world.now()) });
    refused('ExpiryInvalid', { expiresAt: BigInt(world.now() + 366 * 86_400 + 1) });
    refused('ExpiryInvalid', { expiresAt: -(2n ** 63n) });
    refused('ExpiryInvalid', { expiresAt: 2n ** 63n - 1n });
    world.sell(seller, { amount: LOT, price: TICK, expiresAt: BigInt(world.now() + 366 * 86_400) });
    world.sell(seller, { amount: LOT, price: TICK, expiresAt: BigInt(world.now() + 1) });
  });

  it('refuses an order whose cost does not fit 64 bits, on both sides', () => {
    const world = new TradingWorld({ lotSize: 1n, tickSize: ONE });
    const trader = world.trader();
    world.open(trader);
    const largest = (2n ** 64n - 1n) / ONE;
    for (const side of [SELL, BUY]) {
      const order = world.planned(trader, { side, amount: ONE + 1n, price: largest * ONE });
      world.refused('QuoteOverflow', [world.createOrder(order)], [trader]);
    }
    world.sell(trader, { amount: ONE, price: largest * ONE });
  });

  it('refuses what the owner does not have, and leaves nothing behind', () => {
    const world = new TradingWorld();
    const trader = world.trader(9n * ONE, 29n * ONE);
    world.open(trader);
    for (const side of [SELL, BUY]) {
      // SPL Token: 1 InsufficientFunds.
      world.refused('Custom(1)', [world.createOrder(world.planned(trader, { side }))], [trader]);
    }
    expect(world.lastOrderId(trader.publicKey)).toBe(0n);
  });

  it("spends only the signer's own accounts: no delegate trades with another's tokens", () => {
    const world = new TradingWorld();
    const [victim, thief] = [world.trader(), world.trader(0n, 0n)];
    const source = pda.tokenAccount(victim.publicKey);
    world.open(victim);
    world.must(
      [
        createApproveInstruction(
          source,
          thief.publicKey,
          victim.publicKey,
          10n * ONE,
          [],
          TOKEN_2022_PROGRAM_ID,
        ),
      ],
      [victim],
    );
    const order = world.planned(thief);
    world.refused('TokenAccountUnusable', [world.createOrder(order, { source })], [thief]);
    world.setState(source, 2);
    world.refused('TokenAccountUnusable', [world.createOrder(world.planned(victim))], [victim]);
    world.setState(source, 1);
    // The other token's account, of another program.
    world.refused(
      'TokenAccountUnusable',
      [world.createOrder(world.planned(victim), { source: world.quoteAccount(victim.publicKey) })],
      [victim],
    );
    world.refused(
      'WrongMint',
      [world.createOrder(world.planned(victim), { mint: world.grx.publicKey })],
      [victim],
    );
  });

  it('names the token accounts of its own market, whichever the owner used before', () => {
    const world = new TradingWorld();
    const seller = world.trader();
    world.sell(seller);
    const trader = tradingPda.trader(seller.publicKey);
    const remembered = () => world.decode('trading', 'Trader', trader);
    expect(remembered()).toMatchObject({
      base_account: pda.tokenAccount(seller.publicKey),
      quote_mint: world.grx.publicKey,
      quote_account: world.quoteAccount(seller.publicKey),
    });
    // As if it had been opened for another market since.
    const account = world.account(trader);
    account?.data.fill(7, 8 + 64, 8 + 128);
    world.setAccount(trader, TRADING, account?.data ?? new Uint8Array());
    world.refused('TraderNotOpen', [world.createOrder(world.planned(seller))], [seller]);
    const order = world.sell(seller);
    expect(world.order(order)?.raw.quote_account).toEqual(world.quoteAccount(seller.publicKey));
    expect(remembered()).toMatchObject({ quote_mint: world.grx.publicKey });
  });

  it('needs no account for what it will receive', () => {
    const world = new TradingWorld();
    const seller = world.trader(10n * ONE, 0n);
    world.must(
      [
        createCloseAccountInstruction(
          world.quoteAccount(seller.publicKey),
          seller.publicKey,
          seller.publicKey,
        ),
      ],
      [seller],
    );
    world.sell(seller);
  });

  it('never overwrites an order or an escrow, even one that no instruction can have made', () => {
    const world = new TradingWorld();
    const seller = world.trader();
    const there = world.sell(seller);
    const order = world.planned(seller);
    world.setAccount(order.address, TRADING, world.dataOf(there.address));
    world.refused('AccountExists', [world.createOrder(order)], [seller]);
    const other = world.planned(seller, { id: order.id + 1n });
    world.setAccount(other.escrow, TOKEN_2022_PROGRAM_ID, world.dataOf(there.escrow));
    world.refused('AccountExists', [world.createOrder(other)], [seller]);
  });

  it('refuses wrong accounts', () => {
    const world = new TradingWorld();
    const seller = world.trader();
    world.sell(seller);
    const order = world.planned(seller);
    refusesWrongAccounts(world, 'trading', 'create_order', [world.createOrder(order)], [seller], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      owner: { other: 'TokenAccountUnusable', unsigned: 'MissingRequiredSignature' },
      market: { other: 'IllegalOwner', copy: 'IllegalOwner' },
      trader: { other: 'TraderNotOpen', copy: 'TraderNotOpen', readonly: 'ConstraintMut' },
      // The system program finds that nobody can sign for it.
      order: { other: 'PrivilegeEscalation', readonly: 'ConstraintMut' },
      escrow: { other: 'PrivilegeEscalation', readonly: 'ConstraintMut' },
      source: { other: 'TokenAccountUnusable', copy: 'TokenAccountUnusable', readonly: 'ConstraintMut' },
      mint: { other: 'WrongMint', copy: 'WrongMint' },
      token_program: { other: 'WrongTokenProgram' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
