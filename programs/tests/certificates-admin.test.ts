import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { CERTIFICATES, CertificatesWorld, certificatesPda, KWH, WIND } from './certificates.js';
import { pda, refusesWrongAccounts, UPGRADEABLE_LOADER, type WrongAccount } from './support.js';

const config = (world: CertificatesWorld) => world.decode('certificates', 'Config', certificatesPda.config);

/** What the configuration is refused with where an admin changes it. */
const CONFIG: WrongAccount = {
  other: 'AccountDataTooSmall',
  copy: 'IllegalOwner',
  twin: 'WrongConfig',
  readonly: 'ConstraintMut',
};

describe("certificates' initialize", () => {
  it('makes the upgrade authority the admin', () => {
    const world = new CertificatesWorld({ noConfig: true });
    const result = world.must([world.initializeCertificates()], [world.upgradeAuthority]);
    expect(world.event(result, 'CertificatesConfigChanged')).toEqual({
      admin: world.upgradeAuthority.publicKey.toBase58(),
      pending_admin: PublicKey.default.toBase58(),
      guardian: world.certificatesGuardian.publicKey.toBase58(),
      paused: false,
      timestamp: BigInt(world.now()),
    });
    expect(config(world)).toMatchObject({ admin: world.upgradeAuthority.publicKey, paused: 0 });
    expect(world.lamports(certificatesPda.config)).toBe(world.rent(176));
  });

  it('is for the upgrade authority alone, once, also where somebody sent lamports before', () => {
    const world = new CertificatesWorld({ noConfig: true });
    const firstComer = Keypair.generate();
    world.fund(firstComer.publicKey);
    const first = world.initializeCertificates(undefined, { authority: firstComer.publicKey });
    world.refused('NotUpgradeAuthority', [first], [firstComer]);
    world.refused(
      'AuthorityInvalid',
      [world.initializeCertificates(PublicKey.default)],
      [world.upgradeAuthority],
    );
    world.fund(certificatesPda.config);
    world.must([world.initializeCertificates()], [world.upgradeAuthority]);
    world.refused('AlreadyInitialized', [world.initializeCertificates()], [world.upgradeAuthority]);
  });

  it('is for nobody when the program is final', () => {
    const world = new CertificatesWorld({ noConfig: true });
    const data = world.dataOf(pda.programData(CERTIFICATES));
    data[12] = 0;
    world.setAccount(pda.programData(CERTIFICATES), UPGRADEABLE_LOADER, data);
    world.refused('NotUpgradeAuthority', [world.initializeCertificates()], [world.upgradeAuthority]);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld({ noConfig: true });
    refusesWrongAccounts(
      world,
      'certificates',
      'initialize',
      [world.initializeCertificates()],
      [world.upgradeAuthority],
      {
        authority: {
          other: 'NotUpgradeAuthority',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        config: { other: 'WrongConfig', readonly: 'ConstraintMut' },
        program_data: { other: 'WrongProgramData', copy: 'WrongProgramData' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});

describe("certificates' propose_admin, accept_admin and set_guardian", () => {
  it('hand over in two steps', () => {
    const world = new CertificatesWorld();
    const [next, guardian] = [Keypair.generate(), Keypair.generate()];
    world.refused('NotPendingAdmin', [world.acceptCertificatesAdmin(next.publicKey)], [next]);
    const proposal = world.certificatesAdmin('propose_admin', { new_admin: next.publicKey });
    const result = world.must([proposal], [world.upgradeAuthority]);
    expect(world.event(result, 'CertificatesConfigChanged')).toMatchObject({
      pending_admin: next.publicKey.toBase58(),
    });
    world.refused('NotPendingAdmin', [world.acceptCertificatesAdmin(guardian.publicKey)], [guardian]);
    world.must([world.acceptCertificatesAdmin(next.publicKey)], [next]);
    expect(config(world)).toMatchObject({ admin: next.publicKey, pending_admin: PublicKey.default });
    const change = { new_guardian: guardian.publicKey };
    world.refused('NotAdmin', [world.certificatesAdmin('set_guardian', change)], [world.upgradeAuthority]);
    world.must([world.certificatesAdmin('set_guardian', change, next.publicKey)], [next]);
    expect(config(world).guardian).toEqual(guardian.publicKey);
  });

  it('withdraw a proposal with the zero address, which is never a guardian', () => {
    const world = new CertificatesWorld();
    const next = Keypair.generate();
    const propose = (key: PublicKey) => world.certificatesAdmin('propose_admin', { new_admin: key });
    world.must([propose(next.publicKey), propose(PublicKey.default)], [world.upgradeAuthority]);
    world.refused('NotPendingAdmin', [world.acceptCertificatesAdmin(next.publicKey)], [next]);
    world.refused(
      'AuthorityInvalid',
      [world.certificatesAdmin('set_guardian', { new_guardian: PublicKey.default })],
      [world.upgradeAuthority],
    );
  });

  it('refuse wrong accounts', () => {
    const world = new CertificatesWorld();
    const next = Keypair.generate();
    const admin = { other: 'NotAdmin', unsigned: 'MissingRequiredSignature' };
    for (const [name, args] of [
      ['set_guardian', { new_guardian: next.publicKey }],
      ['propose_admin', { new_admin: next.publicKey }],
    ] as const) {
      const instruction = world.certificatesAdmin(name, args);
      refusesWrongAccounts(world, 'certificates', name, [instruction], [world.upgradeAuthority], {
        admin,
        config: CONFIG,
      });
      world.must([instruction], [world.upgradeAuthority]);
    }
    refusesWrongAccounts(
      world,
      'certificates',
      'accept_admin',
      [world.acceptCertificatesAdmin(next.publicKey)],
      [next],
      { new_admin: { other: 'NotPendingAdmin', unsigned: 'MissingRequiredSignature' }, config: CONFIG },
    );
  });
});

describe("certificates' set_paused", () => {
  it("stops everything but the owner's lamports; the guardian cannot resume", () => {
    const world = new CertificatesWorld();
    const { meter, certificate } = world.withCertificate();
    const unopened = world.newMeter();
    const sold = world.withBook();
    const buyer = world.user();
    const transferred = world.handOver(sold, buyer);
    world.fundBook(meter, 1_000_000n);
    world.must([world.setAutoIssue(meter, true)], [meter.owner]);
    world.produce(meter);
    const guardian = world.certificatesGuardian;
    world.must([world.pauseCertificates(true, guardian.publicKey)], [guardian]);
    const { owner } = meter;
    world.refused('Paused', [world.openBook(unopened)], [unopened.owner, world.registrar]);
    world.refused('Paused', [world.issue(meter, 1n)], [owner]);
    world.refused('Paused', [world.issueFor(meter, false)]);
    world.refused('Paused', [world.split(meter, certificate, 1n)], [owner]);
    world.refused('Paused', [world.give(certificate, owner.publicKey, buyer.publicKey)], [owner]);
    world.refused('Paused', [world.retireCertificate(meter, certificate)], [owner]);
    world.refused('Paused', [world.adoptBook(transferred)]);
    world.refused('Paused', [world.setSource(meter, WIND)], [world.registrar]);
    world.must([world.withdrawFunds(meter, 1_000_000n)], [owner]);
    world.must([world.setAutoIssue(meter, false)], [owner]);
    world.refused('NotAuthorized', [world.pauseCertificates(false, guardian.publicKey)], [guardian]);
    world.refused('NotAuthorized', [world.pauseCertificates(true, owner.publicKey)], [owner]);
    world.must([world.pauseCertificates(false)], [world.upgradeAuthority]);
    world.must([world.issue(meter, KWH)], [owner]);
  });

  it('refuses wrong accounts', () => {
    const world = new CertificatesWorld();
    refusesWrongAccounts(
      world,
      'certificates',
      'set_paused',
      [world.pauseCertificates(true)],
      [world.upgradeAuthority],
      { authority: { other: 'NotAuthorized', unsigned: 'MissingRequiredSignature' }, config: CONFIG },
    );
  });
});
