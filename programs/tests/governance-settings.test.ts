import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { GovernanceWorld, govPda, SETTINGS, SUPPLY } from './governance.js';
import { plain } from './trading.js';

const CHANGED = {
  proposal_deposit: 1n,
  voting_seconds: 7_200,
  timelock_seconds: 0,
  execution_seconds: 3_600,
  pause_seconds: 60,
  quorum_bps: 1_000,
  threshold_bps: 6_666,
};

describe("governance's set_settings and set_guardian", () => {
  it('are done by an executed proposal', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const guardian = world.key().publicKey;
    const proposal = world.passed(proposer, [world.setGovSettings(CHANGED), world.setGovGuardian(guardian)]);
    const [settings, named] = [0, 1].map((index) => world.must([world.execute(proposal, index)]));
    expect(world.govConfig()).toMatchObject({ settings: CHANGED, guardian, supply: SUPPLY });
    const changed = settings?.events.map(({ name, data }) => [name, plain(data)] as const) ?? [];
    expect(changed.map(([name]) => name)).toEqual(['GovernanceChanged', 'InstructionExecuted']);
    expect(plain(changed[0]?.[1].settings as Record<string, unknown>)).toEqual(CHANGED);
    expect(named?.events[0]).toMatchObject({ name: 'GovernanceChanged', data: { guardian } });
    // A proposal made from now on is under them.
    const next = world.voting(proposer);
    expect(world.proposalState(next)).toMatchObject({ quorum: SUPPLY / 10n, raw: { threshold_bps: 6_666 } });
  });

  it('are refused to everybody else, the upgrade authority included', () => {
    const world = new GovernanceWorld();
    for (const wallet of [world.upgradeAuthority, world.govGuardian, world.govOwner, world.payer]) {
      const by = { governance: wallet.publicKey };
      world.refused('NotGovernance', [world.setGovSettings({}, by)], [wallet]);
      world.refused('NotGovernance', [world.setGovGuardian(wallet.publicKey, by)], [wallet]);
    }
    for (const instruction of [world.setGovSettings({}), world.setGovGuardian(world.payer.publicKey)]) {
      const keys = instruction.keys.map((key) => ({ ...key, isSigner: false }));
      world.refused('MissingRequiredSignature', [new TransactionInstruction({ ...instruction, keys })]);
    }
  });

  it('refuse what would leave governance unable to change it again', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const wrong: Partial<typeof SETTINGS>[] = [
      { proposal_deposit: SUPPLY / 10n + 1n },
      { proposal_deposit: 0n },
      { voting_seconds: 59 },
      { timelock_seconds: 90 * 86_400 + 1 },
      { execution_seconds: 59 },
      { pause_seconds: 30 * 86_400 + 1 },
      { quorum_bps: 5_001 },
      { threshold_bps: 10_000 },
    ];
    const proposal = world.passed(
      proposer,
      wrong.map((settings) => world.setGovSettings(settings)),
    );
    world.refused('SettingsInvalid', [world.execute(proposal, 0)]);
    for (const settings of wrong) {
      const each = world.passed(proposer, [world.setGovSettings(settings)]);
      world.refused('SettingsInvalid', [world.execute(each, 0)]);
    }
    const nobody = world.passed(proposer, [world.setGovGuardian(PublicKey.default)]);
    world.refused('AuthorityInvalid', [world.execute(nobody, 0)]);
    expect(world.govConfig().settings).toEqual(SETTINGS);
  });

  it('refuse wrong accounts, within a proposal as well', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const twin = world.forgedCopy(govPda.config, world.account(govPda.config)?.owner);
    const copy = world.forgedCopy(govPda.config);
    for (const [error, config] of [
      ['WrongConfig', twin],
      ['IllegalOwner', copy],
      ['AccountDataTooSmall', world.key().publicKey],
    ] as const)
      for (const call of [
        world.setGovSettings({}, { config }),
        world.setGovGuardian(proposer.publicKey, { config }),
      ])
        world.refused(error, [world.execute(world.passed(proposer, [call]), 0)]);
    for (const call of [world.setGovSettings({}), world.setGovGuardian(proposer.publicKey)]) {
      const readonly = call.keys.map((key) => ({ ...key, isWritable: false }));
      const proposal = world.passed(proposer, [new TransactionInstruction({ ...call, keys: readonly })]);
      world.refused('ConstraintMut', [world.execute(proposal, 0)]);
      // Another signer cannot even be written down.
      const other = call.keys.map((key) => (key.isSigner ? { ...key, pubkey: proposer.publicKey } : key));
      const draft = world.draft(proposer, []);
      const forged = new TransactionInstruction({ ...call, keys: other });
      world.refused('SignerForbidden', [world.addInstruction(draft, 0, forged)], [proposer]);
    }
  });
});
