import { formatTimestamp } from '@gridtokenx/protocol';
import type pg from 'pg';
import { comparableDays, compareEnergy, type QuarterDifference, type Quarters } from '../overview/check.js';
import { QUARTER_SECONDS } from '../overview/zones.js';
import { type Difference, Differences } from './differences.js';

type Database = Pick<pg.ClientBase, 'query'>;

/** How much of the energy that is added up was compared with the readings. */
export interface EnergyFigures {
  /** Every day whose readings are here, and not only the last days and some older ones. */
  readonly whole: boolean;
  readonly days: number;
  readonly quarters: number;
  readonly readings: number;
  /** Quarters that cannot be compared, because readings before them were moved elsewhere. */
  readonly unproved: number;
  /** The oldest day of them (UTC, "2026-02-28"): the next audit goes on before it. null where there are no days. */
  readonly oldest: string | null;
}

/** Days that every audit compares: late readings and what goes wrong while adding up change these. */
const RECENT_DAYS = 2;
/** After so many audits every older day was compared. */
const AUDITS_FOR_ALL = 30;
/** A part of a day at a time: also with many meters and a slow disk well within the time of a statement. */
const PART_SECONDS = 6 * 3600;

export interface EnergyCheck {
  /** Compare every day. */
  readonly whole: boolean;
  /** Told after each day. */
  readonly progress?: ((done: number, of: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares the network's energy, as it is added up by quarters of an hour, with the readings: the last days, and of the older ones
 * as many as that all are compared within thirty audits; or everything.
 */
export async function checkEnergy(
  db: Database,
  differences: Differences,
  { whole, progress, signal }: EnergyCheck,
): Promise<EnergyFigures> {
  const all = await comparableDays(db);
  const days = whole ? all : pickDays(all, await lastOldest(db));
  const sums = { quarters: 0, readings: 0, unproved: 0 };
  for (const [index, day] of days.entries()) {
    for (let from = day.from; from < day.to; from += PART_SECONDS) {
      signal?.throwIfAborted();
      const found = await compareEnergy(db, { from, to: from + PART_SECONDS });
      sums.quarters += found.quarters;
      sums.readings += found.readings;
      sums.unproved += found.unproved;
      for (const difference of found.differences) tell(difference, differences);
    }
    progress?.(index + 1, days.length);
  }
  const oldest = days.at(-1);
  return { whole, days: days.length, ...sums, oldest: oldest === undefined ? null : dayOf(oldest) };
}

/** What differs in one quarter of an hour, by its beginning as {@link Difference} names it. */
export async function energyDifferences(db: Database, quarter: string): Promise<readonly Difference[]> {
  const from = Date.parse(quarter) / 1000;
  const found = await compareEnergy(db, { from, to: from + QUARTER_SECONDS });
  const differences = new Differences(Number.POSITIVE_INFINITY);
  for (const difference of found.differences) tell(difference, differences);
  return differences.list;
}

function tell({ quarter, added, readings }: QuarterDifference, differences: Differences): void {
  const text = (figures: QuarterDifference['added']): string => {
    if (figures === null) return 'nothing';
    const { produced, consumed, surplus } = figures;
    return `produced ${produced}, consumed ${consumed}, surplus ${surplus} nkWh of ${figures.readings} readings of ${figures.meters} meters`;
  };
  differences.add('ENERGY_DIFFERS', {
    what: 'quarter',
    quarter: formatTimestamp(quarter.getTime() / 1000),
    expected: text(readings),
    actual: text(added),
  });
}

/**
 * The last days, and those older ones whose turn it is.
 * @param days newest first
 * @param oldest the oldest day that the audit before this one compared
 */
export function pickDays(days: readonly Quarters[], oldest: string | undefined): Quarters[] {
  const recent = days.slice(0, RECENT_DAYS);
  const older = days.slice(RECENT_DAYS);
  const next = oldest === undefined ? 0 : older.findIndex((day) => dayOf(day) < oldest);
  const begin = Math.max(0, next);
  return [...recent, ...older.slice(begin, begin + Math.ceil(older.length / AUDITS_FOR_ALL))];
}

async function lastOldest(db: Database): Promise<string | undefined> {
  const { rows } = await db.query<{ oldest: string | null }>(
    `SELECT report -> 'figures' -> 'energy' ->> 'oldest' AS oldest FROM audit_reports ORDER BY id DESC LIMIT 1`,
  );
  return rows[0]?.oldest ?? undefined;
}

const dayOf = ({ from }: Quarters) => formatTimestamp(from).slice(0, 10);
