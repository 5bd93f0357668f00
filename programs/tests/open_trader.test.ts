import { PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts } from './support.js';
import { ONE, TRADING, TradingWorld, tradingPda } from './trading.js';

describe('open_trader', () => {
  it('notes a wallet’s accounts for the market, once and again, and keeps its ids', () => {
    const world = new TradingWorld();
    const wallet = world.trader();
    const read = () => world.decode('trading', 'Trader', tradingPda.trader(wallet.publicKey));
    world.must([world.openTrader(wallet.publicKey)], [wallet]);
    expect(read()).toMatchObject({
      wallet: wallet.publicKey,
      base_account: pda.tokenAccount(wallet.publicKey),
      quote_mint: world.grx.publicKey,
      quote_account: world.quoteAccount(wallet.publicKey),
    });
    world.sell(wallet);
    world.must([world.openTrader(wallet.publicKey)], [wallet]);
    expect(world.lastOrderId(wallet.publicKey)).toBe(1n);
  });

  it('changes the market with the wallet’s consent alone', () => {
    const world = new TradingWorld();
    const [wallet, other] = [world.trader(), world.key()];
    world.createMint(other, { extensions: [] });
    const market = PublicKey.findProgramAddressSync(
      [Buffer.from('market'), other.publicKey.toBytes()],
      TRADING,
    )[0];
    const data = world.dataOf(world.market);
    // A second market: the same terms for the other mint.
    data.set(other.publicKey.toBytes(), 8 + 4 * 32);
    world.setAccount(market, TRADING, data);
    world.sell(wallet);
    const open = world.openTrader(wallet.publicKey, world.payer.publicKey, { market });
    world.must([open], [wallet]);
    expect(world.decode('trading', 'Trader', tradingPda.trader(wallet.publicKey)).quote_mint).toEqual(
      other.publicKey,
    );
    world.refused('TraderNotOpen', [world.createOrder(world.planned(wallet))], [wallet]);
    world.must([world.openTrader(wallet.publicKey)], [wallet]);
    world.sell(wallet);
  });

  it('lets an order cost the same however long the search for its addresses was', () => {
    const world = new TradingWorld();
    const units = new Set<number>();
    for (let i = 0; i < 12; i++) {
      const wallet = world.trader();
      world.open(wallet);
      const order = world.planned(wallet, { amount: 10n * ONE });
      units.add(world.must([world.createOrder(order)], [wallet]).units.at(-1) as number);
    }
    expect(Math.max(...units) - Math.min(...units)).toBeLessThan(100);
    expect(Math.max(...units)).toBeLessThanOrEqual(12_000);
  });

  it('refuses bumps that give another address', () => {
    const world = new TradingWorld();
    const wallet = world.trader();
    world.open(wallet);
    const order = world.planned(wallet);
    for (const wrong of [
      { orderBump: (order.orderBump + 255) % 256 },
      { escrowBump: (order.escrowBump + 255) % 256 },
    ]) {
      const result = world.send([world.createOrder({ ...order, ...wrong })], [wallet]);
      // Another address, or none at all.
      expect(['PrivilegeEscalation', 'ProgramFailedToComplete']).toContain(result.error);
    }
  });

  it('refuses wrong accounts', () => {
    const world = new TradingWorld();
    const wallet = world.trader();
    const instruction = world.openTrader(wallet.publicKey);
    refusesWrongAccounts(world, 'trading', 'open_trader', [instruction], [wallet], {
      payer: {
        other: 'accepted',
        unsigned: 'MissingRequiredSignature',
        readonly: 'MissingRequiredSignature',
      },
      wallet: { other: 'InvalidSeeds', unsigned: 'MissingRequiredSignature' },
      market: { other: 'IllegalOwner', copy: 'IllegalOwner' },
      trader: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
      system_program: { other: 'ConstraintExecutable' },
    });
  });
});
