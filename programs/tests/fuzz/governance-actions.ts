/* Governance: deposits, proposals, votes, execution. */
import type { TransactionInstruction } from '@solana/web3.js';
import { ABSTAIN, GOV, govPda, hashOf, NO, Status, type TestProposal, YES } from '../governance.js';
import type { Action, Stage } from './engine.js';
import { amountIn, anybody, config, one } from './helpers.js';
import type { Random } from './random.js';
import { GOVERNANCE_SETTINGS, keyNamed } from './world.js';

const stateOf = (stage: Stage, proposal: TestProposal) =>
  stage.ledger.get(proposal.address.toBase58(), 'governance.Proposal')?.fields;
const voterOf = (stage: Stage, wallet: string) =>
  stage.ledger.get(govPda.voter(keyNamed(wallet)).toBase58(), 'governance.Voter')?.fields;
/** Proposals that there are, of one of these states. */
const proposals = (stage: Stage, ...status: number[]): TestProposal[] =>
  stage.world.proposals.filter((each) => {
    const state = stateOf(stage, each);
    return state && (status.length === 0 || status.includes(state.status));
  });
const nearly = (stage: Stage, random: Random, wanted: TestProposal[]) =>
  random.chance(92) ? random.pick(wanted) : random.pick(proposals(stage));
const now = (stage: Stage): bigint => BigInt(stage.world.now());
const theft = 'nobody moves another’s deposit or proposal';

/** What a proposal can say. */
function contents(stage: Stage, random: Random): TransactionInstruction[] {
  const { world } = stage;
  const one = (): TransactionInstruction => {
    const choice = random.below(3);
    if (choice === 0) return world.setGovGuardian(anybody(stage, random).publicKey);
    if (choice === 1)
      return world.setGovSettings({
        ...GOVERNANCE_SETTINGS,
        voting_seconds: random.between(120, 400),
        timelock_seconds: random.between(0, 120),
        quorum_bps: random.between(1, 1_000),
      });
    return world.payOne(anybody(stage, random).publicKey, random.between(1_000_000, 2_000_000));
  };
  return random.chance(70) ? [one()] : [one(), one()];
}

export const governanceActions: readonly Action[] = [
  {
    name: 'deposit GOV',
    weight: 4,
    attempt: (stage, random) => {
      const wallet = random.chance(95) ? anybody(stage, random) : stage.world.eve;
      const held = amountIn(stage, stage.world.govAccount(wallet.publicKey));
      if (held === 0n && random.chance(90)) return undefined;
      return one(
        stage.world.depositGov(
          wallet.publicKey,
          random.chance(95) ? random.amount(held / 2n + 1n) : held + 1n,
        ),
      );
    },
  },
  {
    name: 'withdraw GOV',
    weight: 3,
    attempt: (stage, random) => {
      const { publicKey } = anybody(stage, random);
      const voter = voterOf(stage, publicKey.toBase58());
      if (!voter) return undefined;
      if (voter.locks > 0 && random.chance(80)) return undefined;
      const amount = random.chance(95) ? random.amount(voter.deposited + 1n) : voter.deposited + 1n;
      const held = voter.locks > 0 || amount > voter.deposited;
      return one(
        stage.world.withdrawGov(publicKey, amount),
        held ? { attack: 'a deposit that is held stays', alone: true } : {},
      );
    },
  },
  {
    name: "withdraw another's GOV",
    weight: 1,
    attempt: (stage, random) => {
      const { world } = stage;
      const victim = anybody(stage, random).publicKey;
      const eve = world.eve.publicKey;
      const instruction = world.withdrawGov(eve, GOV, { voter: govPda.voter(victim) });
      return one(instruction, { attack: theft, alone: true });
    },
  },
  {
    name: 'close a voter account',
    weight: 1,
    attempt: (stage, random) => {
      const { publicKey } = anybody(stage, random);
      const voter = voterOf(stage, publicKey.toBase58());
      return voter && one(stage.world.closeVoter(publicKey, { rent_payer: keyNamed(voter.rent_payer) }));
    },
  },
  {
    name: 'withdraw everything and close the voter account',
    weight: 1,
    attempt: (stage, random) => {
      const { world } = stage;
      const { publicKey } = anybody(stage, random);
      const voter = voterOf(stage, publicKey.toBase58());
      if (!voter || voter.locks > 0) return undefined;
      return {
        instructions: [
          ...(voter.deposited > 0n ? [world.withdrawGov(publicKey, voter.deposited)] : []),
          world.closeVoter(publicKey, { rent_payer: keyNamed(voter.rent_payer) }),
        ],
      };
    },
  },
  {
    name: 'propose',
    weight: 4,
    attempt: (stage, random) => {
      const { world } = stage;
      const rich = world.wallets.filter(
        ({ publicKey }) =>
          (voterOf(stage, publicKey.toBase58())?.deposited ?? 0n) >= GOVERNANCE_SETTINGS.proposal_deposit,
      );
      const proposer = random.chance(95) ? random.pick(rich) : anybody(stage, random);
      if (!proposer) return undefined;
      const id = (config(stage, 'governance.Config').proposals as bigint) + 1n;
      const proposal: TestProposal = {
        id,
        address: govPda.proposal(id),
        proposer,
        payer: world.payer,
        instructions: contents(stage, random),
      };
      return one(world.createProposal(proposal), {
        alone: true,
        done: () => void world.proposals.push(proposal),
      });
    },
  },
  {
    name: 'add to a proposal',
    weight: 6,
    attempt: (stage, random) => {
      const unfinished = proposals(stage, Status.draft).filter(
        (each) => (stateOf(stage, each)?.instructions ?? 0) < each.instructions.length,
      );
      const proposal = random.chance(95) ? random.pick(unfinished) : random.pick(proposals(stage));
      if (!proposal) return undefined;
      const index = stateOf(stage, proposal)?.instructions as number;
      const instruction = proposal.instructions[index];
      if (!instruction) return undefined;
      const thief = random.chance(6);
      const by = thief ? { ...proposal, proposer: stage.world.eve } : proposal;
      return one(
        stage.world.addInstruction(by, index, instruction),
        thief || stateOf(stage, proposal)?.status !== Status.draft
          ? { attack: theft, alone: true }
          : { alone: true },
      );
    },
  },
  {
    name: 'let a proposal be voted on',
    weight: 6,
    attempt: (stage, random) => {
      const ready = proposals(stage, Status.draft).filter(
        (each) => stateOf(stage, each)?.instructions === each.instructions.length,
      );
      const proposal = nearly(stage, random, ready);
      if (!proposal) return undefined;
      const hash = random.chance(95) ? hashOf(proposal.instructions) : Buffer.alloc(32, 1);
      return one(stage.world.activateProposal(proposal, hash));
    },
  },
  {
    name: 'vote',
    weight: 10,
    attempt: (stage, random) => {
      const open = proposals(stage, Status.voting).filter(
        (each) => stateOf(stage, each)?.voting_ends_at > now(stage),
      );
      const proposal = nearly(stage, random, open);
      const depositors = stage.world.wallets.filter(
        ({ publicKey }) => (voterOf(stage, publicKey.toBase58())?.deposited ?? 0n) > 0n,
      );
      const wallet = random.chance(95) ? random.pick(depositors) : stage.world.eve;
      if (!proposal || !wallet) return undefined;
      const choice = random.chance(75) ? YES : random.chance(70) ? NO : random.chance(90) ? ABSTAIN : 3;
      const late = !open.includes(proposal);
      return one(
        stage.world.castVote(wallet.publicKey, proposal, choice),
        late ? { attack: 'votes count while there is a vote', alone: true } : {},
      );
    },
  },
  {
    name: 'close a vote',
    weight: 6,
    attempt: (stage, random) => {
      const vote = random.pick(stage.ledger.all('governance.Vote'))?.fields;
      if (!vote) return undefined;
      const proposal = stage.ledger.get(vote.proposal, 'governance.Proposal')?.fields;
      const open = proposal?.status === Status.voting && proposal.voting_ends_at > now(stage);
      if (open && random.chance(90)) return undefined;
      return one(
        stage.world.closeVote(
          keyNamed(vote.wallet),
          { address: keyNamed(vote.proposal) },
          { rent_payer: keyNamed(vote.rent_payer) },
        ),
        open ? { attack: 'a vote holds its deposit while there is a vote', alone: true } : {},
      );
    },
  },
  {
    name: 'say whether a proposal has passed',
    weight: 6,
    attempt: (stage, random) => {
      const over = proposals(stage, Status.voting).filter(
        (each) => stateOf(stage, each)?.voting_ends_at <= now(stage),
      );
      const proposal = nearly(stage, random, over);
      return proposal && one(stage.world.finalizeProposal(proposal));
    },
  },
  {
    name: 'execute',
    weight: 8,
    attempt: (stage, random) => {
      const ready = proposals(stage, Status.queued).filter((each) => {
        const state = stateOf(stage, each);
        return state && state.executable_at <= now(stage) && state.expires_at > now(stage);
      });
      const proposal = nearly(stage, random, ready);
      const state = proposal && stateOf(stage, proposal);
      if (!proposal || !state) return undefined;
      const index = Math.min(state.executed as number, proposal.instructions.length - 1);
      const instruction = proposal.instructions[index] as TransactionInstruction;
      const never =
        state.status !== Status.queued || state.executable_at > now(stage) || state.expires_at <= now(stage);
      return one(stage.world.execute(proposal, index), {
        alone: true,
        ...(never ? { attack: 'an instruction is executed between timelock and expiry' } : {}),
        done: () => stage.countInner(instruction),
      });
    },
  },
  {
    name: 'give a proposal up',
    weight: 1,
    attempt: (stage, random) => {
      const proposal = random.pick(proposals(stage, Status.draft, Status.voting));
      if (!proposal) return undefined;
      const thief = random.chance(10);
      return one(
        stage.world.cancelProposal(thief ? { ...proposal, proposer: stage.world.eve } : proposal),
        thief ? { attack: theft, alone: true } : {},
      );
    },
  },
  {
    name: 'close a proposal',
    weight: 2,
    attempt: (stage, random) => {
      const over = proposals(stage, Status.executed, Status.defeated, Status.cancelled);
      const proposal = random.chance(90) ? random.pick(over) : random.pick(proposals(stage));
      if (!proposal) return undefined;
      const state = stateOf(stage, proposal);
      const written = { ...proposal, instructions: proposal.instructions.slice(0, state?.instructions) };
      return one(stage.world.closeProposal(written, { rent_payer: keyNamed(state?.rent_payer) }));
    },
  },
  {
    name: 'pause governance',
    weight: 1,
    attempt: (stage, random) => {
      if (random.chance(50)) return undefined;
      const thief = random.chance(10);
      const guardian = thief
        ? stage.world.eve.publicKey
        : keyNamed(config(stage, 'governance.Config').guardian);
      return one(
        stage.world.pauseGovernance(guardian),
        thief ? { attack: 'only the guardian pauses governance', alone: true } : {},
      );
    },
  },
  {
    name: 'change governance without a proposal',
    weight: 1,
    attempt: (stage, random) => {
      const { world } = stage;
      const eve = { governance: world.eve.publicKey };
      const attack = { attack: 'only a proposal changes governance', alone: true };
      if (random.chance(30)) return one(world.initializeGovernance(), attack);
      return random.chance(50)
        ? one(world.setGovGuardian(world.eve.publicKey, eve), attack)
        : one(world.setGovSettings({}, eve), attack);
    },
  },
];
