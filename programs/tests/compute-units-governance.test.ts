/*
 * The cost of each instruction of governance, as compute-units.test.ts does it for the registry and energy-token.
 * `GTX_UPDATE=1 npx vitest run programs/tests/compute-units` writes the tables anew.
 */
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { type Cost, expectCosts, sortedCosts } from './costs.js';
import { GOV, GOVERNANCE, GovernanceWorld, governanceIdl, govPda, NO, Status, YES } from './governance.js';

/** How many addresses were tried for a vote's record: 1 for most of them. */
const tries = (proposal: PublicKey, wallet: PublicKey): number => {
  const seeds = [Buffer.from('vote'), proposal.toBytes(), wallet.toBytes()];
  return 256 - PublicKey.findProgramAddressSync(seeds, GOVERNANCE)[1];
};

function measure(): Record<string, Cost> {
  const costs: Record<string, Cost> = {};
  const world = new GovernanceWorld({ noMarket: false, noGovernance: true, seed: 'compute-units' });

  /** Sends, and books the last instruction under a name. */
  const take = (name: string, instruction: TransactionInstruction, signers: Keypair[] = []) => {
    const result = world.must([instruction], signers);
    costs[`governance.${name}`] = {
      computeUnits: result.units.at(-1) as number,
      accounts: instruction.keys.length,
      transactionBytes: result.bytes,
    };
  };

  take('initialize', world.initializeGovernance(), [world.upgradeAuthority]);
  const proposer = world.holder(100_000n * GOV, 0n);
  take("deposit, a wallet's first", world.depositGov(proposer.publicKey, 50_000n * GOV), [proposer]);
  take('deposit, more', world.depositGov(proposer.publicKey, 50_000n * GOV), [proposer]);
  world.must(
    [
      world.admin('propose_admin', { new_admin: govPda.signer }),
      world.marketAdmin('propose_admin', { new_admin: govPda.signer }),
    ],
    [world.upgradeAuthority],
  );
  const { signer } = govPda;
  const proposal = world.plannedProposal(proposer, [
    world.acceptMarketAdmin(signer),
    world.marketAdmin('set_fee', { fee_bps: 20 }, signer),
    world.setGovSettings({}),
    world.setGovGuardian(world.govGuardian.publicKey),
  ]);
  take('create_proposal', world.createProposal(proposal), [proposer]);
  proposal.instructions.forEach((instruction, index) => {
    const name =
      index === 0 ? 'two accounts and 8 bytes' : index === 2 ? 'two accounts and 40 bytes' : undefined;
    const add = world.addInstruction(proposal, index, instruction);
    if (name) take(`add_instruction, ${name}`, add, [proposer]);
    else world.must([add], [proposer]);
  });
  take('activate_proposal', world.activateProposal(proposal), [proposer]);

  // A record's address is searched for: each further try costs some hundreds.
  const found = new Map<number, Keypair>();
  while (![1, 2, 3].every((count) => found.has(count))) {
    const wallet = world.key();
    const count = tries(proposal.address, wallet.publicKey);
    if (!found.has(count)) found.set(count, wallet);
  }
  for (const count of [1, 2, 3]) {
    const wallet = found.get(count) as Keypair;
    world.fund(wallet.publicKey);
    world.giveGov(wallet.publicKey, 10n);
    world.must([world.depositGov(wallet.publicKey, 10n)], [wallet]);
    const name = `vote, a first one whose address is found at try ${count}`;
    take(name, world.castVote(wallet.publicKey, proposal, YES), [wallet]);
  }
  const voter = found.get(1) as Keypair;
  take('vote, a changed one', world.castVote(voter.publicKey, proposal, NO), [voter]);
  world.votes(proposer, proposal);
  const cancelled = world.voting(proposer);
  take('cancel_proposal', world.cancelProposal(cancelled), [proposer]);
  world.setClock(world.proposalState(proposal)?.votingEndsAt ?? 0);
  take('finalize_proposal', world.finalizeProposal(proposal));
  expect(world.proposalState(proposal)?.status).toBe(Status.queued);
  take('close_vote', world.closeVote(voter.publicKey, proposal));
  take('withdraw', world.withdrawGov(voter.publicKey, 10n), [voter]);
  take('close_voter', world.closeVoter(voter.publicKey), [voter]);
  world.setClock(world.proposalState(proposal)?.executableAt ?? 0);
  const names = ["execute_instruction, trading's accept_admin", "execute_instruction, trading's set_fee"];
  proposal.instructions.forEach((_, index) => {
    const execute = world.execute(proposal, index);
    const name = names[index];
    if (name) {
      take(name, execute);
      return;
    }
    const result = world.must([execute]);
    // What governance calls of itself: the inner call is the instruction's own cost.
    costs[`governance.${index === 2 ? 'set_settings' : 'set_guardian'}`] = {
      computeUnits: result.innerUnits.at(-1) as number,
      accounts: 2,
      transactionBytes: result.bytes,
    };
  });
  take('close_proposal, four instructions', world.closeProposal(proposal));
  take('pause', world.pauseGovernance(), [world.govGuardian]);
  return sortedCosts(costs);
}

describe('compute units of governance', () => {
  const measured = measure();

  it('are within the goals', () => {
    const votes = Object.entries(measured).filter(([name]) => name.startsWith('governance.vote'));
    expect(votes).toHaveLength(4);
    for (const [name, { computeUnits }] of votes) expect(computeUnits, name).toBeLessThanOrEqual(8_000);
  });

  it('are known for every instruction', () => {
    const known = new Set(Object.keys(measured).map((name) => name.split(',')[0]));
    expect(governanceIdl.instructions.filter(({ name }) => !known.has(`governance.${name}`))).toEqual([]);
  });

  it('have not risen by more than 5 percent over the committed table', () => {
    expectCosts('compute-units.governance.json', measured);
  });
});
