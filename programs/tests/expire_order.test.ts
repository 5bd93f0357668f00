import {
  createAssociatedTokenAccountIdempotentInstruction,
  createCloseAccountInstruction,
} from '@solana/spl-token';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, TOKEN_2022_PROGRAM_ID } from './support.js';
import { BUY, ONE, SELL, TradingWorld } from './trading.js';

describe('expire_order', () => {
  it('lets anybody return an expired order to its owner, and the rent to whoever paid', () => {
    for (const side of [SELL, BUY]) {
      const world = new TradingWorld();
      const owner = world.trader();
      const stranger = world.key();
      world.fund(stranger.publicKey);
      world.place(owner, { side });
      const before = world.lamports(world.payer.publicKey);
      const order = world.place(owner, { side });
      const rent = world.lamports(order.address) + world.lamports(order.escrow);
      const paid = before - world.lamports(world.payer.publicKey);
      world.setClock(Number(order.expiresAt));
      const atEnd = world.lamports(world.payer.publicKey);
      const result = world.must([world.expireOrder(order)], [], { payer: stranger });
      expect(world.lamports(world.payer.publicKey)).toBe(atEnd + rent);
      expect(paid).toBeGreaterThanOrEqual(rent);
      expect([world.grid(owner.publicKey), world.quote(owner.publicKey)]).toEqual(
        side === SELL ? [90n * ONE, 1_000n * ONE] : [100n * ONE, 970n * ONE],
      );
      expect(world.event(result, 'OrderExpired')).toEqual({
        market: world.market.toBase58(),
        order: order.address.toBase58(),
        owner: owner.publicKey.toBase58(),
        destination: world.refundAccount(order).toBase58(),
        order_id: 2n,
        remaining: 10n * ONE,
        refunded: side === SELL ? 10n * ONE : 30n * ONE,
        timestamp: order.expiresAt,
        side,
      });
    }
  });

  it('refuses before the order expires, and afterwards a second time', () => {
    const world = new TradingWorld();
    const owner = world.trader();
    const order = world.sell(owner);
    world.setClock(Number(order.expiresAt) - 1);
    world.refused('NotExpired', [world.expireOrder(order)]);
    world.setClock(Number(order.expiresAt));
    world.must([world.expireOrder(order)]);
    world.refused('OrderClosed', [world.expireOrder(order)]);
  });

  it("returns to the owner's associated account alone, which the caller can make again", () => {
    const world = new TradingWorld();
    const [owner, thief] = [world.trader(10n * ONE), world.trader()];
    const order = world.sell(owner);
    world.must(
      [
        createCloseAccountInstruction(
          pda.tokenAccount(owner.publicKey),
          owner.publicKey,
          owner.publicKey,
          [],
          TOKEN_2022_PROGRAM_ID,
        ),
      ],
      [owner],
    );
    world.setClock(Number(order.expiresAt));
    const refused = (error: string, accounts: Parameters<TradingWorld['expireOrder']>[1]) =>
      world.refused(error, [world.expireOrder(order, accounts)]);
    refused('WrongTokenAccount', { destination: pda.tokenAccount(thief.publicKey) });
    refused('WrongTokenAccount', { destination: world.quoteAccount(owner.publicKey) });
    refused('TokenAccountUnusable', {});
    refused('WrongRentPayer', { rent_payer: thief.publicKey });
    world.must([
      createAssociatedTokenAccountIdempotentInstruction(
        world.payer.publicKey,
        pda.tokenAccount(owner.publicKey),
        owner.publicKey,
        pda.mint,
        TOKEN_2022_PROGRAM_ID,
      ),
      world.expireOrder(order),
    ]);
    expect(world.grid(owner.publicKey)).toBe(10n * ONE);
  });

  it('works while the market is paused', () => {
    const world = new TradingWorld();
    const order = world.buy(world.trader());
    world.must([world.pauseMarket(true)], [world.upgradeAuthority]);
    world.setClock(Number(order.expiresAt));
    world.must([world.expireOrder(order)]);
  });

  it('refuses wrong accounts', () => {
    const world = new TradingWorld();
    const order = world.sell(world.trader());
    world.setClock(Number(order.expiresAt));
    refusesWrongAccounts(world, 'trading', 'expire_order', [world.expireOrder(order)], [], {
      order: { other: 'OrderClosed', copy: 'OrderClosed', readonly: 'ConstraintMut' },
      escrow: { other: 'WrongEscrow', copy: 'WrongEscrow', readonly: 'ConstraintMut' },
      destination: { other: 'WrongTokenAccount', copy: 'WrongTokenAccount', readonly: 'ConstraintMut' },
      rent_payer: { other: 'WrongRentPayer', readonly: 'ConstraintMut' },
      token_program: { other: 'WrongTokenProgram' },
    });
  });
});
