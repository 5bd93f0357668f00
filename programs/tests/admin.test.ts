import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { bn, meterIdBytes, refusesWrongAccounts, World } from './support.js';

/** What each account of an instruction for the admin is refused with. */
const ADMIN_ACCOUNTS = {
  admin: { other: 'NotAdmin', unsigned: 'MissingRequiredSignature' },
  config: {
    other: 'AccountDataTooSmall',
    copy: 'IllegalOwner',
    twin: 'WrongConfig',
    readonly: 'ConstraintMut',
  },
};

describe('propose_admin and accept_admin', () => {
  it('hand over in two steps', () => {
    const world = new World();
    const next = Keypair.generate();
    const proposed = world.must(
      [world.admin('propose_admin', { new_admin: next.publicKey })],
      [world.upgradeAuthority],
    );
    expect(proposed.events).toMatchObject([
      { name: 'ConfigChanged', data: { pending_admin: next.publicKey } },
    ]);
    expect(world.config().admin).toEqual(world.upgradeAuthority.publicKey);
    const accepted = world.must([world.acceptAdmin(next.publicKey)], [next]);
    expect(accepted.events).toMatchObject([{ name: 'ConfigChanged', data: { admin: next.publicKey } }]);
    expect([world.config().admin, world.config().pending_admin]).toEqual([next.publicKey, PublicKey.default]);
    // The old admin is nobody now.
    world.refused(
      'NotAdmin',
      [world.admin('set_limits', { max_rated_watts: 1, daily_mint_cap: bn(7n) })],
      [world.upgradeAuthority],
    );
    world.must(
      [world.admin('set_limits', { max_rated_watts: 1, daily_mint_cap: bn(7n) }, next.publicKey)],
      [next],
    );
  });

  it('let nobody but the proposed admin accept, and a proposal be withdrawn', () => {
    const world = new World();
    const [next, stranger] = [Keypair.generate(), Keypair.generate()];
    world.refused('NotPendingAdmin', [world.acceptAdmin(next.publicKey)], [next]);
    world.must([world.admin('propose_admin', { new_admin: next.publicKey })], [world.upgradeAuthority]);
    world.refused('NotPendingAdmin', [world.acceptAdmin(stranger.publicKey)], [stranger]);
    world.must([world.admin('propose_admin', { new_admin: PublicKey.default })], [world.upgradeAuthority]);
    world.refused('NotPendingAdmin', [world.acceptAdmin(next.publicKey)], [next]);
  });

  it('refuse wrong accounts', () => {
    const world = new World();
    const next = Keypair.generate();
    const propose = world.admin('propose_admin', { new_admin: next.publicKey });
    refusesWrongAccounts(
      world,
      'registry',
      'propose_admin',
      [propose],
      [world.upgradeAuthority],
      ADMIN_ACCOUNTS,
    );
    world.must([propose], [world.upgradeAuthority]);
    refusesWrongAccounts(world, 'registry', 'accept_admin', [world.acceptAdmin(next.publicKey)], [next], {
      new_admin: { other: 'NotPendingAdmin', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
    });
  });
});

describe('set_registrar, set_guardian and set_limits', () => {
  it('change one setting each and tell the whole configuration', () => {
    const world = new World();
    const [registrar, guardian] = [Keypair.generate(), Keypair.generate()];
    const result = world.must(
      [
        world.admin('set_registrar', { new_registrar: registrar.publicKey }),
        world.admin('set_guardian', { new_guardian: guardian.publicKey }),
        world.admin('set_limits', { max_rated_watts: 7_000, daily_mint_cap: bn(7n) }),
      ],
      [world.upgradeAuthority],
    );
    expect(world.config()).toMatchObject({
      registrar: registrar.publicKey,
      guardian: guardian.publicKey,
      max_rated_watts: 7_000,
    });
    expect(result.events.map(({ name }) => name)).toEqual([
      'ConfigChanged',
      'ConfigChanged',
      'ConfigChanged',
    ]);
    expect(result.events[2]?.data).toMatchObject({ guardian: guardian.publicKey, max_rated_watts: 7_000 });
    expect(String(result.events[2]?.data.daily_mint_cap)).toBe('7');
  });

  it("end a stolen registrar key's power at once", () => {
    const world = new World();
    const owner = world.user();
    world.must(
      [world.admin('set_registrar', { new_registrar: Keypair.generate().publicKey })],
      [world.upgradeAuthority],
    );
    const key = Keypair.generate();
    const id = meterIdBytes('INVENTED');
    world.refused(
      'NotRegistrar',
      [
        world.consent(key, id, owner.publicKey),
        world.registerMeter({ id, key: key.publicKey, owner: owner.publicKey }),
      ],
      [owner, world.registrar],
    );
    world.refused('NotRegistrar', [world.verifyUser(owner.publicKey)], [world.registrar]);
  });

  it('refuse everybody but the admin', () => {
    const world = new World();
    const stranger = Keypair.generate();
    for (const signer of [world.registrar, world.guardian, stranger]) {
      for (const [name, args] of [
        ['propose_admin', { new_admin: signer.publicKey }],
        ['set_registrar', { new_registrar: signer.publicKey }],
        ['set_guardian', { new_guardian: signer.publicKey }],
        ['set_limits', { max_rated_watts: 1, daily_mint_cap: bn(7n) }],
      ] as const) {
        world.refused('NotAdmin', [world.admin(name, args, signer.publicKey)], [signer]);
      }
    }
  });

  it('refuse zero', () => {
    const world = new World();
    const refused = (error: string, ...call: Parameters<World['admin']>) =>
      world.refused(error, [world.admin(...call)], [world.upgradeAuthority]);
    refused('AuthorityInvalid', 'set_registrar', { new_registrar: PublicKey.default });
    refused('AuthorityInvalid', 'set_guardian', { new_guardian: PublicKey.default });
    refused('LimitInvalid', 'set_limits', { max_rated_watts: 0, daily_mint_cap: bn(7n) });
  });

  it('refuse wrong accounts', () => {
    const world = new World();
    const key = Keypair.generate().publicKey;
    for (const [name, args] of [
      ['set_registrar', { new_registrar: key }],
      ['set_guardian', { new_guardian: key }],
      ['set_limits', { max_rated_watts: 5, daily_mint_cap: bn(7n) }],
    ] as const) {
      refusesWrongAccounts(
        world,
        'registry',
        name,
        [world.admin(name, args)],
        [world.upgradeAuthority],
        ADMIN_ACCOUNTS,
      );
    }
  });
});
