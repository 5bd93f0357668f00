import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, refusesWrongAccounts, World } from './support.js';

describe('verify_user', () => {
  it('verifies and takes it back', () => {
    const world = new World();
    const wallet = world.user({ verified: false });
    const verified = () => world.decode('registry', 'User', pda.user(wallet.publicKey)).verified;
    const result = world.must([world.verifyUser(wallet.publicKey)], [world.registrar]);
    expect(verified()).toBe(1);
    expect(result.events).toMatchObject([
      { name: 'UserVerified', data: { wallet: wallet.publicKey, verified: true } },
    ]);
    world.must([world.verifyUser(wallet.publicKey, false)], [world.registrar]);
    expect(verified()).toBe(0);
  });

  it('works while paused: taking a verification back must never be stopped', () => {
    const world = new World();
    const wallet = world.user();
    world.must([world.setPaused(true)], [world.guardian].concat(world.upgradeAuthority));
    world.must([world.verifyUser(wallet.publicKey, false)], [world.registrar]);
  });

  it('refuses everybody but the registrar, the admin included', () => {
    const world = new World();
    const wallet = world.user({ verified: false });
    for (const signer of [wallet, world.guardian, world.upgradeAuthority, Keypair.generate()]) {
      world.refused(
        'NotRegistrar',
        [world.verifyUser(wallet.publicKey, true, { registrar: signer.publicKey })],
        [signer],
      );
    }
  });

  it('refuses an account of the registry that is no user', () => {
    const world = new World();
    const meter = world.newMeter();
    const call = world.verifyUser(meter.owner.publicKey, true, { user: meter.address });
    world.refused('InvalidAccountData', [call], [world.registrar]);
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    const wallet = world.user({ verified: false });
    refusesWrongAccounts(
      world,
      'registry',
      'verify_user',
      [world.verifyUser(wallet.publicKey)],
      [world.registrar],
      {
        registrar: { other: 'NotRegistrar', unsigned: 'MissingRequiredSignature' },
        config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
        user: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      },
    );
  });
});
