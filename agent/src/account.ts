/**
 * From a meter's registers to signed totals, in whole nkWh. Pure: no I/O, no clock.
 *
 * The totals of a reading are what the registers have risen since the first believed sample. Between two
 * readings nothing needs to be kept: the registers are cumulative, so after a crash the next sample
 * contains everything that was measured since.
 */
import { type Nkwh, type Reading, ReadingFlag } from '@gridtokenx/protocol';
import {
  aged,
  type Doubt,
  NEW_TRACK,
  type Observation,
  observe,
  type RegisterLimits,
  type RegisterTrack,
} from './plausible.js';

/** Which meters a home has, see docs/agent.md. */
export type MeterMode = 'bidirectional' | 'production_consumption' | 'production';

/** A meter's books. Kept in the store, advanced in the same transaction as its readings. */
export interface MeterAccount {
  mode: MeterMode;
  /** What the registers mean: roles and profiles of the meter's devices. */
  source: string;
  produced: RegisterTrack;
  /** Absent in mode `production`. */
  consumed?: RegisterTrack;
  /** Sequence of the last reading; 0 before the first. */
  sequence: bigint;
  /** End of the last reading, Unix seconds; 0 before the first. */
  lastEnd: number;
  /** When the base of the totals was set, Unix seconds; 0 before that. */
  startedAt: number;
  /** Totals in the last reading. */
  signed: { produced: Nkwh; consumed: Nkwh; surplus: Nkwh };
  /** Since the last reading. */
  meterReset: boolean;
  clockSet: boolean;
  /** Serial number of each device, by role, as it was told when its series of registers began. */
  serials: Readonly<Record<string, string>>;
}

/** A total of the meter that a device's registers feed. */
export type Side = 'produced' | 'consumed';

/**
 * A meter that has never been read.
 * @param source what the registers mean (roles and profiles of its devices), see `rebased`
 */
export function newAccount(mode: MeterMode, source = ''): MeterAccount {
  return {
    mode,
    source,
    produced: NEW_TRACK,
    ...(mode === 'production' ? {} : { consumed: NEW_TRACK }),
    sequence: 0n,
    lastEnd: 0,
    startedAt: 0,
    signed: { produced: 0n, consumed: 0n, surplus: 0n },
    meterReset: false,
    clockSet: false,
    serials: {},
  };
}

/**
 * The books after a device was exchanged for another, as its serial number or the operator says: what was counted stays,
 * its registers begin a new series. What flowed between the last sample of the old device and the first of the new one
 * was measured by nobody whose register is known, so it is not counted; the next reading says so (meter reset).
 * @param sides which totals the device feeds
 * @param serial of the new device
 */
export function exchanged(
  account: MeterAccount,
  sides: readonly Side[],
  role: string,
  serial: string,
): MeterAccount {
  const fresh = (track: RegisterTrack): RegisterTrack => ({ total: track.total, unconfirmed: true });
  return {
    ...account,
    ...(sides.includes('produced') ? { produced: fresh(account.produced) } : {}),
    ...(sides.includes('consumed') && account.consumed ? { consumed: fresh(account.consumed) } : {}),
    serials: { ...account.serials, [role]: serial },
    meterReset: true,
  };
}

/**
 * The books of a meter whose devices have been exchanged for others by configuration: what was counted
 * stays, the registers begin a new series.
 */
export function rebased(account: MeterAccount, mode: MeterMode, source: string): MeterAccount {
  const totals = totalsOf(account);
  return {
    ...newAccount(mode, source),
    produced: { total: totals.produced, unconfirmed: true },
    ...(mode === 'production' ? {} : { consumed: { total: totals.consumed, unconfirmed: true } }),
    sequence: account.sequence,
    lastEnd: account.lastEnd,
    startedAt: account.startedAt,
    signed: account.signed,
    meterReset: true,
    clockSet: account.clockSet,
  };
}

/** One register's value and the time at which it was read. */
export interface RegisterSample {
  register: Nkwh;
  /** Milliseconds of a clock that does not step. */
  atMs: number;
  limits: RegisterLimits;
}

export interface AccountObservation {
  account: MeterAccount;
  produced?: Observation;
  consumed?: Observation;
  /** Every register was read and its value is believed: the totals are up to date. */
  ready: boolean;
}

/**
 * Takes one sample of the meter's registers; of a device that did not answer there is none.
 * @param nowSeconds wall clock, for the start of the first interval
 * @param clockTrusted whether it is
 */
export function observeMeter(
  account: MeterAccount,
  sample: { produced?: RegisterSample | undefined; consumed?: RegisterSample | undefined },
  nowSeconds: number,
  clockTrusted = true,
): AccountObservation {
  const take = (track: RegisterTrack | undefined, one: RegisterSample | undefined) =>
    track && one ? observe(track, one.register, one.atMs, one.limits, clockTrusted) : undefined;
  const produced = take(account.produced, sample.produced);
  const consumed = take(account.consumed, sample.consumed);
  const believed = (result: { observation: Observation } | undefined) =>
    result !== undefined && result.observation.kind !== 'doubted';
  const ready = believed(produced) && (account.consumed === undefined || believed(consumed));
  const hasBase = (track: RegisterTrack | undefined) => track === undefined || track.believed !== undefined;
  const next: MeterAccount = {
    ...account,
    ...(produced ? { produced: produced.track } : {}),
    ...(consumed ? { consumed: consumed.track } : {}),
    meterReset:
      account.meterReset || produced?.observation.kind === 'reset' || consumed?.observation.kind === 'reset',
  };
  if (next.startedAt === 0 && hasBase(next.produced) && hasBase(next.consumed)) next.startedAt = nowSeconds;
  return {
    account: next,
    ...(produced ? { produced: produced.observation } : {}),
    ...(consumed ? { consumed: consumed.observation } : {}),
    ready,
  };
}

/**
 * The books after the clock was set: before the first reading, the start of its interval moves with the clock, so
 * that it stays the time at which counting began. A start in the future (left by an earlier process whose clock was
 * ahead) would keep the meter from signing until then: it becomes now.
 * @param stepMs how far the clock was set
 */
export function restarted(account: MeterAccount, stepMs: number, nowSeconds: number): MeterAccount {
  if (account.lastEnd !== 0 || account.startedAt === 0) return account;
  return { ...account, startedAt: Math.min(account.startedAt + Math.round(stepMs / 1000), nowSeconds) };
}

/**
 * The books after the clock was set: the interval under way says so, a first interval begins as much later or earlier,
 * and the registers have had more time where the step tells so. It does of registers that no sample of this process has
 * confirmed, whose times come from the clock, and of all where the clock had been right: then the machine was suspended.
 * @param stepMs how far the clock was set
 * @param wasConfirmed somebody had confirmed the clock before that
 */
export function clockWasSet(
  account: MeterAccount,
  stepMs: number,
  wasConfirmed: boolean,
  nowSeconds: number,
): MeterAccount {
  const moved = restarted(account, stepMs, nowSeconds);
  const later = (track: RegisterTrack) =>
    stepMs > 0 && (wasConfirmed || track.unconfirmed) ? aged(track, stepMs) : track;
  return {
    ...moved,
    produced: later(moved.produced),
    ...(moved.consumed ? { consumed: later(moved.consumed) } : {}),
    clockSet: true,
  };
}

/** What was wrong with an observed value, for counting; undefined when it was believed. */
export function doubtOf(observation: Observation | undefined): Doubt | undefined {
  if (observation === undefined) return undefined;
  return observation.kind === 'believed' ? observation.dropped : observation.doubt;
}

/** The totals as they stand, including what has not been signed yet. */
export function totalsOf(account: MeterAccount): { produced: Nkwh; consumed: Nkwh; surplus: Nkwh } {
  const produced = account.produced.total;
  const consumed = account.consumed?.total ?? account.signed.consumed;
  if (account.mode === 'bidirectional') {
    return { produced, consumed, surplus: account.signed.surplus + produced - account.signed.produced };
  }
  const net = produced - account.signed.produced - (consumed - account.signed.consumed);
  return { produced, consumed, surplus: account.signed.surplus + (net > 0n ? net : 0n) };
}

/**
 * The end of the interval that may be signed now: the last multiple of the interval that has passed, if it
 * lies a whole interval after the last reading's end. Undefined while there is none.
 */
export function dueEnd(
  account: MeterAccount,
  nowSeconds: number,
  intervalSeconds: number,
): number | undefined {
  if (account.startedAt === 0) return undefined;
  const end = Math.floor(nowSeconds / intervalSeconds) * intervalSeconds;
  if (account.lastEnd === 0) return end > account.startedAt ? end : undefined;
  return end >= account.lastEnd + intervalSeconds ? end : undefined;
}

/**
 * Closes an interval: the reading to be signed and the books after it. The caller stores both in one
 * transaction or neither.
 * @param end from `dueEnd`
 * @returns `amount`: rise of the surplus since the previous reading
 */
export function closeInterval(
  account: MeterAccount,
  end: number,
  intervalSeconds: number,
): { reading: Reading; amount: Nkwh; account: MeterAccount } {
  const start = account.lastEnd === 0 ? account.startedAt : account.lastEnd;
  const totals = totalsOf(account);
  const reading: Reading = {
    flags:
      (account.clockSet ? ReadingFlag.ClockSet : 0) |
      (end - start > intervalSeconds ? ReadingFlag.Gap : 0) |
      (account.meterReset ? ReadingFlag.MeterReset : 0),
    sequence: account.sequence + 1n,
    intervalStart: start,
    intervalEnd: end,
    producedTotal: totals.produced,
    consumedTotal: totals.consumed,
    surplusTotal: totals.surplus,
  };
  return {
    reading,
    amount: totals.surplus - account.signed.surplus,
    account: {
      ...account,
      sequence: reading.sequence,
      lastEnd: end,
      signed: totals,
      meterReset: false,
      clockSet: false,
    },
  };
}

/**
 * The books as text for the store. Times are shifted from the process's own clock to the wall clock, which
 * is all that a later process shares with this one; candidates are not kept.
 */
export function serialiseAccount(account: MeterAccount, wallMinusSteadyMs: number): string {
  const shift = (track: RegisterTrack) => ({
    total: track.total.toString(),
    ...(track.believed
      ? {
          register: track.believed.register.toString(),
          seen_at_ms: Math.round(track.believed.seenAtMs + wallMinusSteadyMs),
          risen_at_ms: Math.round(track.believed.risenAtMs + wallMinusSteadyMs),
        }
      : {}),
    ...(track.former
      ? {
          former: {
            register: track.former.register.toString(),
            seen_at_ms: Math.round(track.former.seenAtMs + wallMinusSteadyMs),
            risen_at_ms: Math.round(track.former.risenAtMs + wallMinusSteadyMs),
            total: track.former.total.toString(),
            until_ms: Math.round(track.former.untilMs + wallMinusSteadyMs),
          },
        }
      : {}),
  });
  return JSON.stringify({
    version: 1,
    mode: account.mode,
    source: account.source,
    produced: shift(account.produced),
    ...(account.consumed ? { consumed: shift(account.consumed) } : {}),
    sequence: account.sequence.toString(),
    last_end: account.lastEnd,
    started_at: account.startedAt,
    signed: {
      produced: account.signed.produced.toString(),
      consumed: account.signed.consumed.toString(),
      surplus: account.signed.surplus.toString(),
    },
    meter_reset: account.meterReset,
    clock_set: account.clockSet,
    serials: account.serials,
  });
}

interface StoredTrack {
  total: string;
  register?: string;
  seen_at_ms?: number;
  risen_at_ms?: number;
  /** `seen_at_ms` is absent in books of an earlier version. */
  former?: {
    register: string;
    seen_at_ms?: number;
    risen_at_ms: number;
    total: string;
    until_ms: number;
  };
}

/** The inverse of `serialiseAccount`. The store is our own, so it is trusted to be well formed. */
export function parseAccount(text: string, wallMinusSteadyMs: number): MeterAccount {
  const stored = JSON.parse(text) as {
    version: number;
    mode: MeterMode;
    source: string;
    produced: StoredTrack;
    consumed?: StoredTrack;
    sequence: string;
    last_end: number;
    started_at: number;
    signed: { produced: string; consumed: string; surplus: string };
    meter_reset: boolean;
    clock_set: boolean;
    /** Absent in books of an earlier version. */
    serials?: Record<string, string>;
  };
  const track = (value: StoredTrack): RegisterTrack => ({
    total: BigInt(value.total),
    ...(value.register === undefined
      ? {}
      : {
          believed: {
            register: BigInt(value.register),
            seenAtMs: (value.seen_at_ms ?? 0) - wallMinusSteadyMs,
            risenAtMs: (value.risen_at_ms ?? 0) - wallMinusSteadyMs,
          },
        }),
    ...(value.former === undefined
      ? {}
      : {
          former: {
            register: BigInt(value.former.register),
            seenAtMs: (value.former.seen_at_ms ?? value.former.risen_at_ms) - wallMinusSteadyMs,
            risenAtMs: value.former.risen_at_ms - wallMinusSteadyMs,
            total: BigInt(value.former.total),
            untilMs: value.former.until_ms - wallMinusSteadyMs,
          },
        }),
    // The first sample after a restart needs a second one that agrees.
    unconfirmed: true,
  });
  return {
    mode: stored.mode,
    source: stored.source,
    produced: track(stored.produced),
    ...(stored.consumed ? { consumed: track(stored.consumed) } : {}),
    sequence: BigInt(stored.sequence),
    lastEnd: stored.last_end,
    startedAt: stored.started_at,
    signed: {
      produced: BigInt(stored.signed.produced),
      consumed: BigInt(stored.signed.consumed),
      surplus: BigInt(stored.signed.surplus),
    },
    meterReset: stored.meter_reset,
    clockSet: stored.clock_set,
    serials: stored.serials ?? {},
  };
}
