import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';
import { dataLayout } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { keyPath } from '../keys.js';
import { localPrograms, upgradeAuthorityOf } from '../local-programs.js';
import { until } from '../testing/wait.js';

/* The commands in this process, on a chain of their own with the compiled programs. */

let folder: string;
let chain: Localnet;
/** The node behind a line on which something may happen just before a transaction is sent. */
let line: Server;
let beforeSend: (() => Promise<void>) | undefined;

/** Runs with --json. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function json(args: string[], rpcUrl = chain.rpcUrl): Promise<{ code: number; value: any }> {
  let out = '';
  const code = await runCommandLine([...args, '--json'], {
    streams: {
      out: (text) => {
        out += text;
      },
      err: () => {},
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder, SOLANA_RPC_URL: rpcUrl },
  });
  return { code, value: JSON.parse(out) };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
async function good(...args: string[]): Promise<any> {
  const { code, value } = await json(args);
  expect(value, JSON.stringify(value)).not.toHaveProperty('error');
  expect(code).toBe(EXIT.ok);
  return value;
}

/** Brings a reading of the software meter to the chain. An interval that is empty yet is not signed. */
const produce = (kwh: string) =>
  until('the interval is not empty', async () => {
    const { code, value } = await json([
      'submit-reading',
      '--production',
      kwh,
      '--consumption',
      '0',
      '--direct',
    ]);
    if (value.error?.code === 'VALUE_INVALID') return false;
    expect(value, JSON.stringify(value)).not.toHaveProperty('error');
    return code === EXIT.ok;
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-chain-'));
  const layout = dataLayout(folder);
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(layout),
    logger: pino({ level: 'silent' }),
  });
  line = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    if (body.includes('"sendTransaction"')) {
      const happens = beforeSend;
      beforeSend = undefined;
      await happens?.();
    }
    const answer = await fetch(chain.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await answer.text();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  await good('keygen', '--set');
  await good('airdrop');
  await good('chain', 'init', '--max-rated-watts', '100000000');
  await good('register-user');
  await good('verify-user');
  await good('register-meter', '--rated-watts', '100000000', '--payer-key', keyPath(layout, 'registrar'));
});
afterAll(async () => {
  line?.closeAllConnections();
  line?.close();
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('gtx settle-meter-balance', () => {
  const lineUrl = () => `http://127.0.0.1:${(line.address() as AddressInfo).port}`;

  it('mints what is due, and says when nothing is', async () => {
    await produce('1.5');
    expect(await good('settle-meter-balance')).toMatchObject({
      changed: true,
      minted_grid: '1.5',
      total_minted_grid: '1.5',
    });
    expect(await good('settle-meter-balance')).toMatchObject({ changed: false, total_minted_grid: '1.5' });
  });

  it('says of what is settled only that it is settled', async () => {
    await produce('1');
    await good('settle-meter-balance', '--no-mint');
    expect(await good('settle-meter-balance', '--no-mint')).toMatchObject({ changed: false });
    let said = '';
    const out = (text: string) => {
      said += text;
    };
    const code = await runCommandLine(['settle-meter-balance', '--no-mint'], {
      streams: { out, err: out, isTty: false },
      env: { GTX_DATA_DIR: folder, SOLANA_RPC_URL: chain.rpcUrl },
    });
    expect(said).toMatch(/Nothing to settle: all of .* is settled, and 1.5 GRID of it are minted/);
    expect(code).toBe(EXIT.ok);
    expect(await good('settle-meter-balance')).toMatchObject({ changed: true, minted_grid: '1' });
  });

  it.each([
    { what: 'mint', option: [], left: { total_minted_grid: '4.5' } },
    { what: 'settle', option: ['--no-mint'], left: { total_minted_grid: '6.5' } },
  ])('finds nothing left to $what when another one has minted it just before', async ({ option, left }) => {
    await produce('2');
    beforeSend = async () => {
      await good('settle-meter-balance');
    };
    const { code, value } = await json(['settle-meter-balance', ...option], lineUrl());
    expect(value).toMatchObject({ changed: false, settled_kwh: '0', minted_grid: '0', ...left });
    expect(code).toBe(EXIT.ok);
    expect(beforeSend).toBeUndefined();
  });
});
