// Puts the parts together: data directory, genesis, programs, chain, server.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { SYSTEM_PROGRAM } from './addresses.js';
import { Bank } from './bank.js';
import { decodeBase58, encodeBase58 } from './base58.js';
import { Chain, writeSlot } from './chain.js';
import { type Faucet, loadFaucet } from './faucet.js';
import { Journal } from './journal.js';
import { Methods } from './methods.js';
import { Metrics } from './metrics.js';
import { PubSub } from './pubsub.js';
import { assertLoopback, RpcServer } from './server.js';
import { SLOT_MS, SlotClock } from './slot-clock.js';

/** What the faucet holds at genesis: 500 million SOL, as solana-test-validator's mint account does. */
const FAUCET_LAMPORTS = 500_000_000n * 1_000_000_000n;

export interface LocalnetProgram {
  /** Program id, base58. */
  id: string;
  /** Path of the compiled program (ELF, sBPF). */
  soPath: string;
}

export interface LocalnetOptions {
  /** Holds the chain; made when it is not there. One process at a time. */
  dataDir: string;
  /** RPC port; WebSocket also listens on the next one. 0 (default): any free pair. */
  port?: number;
  /** A loopback address; others are refused. */
  host?: string;
  programs?: LocalnetProgram[];
  /** Who may upgrade programs that are deployed now (base58); default: the faucet's key. */
  upgradeAuthority?: string;
  /** Origins of web pages that may call the RPC; none by default. */
  allowedOrigins?: string[];
  logger: Logger;
  /** Unix time in milliseconds. */
  now?: () => number;
}

export interface Localnet {
  rpcUrl: string;
  /** WebSocket URL (the port above `rpcUrl`'s; `rpcUrl`'s own port takes WebSocket as well). */
  wsUrl: string;
  /** Random for each data directory, base58. */
  genesisHash: string;
  /** Address that pays airdrops, base58. */
  faucet: string;
  stop(): Promise<void>;
}

function isKey(text: string): boolean {
  return text.length <= 44 && decodeBase58(text)?.length === 32;
}

/** Everything of an opened data directory but the server. */
function openChain(
  options: LocalnetOptions,
  journal: Journal,
  faucet: Faucet,
  metrics: () => Metrics,
): { chain: Chain; genesisHash: string } {
  const { logger, now = Date.now } = options;
  const fresh = journal.getMeta('genesis_hash') === undefined;
  if (fresh) {
    journal.transaction(() => {
      journal.setMeta('genesis_hash', randomBytes(32));
      journal.setMeta('seed', randomBytes(32));
      // Slot 0 is the genesis and already over: transactions begin in slot 1, which is not final yet.
      journal.addSegment({ slot: 0, timeMs: now() - SLOT_MS, floorUnix: 0 });
    });
  } else {
    // Slots go on after the highest one that may have been used; the time that passed is in the clock alone.
    const slot = Number(journal.getMeta('slot')?.toString() ?? '0') + 1;
    const floorUnix = Number(journal.getMeta('unix_timestamp')?.toString() ?? '0');
    journal.transaction(() => journal.addSegment({ slot, timeMs: now(), floorUnix }));
  }
  const segments = journal.segments();
  const firstSlot = segments.at(-1)?.slot ?? 0;
  const clock = new SlotClock(now, segments, (segment) => {
    logger.warn(
      { slot: segment.slot },
      'the clock went back: block times stand still until it has caught up',
    );
    journal.transaction(() => journal.addSegment(segment));
  });
  const genesisHash = encodeBase58(journal.getMeta('genesis_hash') as Buffer);
  const bank = new Bank(journal, clock, journal.getMeta('seed') as Buffer, Math.max(0, firstSlot - 1));
  bank.load();
  const reserved = firstSlot + 25;
  journal.transaction(() => {
    writeSlot(journal, reserved, bank);
    if (fresh) {
      bank.putGenesisAccount(faucet.address, {
        lamports: FAUCET_LAMPORTS,
        owner: SYSTEM_PROGRAM,
        executable: false,
        data: new Uint8Array(),
      });
    }
    for (const program of options.programs ?? []) deploy(program, bank, journal, faucet, options);
  });
  const chain = new Chain(
    bank,
    journal,
    logger,
    {
      observeCommit: (transactions, seconds) => metrics().observeCommit(transactions, seconds),
      countOutcome: (result) => metrics().countOutcome(result),
    },
    reserved,
  );
  return { chain, genesisHash };
}

/** Deploys a program that is not there, and upgrades one whose file has changed since it was last loaded. */
function deploy(
  program: LocalnetProgram,
  bank: Bank,
  journal: Journal,
  faucet: Faucet,
  options: LocalnetOptions,
): void {
  if (!isKey(program.id)) throw new Error(`not a program id: ${program.id}`);
  const elf = readFileSync(program.soPath);
  const digest = createHash('sha256').update(elf).digest();
  const known = journal.getMeta(`program:${program.id}`);
  if (known?.equals(digest)) return;
  bank.deploy(program.id, elf, options.upgradeAuthority ?? faucet.address);
  journal.setMeta(`program:${program.id}`, digest);
  options.logger.info(
    { program: program.id, file: program.soPath, bytes: elf.length, sha256: digest.toString('hex') },
    known ? 'program upgraded in place: its file has changed' : 'program deployed',
  );
}

/**
 * Starts a Solana chain for this machine: LiteSVM behind JSON-RPC and WebSocket, its state in `dataDir`.
 * @throws when the host is not loopback, the data directory is in use, or a program cannot be loaded
 */
export async function startLocalnet(options: LocalnetOptions): Promise<Localnet> {
  const { logger, host = '127.0.0.1', port = 0 } = options;
  assertLoopback(host);
  if (options.upgradeAuthority !== undefined && !isKey(options.upgradeAuthority)) {
    throw new Error(`not an address: ${options.upgradeAuthority}`);
  }
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const journal = new Journal(join(options.dataDir, 'chain.sqlite'));
  let metrics: Metrics | undefined;
  try {
    const faucet = loadFaucet(join(options.dataDir, 'faucet-keypair.json'));
    const { chain, genesisHash } = openChain(options, journal, faucet, () => metrics as Metrics);
    const pubsub = new PubSub(chain);
    const methods = new Methods(chain, faucet, genesisHash);
    let server: RpcServer | undefined;
    metrics = new Metrics({
      slot: () => chain.bank.clock.slot,
      healthy: () => chain.unhealthy === undefined,
      connections: () => server?.connections ?? 0,
      subscriptions: () => pubsub.size,
    });
    server = new RpcServer(
      { host, port, allowedOrigins: options.allowedOrigins ?? [] },
      { chain, methods, pubsub, metrics, logger },
    );
    const running = server;
    const rpcPort = await running.start();
    chain.start();
    const name = host === '::1' ? '[::1]' : host;
    const rpcUrl = `http://${name}:${rpcPort}`;
    const wsUrl = `ws://${name}:${rpcPort + 1}`;
    logger.info(
      { rpcUrl, wsUrl, genesisHash, slot: chain.bank.clock.slot, dataDir: options.dataDir },
      'localnet is up',
    );
    let stopping: Promise<void> | undefined;
    return {
      rpcUrl,
      wsUrl,
      genesisHash,
      faucet: faucet.address,
      stop: () => {
        stopping ??= running.stop().then(() => {
          chain.stop();
          journal.close();
          logger.info('localnet has stopped');
        });
        return stopping;
      },
    };
  } catch (error) {
    journal.close();
    throw error;
  }
}
