/*
 * The cost of each instruction of the oracle, as compute-units.test.ts does it for the registry and energy-token.
 * `GTX_UPDATE=1 npx vitest run programs/tests/compute-units` writes the tables anew.
 */
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { type Cost, expectCosts, sortedCosts } from './costs.js';
import { OracleWorld, oracleIdl } from './oracle.js';

function measure(): Record<string, Cost> {
  const costs: Record<string, Cost> = {};
  const world = new OracleWorld({ noOracle: true, seed: 'compute-units' });
  const admin = world.upgradeAuthority;

  /** Sends, and books the last instruction under a name; the dearest of those of one name. */
  const take = (name: string, instruction: TransactionInstruction, signers: Keypair[] = []) => {
    const result = world.must([instruction], signers);
    const computeUnits = Math.max(costs[name]?.computeUnits ?? 0, result.units.at(-1) as number);
    costs[name] = { computeUnits, accounts: instruction.keys.length, transactionBytes: result.bytes };
  };

  take('oracle.initialize', world.initializeOracle(), [admin]);
  take('oracle.create_feed', world.createFeed(), [admin]);
  for (let i = 0; i < 8; i++) {
    const publisher = world.key();
    take('oracle.add_publisher', world.addPublisher(publisher.publicKey), [admin]);
    world.publishers.push(publisher);
  }
  const submit = (name: string, index: number, price: bigint) => {
    const publisher = world.publisher(index);
    take(`oracle.submit_price, ${name}`, world.submitPrice(publisher.publicKey, price), [publisher]);
  };
  submit('the first', 0, 1_000n);
  // Each smaller and later than those before: the sorting's worst case.
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 8; i++) {
      world.wait(1);
      submit('eight publishers', i, 1_000n - BigInt(8 * round + i));
    }
  }
  world.wait(1);
  // Far off, so that the guard looks at everybody.
  for (let i = 0; i < 5; i++) submit('eight publishers', i, 1_000_000n);
  take('oracle.get_price', world.getPrice());
  const next = world.key();
  take('oracle.set_feed', world.setFeedSettings({ maxAgeSeconds: 200 }), [admin]);
  take('oracle.set_paused', world.pauseFeed(true), [admin]);
  take('oracle.remove_publisher', world.removePublisher(world.publisher(0).publicKey), [admin]);
  take('oracle.set_guardian', world.oracleAuthority('set_guardian', { new_guardian: next.publicKey }), [
    admin,
  ]);
  take(
    'oracle.propose_authority',
    world.oracleAuthority('propose_authority', { new_authority: next.publicKey }),
    [admin],
  );
  take('oracle.accept_authority', world.acceptAuthority(next.publicKey), [next]);
  return sortedCosts(costs);
}

describe('compute units of the oracle', () => {
  const measured = measure();

  it('are within the goal', () => {
    const submissions = Object.entries(measured).filter(([name]) => name.startsWith('oracle.submit_price'));
    expect(submissions.length).toBeGreaterThan(0);
    for (const [, { computeUnits }] of submissions) expect(computeUnits).toBeLessThanOrEqual(3_000);
  });

  it('are known for every instruction', () => {
    const known = new Set(Object.keys(measured).map((name) => name.split(',')[0]));
    expect(oracleIdl.instructions.filter(({ name }) => !known.has(`oracle.${name}`))).toEqual([]);
  });

  it('have not risen by more than 5 percent over the committed table', () => {
    expectCosts('compute-units.oracle.json', measured);
  });
});
