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
  /** Where the register starts again from 0, as its profile says or its integer type implies. */
  rolloverNkwh?: Nkwh;
  /** One step of an integer register: what it shows may be behind by so much. */
  stepNkwh?: Nkwh;
  /** The register is a float32 (24 significant bits), whose step grows with its value. */
  floatStep?: boolean;
}

export const DEFAULT_LIMITS: Omit<RegisterLimits, 'maxWatts'> = {
  slackNkwh: 20_000_000n,
  silenceMs: 60_000,
  resetAfterMs: 60_000,
  resetAfterSamples: 3,
};

/** Steps of the register at a value: what an integer or a float32 of this size cannot tell apart. */
export function stepOf(limits: RegisterLimits, register: Nkwh): Nkwh {
  // IEEE 754 binary32: the last of 24 bits is at most 2^-23 of the value.
  const float = limits.floatStep ? register >> 23n : 0n;
  const fixed = limits.stepNkwh ?? 0n;
  return float > fixed ? float : fixed;
}

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
  /**
   * The series before the last reset, for as long as it may come back: a meter that answered 0 for minutes while it
   * started was not replaced, and what it measured meanwhile is not lost.
   */
  former?: { register: Nkwh; seenAtMs: number; risenAtMs: number; total: Nkwh; untilMs: number };
}

export type Doubt = 'first' | 'silence' | 'fell' | 'jumped';

export type Observation =
  /** The value is believed; `rise` has been added to the total. `dropped`: an earlier candidate was false. */
  | { kind: 'believed'; rise: Nkwh; dropped?: Doubt }
  /** The series from before a reset is back: it was none. Counted is what the old series has risen. */
  | { kind: 'returned'; rise: Nkwh; doubt: Doubt }
  /** A new series has begun (meter reset or replaced); the energy in between is not counted. */
  | { kind: 'reset'; rise: Nkwh; doubt: Doubt }
  /** Not believed yet: the value waits for the next sample. */
  | { kind: 'doubted'; doubt: Doubt };

/** A register that has not been seen yet. */
export const NEW_TRACK: RegisterTrack = { total: 0n, unconfirmed: true };

const MAX_ELAPSED_MS = 366 * 24 * 3600 * 1000;
/** How long after a reset the series before it may come back. */
const FORMER_MS = 3_600_000;
/** A register goes once around only if it was nearer to its end than this part of the way. */
const ROLLOVER_SHARE = 10n;
/**
 * Meters with a display start again where it is full: 10^k of the last digit. Where nobody has said where a register
 * ends, that is believed only for a hundredth of the way, from 1,000 kWh on, and of a register that was seen within the
 * hour: the longer the time, the more meters' registers would fit.
 */
const DISPLAY_SHARE = 100n;
const DISPLAY_MS = 3_600_000;
const SMALLEST_DISPLAY: Nkwh = 1_000n * 1_000_000_000n;

/** Most that a register can rise in a time: rated power and a tenth, and the slack. */
export function allowance(limits: RegisterLimits, fromMs: number, toMs: number): Nkwh {
  const elapsed = toMs - fromMs;
  // A time that runs backward is the clock's fault (a restart with a wrong clock), so it bounds nothing.
  const ms = elapsed < 0 ? MAX_ELAPSED_MS : Math.min(elapsed, MAX_ELAPSED_MS);
  // 1 W for 1 ms is 1/3.6 nkWh.
  return (BigInt(Math.ceil(limits.maxWatts)) * BigInt(Math.ceil(ms)) * 11n) / 36n + limits.slackNkwh;
}

/**
 * From one value to a later run. A fall counts as going once around where that explains it: the end was near, and the
 * way around to where the run began is no longer than what can have flowed since the register was last seen (at rest it
 * was seen too: a replaced meter would have to show just that by chance). A starting meter answers 0, so a run that
 * begins there must last.
 */
function riseOf(
  limits: RegisterLimits,
  from: { register: Nkwh; seenAtMs: number },
  series: Series,
  atMs: number,
): Nkwh {
  const rise = series.register - from.register;
  if (rise >= -limits.slackNkwh) return rise;
  const fall = from.register - series.first;
  const allowed = allowance(limits, from.seenAtMs, series.firstAtMs);
  const within = (end: Nkwh, share: bigint) =>
    from.register < end && end - fall <= allowed && end - fall <= end / share;
  const { rolloverNkwh } = limits;
  if (rolloverNkwh !== undefined) {
    const around = within(rolloverNkwh, ROLLOVER_SHARE) && (series.first > 0n || lasts(series, atMs, limits));
    return around ? rolloverNkwh + rise : rise;
  }
  const display = displayLimit(from.register);
  const unseenMs = series.firstAtMs - from.seenAtMs;
  const lately = unseenMs >= 0 && unseenMs <= DISPLAY_MS;
  const around =
    lately && display >= SMALLEST_DISPLAY && within(display, DISPLAY_SHARE) && lasts(series, atMs, limits);
  return around ? display + rise : rise;
}

/** True when a run of samples is long enough for what no single sample can show. */
function lasts(series: Series, atMs: number, limits: RegisterLimits): boolean {
  return series.samples >= limits.resetAfterSamples && atMs - series.firstAtMs >= limits.resetAfterMs;
}

/** The smallest power of ten above a value. */
function displayLimit(value: Nkwh): Nkwh {
  return 10n ** BigInt(value.toString().length);
}

/**
 * A track after the wall clock was set ahead, where that tells of time that the track does not know of: the machine was
 * suspended, or its clock was behind when what a former process had stored was loaded.
 */
export function aged(track: RegisterTrack, ms: number): RegisterTrack {
  const back = <T extends { seenAtMs: number; risenAtMs: number }>(one: T): T => ({
    ...one,
    seenAtMs: one.seenAtMs - ms,
    // Of a register that this process has seen, the time of its last rise is known well enough.
    ...(track.unconfirmed ? { risenAtMs: one.risenAtMs - ms } : {}),
  });
  return {
    ...track,
    ...(track.believed ? { believed: back(track.believed) } : {}),
    ...(track.former ? { former: back(track.former) } : {}),
  };
}

/**
 * Takes one sample of a register.
 * @param atMs when it was read, on a clock that does not step
 * @param clockTrusted whether the wall clock is, by which the times of a stored track are known
 * @returns the new track (the old one is not changed) and what became of the sample
 */
export function observe(
  track: RegisterTrack,
  register: Nkwh,
  atMs: number,
  given: RegisterLimits,
  clockTrusted = true,
): { track: RegisterTrack; observation: Observation } {
  const { believed, candidate } = track;
  const limits = withSteps(given, believed?.register ?? register);
  const doubt = believed ? doubtOf(track, register, atMs, limits) : 'first';

  if (believed && doubt === undefined) {
    const rise = positive(register - believed.register);
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
        ...formerOf(track, atMs),
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
  const allowed = allowance(limits, Math.min(believed.risenAtMs, believed.seenAtMs), atMs);
  const rise = riseOf(limits, believed, series, atMs);
  const fits = rise >= -limits.slackNkwh && rise <= allowed;
  if (fits) {
    const counted = positive(rise);
    const total = track.total + counted;
    const next = believe(total, series, counted > 0n ? atMs : believed.risenAtMs);
    if (counted === 0n && next.believed) next.believed.register = believed.register;
    return {
      track: { ...next, ...formerOf(track, atMs) },
      observation: { kind: 'believed', rise: counted },
    };
  }

  if (!lasts(series, atMs, limits)) return waiting;
  // A clock that is behind makes hours look like minutes, in which nothing of this could have flowed.
  if (track.unconfirmed && !clockTrusted) return waiting;
  const why: Doubt = rise < 0n ? 'fell' : 'jumped';
  const back = returned(track, series, atMs, limits);
  if (back)
    return { track: back, observation: { kind: 'returned', rise: back.total - track.total, doubt: why } };
  const inNewSeries = positive(series.register - series.first);
  return {
    track: {
      ...believe(track.total + inNewSeries, series, atMs),
      former: {
        ...believed,
        total: track.total,
        untilMs: atMs + FORMER_MS,
      },
    },
    observation: { kind: 'reset', rise: inNewSeries, doubt: why },
  };
}

/** Falls and rises within two steps of the register prove nothing. */
function withSteps(limits: RegisterLimits, register: Nkwh): RegisterLimits {
  const steps = 2n * stepOf(limits, register);
  return steps > limits.slackNkwh ? { ...limits, slackNkwh: steps } : limits;
}

function formerOf(track: RegisterTrack, atMs: number): Pick<RegisterTrack, 'former'> {
  return track.former && atMs <= track.former.untilMs ? { former: track.former } : {};
}

/**
 * The track with the series before the last reset taken up again, where the new values continue it. What the series in
 * between seemed to measure is part of what the old one has measured, so it is not counted twice.
 */
function returned(
  track: RegisterTrack,
  series: Series,
  atMs: number,
  limits: RegisterLimits,
): RegisterTrack | undefined {
  const { former } = formerOf(track, atMs);
  if (!former) return undefined;
  const allowed = allowance(limits, Math.min(former.risenAtMs, former.seenAtMs), atMs);
  const rise = riseOf(limits, former, series, atMs);
  if (rise < 0n || rise > allowed) return undefined;
  const total = former.total + rise;
  return believe(total > track.total ? total : track.total, series, atMs);
}

/** Why a value cannot be believed at first sight, or undefined. */
function doubtOf(
  track: RegisterTrack,
  register: Nkwh,
  atMs: number,
  limits: RegisterLimits,
): Doubt | undefined {
  const believed = track.believed as NonNullable<RegisterTrack['believed']>;
  const rise = register - believed.register;
  // Also where the register may have gone once around: a second sample has to say so too.
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
