/**
 * The rules for a submitted reading, as functions of what is known: no database, no chain, no clock.
 *
 * Order, as in the process description: signature, freshness, duplicates, amount (the gateway's part);
 * then meter registered, user verified, wallet, key (the backend's part). The first rule that is broken
 * names the refusal. A refusal's *effects* (alert, mark as refused, details about the meter's state) need
 * in addition that the meter's own key signed: `judge` reports that as `authentic`, so that a stranger
 * who sends readings for somebody's meter learns and changes nothing.
 */
import {
  type ErrorCode,
  type ErrorDetails,
  GtxError,
  MAX_READING_AGE_SECONDS,
  MAX_READING_AHEAD_SECONDS,
  MAX_READING_NKWH,
  MAX_SEQUENCE_JUMP,
  type Nkwh,
  nkwhToKwh,
} from '@gridtokenx/protocol';
import type { MeterStatus } from '../ports.js';
import type { Submission } from './submission.js';

/** A reading that has been accepted, as far as its neighbours need to know. */
export interface Position {
  sequence: bigint;
  /** Interval end, Unix seconds. */
  end: number;
  /** Interval start; unknown where only the chain's account is known. */
  start?: number;
  producedTotal: Nkwh;
  consumedTotal: Nkwh;
  surplusTotal: Nkwh;
}

/** Every status of a stored reading: what ingestion gives it, and what settlement makes of it. */
export const STORED_STATUSES = [
  'pending',
  'covered',
  'held',
  'accepted',
  'chain_held',
  'minted',
  'nothing_to_settle',
  'superseded',
  'review',
  'written_off',
] as const;
export type StoredStatus = (typeof STORED_STATUSES)[number];

/** What is known about the meter that a submission names. */
export interface MeterContext {
  /** Absent when neither database nor chain know the meter. */
  meter?: {
    wallet: string;
    publicKey: string;
    status: MeterStatus;
    userVerified: boolean;
  };
  /** The stored reading with the same sequence. */
  existing?: {
    messageHash: Uint8Array;
    publicKey: string;
    status: StoredStatus;
    amountNkwh: Nkwh;
  };
  /** The accepted reading with the next lower sequence. */
  previous?: Position;
  /** The accepted reading with the next higher sequence. */
  next?: Position;
  /** The chain has accepted this very sequence, though the database does not hold its reading. */
  onChain?: Position;
}

export interface Rules {
  /** Least distance between the ends of a meter's readings. */
  intervalSeconds: number;
  maxAgeSeconds: number;
  maxAheadSeconds: number;
  maxReadingNkwh: Nkwh;
  maxSequenceJump: bigint;
  /**
   * How `kwh_amount`, which is not signed, is compared with the signed totals.
   * `exact`: equal to the surplus since the previous accepted reading (HTTP: the sender got each answer).
   * `pipelined`: the same for consecutive sequences; across a hole the sender may have counted from a
   * reading that was lost or refused, so any amount up to the surplus is accepted (MQTT, where readings are
   * sent before the answers to earlier ones arrive). What is stored is the surplus by the signed totals.
   */
  amount: 'exact' | 'pipelined';
}

export const DEFAULT_RULES: Omit<Rules, 'intervalSeconds' | 'amount'> = {
  maxAgeSeconds: MAX_READING_AGE_SECONDS,
  maxAheadSeconds: MAX_READING_AHEAD_SECONDS,
  maxReadingNkwh: MAX_READING_NKWH,
  maxSequenceJump: MAX_SEQUENCE_JUMP,
};

export interface Refusal {
  code: ErrorCode;
  message: string;
  details: ErrorDetails;
}

export type Judgement =
  | { kind: 'store'; status: 'pending' | 'covered' | 'held'; amountNkwh: Nkwh }
  | { kind: 'duplicate'; status: StoredStatus; amountNkwh: Nkwh }
  | { kind: 'refuse'; refusal: Refusal; authentic: boolean };

function refusal(code: ErrorCode, message: string, details: ErrorDetails = {}): Refusal {
  return { code, message, details };
}

/** Rule 1. `signed`: the outcome of the strict verification. */
export function checkSignature(signed: boolean): Refusal | undefined {
  return signed ? undefined : refusal('INVALID_SIGNATURE', 'the signature does not verify with public_key');
}

/** Rule 2: the interval is one, ends at the timestamp, is not over and not ahead of its time. */
export function checkFreshness(
  submission: Submission,
  rules: Rules,
  nowSeconds: number,
): Refusal | undefined {
  const { intervalStart, intervalEnd } = submission.reading;
  if (intervalStart >= intervalEnd) {
    return refusal('INTERVAL_INVALID', 'the interval ends before it begins');
  }
  if (submission.timestamp !== intervalEnd) {
    return refusal('INTERVAL_INVALID', 'reading_timestamp is not the end of the interval', {
      interval_end: intervalEnd,
      reading_timestamp: submission.timestamp,
    });
  }
  if (intervalEnd > nowSeconds + rules.maxAheadSeconds) {
    return refusal('READING_IN_FUTURE', 'the interval ends in the future', {
      interval_end: intervalEnd,
      server_time: nowSeconds,
    });
  }
  if (intervalEnd < nowSeconds - rules.maxAgeSeconds) {
    return refusal('READING_TOO_OLD', 'the interval ended more than 7 days ago', {
      interval_end: intervalEnd,
      server_time: nowSeconds,
    });
  }
  return undefined;
}

/** The same reading again: same sequence, same bytes, same key. */
export function isDuplicate(submission: Submission, context: MeterContext): boolean {
  const { existing } = context;
  return (
    existing !== undefined &&
    existing.publicKey === submission.publicKey &&
    Buffer.compare(existing.messageHash, submission.messageHash) === 0
  );
}

/** Rule 3: a sequence is used once, and readings end at least one interval apart and do not overlap. */
export function checkDuplicates(
  submission: Submission,
  context: MeterContext,
  rules: Rules,
): Refusal | undefined {
  const { sequence, intervalStart, intervalEnd } = submission.reading;
  const { existing, previous, next } = context;
  if (sequence === 0n) return refusal('SEQUENCE_INVALID', 'sequences begin with 1');
  if (existing !== undefined) {
    return refusal('SEQUENCE_CONFLICT', 'another reading with this sequence is stored already', {
      sequence: sequence.toString(),
    });
  }
  const { onChain } = context;
  if (onChain !== undefined && !samePosition(onChain, positionOf(submission))) {
    return refusal('SEQUENCE_CONFLICT', 'the chain has accepted another reading with this sequence', {
      sequence: sequence.toString(),
    });
  }
  const base = previous?.sequence ?? 0n;
  if (next === undefined && sequence - base > rules.maxSequenceJump) {
    return refusal('SEQUENCE_INVALID', 'the sequence is too far above the last one', {
      sequence: sequence.toString(),
      last_sequence: base.toString(),
    });
  }
  for (const neighbour of [previous, next]) {
    if (neighbour === undefined) continue;
    if (Math.abs(intervalEnd - neighbour.end) < rules.intervalSeconds) {
      return refusal('DUPLICATE_READING', 'another reading of this meter ends less than an interval away', {
        interval_end: intervalEnd,
        other_end: neighbour.end,
        other_sequence: neighbour.sequence.toString(),
        interval_seconds: rules.intervalSeconds,
      });
    }
  }
  if (previous !== undefined && intervalStart < previous.end) {
    return refusal('INTERVAL_INVALID', 'the interval begins before the previous one ended', {
      interval_start: intervalStart,
      previous_end: previous.end,
    });
  }
  if (next !== undefined && intervalEnd > (next.start ?? next.end)) {
    return refusal('INTERVAL_INVALID', 'the interval ends after the next one began', {
      interval_end: intervalEnd,
      next_start: next.start ?? next.end,
    });
  }
  return undefined;
}

/** How one reading's totals may follow another's. `dSurplus` within max(0, dProduced - dConsumed)..dProduced. */
function checkRise(earlier: Position, later: Position): Refusal | undefined {
  const produced = later.producedTotal - earlier.producedTotal;
  const consumed = later.consumedTotal - earlier.consumedTotal;
  const surplus = later.surplusTotal - earlier.surplusTotal;
  if (produced < 0n || consumed < 0n || surplus < 0n) {
    return refusal('TOTALS_DECREASED', 'a total falls from one reading to the next', {
      earlier_sequence: earlier.sequence.toString(),
      later_sequence: later.sequence.toString(),
    });
  }
  const least = produced > consumed ? produced - consumed : 0n;
  if (surplus < least || surplus > produced) {
    return refusal('TOTALS_INCONSISTENT', 'the rise of surplus_total is outside its bounds', {
      surplus_rise: surplus.toString(),
      least: least.toString(),
      most: produced.toString(),
    });
  }
  return undefined;
}

const START: Position = { sequence: 0n, end: 0, producedTotal: 0n, consumedTotal: 0n, surplusTotal: 0n };

function samePosition(a: Position, b: Position): boolean {
  return (
    a.sequence === b.sequence &&
    a.end === b.end &&
    a.producedTotal === b.producedTotal &&
    a.consumedTotal === b.consumedTotal &&
    a.surplusTotal === b.surplusTotal
  );
}

function positionOf(submission: Submission): Position {
  const { reading } = submission;
  return {
    sequence: reading.sequence,
    start: reading.intervalStart,
    end: reading.intervalEnd,
    producedTotal: reading.producedTotal,
    consumedTotal: reading.consumedTotal,
    surplusTotal: reading.surplusTotal,
  };
}

/** Rule 4: totals only rise, surplus within its bounds, and the amount is what the totals say. */
export function checkAmount(
  submission: Submission,
  context: MeterContext,
  rules: Rules,
): { refusal: Refusal } | { amountNkwh: Nkwh } {
  const own = positionOf(submission);
  const previous = context.previous ?? START;
  const rise = checkRise(previous, own);
  if (rise !== undefined) return { refusal: rise };
  if (context.next !== undefined) {
    const onward = checkRise(own, context.next);
    if (onward !== undefined) return { refusal: onward };
  }
  const surplus = own.surplusTotal - previous.surplusTotal;
  const consecutive = own.sequence === previous.sequence + 1n;
  // With readings above but none below, the surplus since the previous one is not known, only bounded.
  const above = context.next !== undefined || context.onChain !== undefined;
  const unknownBase = context.previous === undefined && above && !consecutive;
  const lenient = unknownBase || (rules.amount === 'pipelined' && !consecutive);
  const claimed = submission.claimedNkwh;
  if (lenient ? claimed > surplus : claimed !== surplus) {
    return {
      refusal: refusal(
        'AMOUNT_MISMATCH',
        'kwh_amount is not the surplus since the previous accepted reading',
        {
          kwh_amount: nkwhToKwh(claimed),
          expected: nkwhToKwh(surplus),
          previous_sequence: previous.sequence.toString(),
        },
      ),
    };
  }
  return { amountNkwh: unknownBase ? claimed : surplus };
}

/** Rules 5 to 8: meter registered (and active), user verified, wallet, key. */
export function checkMeter(submission: Submission, context: MeterContext): Refusal | undefined {
  const { meter } = context;
  if (meter === undefined) return refusal('METER_NOT_REGISTERED', 'the chain knows no meter with this id');
  if (meter.status === 'suspended') return refusal('METER_SUSPENDED', 'the meter is suspended on the chain');
  if (!meter.userVerified) return refusal('USER_NOT_VERIFIED', "the meter's owner is not verified");
  if (meter.wallet !== submission.wallet) {
    return refusal('WALLET_MISMATCH', "wallet_address is not the meter's owner");
  }
  if (meter.publicKey !== submission.publicKey) {
    return refusal('KEY_MISMATCH', 'public_key is not the key registered for this meter');
  }
  return undefined;
}

/**
 * Judges one submission.
 * @param signed outcome of the strict signature verification
 * @param nowSeconds the collector's clock, Unix seconds
 */
export function judge(
  submission: Submission,
  signed: boolean,
  context: MeterContext,
  rules: Rules,
  nowSeconds: number,
): Judgement {
  const authentic = signed && context.meter !== undefined && context.meter.publicKey === submission.publicKey;
  // What the meter's state is, is told to the meter alone.
  const refuse = (reason: Refusal, tellsState = true): Judgement => ({
    kind: 'refuse',
    refusal: authentic || !tellsState ? reason : { ...reason, details: {} },
    authentic,
  });

  const signature = checkSignature(signed);
  if (signature !== undefined) return refuse(signature);
  if (context.existing !== undefined && isDuplicate(submission, context)) {
    // Before freshness: what is stored does not become too old by being sent again.
    return { kind: 'duplicate', status: context.existing.status, amountNkwh: context.existing.amountNkwh };
  }
  const freshness = checkFreshness(submission, rules, nowSeconds);
  if (freshness !== undefined) return refuse(freshness, false);
  const duplicates = checkDuplicates(submission, context, rules);
  if (duplicates !== undefined) return refuse(duplicates);
  const amount = checkAmount(submission, context, rules);
  if ('refusal' in amount) return refuse(amount.refusal);
  const meter = checkMeter(submission, context);
  if (meter !== undefined) return refuse(meter);

  if (context.next !== undefined || context.onChain !== undefined) {
    return { kind: 'store', status: 'covered', amountNkwh: amount.amountNkwh };
  }
  const held = amount.amountNkwh > rules.maxReadingNkwh;
  return { kind: 'store', status: held ? 'held' : 'pending', amountNkwh: amount.amountNkwh };
}

/** The refusal as an error, for HTTP. */
export function refusalError(reason: Refusal): GtxError {
  return new GtxError(reason.code, reason.message, reason.details);
}
