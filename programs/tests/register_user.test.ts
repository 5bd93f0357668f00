import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, World } from './support.js';

describe('register_user', () => {
  it('registers a wallet, unverified and without meters', () => {
    const world = new World();
    const wallet = Keypair.generate();
    const result = world.must([world.registerUser(wallet.publicKey)], [wallet]);
    const user = world.decode('registry', 'User', pda.user(wallet.publicKey));
    expect(user.wallet).toEqual(wallet.publicKey);
    expect([user.verified, user.meters, Number(user.registered_at)]).toEqual([0, 0, world.now()]);
    expect(Number(world.config().users)).toBe(1);
    expect(result.events).toMatchObject([{ name: 'UserRegistered', data: { wallet: wallet.publicKey } }]);
  });

  it('lets the wallet pay for itself', () => {
    const world = new World();
    const wallet = Keypair.generate();
    world.fund(wallet.publicKey);
    world.must([world.registerUser(wallet.publicKey, { payer: wallet.publicKey })], [wallet]);
  });

  it('registers at an address to which somebody sent lamports before', () => {
    const world = new World();
    const wallet = Keypair.generate();
    world.fund(pda.user(wallet.publicKey));
    world.must([world.registerUser(wallet.publicKey)], [wallet]);
    expect(world.decode('registry', 'User', pda.user(wallet.publicKey)).wallet).toEqual(wallet.publicKey);
  });

  it('refuses a second registration', () => {
    const world = new World();
    const wallet = world.user();
    world.refused('UserAlreadyRegistered', [world.registerUser(wallet.publicKey)], [wallet]);
  });

  it("refuses another wallet's address", () => {
    const world = new World();
    const [wallet, other] = [Keypair.generate(), Keypair.generate()];
    const call = world.registerUser(wallet.publicKey, { user: pda.user(other.publicKey) });
    world.refused('InvalidSeeds', [call], [wallet]);
  });

  it('refuses while paused', () => {
    const world = new World();
    const wallet = Keypair.generate();
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', [world.registerUser(wallet.publicKey)], [wallet]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const wallet = Keypair.generate();
    refusesWrongAccounts(
      world,
      'registry',
      'register_user',
      [world.registerUser(wallet.publicKey)],
      [wallet],
      {
        payer: {
          other: 'accepted',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        wallet: { other: 'InvalidSeeds', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
        user: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
