/*
 * The other programs in governance's hands: their admins hand over, governance accepts by a proposal, and from then on a
 * vote changes what an admin changed.
 */
import { Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOV, GovernanceWorld, govPda, NO, Status } from './governance.js';
import { oraclePda } from './oracle.js';
import { bn, call, pda, program, SystemProgram } from './support.js';
import { ONE } from './trading.js';

const signer = govPda.signer;

const CERTIFICATES = program('certificates').id;
const certificatesConfig = PublicKey.findProgramAddressSync([Buffer.from('config')], CERTIFICATES)[0];
const certificatesState = (world: GovernanceWorld) =>
  world.decode('certificates', 'Config', certificatesConfig);

/** An instruction for the admin of certificates. */
const certificates = (
  name: 'propose_admin' | 'set_guardian',
  args: Record<string, unknown>,
  admin: PublicKey,
) => call('certificates', name, args, { admin, config: certificatesConfig });
const pauseCertificates = (paused: boolean, authority: PublicKey) =>
  call('certificates', 'set_paused', { paused }, { authority, config: certificatesConfig });

/** Registry, market, oracle and certificates under governance, and a wallet whose vote decides. */
function handedOver(): { world: GovernanceWorld; holder: Keypair; admin: Keypair } {
  const world = new GovernanceWorld({ noMarket: false, noOracle: false });
  const admin = world.upgradeAuthority;
  const holder = world.holder();
  world.deploy(CERTIFICATES, 'certificates');
  world.must(
    [
      call(
        'certificates',
        'initialize',
        { guardian: world.guardian.publicKey },
        {
          authority: admin.publicKey,
          config: certificatesConfig,
          program_data: pda.programData(CERTIFICATES),
          system_program: SystemProgram.programId,
        },
      ),
    ],
    [admin],
  );
  world.must(
    [
      world.admin('propose_admin', { new_admin: signer }),
      world.marketAdmin('propose_admin', { new_admin: signer }),
      world.oracleAuthority('propose_authority', { new_authority: signer }),
      certificates('propose_admin', { new_admin: signer }, admin.publicKey),
    ],
    [admin],
  );
  world.enact(
    holder,
    world.acceptAdmin(signer),
    world.acceptMarketAdmin(signer),
    world.acceptAuthority(signer),
    call('certificates', 'accept_admin', {}, { new_admin: signer, config: certificatesConfig }),
  );
  return { world, holder, admin };
}

/** Arguments of the registry's `set_limits`. */
const limits = (watts: number, cap = 0n) => ({ max_rated_watts: watts, daily_mint_cap: bn(cap) });

describe('the other programs in the hands of governance', () => {
  it('are taken over by one proposal', () => {
    const { world } = handedOver();
    expect(world.config().admin).toEqual(signer);
    expect(world.marketState().admin).toEqual(signer);
    expect(world.decode('oracle', 'Config', oraclePda.config).authority).toEqual(signer);
    expect(certificatesState(world).admin).toEqual(signer);
  });

  it('refuse the old admin from then on', () => {
    const { world, admin } = handedOver();
    const attempts: [string, TransactionInstruction][] = [
      ['NotAdmin', world.admin('set_limits', limits(1))],
      ['NotAdmin', world.admin('set_registrar', { new_registrar: admin.publicKey })],
      ['NotAdmin', world.admin('set_guardian', { new_guardian: admin.publicKey })],
      ['NotAdmin', world.admin('propose_admin', { new_admin: admin.publicKey })],
      ['NotAuthorized', world.setPaused(true)],
      ['NotAdmin', world.updateMetadata('')],
      ['NotAdmin', world.marketAdmin('set_fee', { fee_bps: 0 })],
      ['NotAdmin', world.marketAdmin('propose_admin', { new_admin: admin.publicKey })],
      ['NotAdmin', world.setTreasury(world.treasury)],
      ['NotAuthorized', world.pauseMarket(true)],
      ['NotAuthority', world.addPublisher(admin.publicKey)],
      ['NotAuthority', world.setFeedSettings({ minPublishers: 1 })],
      ['NotAuthorized', world.pauseFeed(true)],
      ['NotAuthority', world.oracleAuthority('propose_authority', { new_authority: admin.publicKey })],
      ['NotAdmin', certificates('set_guardian', { new_guardian: admin.publicKey }, admin.publicKey)],
      ['NotAuthorized', pauseCertificates(true, admin.publicKey)],
    ];
    for (const [error, instruction] of attempts) world.refused(error, [instruction], [admin]);
  });

  it('do what a proposal says: fee, limits, registrar, guardians, pause and resumption', () => {
    const { world, holder } = handedOver();
    const [registrar, guardian] = [world.key().publicKey, world.key().publicKey];
    const meter = world.newMeter();
    // A longer mint needs rent, which anybody can send.
    world.fund(pda.mint);
    world.enact(
      holder,
      world.setMeterCap(meter, 40n, signer),
      world.updateMetadata('https://example.org/grid.json', signer),
    );
    world.enact(
      holder,
      world.marketAdmin('set_fee', { fee_bps: 10 }, signer),
      world.admin('set_limits', limits(50_000, 30n), signer),
      world.admin('set_registrar', { new_registrar: registrar }, signer),
      world.admin('set_guardian', { new_guardian: guardian }, signer),
      world.marketAdmin('set_guardian', { new_guardian: guardian }, signer),
      world.setPaused(true, signer),
      world.pauseMarket(true, signer),
    );
    expect(world.config()).toMatchObject({
      max_rated_watts: 50_000,
      registrar,
      guardian,
      paused: 1,
    });
    expect(String(world.config().daily_mint_cap)).toBe('30');
    expect(world.meter(meter).dailyMintCap).toBe(40n);
    expect(world.dataOf(pda.mint).includes('https://example.org/grid.json')).toBe(true);
    expect(world.marketState()).toMatchObject({ fee_bps: 10, guardian, paused: 1 });
    world.enact(holder, world.setPaused(false, signer), world.pauseMarket(false, signer));
    expect(world.config().paused).toBe(0);
    expect(world.marketState().paused).toBe(0);
  });

  it('change their publishers and certificates by proposal', () => {
    const { world, holder } = handedOver();
    const [gone, publisher] = [world.publisher(0), world.key()];
    const guardian = world.key().publicKey;
    world.enact(
      holder,
      world.removePublisher(gone.publicKey, signer),
      world.addPublisher(publisher.publicKey, signer),
      world.setFeedSettings({ minPublishers: 1 }, signer),
      world.pauseFeed(true, signer),
      certificates('set_guardian', { new_guardian: guardian }, signer),
      pauseCertificates(true, signer),
    );
    expect(certificatesState(world)).toMatchObject({ guardian, paused: 1 });
    world.enact(holder, world.pauseFeed(false, signer), pauseCertificates(false, signer));
    expect(certificatesState(world).paused).toBe(0);
    world.refused('NotPublisher', [world.submitPrice(gone.publicKey, 3n * ONE)], [gone]);
    world.must([world.submitPrice(publisher.publicKey, 3n * ONE)], [publisher]);
    expect(world.feedState().price).toBe(3n * ONE);
  });

  it("leave each program's guardian its own pause", () => {
    const { world, holder } = handedOver();
    world.must([world.setPaused(true, world.guardian.publicKey)], [world.guardian]);
    world.must([world.pauseMarket(true, world.marketGuardian.publicKey)], [world.marketGuardian]);
    world.refused('NotAuthorized', [world.setPaused(false, world.guardian.publicKey)], [world.guardian]);
    // Governance's own guardian has no say there.
    world.refused('NotAuthorized', [world.setPaused(true, world.govGuardian.publicKey)], [world.govGuardian]);
    world.enact(holder, world.setPaused(false, signer), world.pauseMarket(false, signer));
    expect(world.config().paused).toBe(0);
  });

  it('do nothing that was voted down, and nobody signs for governance without a vote', () => {
    const { world, holder, admin } = handedOver();
    const opponent = world.holder(200_000n * GOV);
    const proposal = world.voting(holder, [world.marketAdmin('set_fee', { fee_bps: 1_000 }, signer)]);
    world.votes(holder, proposal);
    world.votes(opponent, proposal, NO);
    world.decided(proposal, Status.defeated);
    world.refused('NotQueued', [world.execute(proposal, 0)]);
    expect(world.marketState().fee_bps).toBe(25);
    for (const wallet of [holder, admin, world.govGuardian, Keypair.generate()]) {
      world.fund(wallet.publicKey);
      const forged = world.marketAdmin('set_fee', { fee_bps: 0 }, wallet.publicKey);
      world.refused('NotAdmin', [forged], [wallet]);
    }
    const unsigned = world.marketAdmin('set_fee', { fee_bps: 0 }, signer);
    const key = unsigned.keys[0] as { pubkey: PublicKey; isSigner: boolean };
    key.isSigner = false;
    world.refused('MissingRequiredSignature', [unsigned]);
  });

  it('can be handed back', () => {
    const { world, holder, admin } = handedOver();
    world.enact(holder, world.admin('propose_admin', { new_admin: admin.publicKey }, signer));
    world.must([world.acceptAdmin(admin.publicKey)], [admin]);
    expect(world.config().admin).toEqual(admin.publicKey);
    // What governance no longer may do fails, and stays to be tried until it expires.
    const late = world.passed(holder, [world.admin('set_limits', limits(1), signer)]);
    world.refused('NotAdmin', [world.execute(late, 0)]);
    expect(world.proposalState(late)?.executed).toBe(0);
  });
});
