/**
 * A gateway that has its keys and has lost its store: goes on from the meter's last reading as the collector has it.
 *
 * Readings that were signed and never delivered may be anywhere, so the next sequence is far above all that is known, and
 * none is ever signed twice. What the registers showed at the last reading is lost with the store: energy since then is
 * nobody's whose register is known, so it is not counted, and the next reading says so (meter reset).
 */
import { chownSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBase58, decodeReading, GtxError, type LastReading, type Reading } from '@gridtokenx/protocol';
import { type MeterAccount, type MeterMode, newAccount, serialiseAccount } from './account.js';
import type { AgentConfig } from './config.js';
import { Outbox } from './outbox.js';
import { verifyStrict } from './sign.js';

/** The next reading's sequence is so much above the highest that is known: ten days of quarters of an hour. */
export const RESTORE_STEP = 1_000n;

/** Where a meter goes on. */
export interface RestorePoint {
  /** The last reading, with a signature by this meter's own key; undefined when the collector has none. */
  reading: Reading | undefined;
  /** Of the next reading. */
  nextSequence: bigint;
}

/**
 * What the collector's answer is worth: only a reading that this key has signed is believed, and only when the chain is
 * not ahead of it.
 * @throws GtxError CONFLICT when the answer is for another meter, does not verify, or contradicts itself
 */
export function restorePoint(meterId: string, publicKey: Uint8Array, answer: LastReading): RestorePoint {
  const refuse = (why: string): GtxError =>
    new GtxError('CONFLICT', `the collector's answer about ${meterId} is not believed: ${why}`);
  if (answer.meter_id !== meterId) throw refuse(`it is about ${answer.meter_id}`);
  const onChain = BigInt(answer.chain.last_sequence);
  const through = BigInt(answer.through);
  let reading: Reading | undefined;
  if (answer.reading !== null) {
    const bytes = decodeBase58(answer.reading.message, 48);
    if (!verifyStrict(decodeBase58(answer.reading.signature, 64), bytes, publicKey)) {
      throw refuse('its last reading was not signed with this key');
    }
    reading = decodeReading(bytes);
    if (reading.sequence !== BigInt(answer.reading.sequence))
      throw refuse('its sequence is not the signed one');
  }
  if (onChain > (reading?.sequence ?? 0n)) {
    throw refuse(
      `the chain has reading ${onChain}, and the last one shown is ${reading?.sequence ?? 'none'}`,
    );
  }
  const highest = [reading?.sequence ?? 0n, through].reduce((a, b) => (a > b ? a : b));
  return { reading, nextSequence: highest + RESTORE_STEP };
}

/** The books from which a meter goes on: totals as signed last, registers unknown. */
export function restoredAccount(mode: MeterMode, { reading, nextSequence }: RestorePoint): MeterAccount {
  const signed = {
    produced: reading?.producedTotal ?? 0n,
    consumed: reading?.consumedTotal ?? 0n,
    surplus: reading?.surplusTotal ?? 0n,
  };
  return {
    ...newAccount(mode),
    produced: { total: signed.produced, unconfirmed: true },
    ...(mode === 'production' ? {} : { consumed: { total: signed.consumed, unconfirmed: true } }),
    sequence: nextSequence - 1n,
    lastEnd: reading?.intervalEnd ?? 0,
    startedAt: reading?.intervalStart ?? 0,
    signed,
    meterReset: true,
  };
}

/**
 * Opens the store for `work`, which is given the meters that have no books there and writes theirs, one transaction each:
 * what a crash interrupts is done by running it again. A new store belongs to whom the folder belongs.
 * @throws GtxError DATA_DIR_IN_USE while the gateway runs
 */
export async function restoreStore(
  config: AgentConfig,
  now: () => number,
  work: (meterId: string, mode: MeterMode, save: (point: RestorePoint) => void) => Promise<void>,
): Promise<{ restored: string[]; kept: string[] }> {
  const result = { restored: [] as string[], kept: [] as string[] };
  const outbox = Outbox.open(config.data_dir, {
    maxBytes: config.max_outbox_bytes,
    keepMs: config.keep_days * 86_400_000,
    recordKeepMs: config.record_days * 86_400_000,
  });
  try {
    for (const { id, mode } of config.meters) {
      if (outbox.loadAccount(id) !== undefined) {
        result.kept.push(id);
        continue;
      }
      await work(id, mode, (point) => {
        const account = restoredAccount(mode, point);
        outbox.saveAccount(id, serialiseAccount(account, 0), account.sequence, now());
        result.restored.push(id);
      });
    }
  } finally {
    outbox.close();
    if (process.getuid?.() === 0) {
      const { uid, gid } = statSync(config.data_dir);
      for (const name of ['agent.sqlite', 'agent.sqlite-wal', 'agent.sqlite-shm', 'agent.lock']) {
        const file = join(config.data_dir, name);
        if (existsSync(file)) chownSync(file, uid, gid);
      }
    }
  }
  return result;
}
