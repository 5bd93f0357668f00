import { describe, expect, it } from 'vitest';
import { ALLOWED_IN_900_S, pda, refusesWrongAccounts, type TestMeter, World } from './support.js';

function setup() {
  const world = new World();
  const meter = world.newMeter();
  const newOwner = world.user();
  const consent = world.consent(meter.key, meter.id, newOwner.publicKey);
  const transfer = (accounts: Parameters<World['transfer']>[2] = {}) =>
    world.transfer(meter, newOwner.publicKey, accounts);
  const signers = [meter.owner, world.registrar];
  return { world, meter, newOwner, consent, transfer, signers };
}

describe('transfer_meter', () => {
  it('mints what is due to the old owner first, then the meter is the new one’s', () => {
    const { world, meter, newOwner, consent, transfer, signers } = setup();
    world.accept(meter, { made: 1_000n, used: 0n });
    const result = world.must([consent, transfer()], signers);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(1_000n);
    expect(world.balance(pda.tokenAccount(newOwner.publicKey))).toBe(0n);
    const after = world.meter(meter);
    expect(after.owner).toEqual(newOwner.publicKey);
    expect(after.tokenAccount).toEqual(pda.tokenAccount(newOwner.publicKey));
    expect(after).toMatchObject({ lastSequence: 1n, produced: 1_000n, eligible: 1_000n, minted: 1_000n });
    const meters = (wallet: typeof newOwner) =>
      world.decode('registry', 'User', pda.user(wallet.publicKey)).meters;
    expect([meters(meter.owner), meters(newOwner)]).toEqual([0, 1]);
    expect(result.events.map(({ name }) => name)).toEqual([
      'MeterBalanceSettled',
      'ProductionMinted',
      'MeterTransferred',
    ]);
    expect(result.events[2]?.data).toMatchObject({
      old_owner: meter.owner.publicKey,
      new_owner: newOwner.publicKey,
    });
  });

  it('gives what the meter counts afterwards to the new owner alone', () => {
    const { world, meter, newOwner, consent, transfer, signers } = setup();
    world.accept(meter, { made: 1_000n, used: 0n });
    world.must([consent, transfer()], signers);
    const moved: TestMeter = { ...meter, owner: newOwner };
    // The old owner's accounts no longer go with the meter.
    world.refused('UserMismatch', world.batch([meter]));
    world.must(world.batch([moved], { made: 50n, used: 0n }));
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(1_000n);
    expect(world.balance(pda.tokenAccount(newOwner.publicKey))).toBe(50n);
  });

  it('needs no token account of the old owner when nothing is due', () => {
    const world = new World();
    const meter = world.newMeter({ owner: world.user({ tokenAccount: false }) });
    const newOwner = world.user();
    const consent = world.consent(meter.key, meter.id, newOwner.publicKey);
    world.must([consent, world.transfer(meter, newOwner.publicKey)], [meter.owner, world.registrar]);
    const due = world.newMeter({ owner: world.user({ tokenAccount: false }) });
    world.accept(due);
    world.refused(
      'TokenAccountUnusable',
      [world.consent(due.key, due.id, newOwner.publicKey), world.transfer(due, newOwner.publicKey)],
      [due.owner, world.registrar],
    );
  });

  it('refuses while energy is held, until it is released or written off', () => {
    const { world, meter, consent, transfer, signers } = setup();
    world.accept(meter, { made: ALLOWED_IN_900_S + 5n, used: 0n });
    world.refused('HeldEnergyPending', [consent, transfer()], signers);
    world.must([world.review('release_held', meter, 1n)], [world.registrar]);
    world.must([consent, transfer()], signers);
    expect(world.balance(pda.tokenAccount(meter.owner.publicKey))).toBe(ALLOWED_IN_900_S + 5n);
  });

  it('needs the old owner and the registrar', () => {
    const { world, meter, newOwner, consent, transfer } = setup();
    world.refused(
      'NotMeterOwner',
      [consent, transfer({ old_owner: newOwner.publicKey })],
      [newOwner, world.registrar],
    );
    world.refused(
      'NotRegistrar',
      [consent, transfer({ registrar: world.guardian.publicKey })],
      [meter.owner, world.guardian],
    );
  });

  it("needs the meter key's consent to the new owner", () => {
    const { world, meter, newOwner, transfer, signers } = setup();
    const stranger = world.newMeter();
    world.refused('SignatureMissing', [transfer()], signers);
    world.refused(
      'ConsentMismatch',
      [world.consent(meter.key, meter.id, meter.owner.publicKey), transfer()],
      signers,
    );
    world.refused(
      'KeyMismatch',
      [world.consent(stranger.key, meter.id, newOwner.publicKey), transfer()],
      signers,
    );
    world.refused(
      'ConsentMismatch',
      [world.consent(meter.key, stranger.id, newOwner.publicKey), transfer()],
      signers,
    );
  });

  it('refuses a stolen token account, and user accounts that do not fit', () => {
    const { world, meter, newOwner, consent, transfer, signers } = setup();
    world.accept(meter);
    const thief = world.user();
    world.refused(
      'WrongTokenAccount',
      [consent, transfer({ owner_token_account: pda.tokenAccount(newOwner.publicKey) })],
      signers,
    );
    world.refused('UserMismatch', [consent, transfer({ old_user: pda.user(thief.publicKey) })], signers);
    world.refused('ConsentMismatch', [consent, transfer({ new_user: pda.user(thief.publicKey) })], signers);
  });

  it('refuses a transfer to oneself', () => {
    const { world, meter, signers } = setup();
    const consent = world.consent(meter.key, meter.id, meter.owner.publicKey);
    world.refused(
      'ConstraintDuplicateMutableAccount',
      [consent, world.transfer(meter, meter.owner.publicKey)],
      signers,
    );
  });

  it('refuses a suspended meter, and everything while paused', () => {
    const { world, meter, consent, transfer, signers } = setup();
    world.must([world.setStatus(meter, 1)], [world.registrar]);
    world.refused('MeterSuspended', [consent, transfer()], signers);
    world.must([world.setStatus(meter, 0)], [world.registrar]);
    world.must([world.setPaused(true)], [world.upgradeAuthority]);
    world.refused('Paused', [consent, transfer()], signers);
  });

  it('refuses wrong accounts', () => {
    const { world, meter, consent, transfer, signers } = setup();
    world.accept(meter);
    refusesWrongAccounts(world, 'registry', 'transfer_meter', [consent, transfer()], signers, {
      old_owner: { other: 'NotMeterOwner', unsigned: 'MissingRequiredSignature' },
      registrar: { other: 'NotRegistrar', unsigned: 'MissingRequiredSignature' },
      config: { other: 'IllegalOwner', copy: 'IllegalOwner', twin: 'WrongConfig' },
      meter: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      old_user: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      new_user: { other: 'AccountDataTooSmall', copy: 'IllegalOwner', readonly: 'ConstraintMut' },
      instructions: { other: 'InvalidArgument' },
      owner_token_account: {
        other: 'WrongTokenAccount',
        copy: 'WrongTokenAccount',
        readonly: 'ConstraintMut',
      },
      mint_authority: { other: 'WrongMintAuthority' },
      token_config: {
        other: 'WrongTokenConfig',
        copy: 'WrongTokenConfig',
        twin: 'WrongTokenConfig',
        readonly: 'ConstraintMut',
      },
      grid_mint: { other: 'WrongMint', copy: 'WrongMint', readonly: 'ConstraintMut' },
      energy_token_program: { other: 'WrongEnergyTokenProgram' },
      token_program: { other: 'ConstraintExecutable' },
    });
  });
});
