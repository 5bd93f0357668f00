import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fetchAllOrders, marketAddress, openConnection, readKeypairFile } from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { dataLayout } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { keyPath } from '../keys.js';
import { localPrograms, upgradeAuthorityOf } from '../local-programs.js';

/*
 * Real processes, killed with -9 around the moment of sending and started again with the same words, until one of them
 * has answered: each order is there once.
 */

const gtxFile = fileURLToPath(new URL('../../bin/gtx.mjs', import.meta.url));
const ORDERS = 2;
const KILLS_EACH = 3;
let folder: string;
let chain: Localnet;
const env = () => ({ GTX_DATA_DIR: folder, SOLANA_RPC_URL: chain.rpcUrl });

async function gtx(...args: string[]): Promise<void> {
  let said = '';
  const add = (text: string) => {
    said += text;
  };
  const code = await runCommandLine(args, { streams: { out: add, err: add, isTty: false }, env: env() });
  expect(code, said).toBe(EXIT.ok);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-kill-'));
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(dataLayout(folder)),
    logger: pino({ level: 'silent' }),
  });
  await gtx('keygen', '--set');
  await gtx('airdrop');
  await gtx('chain', 'init');
  await gtx('faucet', '--amount', '100');
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command in a process of its own. @param killAfterMs kill -9 so long after it has begun to send */
async function runProcess(args: readonly string[], killAfterMs: number | undefined): Promise<string> {
  const child = spawn(process.execPath, [gtxFile, ...args], { env: { ...process.env, ...env() } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const sending = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
      // The last thing that is said before it sends, and what it says when it looks for an earlier attempt.
      if (/checked: the wallet has|interrupted; looking/.test(err)) resolve();
    });
  });
  const closed = once(child, 'close');
  if (killAfterMs !== undefined) {
    await Promise.race([sending, closed]);
    await sleep(killAfterMs);
    child.kill('SIGKILL');
  }
  const [code] = (await closed) as [number | null];
  if (killAfterMs === undefined) expect(code, out + err).toBe(0);
  return out;
}

it('makes each order once, however often its process is killed', async () => {
  const connection = openConnection(chain.rpcUrl);
  const mint = readKeypairFile(keyPath(dataLayout(folder), 'grxMint')).publicKey;
  const answers: string[] = [];
  for (let order = 0; order < ORDERS; order++) {
    const args = ['create-order', '--side', 'buy', '--amount', '1', '--price', `2.${order + 1}`, '--json'];
    let out = '';
    for (let kill = 0; kill < KILLS_EACH && !out.includes('\n'); kill++)
      // Before it is written down, before it is sent, before it is confirmed, before it is shown.
      out = await runProcess(args, 15 * kill * (order + 1));
    if (!out.includes('\n')) out = await runProcess(args, undefined);
    answers.push(out);
  }
  const made = await fetchAllOrders(connection, marketAddress(mint));
  const prices = made.map(({ account }) => account.price).sort();
  expect(prices).toEqual([2_100_000_000n, 2_200_000_000n]);
  const ids = made.map(({ account }) => account.orderId.toString()).sort();
  expect(answers.map((answer) => JSON.parse(answer).order_id).sort()).toEqual(ids);
});
