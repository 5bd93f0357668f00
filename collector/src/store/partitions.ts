import type pg from 'pg';

const DAY_SECONDS = 24 * 3600;

/** Makes the monthly partitions of `meter_readings` before a reading needs them, and remembers which are there. */
export class Partitions {
  private readonly known = new Set<string>();

  constructor(private readonly pool: pg.Pool) {}

  /** Makes sure that readings ending at these times (Unix seconds) have a partition. */
  async ensure(ends: Iterable<number>): Promise<void> {
    for (const end of ends) {
      const month = monthOf(end);
      if (this.known.has(month)) continue;
      await this.pool.query('SELECT ensure_reading_partition(to_timestamp($1))', [end]);
      this.known.add(month);
    }
  }

  /** The months that readings can come from now, and the next one. */
  async ensureAround(nowSeconds: number): Promise<void> {
    await this.ensure([nowSeconds - 8 * DAY_SECONDS, nowSeconds, nowSeconds + 32 * DAY_SECONDS]);
  }
}

/** "2026-02" for a time in UTC. */
export function monthOf(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toISOString().slice(0, 7);
}
