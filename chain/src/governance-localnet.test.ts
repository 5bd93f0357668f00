import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { type Connection, Keypair, LAMPORTS_PER_SOL, type TransactionInstruction } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fetchConfig } from './accounts.js';
import { governanceAddress, proposalAddress } from './addresses.js';
import { openConnection } from './connection.js';
import {
  fetchGovernanceConfig,
  fetchProposal,
  fetchProposalInstructions,
  fetchVote,
  fetchVoter,
  nextProposalId,
  proposalCall,
  proposalCarries,
  proposalPhase,
  VoteChoice,
} from './governance.js';
import * as build from './instructions.js';
import { GOVERNANCE_PROGRAM_ID, REGISTRY_PROGRAM_ID } from './programs.js';
import { confirmTransaction, sendAndConfirm } from './send.js';

/* A decision from deposit to withdrawal against a chain behind JSON-RPC: what a page or a command line does. */

const artifact = (name: string) =>
  fileURLToPath(new URL(`../../programs/artifacts/${name}.so`, import.meta.url));

const [admin, owner, registrar] = [Keypair.generate(), Keypair.generate(), Keypair.generate()];
let folder: string;
let localnet: Localnet;
let connection: Connection;
/** Added to the wall clock: nobody waits for a vote to end. */
let aheadMs = 0;

const send = (payer: Keypair, ...instructions: TransactionInstruction[]) =>
  sendAndConfirm(connection, { payer, instructions });
/** Moves the chain's clock past a time in Unix seconds. */
const passTo = (seconds: bigint) => {
  aheadMs = Math.max(aheadMs, Number(seconds) * 1_000 - Date.now() + 5_000);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-governance-'));
  localnet = await startLocalnet({
    dataDir: folder,
    port: 0,
    programs: [
      { id: REGISTRY_PROGRAM_ID.toBase58(), soPath: artifact('registry') },
      { id: GOVERNANCE_PROGRAM_ID.toBase58(), soPath: artifact('governance') },
    ],
    upgradeAuthority: admin.publicKey.toBase58(),
    logger: pino({ level: 'silent' }),
    now: () => Date.now() + aheadMs,
  });
  connection = openConnection(localnet.rpcUrl);
  for (const key of [admin, owner]) {
    const signature = await connection.requestAirdrop(key.publicKey, 10 * LAMPORTS_PER_SOL);
    await confirmTransaction(connection, { signature, lastValidBlockHeight: Number.MAX_SAFE_INTEGER });
  }
});
afterAll(async () => {
  await localnet.stop();
  rmSync(folder, { recursive: true });
});

it('is made, voted on, executed and closed', async () => {
  expect(await fetchGovernanceConfig(connection)).toBeUndefined();
  await expect(nextProposalId(connection)).rejects.toMatchObject({ code: 'CHAIN_REFUSED' });
  const supply = 1_000_000_000_000n;
  const wallet = owner.publicKey;
  await send(
    admin,
    build.initializeGovernance({
      authority: admin.publicKey,
      owner: wallet,
      guardian: registrar.publicKey,
      supply,
      settings: {
        proposalDeposit: 1_000n,
        votingSeconds: 3_600,
        timelockSeconds: 60,
        executionSeconds: 3_600,
        pauseSeconds: 60,
        quorumBps: 400,
        thresholdBps: 5_000,
      },
    }),
    build.initializeRegistry({
      authority: admin.publicKey,
      network: new Uint8Array(32).fill(1),
      policy: build.Policy.IntervalSurplus,
      registrar: registrar.publicKey,
      guardian: registrar.publicKey,
      maxRatedWatts: 50_000,
    }),
    build.proposeAdmin({ admin: admin.publicKey, newAdmin: governanceAddress() }),
  );
  expect(await fetchVoter(connection, wallet)).toBeUndefined();
  await send(owner, build.depositGov({ payer: wallet, wallet, amount: supply }));

  const id = await nextProposalId(connection);
  const call = proposalCall(build.acceptAdmin({ newAdmin: governanceAddress() }));
  const calls = [call];
  const about = {
    payer: wallet,
    proposer: wallet,
    id,
    title: 'Take over',
    uri: '',
    descriptionHash: new Uint8Array(32),
  };
  await send(owner, ...build.proposeInstructions({ ...about, calls }));
  const refused = send(owner, build.executeInstruction({ id, index: 0, call }));
  await expect(refused).rejects.toMatchObject({ code: 'CHAIN_REFUSED', details: { reason: 'NotQueued' } });
  await send(owner, build.castVote({ payer: wallet, wallet, id, choice: VoteChoice.Yes }));
  expect(await fetchVote(connection, proposalAddress(id), wallet)).toMatchObject({ weight: supply });

  const proposal = await fetchProposal(connection, id);
  if (!proposal) throw new Error('no proposal');
  const stored = await fetchProposalInstructions(connection, proposal);
  expect(stored).toMatchObject(calls);
  expect(proposalCarries(proposal, stored)).toBe(true);
  passTo(proposal.votingEndsAt);
  await send(owner, build.finalizeProposal({ proposal }));
  const queued = await fetchProposal(connection, id);
  expect(queued && proposalPhase(queued, proposal.executableAt)).toBe('executable');
  passTo(proposal.executableAt);
  for (const [index, call] of stored.entries())
    await send(admin, build.executeInstruction({ id, index, call }));
  expect((await fetchConfig(connection))?.admin).toEqual(governanceAddress());

  await send(
    owner,
    build.closeVote({ wallet, id, rentPayer: wallet }),
    build.closeProposal({ proposal }),
    build.withdrawGov({ wallet, amount: supply }),
    build.closeVoter({ wallet, rentPayer: wallet }),
  );
  expect(await fetchProposal(connection, id)).toBeUndefined();
  expect(await nextProposalId(connection)).toBe(id + 1n);
  await expect(fetchProposalInstructions(connection, proposal)).rejects.toMatchObject({
    code: 'CHAIN_REFUSED',
  });
});
