// What is confirmed stays, whatever happens to the process or the disk. Real processes, killed with SIGKILL.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Connection,
  Keypair,
  type PublicKey,
  SYSVAR_CLOCK_PUBKEY,
  SystemProgram,
  Transaction,
  TransactionInstruction,
} from '@solana/web3.js';
import bs58 from 'bs58';
import fc from 'fast-check';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { fund, rpc, startTestNet, temporaryDirectory, until } from './test-support.js';

const packageDir = fileURLToPath(new URL('..', import.meta.url));
const SOL = 1_000_000_000;

interface Child {
  process: ChildProcess;
  rpcUrl: string;
  genesisHash: string;
  log: () => string;
  exited: Promise<void>;
}

const running = new Set<ChildProcess>();

beforeAll(() => {
  // The child is plain node and runs what is built.
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  execFileSync(process.execPath, [tsc, '-b', packageDir]);
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

async function startChild(dataDir: string): Promise<Child> {
  // SIGXFSZ would end the process where it should see the failed write.
  const command = `trap '' XFSZ; exec "$0" "$@"`;
  const script = join(packageDir, 'scripts/serve.mjs');
  const child = spawn('sh', ['-c', command, process.execPath, script, '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = new Promise<void>((resolve) => {
    child.on('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  const line = await until('the child to be ready', () => {
    if (child.exitCode !== null) throw new Error(`localnet did not start: ${log}`);
    return output.includes('\n') ? output.split('\n')[0] : undefined;
  });
  const ready = JSON.parse(line as string) as { rpcUrl: string; genesisHash: string };
  return { process: child, rpcUrl: ready.rpcUrl, genesisHash: ready.genesisHash, log: () => log, exited };
}

function transfer(from: Keypair, to: PublicKey, lamports: number, blockhash: string): Transaction {
  const transaction = new Transaction({ recentBlockhash: blockhash, feePayer: from.publicKey }).add(
    SystemProgram.transfer({ fromPubkey: from.publicKey, toPubkey: to, lamports }),
  );
  transaction.sign(from);
  return transaction;
}

async function statuses(
  url: string,
  signatures: string[],
): Promise<({ slot: number; err: unknown } | null)[]> {
  const found: ({ slot: number; err: unknown } | null)[] = [];
  for (let at = 0; at < signatures.length; at += 256) {
    const answer = await rpc(url, 'getSignatureStatuses', [
      signatures.slice(at, at + 256),
      { searchTransactionHistory: true },
    ]);
    found.push(...(answer.result as { value: ({ slot: number; err: unknown } | null)[] }).value);
  }
  return found;
}

test('kill -9 in the middle of work, again and again: nothing confirmed is lost, nothing is doubled', async () => {
  const seed = Number(process.env.LOCALNET_KILL_SEED ?? Date.now() % 1_000_000_000);
  const rounds = Number(process.env.LOCALNET_KILL_ROUNDS ?? 6);
  process.stderr.write(`kill test: LOCALNET_KILL_SEED=${seed} LOCALNET_KILL_ROUNDS=${rounds}\n`);
  const killAfter = fc.sample(fc.integer({ min: 1, max: 120 }), { seed, numRuns: rounds });
  const dataDir = temporaryDirectory();
  const payers = Array.from({ length: 4 }, () => Keypair.generate());
  const targets = Array.from({ length: 4 }, () => Keypair.generate().publicKey);
  const sent = new Map<string, { target: number; lamports: number }>();
  const confirmed = new Set<string>();
  let genesisHash: string | undefined;
  let highestSlot = 0;
  let lamports = SOL;
  let previous: { wire: Buffer; blockhash: string } | undefined;

  for (const [round, limit] of [...killAfter, 0].entries()) {
    const child = await startChild(dataDir);
    const connection = new Connection(child.rpcUrl, 'confirmed');
    genesisHash ??= child.genesisHash;
    expect(child.genesisHash).toBe(genesisHash);
    const slot = await connection.getSlot();
    expect(slot).toBeGreaterThanOrEqual(highestSlot);

    // Everything that was reported is there, and each balance is exactly what the chain's own record adds up to.
    const all = [...sent.keys()];
    const found = await statuses(child.rpcUrl, all);
    const landed = new Map(all.map((signature, index) => [signature, found[index]]));
    for (const signature of confirmed) expect(landed.get(signature), signature).toMatchObject({ err: null });
    const totals = targets.map(() => 0);
    for (const [signature, { target, lamports: amount }] of sent) {
      if (landed.get(signature)) totals[target] = (totals[target] as number) + amount;
    }
    for (const [index, target] of targets.entries())
      expect(await connection.getBalance(target)).toBe(totals[index]);

    if (previous) {
      // The blockhash of before the kill still holds, and what was processed with it cannot be processed again.
      expect((await connection.isBlockhashValid(previous.blockhash)).value).toBe(true);
      await expect(connection.sendRawTransaction(previous.wire)).rejects.toThrow('already been processed');
    }
    if (round === killAfter.length) {
      child.process.kill('SIGTERM');
      await child.exited;
      expect(child.log()).toContain('localnet has stopped');
      break;
    }

    if (round === 0) for (const payer of payers) await fund(connection, payer, 1_000_000);
    const { blockhash } = await connection.getLatestBlockhash();
    let stop = false;
    let count = 0;
    const worker = async (index: number) => {
      while (!stop) {
        const target = index % targets.length;
        const amount = lamports++;
        const transaction = transfer(
          payers[index] as Keypair,
          targets[target] as PublicKey,
          amount,
          blockhash,
        );
        const wire = transaction.serialize();
        const signature = await connection
          .sendRawTransaction(wire, { skipPreflight: index % 2 === 0 })
          .catch((error: unknown) => {
            if (stop) return undefined; // killed under way
            throw error;
          });
        // Whether it was answered or not, it may have landed.
        sent.set(signature ?? signatureOf(transaction), { target, lamports: amount });
        if (signature === undefined) return;
        const [status] = await statuses(child.rpcUrl, [signature]).catch(() => [null]);
        if (!status) continue;
        expect(status.err).toBeNull();
        confirmed.add(signature);
        highestSlot = Math.max(highestSlot, status.slot);
        previous = { wire, blockhash };
        if (++count >= limit && !stop) {
          stop = true;
          child.process.kill('SIGKILL');
        }
      }
    };
    await Promise.all(payers.map((_payer, index) => worker(index)));
    await child.exited;
  }
  expect(confirmed.size).toBeGreaterThanOrEqual(killAfter.reduce((sum, limit) => sum + limit, 0));
  rmSync(dataDir, { recursive: true });
});

function signatureOf(transaction: Transaction): string {
  const signature = transaction.signature;
  if (!signature) throw new Error('not signed');
  return bs58.encode(signature);
}

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

test.skipIf(!hasPrlimit)(
  'a full disk: it says so, loses nothing, shows nothing that is not stored, and recovers',
  async () => {
    const dataDir = temporaryDirectory();
    const child = await startChild(dataDir);
    const connection = new Connection(child.rpcUrl, 'confirmed');
    const payer = Keypair.generate();
    const target = Keypair.generate().publicKey;
    await fund(connection, payer, 1000);
    const { blockhash } = await connection.getLatestBlockhash();
    const limitFileSize = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(child.process.pid), `--fsize=${bytes}:unlimited`]);
    const stored: string[] = [];
    let total = 0;
    let refusal: { code: number; message: string } | undefined;
    for (let lamports = SOL; !refusal && stored.length < 2000; lamports++) {
      // Room for less than one page: neither a transaction fits nor what the node notes of its slots, however long this takes.
      if (stored.length === 4) limitFileSize(statSync(join(dataDir, 'chain.sqlite-wal')).size + 4_000);
      const transaction = transfer(payer, target, lamports, blockhash);
      const answer = await rpc(child.rpcUrl, 'sendTransaction', [
        transaction.serialize().toString('base64'),
        { encoding: 'base64', preflightCommitment: 'confirmed' },
      ]);
      if (answer.error) {
        refusal = answer.error;
        expect((await statuses(child.rpcUrl, [signatureOf(transaction)]))[0]).toBeNull();
      } else {
        stored.push(answer.result as string);
        total += lamports;
      }
    }
    expect(refusal).toMatchObject({ code: -32005, message: 'Node is unhealthy' });
    expect(stored).toHaveLength(4);
    expect((await rpc(child.rpcUrl, 'getHealth')).error?.code).toBe(-32005);
    expect((await fetch(`${child.rpcUrl}/healthz`)).status).toBe(503);
    // What is shown is what is stored.
    expect(await connection.getBalance(target)).toBe(total);
    expect((await statuses(child.rpcUrl, stored)).every((status) => status?.err === null)).toBe(true);
    expect((await rpc(child.rpcUrl, 'requestAirdrop', [target.toBase58(), 1])).error?.code).toBe(-32005);

    limitFileSize('unlimited');
    await until('the node to recover', async () =>
      (await rpc(child.rpcUrl, 'getHealth')).result === 'ok' ? true : undefined,
    );
    const fresh = await connection.getLatestBlockhash();
    await connection.sendRawTransaction(transfer(payer, target, SOL, fresh.blockhash).serialize());
    expect(await connection.getBalance(target)).toBe(total + SOL);
    child.process.kill('SIGKILL');
    await child.exited;

    const again = await startChild(dataDir);
    expect(await new Connection(again.rpcUrl, 'confirmed').getBalance(target)).toBe(total + SOL);
    expect((await statuses(again.rpcUrl, stored)).every((status) => status?.err === null)).toBe(true);
    again.process.kill('SIGTERM');
    await again.exited;
    rmSync(dataDir, { recursive: true });
  },
);

test('a data directory is taken while a process has it, and free once that is dead', async () => {
  const dataDir = temporaryDirectory();
  const child = await startChild(dataDir);
  await expect(startChild(dataDir)).rejects.toThrow('in use by another process');
  child.process.kill('SIGKILL');
  await child.exited;
  const again = await startChild(dataDir);
  expect(again.genesisHash).toBe(child.genesisHash);
  again.process.kill('SIGTERM');
  await again.exited;
  rmSync(dataDir, { recursive: true });
});

test('after a restart all that is stored is final, time has passed, and slots go on', async () => {
  const net = await startTestNet();
  try {
    const payer = Keypair.generate();
    await fund(net.connection, payer, 10);
    const { blockhash } = await net.connection.getLatestBlockhash();
    const missing = new TransactionInstruction({
      programId: Keypair.generate().publicKey,
      keys: [],
      data: Buffer.alloc(0),
    });
    const failing = new Transaction({ recentBlockhash: blockhash, feePayer: payer.publicKey }).add(missing);
    failing.sign(payer);
    const failed = await net.connection.sendRawTransaction(failing.serialize(), { skipPreflight: true });
    const slot = await net.connection.getSlot();
    const time = await net.connection.getBlockTime(slot);
    await net.localnet.stop();
    net.moveClock(3_600_000);
    await net.restart();
    const status = (await net.connection.getSignatureStatus(failed, { searchTransactionHistory: true }))
      .value;
    expect(status).toMatchObject({ confirmationStatus: 'finalized', err: 'ProgramAccountNotFound' });
    expect(await net.connection.getBalance(payer.publicKey, 'finalized')).toBe(10 * SOL - 5000);
    const next = await net.connection.getSlot();
    expect(next).toBeGreaterThan(slot);
    expect(next).toBeLessThan(slot + 100);
    expect(((await net.connection.getBlockTime(next)) as number) - (time as number)).toBeGreaterThanOrEqual(
      3_599,
    );
    expect(await net.connection.getBlockTime(slot)).toBe(time);
    const clock = await net.connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY);
    const clockSlot = Number(clock?.data.readBigUInt64LE(0));
    expect(Number(clock?.data.readBigInt64LE(32))).toBe(await net.connection.getBlockTime(clockSlot));
    // A blockhash from before the pause holds: slots do not pass while nothing runs.
    expect((await net.connection.isBlockhashValid(blockhash)).value).toBe(true);
  } finally {
    await net.close();
  }
});

test('a clock that is set back does not take slots or block times with it', async () => {
  const net = await startTestNet();
  try {
    net.skipSlots(100);
    const slot = await net.connection.getSlot();
    const time = (await net.connection.getBlockTime(slot)) as number;
    net.moveClock(-86_400_000);
    const next = await net.connection.getSlot();
    expect(next).toBeGreaterThanOrEqual(slot);
    expect(await net.connection.getBlockTime(next)).toBeGreaterThanOrEqual(time);
    const payer = Keypair.generate();
    await fund(net.connection, payer, 1);
    net.skipSlots(10);
    expect(await net.connection.getSlot()).toBeGreaterThanOrEqual(next + 10);
    await net.restart();
    expect(await net.connection.getSlot()).toBeGreaterThanOrEqual(next + 10);
    expect(await net.connection.getBlockTime(await net.connection.getSlot())).toBeGreaterThanOrEqual(time);
  } finally {
    await net.close();
  }
});

test('a chain whose clock stands still works, and its first slot is not final', async () => {
  const net = await startTestNet({ now: () => 1_800_000_000_000 });
  try {
    const signatures = await Promise.all(
      [1, 2].map(() => net.connection.requestAirdrop(Keypair.generate().publicKey, SOL)),
    );
    for (const status of await statuses(net.localnet.rpcUrl, signatures)) {
      expect(status).toMatchObject({ slot: 1, err: null, confirmationStatus: 'confirmed' });
    }
    expect(await net.connection.getSlot('finalized')).toBe(0);
    expect(await net.connection.getBlockTime(1)).toBe(1_800_000_000);
  } finally {
    await net.close();
  }
});
