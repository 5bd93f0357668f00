import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  feedAddress,
  fetchFeed,
  fetchMarket,
  fetchQuoteMint,
  openConnection,
  publishersOf,
} from '@gridtokenx/chain';
import { type Localnet, startLocalnet } from '@gridtokenx/localnet';
import { type Connection, Keypair } from '@solana/web3.js';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  DEMO_MARKET,
  DEMO_PRICE,
  FEED_SYMBOL,
  giveGrx,
  isEmbeddedChain,
  type MarketKeys,
  setUpDemoMarket,
} from './demo-market.js';
import { localPrograms } from './local-programs.js';

/* The market of the embedded chain, set up by a process that is killed at every step. */

let folder: string;
let chain: Localnet;
let connection: Connection;
const admin = Keypair.generate();
const newKeys = (): MarketKeys => ({
  upgradeAuthority: admin,
  guardian: Keypair.generate().publicKey,
  oraclePublisher: Keypair.generate(),
  grxMint: Keypair.generate(),
  grxAuthority: Keypair.generate(),
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-market-'));
  chain = await startLocalnet({
    dataDir: folder,
    port: 0,
    programs: localPrograms(),
    upgradeAuthority: admin.publicKey.toBase58(),
    logger: pino({ level: 'silent' }),
  });
  connection = openConnection(chain.rpcUrl);
});
afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('goes on where a killed one stopped, and changes nothing once all is there', async () => {
  const keys = newKeys();
  const created: string[][] = [];
  // Killed when the nth transaction of a run is about to be sent, n = 1, 2, ...: each run gets one step further.
  for (;;) {
    let signed = 0;
    try {
      const done = await setUpDemoMarket(connection, keys, {
        onSigned: () => {
          signed += 1;
          if (signed > 1) throw new Error('killed');
        },
      });
      created.push(done?.created ?? []);
      break;
    } catch (error) {
      expect((error as Error).message).toBe('killed');
      created.push(['killed']);
    }
  }
  expect(created).toEqual([['killed'], ['killed'], ['market']]);
  const market = await fetchMarket(connection, keys.grxMint.publicKey);
  expect(market).toMatchObject({
    ...DEMO_MARKET,
    admin: admin.publicKey,
    guardian: keys.guardian,
    feed: feedAddress(FEED_SYMBOL),
    paused: false,
  });
  const feed = await fetchFeed(connection, FEED_SYMBOL);
  expect(feed).toMatchObject({ price: DEMO_PRICE });
  expect(feed && publishersOf(feed)).toEqual([keys.oraclePublisher.publicKey]);
  const again = await setUpDemoMarket(connection, keys, {
    onSigned: () => {
      throw new Error('nothing is to be sent');
    },
  });
  expect(again?.created).toEqual([]);
});

it('gives GRX on the embedded chain and refuses anywhere else', async () => {
  const keys = newKeys();
  const to = Keypair.generate().publicKey;
  const give = (rpcUrl: string) =>
    giveGrx(connection, rpcUrl, {
      payer: admin,
      mint: keys.grxMint.publicKey,
      authority: keys.grxAuthority,
      to,
      amount: 5n,
    });
  await expect(give(chain.rpcUrl)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await setUpDemoMarket(connection, keys);
  expect(await give(chain.rpcUrl)).toMatchObject({ balance: 5n });
  expect(await give(chain.rpcUrl)).toMatchObject({ balance: 10n });
  expect(await fetchQuoteMint(connection, keys.grxMint.publicKey)).toMatchObject({
    decimals: 9,
    supply: 10n,
    mintAuthority: keys.grxAuthority.publicKey,
  });

  // Another cluster: it has no such page, or says that it is the embedded chain with another genesis hash.
  const answers = ['not found', JSON.stringify({ component: 'localnet', genesis_hash: 'another' })];
  for (const answer of answers) {
    const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await isEmbeddedChain(url, connection)).toBe(false);
    await expect(give(url)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    server.close();
  }
});
