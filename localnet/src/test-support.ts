// Helpers of the tests: a localnet in a temporary directory whose clock the test moves.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, type Keypair, Transaction, type TransactionInstruction } from '@solana/web3.js';
import pino from 'pino';
import { afterAll } from 'vitest';
import { type Localnet, type LocalnetOptions, startLocalnet } from './localnet.js';

export const silent = pino({ level: 'silent' });

export interface TestNet {
  localnet: Localnet;
  dataDir: string;
  connection: Connection;
  /** Moves the chain's clock ahead; `connection` is then a new one, since web3.js keeps a blockhash for 30 s. */
  skipSlots(count: number): void;
  /** Moves the chain's clock by milliseconds, also back. */
  moveClock(ms: number): void;
  /** While this runs, the chain's clock moves only as the test moves it, however long the machine takes. */
  whileClockStands<T>(body: () => Promise<T>): Promise<T>;
  /** Starts it again on the same data, after a stop. */
  restart(options?: Partial<LocalnetOptions>): Promise<void>;
  close(): Promise<void>;
}

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A directory that is removed when the test file is done. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gridtokenx-localnet-'));
  directories.push(directory);
  return directory;
}

/** Starts a localnet; its clock is the real one plus what the test has added. */
export async function startTestNet(options: Partial<LocalnetOptions> = {}): Promise<TestNet> {
  const dataDir = options.dataDir ?? temporaryDirectory();
  let offset = 0;
  let standsAt: number | undefined;
  const start = (more: Partial<LocalnetOptions>) =>
    startLocalnet({
      logger: silent,
      now: () => (standsAt ?? Date.now()) + offset,
      ...options,
      ...more,
      dataDir,
    });
  const localnet = await start({});
  const net: TestNet = {
    localnet,
    dataDir,
    connection: new Connection(localnet.rpcUrl, 'confirmed'),
    skipSlots: (count) => {
      offset += count * 400;
      net.connection = new Connection(net.localnet.rpcUrl, 'confirmed');
    },
    moveClock: (ms) => {
      offset += ms;
    },
    whileClockStands: async (body) => {
      const began = Date.now();
      standsAt = began;
      try {
        return await body();
      } finally {
        standsAt = undefined;
        offset -= Date.now() - began;
      }
    },
    restart: async (more = {}) => {
      await net.localnet.stop();
      net.localnet = await start(more);
      net.connection = new Connection(net.localnet.rpcUrl, 'confirmed');
    },
    close: async () => {
      await net.localnet.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return net;
}

/** Gives SOL to a wallet. The answer to an airdrop comes after its commit. */
export async function fund(connection: Connection, wallet: Keypair, sol = 10): Promise<void> {
  await connection.requestAirdrop(wallet.publicKey, sol * 1_000_000_000);
}

/**
 * Sends with preflight and expects success. Unlike web3.js's sendAndConfirmTransaction it leaves no request under
 * way behind, which matters where the node is stopped next.
 */
export async function send(
  connection: Connection,
  instructions: TransactionInstruction[],
  signers: Keypair[],
): Promise<string> {
  const { blockhash } = await connection.getLatestBlockhash();
  const transaction = new Transaction({
    recentBlockhash: blockhash,
    feePayer: (signers[0] as Keypair).publicKey,
  });
  transaction.add(...instructions).sign(...signers);
  const signature = await connection.sendRawTransaction(transaction.serialize());
  const { value } = await connection.getSignatureStatus(signature);
  if (value?.err !== null) throw new Error(`${signature}: ${JSON.stringify(value)}`);
  return signature;
}

/** Asks until the answer is not undefined. */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const value = await attempt();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface RpcAnswer {
  id?: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
}

/** One JSON-RPC call over HTTP, as it is on the wire. */
export async function rpc(url: string, method: string, params: unknown[] = []): Promise<RpcAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as RpcAnswer;
}
