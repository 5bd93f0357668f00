import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchFeed, openConnection, readKeypairFile } from '@gridtokenx/chain';
import { PublisherSettings } from '@gridtokenx/collector';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from './command-line.js';
import { dataLayout } from './data-dir.js';
import { EXIT } from './exit-codes.js';
import { keyPath } from './keys.js';
import { localPrograms, upgradeAuthorityOf } from './local-programs.js';
import { until } from './testing/wait.js';

/* Every command of docs/trading.md in its order, on a chain of its own; no collector answers. */

const page = readFileSync(fileURLToPath(new URL('../../docs/trading.md', import.meta.url)), 'utf8');
const gtxFile = fileURLToPath(new URL('../bin/gtx.mjs', import.meta.url));
const files = [...page.matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```/g)];
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  (block as string).trim().split('\n'),
);

let folder: string;
let chain: Localnet;
let publisher: ChildProcess | undefined;

const environment = () => ({
  GTX_DATA_DIR: join(folder, 'data'),
  SOLANA_RPC_URL: chain.rpcUrl,
  GTX_COLLECTOR_URL: 'http://127.0.0.1:9',
});
const publicKeyOf = (file: string) => readKeypairFile(file).publicKey.toBase58();
const ownerFile = () => keyPath(dataLayout(join(folder, 'data')), 'owner');

async function gtx(line: string): Promise<string> {
  let out = '';
  let err = '';
  const words = line
    .split(' ')
    .slice(1)
    .map((word) =>
      word === 'SELLER'
        ? publicKeyOf(ownerFile())
        : word === 'BUYER'
          ? publicKeyOf(join(folder, 'buyer.json'))
          : word.replace(/^(\w+\.json)$/, (name) => join(folder, name)),
    );
  const code = await runCommandLine(words, {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: environment(),
  });
  expect(code, `${line}\n${out}${err}`).toBe(EXIT.ok);
  return out;
}
const balances = async (flags = '') => {
  const { grid, grx } = JSON.parse(await gtx(`gtx balances --json${flags}`));
  return [grid.total, grx.total];
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-trading-'));
  const layout = dataLayout(join(folder, 'data'));
  chain = await startLocalnet({
    dataDir: join(folder, 'chain'),
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: upgradeAuthorityOf(layout),
    logger: pino({ level: 'silent' }),
  });
  for (const [, name, text] of files)
    writeFileSync(
      join(folder, name as string),
      (text as string).replace('http://127.0.0.1:8899', chain.rpcUrl),
    );
  // What the page it refers to has done before.
  await gtx('gtx keygen --set');
  await gtx('gtx airdrop');
  await gtx('gtx chain init --max-rated-watts 100000000');
  await gtx('gtx register-user');
  await gtx('gtx verify-user');
  await gtx('gtx register-meter --rated-watts 100000000');
  await until('the interval is not empty', async () => {
    try {
      await gtx('gtx submit-reading --production 25 --consumption 10 --direct');
      return true;
    } catch (error) {
      if (String(error).includes('VALUE_INVALID')) return false;
      throw error;
    }
  });
  await gtx('gtx settle-meter-balance');
});
afterAll(async () => {
  if (publisher !== undefined && publisher.exitCode === null) {
    const ended = once(publisher, 'exit');
    publisher.kill('SIGKILL');
    await ended;
  }
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('has commands, and runs them all', async () => {
  expect(commands.length).toBeGreaterThan(25);
  for (const line of commands) {
    expect(line).toMatch(/^gtx /);
    if (line.endsWith(' &')) {
      publisher = spawn(process.execPath, [gtxFile, ...line.slice(0, -2).split(' ').slice(1)], {
        cwd: folder,
        env: { ...process.env, ...environment() },
        stdio: 'ignore',
      });
      continue;
    }
    const out = await gtx(line);
    if (line.startsWith('gtx create-order --side sell')) expect(out).toContain('Order 1: sell 10 GRID');
    if (line === 'gtx match-order --order-id 1 --keypair buyer.json') {
      // The figures of the page.
      expect(await balances()).toEqual(['5', '30']);
      expect(await balances(' --keypair buyer.json')).toEqual(['10', '70']);
    }
  }
  // 10 x 3, 1.5 and 2.5 x 2.5, and 1 x 2 that the buyer bid for, of 15 GRID and 100 GRX.
  expect(page).toContain('asks for 3 where 2.5 are left');
  expect(await balances(' --keypair buyer.json')).toEqual(['15', '58']);
});

it('runs a publisher that says what the file says, and stops when asked to', async () => {
  const connection = openConnection(chain.rpcUrl);
  await until('the feed has the price of the file', async () => {
    expect(publisher?.exitCode).toBeNull();
    return (await fetchFeed(connection, 'NIGHT'))?.price === 2_750_000_000n;
  });
  const ended = once(publisher as ChildProcess, 'exit');
  publisher?.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

it('names every setting of a publisher', () => {
  const shape = PublisherSettings.shape;
  const names = [
    ...Object.keys(shape),
    ...shape.sources.element.options.flatMap((option) => Object.keys(option.shape)),
  ];
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const missing = names.filter((name) => !rows.some((row) => row.split(' | ')[0]?.includes(`\`${name}\``)));
  expect(missing.filter((name) => name !== 'name')).toEqual([]);
});
