import { createPool, type ReplayProgress, type ReplayReport, replay } from '@gridtokenx/collector';
import { pino } from 'pino';
import type { AuditOutcome, AuditPlaces } from './audit.js';
import { connectTo } from './chain-actions.js';
import { databaseError } from './database-error.js';
import { type Json, table } from './output.js';

/** Differences that are told in words. */
const MAX_TOLD = 20;

export interface ReplayFlags {
  /** Only compares. */
  readonly check: boolean;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
  readonly now?: () => number;
}

/**
 * Rebuilds what follows from the chain beside a database's own rows, and compares.
 * @throws GtxError CHAIN_UNAVAILABLE, STORAGE_UNAVAILABLE, CONFIG_INVALID (the database mirrors another chain)
 */
export async function replayOnce(places: AuditPlaces, flags: ReplayFlags): Promise<AuditOutcome> {
  const { check, progress, signal, now = Date.now } = flags;
  const logger = pino({ level: 'silent' });
  let told = 0;
  const onProgress = ({ step, transactions, events, queued }: ReplayProgress) => {
    // Twice a second is enough for eyes.
    if (step === 'apply' && now() - told < 500) return;
    told = now();
    const words = {
      list: 'listing the history of the programs',
      apply: `applied ${transactions} transactions with ${events} events; ${queued} to go`,
      compare: 'comparing',
      repair: 'reading again what differs',
    };
    progress(words[step]);
  };
  try {
    // Says early, and in the words of every command, that there is no database.
    const pool = createPool(places.databaseUrl, 1, logger);
    await pool.query('SELECT 1').finally(() => pool.end());
    const report = await replay({
      databaseUrl: places.databaseUrl,
      connection: connectTo(places),
      logger,
      now,
      repair: !check,
      onProgress,
      signal,
    });
    return describeReplay(report, check);
  } catch (error) {
    throw databaseError(error);
  }
}

/** A report for people and for programs. */
export function describeReplay(report: ReplayReport, check: boolean): AuditOutcome {
  const { identical, transactions, events, seconds, tables, differences, repaired } = report;
  const rows = tables.map(({ table: name, rows: count, differing }): [string, string] => [
    name,
    differing === 0 ? `${count} rows, identical` : `${count} rows, ${differing} differ`,
  ]);
  const lines = [
    `Replayed ${transactions} transactions with ${events} events in ${seconds} s.`,
    table(rows),
    ...differences.slice(0, MAX_TOLD).map(({ table: name, key, kind, columns }) => {
      const which = Object.values(key).join(' ');
      if (kind === 'missing') return `${name} ${which}: is missing in the database`;
      if (kind === 'extra') return `${name} ${which}: the chain has no such thing`;
      const parts = Object.entries(columns).map(
        ([column, { database, chain }]) =>
          `${column} ${JSON.stringify(database)}, by the chain ${JSON.stringify(chain)}`,
      );
      return `${name} ${which}: ${parts.join('; ')}`;
    }),
    ...(differences.length > MAX_TOLD
      ? [`… and ${differences.length - MAX_TOLD} more (--json names them)`]
      : []),
    ...(repaired > 0 ? [`${repaired} rows were read again from the chain.`] : []),
    identical
      ? 'Identical: every row is what the chain makes of it.'
      : check
        ? 'The database differs from the chain. Without --check the rows are read again.'
        : 'The database still differs from the chain: see docs/events.md.',
  ];
  const json: Json = {
    ok: identical,
    identical,
    transactions,
    events,
    seconds,
    repaired,
    tables: tables.map((each) => ({ ...each })),
    differences: differences.map(({ table: name, key, kind, columns }) => ({
      table: name,
      key: { ...key },
      kind,
      columns: JSON.parse(JSON.stringify(columns)) as Json,
    })),
  };
  return { ok: identical, json, text: lines.join('\n') };
}
