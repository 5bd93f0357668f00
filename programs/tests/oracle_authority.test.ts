import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { OracleWorld } from './oracle.js';
import { refusesWrongAccounts } from './support.js';

describe("the oracle's propose_authority and accept_authority", () => {
  it('hand over in two steps', () => {
    const world = new OracleWorld();
    const next = Keypair.generate();
    const proposed = world.must(
      [world.oracleAuthority('propose_authority', { new_authority: next.publicKey })],
      [world.upgradeAuthority],
    );
    expect(world.event(proposed, 'OracleChanged')).toMatchObject({
      authority: world.upgradeAuthority.publicKey.toBase58(),
      pending_authority: next.publicKey.toBase58(),
    });
    // Until then the old one rules.
    world.must([world.setFeedSettings()], [world.upgradeAuthority]);
    const accepted = world.must([world.acceptAuthority(next.publicKey)], [next]);
    expect(world.event(accepted, 'OracleChanged')).toMatchObject({
      authority: next.publicKey.toBase58(),
      pending_authority: PublicKey.default.toBase58(),
    });
    world.refused('NotAuthority', [world.setFeedSettings()], [world.upgradeAuthority]);
    world.must([world.setFeedSettings({}, next.publicKey)], [next]);
    world.refused('NotPendingAuthority', [world.acceptAuthority(next.publicKey)], [next]);
  });

  it('let nobody but the proposed one accept, and a proposal be withdrawn or replaced', () => {
    const world = new OracleWorld();
    const [first, second] = [Keypair.generate(), Keypair.generate()];
    const propose = (key: PublicKey) =>
      world.must(
        [world.oracleAuthority('propose_authority', { new_authority: key })],
        [world.upgradeAuthority],
      );
    world.refused('NotPendingAuthority', [world.acceptAuthority(first.publicKey)], [first]);
    propose(first.publicKey);
    world.refused('NotPendingAuthority', [world.acceptAuthority(second.publicKey)], [second]);
    propose(second.publicKey);
    world.refused('NotPendingAuthority', [world.acceptAuthority(first.publicKey)], [first]);
    propose(PublicKey.default);
    world.refused('NotPendingAuthority', [world.acceptAuthority(second.publicKey)], [second]);
    expect(world.oracleConfig().authority).toEqual(world.upgradeAuthority.publicKey);
  });

  it('ask no lamports of the one who accepts: a program-derived address has none', () => {
    const world = new OracleWorld();
    const next = Keypair.generate();
    world.must(
      [world.oracleAuthority('propose_authority', { new_authority: next.publicKey })],
      [world.upgradeAuthority],
    );
    expect(world.account(next.publicKey)).toBeUndefined();
    const instruction = world.acceptAuthority(next.publicKey);
    expect(instruction.keys.map(({ isWritable }) => isWritable)).toEqual([false, true]);
    world.must([instruction], [next]);
  });

  it('refuse wrong accounts', () => {
    const world = new OracleWorld();
    const next = Keypair.generate();
    const propose = world.oracleAuthority('propose_authority', { new_authority: next.publicKey });
    refusesWrongAccounts(world, 'oracle', 'propose_authority', [propose], [world.upgradeAuthority], {
      authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
    });
    world.must([propose], [world.upgradeAuthority]);
    refusesWrongAccounts(
      world,
      'oracle',
      'accept_authority',
      [world.acceptAuthority(next.publicKey)],
      [next],
      {
        new_authority: { other: 'NotPendingAuthority', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
      },
    );
  });
});

describe("the oracle's set_guardian", () => {
  it('names another one, who can stop feeds; the old one no longer can', () => {
    const world = new OracleWorld();
    const next = Keypair.generate();
    const result = world.must(
      [world.oracleAuthority('set_guardian', { new_guardian: next.publicKey })],
      [world.upgradeAuthority],
    );
    expect(world.event(result, 'OracleChanged')).toMatchObject({ guardian: next.publicKey.toBase58() });
    world.refused(
      'NotAuthorized',
      [world.pauseFeed(true, world.oracleGuardian.publicKey)],
      [world.oracleGuardian],
    );
    world.must([world.pauseFeed(true, next.publicKey)], [next]);
  });

  it('is for the authority alone, and never the zero address', () => {
    const world = new OracleWorld();
    for (const signer of [world.oracleGuardian, world.publisher(0), Keypair.generate()]) {
      for (const [name, args] of [
        ['set_guardian', { new_guardian: signer.publicKey }],
        ['propose_authority', { new_authority: signer.publicKey }],
      ] as const)
        world.refused('NotAuthority', [world.oracleAuthority(name, args, signer.publicKey)], [signer]);
    }
    world.refused(
      'AuthorityInvalid',
      [world.oracleAuthority('set_guardian', { new_guardian: PublicKey.default })],
      [world.upgradeAuthority],
    );
  });

  it('refuses wrong accounts', () => {
    const world = new OracleWorld();
    refusesWrongAccounts(
      world,
      'oracle',
      'set_guardian',
      [world.oracleAuthority('set_guardian', { new_guardian: Keypair.generate().publicKey })],
      [world.upgradeAuthority],
      {
        authority: { other: 'NotAuthority', unsigned: 'MissingRequiredSignature' },
        config: {
          other: 'AccountDataTooSmall',
          copy: 'IllegalOwner',
          twin: 'WrongConfig',
          readonly: 'ConstraintMut',
        },
      },
    );
  });
});
