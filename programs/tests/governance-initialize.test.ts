import { createMintToInstruction, MintLayout } from '@solana/spl-token';
import { Keypair, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GOVERNANCE, GovernanceWorld, govPda, SETTINGS, SUPPLY } from './governance.js';
import { pda, refusesWrongAccounts, SystemProgram } from './support.js';
import { plain } from './trading.js';

const bare = () => new GovernanceWorld({ noGovernance: true });

describe("governance's initialize", () => {
  it('makes configuration, mint and vault, and gives all GOV to the owner', () => {
    const world = bare();
    const rent = world.lamports(world.upgradeAuthority.publicKey);
    const result = world.must([world.initializeGovernance()], [world.upgradeAuthority]);
    expect(world.govConfig()).toMatchObject({
      guardian: world.govGuardian.publicKey,
      supply: SUPPLY,
      deposited: 0n,
      proposals: 0n,
      pausedUntil: 0,
      pauseAllowedAt: 0,
      settings: SETTINGS,
    });
    expect(world.gov(world.govOwner.publicKey)).toBe(SUPPLY);
    const vault = world.account(govPda.vault);
    expect(vault?.lamports).toBe(world.rent(165));
    // The vault is its own authority: the governance address has nothing to do with it.
    expect(world.tokenOwner(govPda.vault)).toEqual(govPda.vault);
    expect(govPda.vault).not.toEqual(govPda.signer);
    const { settings, ...event } = world.event(result, 'GovernanceChanged');
    expect(event).toEqual({
      guardian: world.govGuardian.publicKey.toBase58(),
      supply: SUPPLY,
      timestamp: BigInt(world.now()),
    });
    expect(plain(settings as Record<string, unknown>)).toEqual(SETTINGS);
    expect(rent - world.lamports(world.upgradeAuthority.publicKey)).toBe(
      world.rent(8 + 168) + world.rent(82) + 2n * world.rent(165),
    );
  });

  it('leaves nobody who could ever mint or freeze GOV', () => {
    const world = new GovernanceWorld();
    const mint = MintLayout.decode(world.dataOf(govPda.mint));
    expect(mint).toMatchObject({
      supply: SUPPLY,
      decimals: 9,
      isInitialized: true,
      mintAuthorityOption: 0,
      freezeAuthorityOption: 0,
    });
    const owner = world.govOwner;
    for (const authority of [owner, world.upgradeAuthority]) {
      world.refused(
        'Custom(5)',
        [createMintToInstruction(govPda.mint, world.govAccount(owner.publicKey), authority.publicKey, 1n)],
        [authority],
      );
    }
  });

  it('happens once', () => {
    const world = new GovernanceWorld();
    world.refused('AlreadyInitialized', [world.initializeGovernance()], [world.upgradeAuthority]);
  });

  it('is not stopped by lamports that somebody sent to the addresses before', () => {
    const world = bare();
    world.must(
      [govPda.config, govPda.mint, govPda.vault, world.govAccount(world.govOwner.publicKey)].map((toPubkey) =>
        SystemProgram.transfer({ fromPubkey: world.payer.publicKey, toPubkey, lamports: 1_000_000 }),
      ),
    );
    world.must([world.initializeGovernance()], [world.upgradeAuthority]);
    expect(world.gov(world.govOwner.publicKey)).toBe(SUPPLY);
  });

  it('is for the upgrade authority alone', () => {
    const world = bare();
    const stranger = Keypair.generate();
    world.fund(stranger.publicKey);
    const forged = world.initializeGovernance({}, { authority: stranger.publicKey });
    world.refused('NotUpgradeAuthority', [forged], [stranger]);
    // A final program has no authority any more.
    world.deploy(GOVERNANCE, 'governance', PublicKey.default);
    world.refused('NotUpgradeAuthority', [world.initializeGovernance()], [world.upgradeAuthority]);
    const data = world.dataOf(pda.programData(GOVERNANCE));
    data[12] = 0;
    world.setAccount(
      pda.programData(GOVERNANCE),
      new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111'),
      data,
    );
    world.refused('NotUpgradeAuthority', [world.initializeGovernance()], [world.upgradeAuthority]);
  });

  it('refuses settings outside their ranges, and takes those at their ends', () => {
    const world = bare();
    const wrong: Partial<typeof SETTINGS>[] = [
      { proposal_deposit: 0n },
      { proposal_deposit: SUPPLY / 10n + 1n },
      { voting_seconds: 59 },
      { voting_seconds: 90 * 86_400 + 1 },
      { timelock_seconds: 90 * 86_400 + 1 },
      { execution_seconds: 59 },
      { execution_seconds: 90 * 86_400 + 1 },
      { pause_seconds: 59 },
      { pause_seconds: 30 * 86_400 + 1 },
      { quorum_bps: 0 },
      { quorum_bps: 5_001 },
      { threshold_bps: 4_999 },
      { threshold_bps: 10_000 },
    ];
    for (const settings of wrong) {
      const instruction = world.initializeGovernance({ settings: { ...SETTINGS, ...settings } });
      world.refused('SettingsInvalid', [instruction], [world.upgradeAuthority]);
    }
    const ends = [
      {
        proposal_deposit: 1n,
        voting_seconds: 60,
        timelock_seconds: 0,
        execution_seconds: 60,
        pause_seconds: 60,
        quorum_bps: 1,
        threshold_bps: 5_000,
      },
      {
        proposal_deposit: SUPPLY / 10n,
        voting_seconds: 90 * 86_400,
        timelock_seconds: 90 * 86_400,
        execution_seconds: 90 * 86_400,
        pause_seconds: 30 * 86_400,
        quorum_bps: 5_000,
        threshold_bps: 9_999,
      },
    ];
    for (const settings of ends)
      expect(new GovernanceWorld({ settings }).govConfig().settings).toEqual(settings);
  });

  it('refuses a supply too small to be divided, and takes any other', () => {
    const world = bare();
    const settings = { ...SETTINGS, proposal_deposit: 1n };
    for (const supply of [0n, 9n]) {
      const instruction = world.initializeGovernance({ supply, settings });
      world.refused('SupplyInvalid', [instruction], [world.upgradeAuthority]);
    }
    for (const supply of [10n, 2n ** 64n - 1n]) {
      const other = new GovernanceWorld({ supply, settings });
      expect(other.gov(other.govOwner.publicKey)).toBe(supply);
    }
  });

  it('refuses a guardian and an owner that nobody can be', () => {
    const world = bare();
    const refused = (instruction: ReturnType<typeof world.initializeGovernance>) =>
      world.refused('AuthorityInvalid', [instruction], [world.upgradeAuthority]);
    refused(world.initializeGovernance({ guardian: PublicKey.default }));
    const owner = PublicKey.default;
    refused(world.initializeGovernance({}, { owner, owner_token_account: world.govAccount(owner) }));
  });

  it('refuses wrong accounts', () => {
    const world = bare();
    refusesWrongAccounts(
      world,
      'governance',
      'initialize',
      [world.initializeGovernance()],
      [world.upgradeAuthority],
      {
        authority: {
          other: 'NotUpgradeAuthority',
          unsigned: 'MissingRequiredSignature',
          readonly: 'MissingRequiredSignature',
        },
        config: { other: 'WrongConfig', readonly: 'ConstraintMut' },
        mint: { other: 'WrongMint', readonly: 'ConstraintMut' },
        vault: { other: 'WrongVault', readonly: 'ConstraintMut' },
        owner: { other: 'InvalidSeeds' },
        owner_token_account: { other: 'InvalidSeeds', readonly: 'ConstraintMut' },
        program_data: { other: 'WrongProgramData', copy: 'WrongProgramData' },
        token_program: { other: 'ConstraintExecutable' },
        associated_token_program: { other: 'ConstraintExecutable', copy: 'ConstraintExecutable' },
        system_program: { other: 'ConstraintExecutable' },
      },
    );
  });
});
