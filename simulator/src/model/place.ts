/** Local time of a place. */

/** Date and time of day as clocks at the place show them. */
export interface LocalTime {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  /** 0 Sunday to 6 Saturday. */
  weekday: number;
  /** Hour of the day with its fraction. */
  hours: number;
}

const HOUR_MS = 3_600_000;

/** A time zone's clock, remembered by the hour since the lookup is slow and offsets change on the hour. */
export class ZoneClock {
  readonly #format: Intl.DateTimeFormat;
  #hour = Number.NaN;
  #offsetMs = 0;

  /** @param zone IANA name. @throws RangeError for an unknown one */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  }

  /** Local minus universal time. */
  offsetMs(timeMs: number): number {
    const hour = Math.floor(timeMs / HOUR_MS);
    if (hour !== this.#hour) {
      const atMs = hour * HOUR_MS;
      const parts = Object.fromEntries(
        this.#format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]),
      ) as Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', number>;
      const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
      this.#hour = hour;
      this.#offsetMs = local - atMs;
    }
    return this.#offsetMs;
  }

  local(timeMs: number): LocalTime {
    const shifted = new Date(timeMs + this.offsetMs(timeMs));
    return {
      year: shifted.getUTCFullYear(),
      month: shifted.getUTCMonth() + 1,
      day: shifted.getUTCDate(),
      weekday: shifted.getUTCDay(),
      hours: (((shifted.getTime() % 86_400_000) + 86_400_000) % 86_400_000) / HOUR_MS,
    };
  }

  /** The moment at which clocks show this (the earlier one where clocks are set back). */
  timeOf(year: number, month: number, day: number, hours: number): number {
    const wanted = Date.UTC(year, month - 1, day) + hours * HOUR_MS;
    let time = wanted;
    for (let round = 0; round < 3; round++) time = wanted - this.offsetMs(time);
    return time;
  }
}
