import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  fetchMarket,
  governanceAddress,
  instructions,
  marketAddress,
  openConnection,
  proposalCall,
  readKeypairFile,
  sendAndConfirm,
} from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { dataLayout } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { keyPath } from '../keys.js';
import { localPrograms, upgradeAuthorityOf } from '../local-programs.js';

/* Governance at a terminal: a market is handed over, and its fee is changed by a vote. */

let folder: string;
let chain: Localnet;
/** Added to the wall clock: nobody waits for a vote to end. */
let aheadMs = 0;

// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function json(...args: string[]): Promise<any> {
  let out = '';
  let err = '';
  const code = await runCommandLine([...args, '--json'], {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder, SOLANA_RPC_URL: chain.rpcUrl },
  });
  expect(out, err).not.toBe('');
  const value = JSON.parse(out);
  expect(code === EXIT.ok, out + err).toBe(value.error === undefined);
  return value;
}
// biome-ignore lint/suspicious/noExplicitAny: as above
async function good(...args: string[]): Promise<any> {
  const value = await json('governance', ...args);
  expect(value, JSON.stringify(value)).not.toHaveProperty('error');
  return value;
}
const refused = async (...args: string[]): Promise<string> => (await json('governance', ...args)).error?.code;

function actions(...list: object[]): string {
  const file = join(folder, 'actions.json');
  writeFileSync(file, JSON.stringify(list));
  return file;
}
/** Moves the chain's clock past an ISO time. */
async function passTo(iso: string): Promise<void> {
  aheadMs = Math.max(aheadMs, Date.parse(iso) - Date.now() + 5_000);
  // The chain makes its blocks as it is asked.
  await openConnection(chain.rpcUrl).getSlot('confirmed');
}
const mint = () => readKeypairFile(keyPath(dataLayout(folder), 'grxMint')).publicKey;
const market = async () => {
  const found = await fetchMarket(openConnection(chain.rpcUrl), mint());
  if (!found) throw new Error('no market');
  return found;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-governance-'));
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(dataLayout(folder)),
    logger: pino({ level: 'silent' }),
    now: () => Date.now() + aheadMs,
  });
  for (const args of [['keygen', '--set'], ['airdrop'], ['chain', 'init']]) await json(...args);
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('says what is missing at first', async () => {
  expect(await refused('list')).toBe('NOT_FOUND');
  expect(await refused('deposit', '--amount', '1')).toBe('NOT_FOUND');
  const init = ['init', '--supply', '1000', '--proposal-deposit', '10', '--voting-seconds', '3600'];
  const short = ['--timelock-seconds', '600', '--execution-seconds', '3600'];
  expect(await good(...init, ...short)).toMatchObject({
    changed: true,
    supply: '1000',
    governance: governanceAddress().toBase58(),
    voting_seconds: 3_600,
  });
  expect(await good('init')).toMatchObject({ changed: false, supply: '1000' });
  expect(await good('list')).toEqual({ made: '0', proposals: [] });
  expect(await refused('show', '--id', '1')).toBe('NOT_FOUND');
  const file = actions({ do: 'accept-market-admin' });
  expect(await refused('propose', '--title', 'Take over', '--actions', file)).toBe('BALANCE_TOO_LOW');
});

it('takes the market over and changes its fee, by a vote', async () => {
  expect(await good('deposit', '--amount', '600')).toMatchObject({ deposited: '600' });
  expect(await json('market', 'hand-over', '--to', 'governance')).toMatchObject({ changed: true });
  expect(await json('market', 'hand-over', '--to', 'governance')).toMatchObject({ changed: false });
  const file = actions({ do: 'accept-market-admin' }, { do: 'set-market-fee', fee_bps: 25 });
  const made = await good('propose', '--title', 'Take over', '--actions', file);
  expect(made).toMatchObject({ id: '1', phase: 'voting', instructions: 2, yes: '0' });
  expect((await good('show', '--id', '1')).calls).toHaveLength(2);
  expect(await good('vote', '--id', '1', '--choice', 'no')).toMatchObject({ changed: true, weight: '600' });
  expect(await good('vote', '--id', '1', '--choice', 'yes')).toMatchObject({ changed: true });
  expect(await good('vote', '--id', '1', '--choice', 'yes')).toMatchObject({ changed: false });
  expect(await good('list')).toMatchObject({
    proposals: [{ id: '1', yes: '600', no: '0', passes_now: true }],
  });
  expect(await refused('finalize', '--id', '1')).toBe('CONFLICT');
  expect(await refused('execute', '--id', '1')).toBe('CONFLICT');
  expect(await refused('withdraw', '--amount', '600')).toBe('CONFLICT');

  await passTo(made.voting_ends_at);
  expect(await refused('vote', '--id', '1', '--choice', 'no')).toBe('CONFLICT');
  const passed = await good('finalize', '--id', '1');
  expect(passed).toMatchObject({ changed: true, phase: 'timelocked' });
  expect(await good('finalize', '--id', '1')).toMatchObject({ changed: false });
  expect(await refused('execute', '--id', '1')).toBe('CONFLICT');
  await passTo(passed.executable_at);
  expect(await good('execute', '--id', '1')).toMatchObject({ changed: true, phase: 'executed', executed: 2 });
  expect(await good('execute', '--id', '1')).toMatchObject({ changed: false });
  expect(await market()).toMatchObject({ admin: governanceAddress(), feeBps: 25 });

  await good('release-vote', '--id', '1');
  expect(await good('withdraw', '--amount', '100')).toMatchObject({ deposited: '500' });
  expect(await refused('withdraw', '--amount', '501')).toBe('BALANCE_TOO_LOW');
});

it('goes on with a draft that was interrupted, and carries any instruction', async () => {
  const connection = openConnection(chain.rpcUrl);
  const layout = dataLayout(folder);
  const owner = readKeypairFile(keyPath(layout, 'owner'));
  const by = governanceAddress();
  const raw = instructions.setMarketPaused({ authority: by, market: marketAddress(mint()), paused: true });
  const about = {
    payer: owner.publicKey,
    proposer: owner.publicKey,
    id: 2n,
    title: 'Pause',
    uri: '',
    // sha256 of nothing: no description was given.
    descriptionHash: Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'),
  };
  // What a command of several transactions leaves behind when it is killed: a draft with its first instruction.
  await sendAndConfirm(connection, {
    payer: owner,
    instructions: [
      instructions.createProposal(about),
      instructions.addProposalInstruction({ ...about, index: 0, call: proposalCall(raw) }),
    ],
  });
  const file = actions(
    {
      do: 'instruction',
      program: raw.programId.toBase58(),
      accounts: raw.keys.map(({ pubkey, isSigner, isWritable }) => ({
        address: pubkey.toBase58(),
        signer: isSigner,
        writable: isWritable,
      })),
      data: raw.data.toString('base64'),
    },
    { do: 'set-market-fee', fee_bps: 30 },
  );
  const payer = ['--payer-key', keyPath(layout, 'owner')];
  const made = await good('propose', '--title', 'Pause', '--actions', file, ...payer);
  expect(made).toMatchObject({ id: '2', phase: 'voting', instructions: 2 });
  await good('vote', '--id', '2', '--choice', 'yes');
  await passTo(made.voting_ends_at);
  await passTo((await good('finalize', '--id', '2')).executable_at);
  await good('execute', '--id', '2');
  expect(await market()).toMatchObject({ paused: true, feeBps: 30 });
});

it('gives a proposal up, and only its own, and only while it is voted on', async () => {
  const layout = dataLayout(folder);
  const file = actions({ do: 'set-market-fee', fee_bps: 40 });
  const made = await good('propose', '--title', 'Never mind', '--actions', file);
  const id = ['--id', made.id];
  await good('vote', ...id, '--choice', 'yes');
  // A proposal holds what its proposer has deposited.
  expect(await refused('withdraw', '--amount', '1')).toBe('CONFLICT');
  expect(await refused('cancel', ...id, '--keypair', keyPath(layout, 'registrar'))).toBe('FORBIDDEN');
  expect(await good('cancel', ...id)).toMatchObject({ changed: true, phase: 'cancelled', yes: '500' });
  expect(await good('cancel', ...id)).toMatchObject({ changed: false, phase: 'cancelled' });
  expect(await refused('vote', ...id, '--choice', 'no')).toBe('CONFLICT');
  await passTo(made.voting_ends_at);
  expect(await good('finalize', ...id)).toMatchObject({ changed: false, phase: 'cancelled' });
  expect(await refused('execute', ...id)).toBe('CONFLICT');
  // Executed before: too late.
  expect(await refused('cancel', '--id', '2')).toBe('CONFLICT');
  await good('release-vote', ...id);
  await good('release-vote', '--id', '2');
  expect(await good('withdraw', '--amount', '1')).toMatchObject({ deposited: '499' });
});

it('takes no actions that it does not know', async () => {
  for (const wrong of [{ do: 'mint' }, { do: 'set-market-fee', fee_bps: '25' }, {}])
    expect(await refused('propose', '--title', 'x', '--actions', actions(wrong))).toBe('CONFIG_INVALID');
  expect(await refused('propose', '--title', 'x', '--actions', join(folder, 'none.json'))).toBe(
    'CONFIG_INVALID',
  );
});
