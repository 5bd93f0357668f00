/**
 * Whether the wall clock may date a reading. A Pi has no battery clock: after a power cut it starts in the
 * past and jumps when NTP answers. Measuring goes on meanwhile (on the monotonic clock); signing does not.
 */
import { execFile } from 'node:child_process';

/** No clock can rightly be before this program was written: 2025-01-01T00:00:00Z. */
export const SOFTWARE_EPOCH_MS = Date.UTC(2025, 0, 1);
/** Wall against monotonic: more than this between two looks is a step, less is drift or slewing. */
export const STEP_MS = 2_000;
/** A word against the clock that nobody repeats counts for so long: the clock may have been corrected little by little. */
const DISTRUST_MS = 30 * 60_000;
/** How soon the collector is asked again after it has denied the clock: whoever sets it right makes a step, which asks too. */
const DENIED_AGAIN_MS = 60_000;

export interface ClockSettings {
  /**
   * `auto`: the system's word counts where it has one; `required`: without it nothing is signed; `off`:
   * only steps, the last interval and the collector's time count.
   */
  ntp: 'auto' | 'required' | 'off';
  /** Largest difference to the collector's time. */
  maxOffsetMs: number;
  /**
   * The collector can be asked for its time: unless the system says that its clock is synchronised, nothing is
   * signed before the collector has confirmed the clock, at the start and after each step. Default: false.
   */
  collectorTells?: boolean;
}

export interface ClockVerdict {
  /** Readings may be dated and signed. */
  trusted: boolean;
  /** Why not. */
  reason?: string;
  /** Wall minus collector's time, where known. */
  offsetMs?: number;
}

export class ClockGuard {
  private lastWallMs: number;
  private lastSteadyMs: number;
  private readonly startWallMs: number;
  private readonly startMonotonicMs: number;
  /** After a step back, until the wall clock has passed this. */
  private notBeforeMs = 0;
  private ntpSynchronised: boolean | undefined;
  /** Somebody has said that the clock, as it was set at the last look, is right. */
  private confirmedSetting = false;
  private confirmedBefore = false;
  private offset: { ms: number; atSteadyMs: number; signed: boolean } | undefined;

  constructor(
    private readonly settings: ClockSettings,
    private readonly now: () => number,
    private readonly monotonic: () => number,
  ) {
    this.startWallMs = now();
    this.startMonotonicMs = monotonic();
    this.lastWallMs = this.startWallMs;
    this.lastSteadyMs = this.startWallMs;
  }

  /** Milliseconds that pass evenly, whatever is done to the wall clock; equal to it at the start. */
  steadyMs(): number {
    return this.startWallMs + (this.monotonic() - this.startMonotonicMs);
  }

  /** What must be added to `steadyMs` to get the wall clock of now. */
  wallMinusSteadyMs(): number {
    return this.now() - this.steadyMs();
  }

  /**
   * Looks for steps since the last look. Call it often (each sample).
   * @returns the step in ms (0: none); a step means that the clock was set
   */
  look(): number {
    const wall = this.now();
    const steady = this.steadyMs();
    const step = this.stepTo(wall, steady);
    if (step < -STEP_MS) this.notBeforeMs = Math.max(this.notBeforeMs, this.lastWallMs);
    this.lastWallMs = wall;
    this.lastSteadyMs = steady;
    if (Math.abs(step) <= STEP_MS) return 0;
    this.confirmedBefore = this.confirmedSetting;
    this.confirmedSetting = false;
    // What was known of the old setting says nothing of the new one.
    this.offset = undefined;
    this.ntpSynchronised = undefined;
    return step;
  }

  /** Since the last look. */
  private stepTo(wallMs: number, steadyMs: number): number {
    return wallMs - this.lastWallMs - (steadyMs - this.lastSteadyMs);
  }

  /** A word that comes after a step that nobody has looked at yet is of the new setting: it says nothing of the old one. */
  private noteWord(): void {
    if (Math.abs(this.stepTo(this.now(), this.steadyMs())) <= STEP_MS) this.confirmedSetting = this.confirmed;
  }

  /**
   * Somebody had confirmed the clock as it was before its last step: a step ahead is then time that has passed while this
   * machine was suspended, or may have.
   */
  get wasConfirmed(): boolean {
    return this.confirmedBefore;
  }

  /** Somebody has said that the clock, as it is set now, is right. */
  private get confirmed(): boolean {
    return (this.offset !== undefined && !this.contradicted) || this.byNtp;
  }

  private get byNtp(): boolean {
    return this.ntpSynchronised === true && this.settings.ntp !== 'off';
  }

  /** The system's own word about NTP; undefined where it has none. */
  setNtp(synchronised: boolean | undefined): void {
    this.ntpSynchronised = synchronised;
    this.noteWord();
  }

  /** The collector's time, known to within the request's duration. */
  setOffset(offsetMs: number): void {
    this.offset = { ms: offsetMs, atSteadyMs: this.steadyMs(), signed: false };
    this.noteWord();
  }

  /**
   * A time that the collector has signed. Ahead of this clock it proves that this one is slow, until a later one does not;
   * an old one proves nothing.
   * @param behindMs wall clock minus that time
   */
  noteSignedTime(behindMs: number): void {
    const { maxOffsetMs } = this.settings;
    if (behindMs < -maxOffsetMs) {
      this.offset = { ms: behindMs, atSteadyMs: this.steadyMs(), signed: true };
    } else if (this.offset?.signed && behindMs <= maxOffsetMs) this.offset = undefined;
    this.noteWord();
  }

  /** The collector's time is far from this clock's. */
  private get contradicted(): boolean {
    return this.offset !== undefined && Math.abs(this.offset.ms) > this.settings.maxOffsetMs;
  }

  /** Nobody says that the clock, as it is set now, is right, or the collector has denied it some time ago: it should be asked. */
  get unconfirmed(): boolean {
    if (this.settings.collectorTells !== true) return false;
    if (!this.offset || !this.contradicted) return !this.confirmed;
    return this.offset.signed || this.steadyMs() - this.offset.atSteadyMs >= DENIED_AGAIN_MS;
  }

  /** @param lastEnd end of the meter's last reading, Unix seconds */
  verdict(lastEnd: number): ClockVerdict {
    const wall = this.now();
    if (this.offset && this.contradicted && this.steadyMs() - this.offset.atSteadyMs > DISTRUST_MS) {
      this.offset = undefined;
    }
    const known = this.offset === undefined ? {} : { offsetMs: this.offset.ms };
    const no = (reason: string): ClockVerdict => ({ trusted: false, reason, ...known });
    if (wall < SOFTWARE_EPOCH_MS) return no('the clock is before 2025');
    if (wall < lastEnd * 1000) return no('the clock is before the end of the last reading');
    if (this.offset && this.contradicted) {
      return no(`the clock differs from the collector's by ${Math.round(this.offset.ms / 1000)} s`);
    }
    if (this.settings.ntp !== 'off' && this.ntpSynchronised === false) {
      return no('the system says that its clock is not synchronised');
    }
    if (this.settings.ntp === 'required' && this.ntpSynchronised === undefined) {
      return no('the system does not say whether its clock is synchronised');
    }
    if (this.unconfirmed) return no('the collector has not confirmed the clock yet');
    if (wall < this.notBeforeMs && !this.byNtp && this.offset === undefined) {
      return no('the clock was set back');
    }
    return { trusted: true, ...known };
  }
}

/**
 * Asks systemd whether the clock is synchronised (timedatectl(1), property NTPSynchronized).
 * @returns undefined where there is no timedatectl or it does not say
 */
export function readNtpStatus(): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 5_000 },
      (error, stdout) => {
        const text = error ? '' : stdout.trim();
        resolve(text === 'yes' ? true : text === 'no' ? false : undefined);
      },
    );
  });
}
