import { describe, expect, it } from 'vitest';
import { GovernanceWorld, SETTINGS, YES } from './governance.js';
import { refusesWrongAccounts } from './support.js';

const CYCLE = SETTINGS.voting_seconds + SETTINGS.timelock_seconds + SETTINGS.execution_seconds;

describe("governance's pause", () => {
  it('lasts as long as the settings say, and ends by itself', () => {
    const world = new GovernanceWorld();
    const start = world.now();
    const result = world.must([world.pauseGovernance()], [world.govGuardian]);
    expect(world.event(result, 'GovernancePaused')).toEqual({
      guardian: world.govGuardian.publicKey.toBase58(),
      paused_until: BigInt(start + SETTINGS.pause_seconds),
      pause_allowed_at: BigInt(start + SETTINGS.pause_seconds + CYCLE),
      timestamp: BigInt(start),
    });
    expect(world.govConfig()).toMatchObject({
      pausedUntil: start + SETTINGS.pause_seconds,
      pauseAllowedAt: start + SETTINGS.pause_seconds + CYCLE,
    });
  });

  it('stops nothing but proposals and executions', () => {
    const world = new GovernanceWorld();
    const [proposer, wallet] = [world.holder(), world.holder(5n)];
    const proposal = world.voting(proposer);
    const cancelled = world.voting(proposer);
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.refused('Paused', [world.createProposal(world.plannedProposal(proposer))], [proposer]);
    world.must([world.castVote(wallet.publicKey, proposal, YES)], [wallet]);
    world.must([world.cancelProposal(cancelled)], [proposer]);
    world.must([world.closeProposal(cancelled)]);
    world.setClock(world.now() + SETTINGS.voting_seconds);
    world.must([world.closeVote(wallet.publicKey, proposal)]);
    world.must([world.finalizeProposal(proposal)]);
    world.must([world.withdrawGov(wallet.publicKey, 5n), world.closeVoter(wallet.publicKey)], [wallet]);
  });

  it('leaves time for a proposal that names another guardian before it can be repeated', () => {
    const world = new GovernanceWorld();
    const proposer = world.holder();
    const [old, next] = [world.govGuardian, world.key()];
    world.must([world.pauseGovernance()], [old]);
    world.refused('PauseTooSoon', [world.pauseGovernance()], [old]);
    world.setClock(world.govConfig().pausedUntil);
    world.refused('PauseTooSoon', [world.pauseGovernance()], [old]);
    // Begun when the pause ends, it can be executed before the next one.
    const proposal = world.passed(proposer, [world.setGovGuardian(next.publicKey)]);
    world.refused('PauseTooSoon', [world.pauseGovernance()], [old]);
    world.setClock(Number(world.proposalState(proposal)?.expiresAt) - 1);
    world.refused('PauseTooSoon', [world.pauseGovernance()], [old]);
    world.must([world.execute(proposal, 0)]);
    world.refused('NotGuardian', [world.pauseGovernance()], [old]);
    // The new guardian can pause at once.
    world.must([world.pauseGovernance(next.publicKey)], [next]);
  });

  it('can be repeated then, to the second', () => {
    const world = new GovernanceWorld();
    world.must([world.pauseGovernance()], [world.govGuardian]);
    world.setClock(world.govConfig().pauseAllowedAt - 1);
    world.refused('PauseTooSoon', [world.pauseGovernance()], [world.govGuardian]);
    world.setClock(world.now() + 1);
    world.must([world.pauseGovernance()], [world.govGuardian]);
  });

  it('is all that the guardian can do', () => {
    const world = new GovernanceWorld();
    const { govGuardian: guardian, upgradeAuthority } = world;
    const by = { governance: guardian.publicKey };
    world.refused('NotGovernance', [world.setGovGuardian(guardian.publicKey, by)], [guardian]);
    world.refused('NotGovernance', [world.setGovSettings({}, by)], [guardian]);
    for (const stranger of [upgradeAuthority, world.govOwner])
      world.refused('NotGuardian', [world.pauseGovernance(stranger.publicKey)], [stranger]);
  });

  it('refuses wrong accounts', () => {
    const world = new GovernanceWorld();
    refusesWrongAccounts(world, 'governance', 'pause', [world.pauseGovernance()], [world.govGuardian], {
      guardian: { other: 'NotGuardian', unsigned: 'MissingRequiredSignature' },
      config: {
        other: 'AccountDataTooSmall',
        copy: 'IllegalOwner',
        twin: 'WrongConfig',
        readonly: 'ConstraintMut',
      },
    });
  });
});
