/**
 * Which register values are believed. Pure: no I/O, no clock.
 *
 * A meter that restarts, is busy, or is read through noise answers values that are not its registers: 0,
 * something from another register, a number far too high. A meter may also really be reset or replaced.
 * The difference shows in the samples that follow, so a doubtful value is not decided upon at once: it
 * becomes a *candidate* and is believed or dropped by what comes next. Energy is counted only between two
 * believed values of the same series; what lies between two series is never invented.
 */
import type { Nkwh } from '@gridtokenx/protocol';

export interface RegisterLimits {
  /** Rated power of the installation: a register cannot rise faster (plus a tenth). */
  maxWatts: number;
  /** Steps of the register and rounding: rises and falls up to this prove nothing. */
  slackNkwh: Nkwh;
  /** After so long without a believed value the next one needs a second sample that agrees. */
  silenceMs: number;
  /** How long a register must stay at an impossible value before it counts as a new series. */
  resetAfterMs: number;
  /** ... and how many samples in a row must agree. */
  resetAfterSamples: number;
  /** Where the register starts again from 0, for integer registers. */
  rolloverNkwh?: Nkwh;
}

export const DEFAULT_LIMITS: Omit<RegisterLimits, 'maxWatts'> = {
  slackNkwh: 20_000_000n,
  silenceMs: 60_000,
  resetAfterMs: 60_000,
  resetAfterSamples: 3,
};

/** A run of samples that agree with each other. */
interface Series {
  /** First value of the run. */
  first: Nkwh;
  firstAtMs: number;
  register: Nkwh;
  seenAtMs: number;
  samples: number;
}

/** One energy register of a meter over time. All times in milliseconds of one clock that does not step. */
export interface RegisterTrack {
  /** Energy counted since the first believed value. */
  total: Nkwh;
  /** The last value believed; absent until two samples have agreed. */
  believed?: { register: Nkwh; seenAtMs: number; risenAtMs: number };
  /** A value that is not believed yet. */
  candidate?: Series;
  /** No second sample has confirmed the register since the process started. */
  unconfirmed: boolean;
}

export type Doubt = 'first' | 'silence' | 'fell' | 'jumped';

export type Observation =
  /** The value is believed; `rise` has been added to the total. `dropped`: an earlier candidate was false. */
  | { kind: 'believed'; rise: Nkwh; dropped?: Doubt }
  /** A new series has begun (meter reset or replaced); the energy in between is not counted. */
  | { kind: 'reset'; rise: Nkwh; doubt: Doubt }
  /** Not believed yet: the value waits for the next sample. */
  | { kind: 'doubted'; doubt: Doubt };

/** A register that has not been seen yet. */
export const NEW_TRACK: RegisterTrack = { total: 0n, unconfirmed: true };

const MAX_ELAPSED_MS = 366 * 24 * 3600 * 1000;

/** Most that a register can rise in a time: rated power and a tenth, and the slack. */
export function allowance(limits: RegisterLimits, fromMs: number, toMs: number): Nkwh {
  const elapsed = toMs - fromMs;
  // A time that runs backward is the clock's fault (a restart with a wrong clock), so it bounds nothing.
  const ms = elapsed < 0 ? MAX_ELAPSED_MS : Math.min(elapsed, MAX_ELAPSED_MS);
  // 1 W for 1 ms is 1/3.6 nkWh.
  return (BigInt(Math.ceil(limits.maxWatts)) * BigInt(Math.ceil(ms)) * 11n) / 36n + limits.slackNkwh;
}

function riseOf(limits: RegisterLimits, from: Nkwh, to: Nkwh): Nkwh {
  if (limits.rolloverNkwh !== undefined && to < from - limits.slackNkwh) {
    // Near its end and then near its beginning: the register has gone once around.
    const around = limits.rolloverNkwh - from + to;
    if (from > (limits.rolloverNkwh * 9n) / 10n && to < limits.rolloverNkwh / 10n) return around;
  }
  return to - from;
}

/**
 * Takes one sample of a register.
 * @param atMs when it was read, on a clock that does not step
 * @returns the new track (the old one is not changed) and what became of the sample
 */
export function observe(
  track: RegisterTrack,
  register: Nkwh,
  atMs: number,
  limits: RegisterLimits,
): { track: RegisterTrack; observation: Observation } {
  const { believed, candidate } = track;
  const doubt = believed ? doubtOf(track, register, atMs, limits) : 'first';

  if (believed && doubt === undefined) {
    const rise = positive(riseOf(limits, believed.register, register));
    return {
      track: {
        total: track.total + rise,
        // A fall within the slack keeps the higher value: the way up again is not counted twice.
        believed: {
          register: rise > 0n ? register : believed.register,
          seenAtMs: atMs,
          risenAtMs: rise > 0n ? atMs : believed.risenAtMs,
        },
        unconfirmed: false,
      },
      observation: { kind: 'believed', rise, ...(candidate ? { dropped: reasonFor(track, limits) } : {}) },
    };
  }

  const series = extend(candidate, register, atMs, limits);
  const waiting = {
    track: { ...track, candidate: series },
    observation: { kind: 'doubted' as const, doubt: doubt ?? 'first' },
  };
  if (series.samples < 2) return waiting;

  if (!believed) {
    const rise = positive(series.register - series.first);
    return {
      track: believe(track.total + rise, series, rise > 0n ? atMs : series.firstAtMs),
      observation: { kind: 'believed', rise },
    };
  }

  // Two samples agree. Does what they say fit the old series, given the time since it last rose?
  const rise = riseOf(limits, believed.register, series.register);
  const fits = rise >= -limits.slackNkwh && rise <= allowance(limits, believed.risenAtMs, atMs);
  if (fits) {
    const counted = positive(rise);
    const total = track.total + counted;
    const next = believe(total, series, counted > 0n ? atMs : believed.risenAtMs);
    if (counted === 0n && next.believed) next.believed.register = believed.register;
    return { track: next, observation: { kind: 'believed', rise: counted } };
  }

  const persistent =
    series.samples >= limits.resetAfterSamples && atMs - series.firstAtMs >= limits.resetAfterMs;
  if (!persistent) return waiting;
  const inNewSeries = positive(series.register - series.first);
  return {
    track: believe(track.total + inNewSeries, series, atMs),
    observation: { kind: 'reset', rise: inNewSeries, doubt: rise < 0n ? 'fell' : 'jumped' },
  };
}

/** Why a value cannot be believed at first sight, or undefined. */
function doubtOf(
  track: RegisterTrack,
  register: Nkwh,
  atMs: number,
  limits: RegisterLimits,
): Doubt | undefined {
  const believed = track.believed as NonNullable<RegisterTrack['believed']>;
  const rise = riseOf(limits, believed.register, register);
  if (rise < -limits.slackNkwh) return 'fell';
  if (rise > allowance(limits, believed.seenAtMs, atMs)) return 'jumped';
  if (track.unconfirmed || atMs - believed.seenAtMs > limits.silenceMs || atMs < believed.seenAtMs) {
    return 'silence';
  }
  return undefined;
}

/** What a candidate had been doubted for, now that it proved false. */
function reasonFor(track: RegisterTrack, limits: RegisterLimits): Doubt {
  const believed = track.believed as NonNullable<RegisterTrack['believed']>;
  const series = track.candidate as Series;
  return series.register < believed.register - limits.slackNkwh ? 'fell' : 'jumped';
}

/** Adds a sample to a run that it agrees with, or begins a new run. */
function extend(series: Series | undefined, register: Nkwh, atMs: number, limits: RegisterLimits): Series {
  const rise = series ? register - series.register : 0n;
  if (!series || rise < 0n || rise > allowance(limits, series.seenAtMs, atMs)) {
    return { first: register, firstAtMs: atMs, register, seenAtMs: atMs, samples: 1 };
  }
  return { ...series, register, seenAtMs: atMs, samples: series.samples + 1 };
}

function believe(total: Nkwh, series: Series, risenAtMs: number): RegisterTrack {
  return {
    total,
    believed: { register: series.register, seenAtMs: series.seenAtMs, risenAtMs },
    unconfirmed: false,
  };
}

function positive(value: Nkwh): Nkwh {
  return value > 0n ? value : 0n;
}
