import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { confirmTransaction, type PreparedTransaction, toChainError } from '@gridtokenx/chain';
import { GtxError } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import { z } from 'zod';
import { takeLock } from '../process/lock.js';

/*
 * What a wallet has asked of the market and not been answered. A command writes it down before it sends; killed, and
 * then repeated, it finds out what became of the first attempt, so that nothing is ordered or bought twice.
 */

/** What was asked, in the words of the command line. */
export type Intent = Readonly<Record<string, string>>;

const Entry = z.strictObject({
  version: z.literal(1),
  genesis_hash: z.string(),
  intent: z.record(z.string(), z.string()),
  signature: z.string(),
  last_valid_block_height: z.int(),
  wire: z.base64(),
});
type Entry = z.infer<typeof Entry>;

const sameIntent = (one: Intent, other: Intent): boolean => {
  const text = (intent: Intent) => JSON.stringify(Object.entries(intent).sort());
  return text(one) === text(other);
};

export interface Asked {
  readonly signature: string;
  /** True when an earlier, interrupted command had done it. */
  readonly repeated: boolean;
  /** To be called once the result was shown: from then on the same words ask for another one. */
  readonly shown: () => void;
}

export interface AskOptions {
  readonly connection: Connection;
  /** Folder of the journal, made when missing. */
  readonly folder: string;
  /** Base58: one command of a wallet at a time. */
  readonly wallet: string;
  readonly intent: Intent;
  readonly progress: (text: string) => void;
  /** Looks, builds and sends; calls `onSigned` with each transaction before it is sent. */
  readonly send: (onSigned: (prepared: PreparedTransaction) => void) => Promise<{ signature: string }>;
}

/**
 * Does what is asked, once: an interrupted attempt at the same is brought to its end instead of being repeated.
 * @throws GtxError DATA_DIR_IN_USE while another command of this wallet is under way; what `send` throws
 */
export async function askOnce(options: AskOptions): Promise<Asked> {
  const { connection, folder, wallet, intent, progress, send } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${wallet}.json`);
  const release = lockWallet(join(folder, `${wallet}.lock`), wallet);
  const forget = () => rmSync(file, { force: true });
  try {
    const genesisHash = await genesisOf(connection);
    const earlier = readEntry(file);
    if (earlier !== undefined && earlier.genesis_hash === genesisHash) {
      const same = sameIntent(earlier.intent, intent);
      progress(
        same
          ? `this was asked for before and interrupted; looking what became of transaction ${earlier.signature}`
          : `an earlier command of this wallet was interrupted; waiting for what becomes of transaction ${earlier.signature}`,
      );
      const { state } = await confirmTransaction(
        connection,
        {
          signature: earlier.signature,
          lastValidBlockHeight: earlier.last_valid_block_height,
          // Only what is still wanted is sent again.
          ...(same ? { wire: Buffer.from(earlier.wire, 'base64') } : {}),
        },
        { expiryCommitment: 'confirmed' },
      );
      const landed = state === 'confirmed' || state === 'finalized';
      if (landed && same) return { signature: earlier.signature, repeated: true, shown: forget };
      progress(
        landed
          ? `the earlier command was carried out: ${describe(earlier.intent)}`
          : `the earlier command was not carried out: ${describe(earlier.intent)}`,
      );
    }
    forget();
    const { signature } = await send((prepared) =>
      writeEntry(file, {
        version: 1,
        genesis_hash: genesisHash,
        intent: { ...intent },
        signature: prepared.signature,
        last_valid_block_height: prepared.lastValidBlockHeight,
        wire: Buffer.from(prepared.wire).toString('base64'),
      }),
    );
    return { signature, repeated: false, shown: forget };
  } catch (error) {
    if (error instanceof GtxError && error.code === 'CHAIN_UNAVAILABLE' && existsSync(file)) {
      throw new GtxError(
        'CHAIN_UNAVAILABLE',
        `${error.message}; whether it was carried out is not known yet: the same command again finds out and does nothing twice`,
        error.details,
        { cause: error },
      );
    }
    // Refused or expired: it has no effect and never will.
    if (error instanceof GtxError && error.code !== 'CHAIN_UNAVAILABLE') forget();
    throw error;
  } finally {
    release();
  }
}

const describe = (intent: Intent): string =>
  Object.entries(intent)
    .map(([name, value]) => (name === 'command' ? value : `${name} ${value}`))
    .join(', ');

function lockWallet(path: string, wallet: string): () => void {
  try {
    return takeLock(path);
  } catch (error) {
    if (!(error instanceof GtxError) || error.code !== 'DATA_DIR_IN_USE') throw error;
    throw new GtxError(
      'DATA_DIR_IN_USE',
      `another gtx command of the wallet ${wallet} is under way: one at a time`,
      error.details,
    );
  }
}

async function genesisOf(connection: Connection): Promise<string> {
  try {
    return await connection.getGenesisHash();
  } catch (error) {
    throw toChainError(error);
  }
}

function readEntry(file: string): Entry | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return Entry.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    // It is written whole or not at all, so this is damage; guessing could buy something twice.
    throw new GtxError(
      'CONFIG_INVALID',
      `${file} is damaged: look with gtx orders and gtx trades what became of the last command, then delete it`,
      undefined,
      { cause: error },
    );
  }
}

/** On the disk, whole, before it returns. */
function writeEntry(file: string, entry: Entry): void {
  const aside = `${file}.new`;
  const descriptor = openSync(aside, 'w', 0o600);
  try {
    writeSync(descriptor, JSON.stringify(entry));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(aside, file);
}
