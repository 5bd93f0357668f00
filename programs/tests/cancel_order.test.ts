import { AuthorityType, createSetAuthorityInstruction, createTransferInstruction } from '@solana/spl-token';
import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts } from './support.js';
import { BUY, ONE, SELL, TradingWorld } from './trading.js';

describe('cancel_order', () => {
  it('returns everything to the owner, and the rent to whoever paid', () => {
    for (const side of [SELL, BUY]) {
      const world = new TradingWorld();
      const owner = world.trader();
      const sponsor = world.key();
      world.fund(sponsor.publicKey);
      world.place(owner, { side, payer: sponsor });
      const before = world.lamports(sponsor.publicKey);
      const order = world.place(owner, { side, payer: sponsor });
      const result = world.must([world.cancelOrder(order)], [owner]);
      expect(world.lamports(sponsor.publicKey)).toBe(before);
      expect(world.account(order.address)).toBeUndefined();
      expect(world.account(order.escrow)).toBeUndefined();
      // The other order is as it was.
      expect([world.grid(owner.publicKey), world.quote(owner.publicKey)]).toEqual(
        side === SELL ? [90n * ONE, 1_000n * ONE] : [100n * ONE, 970n * ONE],
      );
      expect(world.event(result, 'OrderCancelled')).toEqual({
        market: world.market.toBase58(),
        order: order.address.toBase58(),
        owner: owner.publicKey.toBase58(),
        destination: world.refundAccount(order).toBase58(),
        order_id: 2n,
        remaining: 10n * ONE,
        refunded: side === SELL ? 10n * ONE : 30n * ONE,
        timestamp: BigInt(world.now()),
        side,
      });
    }
  });

  it('returns what is left of a partly filled order, gifts included', () => {
    const world = new TradingWorld({ feeBps: 0 });
    const [owner, taker] = [world.trader(), world.trader()];
    const order = world.buy(owner);
    world.must([world.matchOrder(taker.publicKey, order, { amount: 4n * ONE })], [taker]);
    world.must(
      [createTransferInstruction(world.quoteAccount(taker.publicKey), order.escrow, taker.publicKey, 5n)],
      [taker],
    );
    const result = world.must([world.cancelOrder(order)], [owner]);
    expect(world.event(result, 'OrderCancelled')).toMatchObject({
      remaining: 6n * ONE,
      refunded: 18n * ONE + 5n,
    });
    expect(world.quote(owner.publicKey)).toBe(988n * ONE + 5n);
  });

  it('is for the owner alone, once', () => {
    const world = new TradingWorld();
    const [owner, other] = [world.trader(), world.trader()];
    const order = world.sell(owner);
    world.refused(
      'NotOrderOwner',
      [world.cancelOrder(order, { owner: other.publicKey, destination: pda.tokenAccount(other.publicKey) })],
      [other],
    );
    world.must([world.cancelOrder(order)], [owner]);
    world.refused('OrderClosed', [world.cancelOrder(order)], [owner]);
    world.refused('OrderClosed', [world.cancelOrder(world.planned(owner, { id: 99n }))], [owner]);
  });

  it('works whatever became of market, time and the usual account', () => {
    const world = new TradingWorld();
    const owner = world.trader();
    const order = world.buy(owner);
    world.must([world.pauseMarket(true)], [world.upgradeAuthority]);
    world.setClock(Number(order.expiresAt) + 1);
    // The associated account was signed away to a thief; another one of the owner's takes the refund.
    const usual = world.quoteAccount(owner.publicKey);
    const spare = world.key().publicKey;
    const bytes = world.dataOf(usual);
    world.setAccount(spare, world.account(usual)?.owner ?? owner.publicKey, bytes);
    world.patch(spare, 64, 0n);
    world.must(
      [
        createSetAuthorityInstruction(
          usual,
          owner.publicKey,
          AuthorityType.AccountOwner,
          Keypair.generate().publicKey,
        ),
      ],
      [owner],
    );
    world.refused('TokenAccountUnusable', [world.cancelOrder(order)], [owner]);
    world.refused('TokenAccountUnusable', [world.expireOrder(order)]);
    world.must([world.cancelOrder(order, { destination: spare })], [owner]);
    expect(world.balance(spare)).toBe(30n * ONE);
  });

  it("never pays into an account that is not the owner's, nor of another token", () => {
    const world = new TradingWorld();
    const [owner, other] = [world.trader(), world.trader()];
    const order = world.sell(owner);
    const refused = (error: string, accounts: Parameters<TradingWorld['cancelOrder']>[1]) =>
      world.refused(error, [world.cancelOrder(order, accounts)], [owner]);
    refused('TokenAccountUnusable', { destination: pda.tokenAccount(other.publicKey) });
    refused('TokenAccountUnusable', { destination: world.quoteAccount(owner.publicKey) });
    refused('WrongEscrow', { escrow: world.sell(other).escrow });
    refused('WrongRentPayer', { rent_payer: owner.publicKey });
    refused('ConstraintDuplicateMutableAccount', { destination: order.escrow });
    world.must([world.cancelOrder(order)], [owner]);
  });

  it('refuses wrong accounts', () => {
    const world = new TradingWorld();
    const owner = world.trader();
    const order = world.sell(owner);
    refusesWrongAccounts(world, 'trading', 'cancel_order', [world.cancelOrder(order)], [owner], {
      owner: { other: 'NotOrderOwner', unsigned: 'MissingRequiredSignature' },
      order: { other: 'OrderClosed', copy: 'OrderClosed', readonly: 'ConstraintMut' },
      escrow: { other: 'WrongEscrow', copy: 'WrongEscrow', readonly: 'ConstraintMut' },
      destination: { other: 'TokenAccountUnusable', copy: 'TokenAccountUnusable', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
      token_program: { other: 'WrongTokenProgram' },
    });
  });
});
