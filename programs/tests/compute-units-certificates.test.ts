/*
 * The cost of each instruction of certificates, as compute-units.test.ts does it for the registry and energy-token.
 * `GTX_UPDATE=1 npx vitest run programs/tests/compute-units` writes the tables anew.
 */
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { CERTIFICATE_BYTES, CertificatesWorld, certificatesIdl, KWH, WIND } from './certificates.js';
import { type Cost, expectCosts, sortedCosts } from './costs.js';

function measure(): Record<string, Cost> {
  const costs: Record<string, Cost> = {};
  const world = new CertificatesWorld({ noConfig: true, seed: 'compute-units' });
  const admin = world.upgradeAuthority;

  /** Sends, and books the last instruction under a name. */
  const take = (name: string, instruction: TransactionInstruction, signers: Keypair[] = []) => {
    const result = world.must([instruction], signers);
    costs[`certificates.${name}`] = {
      computeUnits: result.units.at(-1) as number,
      accounts: instruction.keys.length,
      transactionBytes: result.bytes,
    };
  };

  take('initialize', world.initializeCertificates(), [admin]);
  const meter = world.newMeter();
  const { owner } = meter;
  take('open_book', world.openBook(meter), [owner, world.registrar]);
  world.produce(meter);
  take('issue', world.issue(meter, KWH), [owner]);
  take('set_auto_issue', world.setAutoIssue(meter, true), [owner]);
  world.produce(meter);
  take('issue_for, at the cost of the payer', world.issueFor(meter, false));
  world.produce(meter);
  world.fundBook(meter, world.rent(CERTIFICATE_BYTES) + 1n);
  take('issue_for, at the cost of the book', world.issueFor(meter, true));
  take('withdraw_funds', world.withdrawFunds(meter, 1n), [owner]);
  const first = world.certificate(meter, 1n);
  take('split', world.split(meter, first, KWH / 2n), [owner]);
  take('transfer', world.give(first, owner.publicKey, world.registrar.publicKey), [owner]);
  take('retire', world.retireCertificate(meter, world.certificate(meter, 2n)), [owner]);
  take('set_source', world.setSource(meter, WIND), [world.registrar]);
  take('adopt_book', world.adoptBook(world.handOver(meter, world.user())));

  const next = world.key();
  take('set_guardian', world.certificatesAdmin('set_guardian', { new_guardian: next.publicKey }), [admin]);
  take('set_paused', world.pauseCertificates(true), [admin]);
  take('propose_admin', world.certificatesAdmin('propose_admin', { new_admin: next.publicKey }), [admin]);
  take('accept_admin', world.acceptCertificatesAdmin(next.publicKey), [next]);
  return sortedCosts(costs);
}

describe('compute units of certificates', () => {
  const measured = measure();

  it('are known for every instruction', () => {
    const known = new Set(Object.keys(measured).map((name) => name.split(',')[0]));
    expect(certificatesIdl.instructions.filter(({ name }) => !known.has(`certificates.${name}`))).toEqual([]);
  });

  it('have not risen by more than 5 percent over the committed table', () => {
    expectCosts('compute-units.certificates.json', measured);
  });
});
