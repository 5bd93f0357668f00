import { type AuditReport, createPool, runAudit } from '@gridtokenx/collector';
import { nkwhToKwh } from '@gridtokenx/protocol';
import { pino } from 'pino';
import { connectTo } from './chain-actions.js';
import { databaseError } from './database-error.js';
import { type Json, table } from './output.js';
import type { Targets } from './targets.js';

export interface AuditOutcome {
  readonly ok: boolean;
  readonly json: Json;
  readonly text: string;
}

export type AuditPlaces = Pick<Targets, 'rpcUrl' | 'wsUrl'> & { readonly databaseUrl: string };

/**
 * Runs the collector's audit once, against a chain and a database.
 * @throws GtxError CHAIN_UNAVAILABLE, STORAGE_UNAVAILABLE, CONFIG_INVALID (the database mirrors another chain)
 */
export async function runAuditOnce(places: AuditPlaces): Promise<AuditOutcome> {
  const logger = pino({ level: 'silent' });
  const pool = createPool(places.databaseUrl, 4, logger);
  try {
    return describeAudit(await runAudit({ pool, connection: connectTo(places), logger, now: Date.now }));
  } catch (error) {
    // The chain's failures have codes of the catalogue already.
    throw databaseError(error);
  } finally {
    await pool.end();
  }
}

const grid = (nkwh: string): string => `${nkwhToKwh(BigInt(nkwh))} GRID`;

/** A report for people and, with amounts in GRID and kWh beside the base units, for programs. */
export function describeAudit(report: AuditReport): AuditOutcome {
  const { figures, differences, differenceCount, ok } = report;
  const rows: [string, string][] = [
    [
      'supply',
      `${grid(figures.supply)} = minted ${grid(figures.totalMinted)} less burned ${grid(figures.totalBurned)}`,
    ],
    ['meters’ counters', `${grid(figures.sumOfMintedCounters)} over ${figures.meters} meters`],
    [
      'mint events',
      `${grid(figures.sumOfMintEvents)} in ${figures.mintEvents} events of ${figures.transactions} transactions`,
    ],
    ['held back', `${nkwhToKwh(BigInt(figures.sumOfHeld))} kWh`],
    ['readings', `${figures.readings} stored, ${figures.readingsOnChain} accepted by the chain`],
    ['signatures', `${figures.signaturesVerified} verified against the key that the meter had`],
    ['settlements', String(figures.settlements)],
    [
      'certificates',
      `${nkwhToKwh(BigInt(figures.certificates.certified))} kWh certified in ${figures.certificates.books} books, ${nkwhToKwh(BigInt(figures.certificates.certifiedAndRetired))} kWh of it retired`,
    ],
  ];
  const lines = [
    ok
      ? `The books agree (up to slot ${report.slot}).`
      : `The books do NOT agree: ${differenceCount} ${differenceCount === 1 ? 'difference' : 'differences'} (up to slot ${report.slot}).`,
    table(rows, '  '),
  ];
  for (const { kind, meter, sequence, signature, expected, actual, action } of differences) {
    const where = [
      meter === undefined ? undefined : `meter ${meter}`,
      sequence === undefined ? undefined : `reading ${sequence}`,
      signature === undefined ? undefined : `transaction ${signature}`,
    ].filter((part) => part !== undefined);
    lines.push(
      '',
      `${kind}${where.length === 0 ? '' : `: ${where.join(', ')}`}`,
      `  expected ${expected}`,
      `  found    ${actual}`,
      `  ${action}`,
    );
  }
  if (differenceCount > differences.length)
    lines.push('', `and ${differenceCount - differences.length} more`);
  return {
    ok,
    json: {
      ok,
      checked_at: report.checkedAt,
      genesis_hash: report.genesisHash,
      slot: report.slot,
      unit: 'nkWh (1 GRID is 1000000000)',
      figures: {
        supply: figures.supply,
        total_minted: figures.totalMinted,
        total_burned: figures.totalBurned,
        total_retired: figures.totalRetired,
        meters: figures.meters,
        sum_of_minted_counters: figures.sumOfMintedCounters,
        sum_of_mint_events: figures.sumOfMintEvents,
        sum_of_held: figures.sumOfHeld,
        transactions: figures.transactions,
        mint_events: figures.mintEvents,
        readings: figures.readings,
        readings_on_chain: figures.readingsOnChain,
        signatures_verified: figures.signaturesVerified,
        settlements: figures.settlements,
        certificate_books: figures.certificates.books,
        live_certificates: figures.certificates.liveCertificates,
        retired_certificates: figures.certificates.retiredCertificates,
        certified: figures.certificates.certified,
        certified_and_retired: figures.certificates.certifiedAndRetired,
      },
      difference_count: differenceCount,
      differences: differences.map((difference) => ({ ...difference })),
    },
    text: lines.join('\n'),
  };
}
