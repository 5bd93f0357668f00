/**
 * A gateway that has its keys and has lost its store: goes on from the meter's last reading as the collector has it.
 *
 * Readings that were signed and never delivered may be anywhere, so the next sequence is far above all that is known, and
 * none is ever signed twice. What the registers showed at the last reading is lost with the store: energy since then is
 * nobody's whose register is known, so it is not counted, and the next reading says so (meter reset). With a backup they are
 * known, see `continuation`.
 */
import { chownSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeBase58,
  decodeReading,
  encodeBase58,
  GtxError,
  type LastReading,
  type Nkwh,
  type Reading,
  ReadingFlag,
} from '@gridtokenx/protocol';
import { type MeterAccount, type MeterMode, newAccount, parseAccount, serialiseAccount } from './account.js';
import { type BackupContent, type BackupMeter, waitingReadings } from './backup.js';
import type { ChainMeter } from './chain-meter.js';
import type { AgentConfig } from './config.js';
import { Outbox, type WaitingReading } from './outbox.js';
import { allowance, DEFAULT_LIMITS, type RegisterTrack } from './plausible.js';
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
 * @param chain what the chain itself says of the meter, where it was asked; null: that there is no such meter
 * @throws GtxError CONFLICT when the answer is for another meter, does not verify, or contradicts itself or the chain
 */
export function restorePoint(
  meterId: string,
  publicKey: Uint8Array,
  answer: LastReading,
  chain?: ChainMeter | null,
): RestorePoint {
  const refuse = (why: string): GtxError =>
    new GtxError('CONFLICT', `the collector's answer about ${meterId} is not believed: ${why}`);
  if (answer.meter_id !== meterId) throw refuse(`it is about ${answer.meter_id}`);
  if (chain === null) throw refuse('the chain has no such meter');
  if (chain !== undefined && chain.publicKey !== encodeBase58(publicKey)) {
    throw refuse(`on the chain the meter has another key (${chain.publicKey})`);
  }
  const told = BigInt(answer.chain.last_sequence);
  const onChain = chain !== undefined && chain.lastSequence > told ? chain.lastSequence : told;
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

/** How a meter goes on from a backup. */
export interface Continuation {
  account: MeterAccount;
  /** Readings of the backup that the collector has not got. */
  waiting: WaitingReading[];
  /** Why the energy since the last reading known is not counted; undefined when it is. */
  uncounted: string | undefined;
}

/**
 * Where a meter goes on that has a backup and the collector's answer. The backup says what the registers showed when so
 * much was counted. Where the collector's last reading is newer, the same rise of totals and registers brings the snapshot
 * to that reading; from there the gateway's own rules judge what the registers show now (a fall, or a rise above the rated
 * power, begins a new series and is not counted). A snapshot that contradicts the collector's reading is not used.
 * @param ratedWatts most power of the meter
 */
export function continuation(
  mode: MeterMode,
  ratedWatts: number,
  point: RestorePoint,
  meter: BackupMeter,
): Continuation {
  const books = parseAccount(meter.account, 0);
  const above = [books.sequence, BigInt(meter.sequence), ...meter.waiting.map((one) => BigInt(one.sequence))]
    .map((sequence) => sequence + RESTORE_STEP)
    .reduce((a, b) => (a > b ? a : b));
  const nextSequence = above > point.nextSequence ? above : point.nextSequence;
  const sequence = nextSequence - 1n;
  const { reading } = point;
  const lost = (uncounted: string): Continuation => ({
    account: restoredAccount(mode, { reading, nextSequence }),
    waiting: [],
    uncounted,
  });
  const tracks = [books.produced, ...(books.consumed ? [books.consumed] : [])];
  const snapshot = tracks.every(({ believed }) => believed !== undefined);

  if (reading === undefined || reading.sequence <= books.sequence) {
    // The backup is as new as the collector's reading, or newer.
    if (reading !== undefined && !precedes(reading, books)) {
      return lost('the backup contradicts the collector’s last reading');
    }
    const known = point.nextSequence - RESTORE_STEP;
    return {
      account: { ...books, sequence, meterReset: books.meterReset || !snapshot },
      waiting: waitingReadings(meter).filter((one) => BigInt(one.sequence) > known),
      uncounted: snapshot ? undefined : 'the backup has no registers',
    };
  }

  if (books.mode !== mode) return lost('the meter’s mode has changed since the backup');
  if (!snapshot) return lost('the backup has no registers');
  if ((reading.flags & ReadingFlag.MeterReset) !== 0) {
    return lost('the registers have begun a new series since the backup');
  }
  const endMs = reading.intervalEnd * 1_000;
  const moved = (track: RegisterTrack, total: Nkwh): RegisterTrack | undefined => {
    const believed = track.believed as NonNullable<RegisterTrack['believed']>;
    const rise = total - track.total;
    const most = allowance({ ...DEFAULT_LIMITS, maxWatts: ratedWatts }, believed.risenAtMs, endMs);
    if (rise < 0n || rise > most) return undefined;
    return {
      total,
      believed: { register: believed.register + rise, seenAtMs: endMs, risenAtMs: endMs },
      unconfirmed: true,
    };
  };
  const produced = moved(books.produced, reading.producedTotal);
  const consumed = books.consumed && moved(books.consumed, reading.consumedTotal);
  if (
    produced === undefined ||
    (books.consumed !== undefined && consumed === undefined) ||
    reading.surplusTotal < books.signed.surplus ||
    reading.intervalEnd < books.lastEnd
  ) {
    return lost('the backup contradicts the collector’s last reading');
  }
  return {
    account: {
      ...books,
      produced,
      ...(consumed ? { consumed } : {}),
      sequence,
      lastEnd: reading.intervalEnd,
      signed: {
        produced: reading.producedTotal,
        consumed: reading.consumedTotal,
        surplus: reading.surplusTotal,
      },
      meterReset: false,
      clockSet: false,
    },
    waiting: [],
    uncounted: undefined,
  };
}

/** Whether a reading can be the books' last one, or one before. */
function precedes(reading: Reading, { sequence, lastEnd, signed }: MeterAccount): boolean {
  if (reading.sequence === sequence) {
    return (
      reading.intervalEnd === lastEnd &&
      reading.producedTotal === signed.produced &&
      reading.consumedTotal === signed.consumed &&
      reading.surplusTotal === signed.surplus
    );
  }
  return (
    reading.intervalEnd < lastEnd &&
    reading.producedTotal <= signed.produced &&
    reading.consumedTotal <= signed.consumed &&
    reading.surplusTotal <= signed.surplus
  );
}

/** What became of a meter. */
export interface Restored {
  nextSequence: bigint;
  /** Surplus in the last reading known. */
  surplus: Nkwh;
  /** Readings from the backup that wait for the collector. */
  waiting: number;
  /** Why the energy since then is not counted; undefined when it is. */
  uncounted: string | undefined;
}

/**
 * Opens the store for `work`, which is given the meters that have no books there and writes theirs, one transaction each:
 * what a crash interrupts is done by running it again. A new store belongs to whom the folder belongs.
 * @param backup where there is one
 * @throws GtxError DATA_DIR_IN_USE while the gateway runs
 */
export async function restoreStore(
  config: AgentConfig,
  now: () => number,
  work: (meterId: string, mode: MeterMode, save: (point: RestorePoint) => Restored) => Promise<void>,
  backup?: BackupContent,
): Promise<{ restored: string[]; kept: string[] }> {
  const result = { restored: [] as string[], kept: [] as string[] };
  const outbox = Outbox.open(config.data_dir, {
    maxBytes: config.max_outbox_bytes,
    keepMs: config.keep_days * 86_400_000,
    recordKeepMs: config.record_days * 86_400_000,
  });
  try {
    for (const { id, mode, rated_watts } of config.meters) {
      if (outbox.loadAccount(id) !== undefined) {
        result.kept.push(id);
        continue;
      }
      await work(id, mode, (point) => {
        const meter = backup?.meters.find(({ meter_id }) => meter_id === id);
        const { account, waiting, uncounted } =
          meter === undefined
            ? { account: restoredAccount(mode, point), waiting: [], uncounted: 'the registers are not known' }
            : continuation(mode, rated_watts, point, meter);
        outbox.restoreMeter(id, serialiseAccount(account, 0), account.sequence, waiting, now());
        result.restored.push(id);
        return {
          nextSequence: account.sequence + 1n,
          surplus: account.signed.surplus,
          waiting: waiting.length,
          uncounted,
        };
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
