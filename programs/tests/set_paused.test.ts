import { Keypair } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { refusesWrongAccounts, World } from './support.js';

describe('set_paused', () => {
  it('stops and resumes; the guardian can only stop', () => {
    const world = new World();
    const set = (paused: boolean, signer: Keypair) => world.setPaused(paused, signer.publicKey);
    const result = world.must([set(true, world.guardian)], [world.guardian]);
    expect(world.config().paused).toBe(1);
    expect(result.events).toMatchObject([
      { name: 'PausedSet', data: { paused: true, authority: world.guardian.publicKey } },
    ]);
    world.refused('NotAuthorized', [set(false, world.guardian)], [world.guardian]);
    world.must([set(false, world.upgradeAuthority)], [world.upgradeAuthority]);
    expect(world.config().paused).toBe(0);
    world.must([set(true, world.upgradeAuthority)], [world.upgradeAuthority]);
  });

  it('refuses everybody else, the registrar included', () => {
    const world = new World();
    for (const stranger of [world.registrar, Keypair.generate()]) {
      world.refused('NotAuthorized', [world.setPaused(true, stranger.publicKey)], [stranger]);
    }
  });

  it('refuses wrong accounts', () => {
    const world = new World();
    refusesWrongAccounts(world, 'registry', 'set_paused', [world.setPaused(true)], [world.upgradeAuthority], {
      authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
    });
  });
});
