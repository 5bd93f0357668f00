import {
  Alerts,
  type AuditReport,
  ChainMirror,
  createPool,
  type Difference,
  isRepairable,
  recordAudit,
  repair,
  runAudit,
} from '@gridtokenx/collector';
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

/** Something that was read again from the chain, and what was done. */
export interface Repaired {
  readonly difference: Difference;
  readonly repair: string;
}

/**
 * Runs the collector's audit once, against a chain and a database, and writes its report down there.
 * @param options.repair reads the chain again where the database differs from it, then audits once more
 * @param options.energy compares the energy that is added up with every reading
 * @param options.progress is told what is being done
 * @throws GtxError CHAIN_UNAVAILABLE, STORAGE_UNAVAILABLE, CONFIG_INVALID (the database mirrors another chain)
 */
export async function runAuditOnce(
  places: AuditPlaces,
  options: { repair?: boolean; energy?: boolean; progress?: (text: string) => void } = {},
): Promise<AuditOutcome> {
  const logger = pino({ level: 'silent' });
  const pool = createPool(places.databaseUrl, 4, logger);
  const deps = { pool, connection: connectTo(places), logger, now: Date.now };
  const energyProgress = (done: number, of: number) =>
    options.progress?.(`Energy of ${done} of ${of} days compared with its readings.`);
  const audit = async (wholeEnergy: boolean) =>
    recordAudit(pool, await runAudit({ ...deps, wholeEnergy, ...(wholeEnergy && { energyProgress }) }));
  try {
    let report = await audit(options.energy ?? false);
    const repaired: Repaired[] = [];
    if (options.repair && report.differences.some(isRepairable)) {
      const alerts = new Alerts(pool, logger);
      const doors = new ChainMirror({ ...deps, alerts, config: { wsUrl: false } });
      for (const difference of report.differences) {
        const what = await repair({ doors, pool }, difference);
        if (what !== undefined) repaired.push({ difference, repair: what });
      }
      report = await audit(options.energy ?? false);
    }
    return describeAudit(report, repaired);
  } catch (error) {
    // The chain's failures have codes of the catalogue already.
    throw databaseError(error);
  } finally {
    await pool.end();
  }
}

const grid = (nkwh: string): string => `${nkwhToKwh(BigInt(nkwh))} GRID`;

/** A report for people and, with amounts in GRID and kWh beside the base units, for programs. */
export function describeAudit(report: AuditReport, repaired: readonly Repaired[] = []): AuditOutcome {
  const { figures, differences, differenceCount, ok } = report;
  const { market, holdings } = figures;
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
    [
      'who holds it',
      `${grid(holdings.held)} in ${holdings.tokenAccounts} token accounts: ${grid(holdings.inWallets)} in wallets, ${grid(holdings.inEscrows)} in escrows${holdings.supply === figures.supply ? '' : ` (supply by then ${grid(holdings.supply)})`}`,
    ],
    ['market', `${market.openOrders} open orders; ${market.trades} trades of ${grid(market.traded)}`],
    [
      'balances',
      `${figures.balances} compared with their token accounts${figures.balancesBehind === 0 ? '' : `, ${figures.balancesBehind} wallets moved tokens since they were read`}`,
    ],
  ];
  const { energy } = figures;
  rows.push([
    'energy',
    `${energy.quarters} quarters of an hour of ${energy.whole ? 'all ' : ''}${energy.days} days compared with ${energy.readings} readings${energy.unproved === 0 ? '' : `; of ${energy.unproved} the readings before are stored elsewhere`}`,
  ]);
  if (market.giftCount > 0) {
    rows.push(['gifts', `${market.giftCount} escrows hold more than their order says; their owners get it`]);
  }
  const lines = [
    ok
      ? `The books agree (up to slot ${report.slot}).`
      : `The books do NOT agree: ${differenceCount} ${differenceCount === 1 ? 'difference' : 'differences'} (up to slot ${report.slot}).`,
    table(rows, '  '),
  ];
  for (const { difference, repair: what } of repaired) lines.push(`Repaired ${difference.kind}: ${what}.`);
  for (const difference of differences) {
    const { kind, meter, sequence, signature, expected, actual, action } = difference;
    const where = [
      meter === undefined ? undefined : `meter ${meter}`,
      difference.account === undefined || meter !== undefined
        ? undefined
        : `${difference.what ?? 'account'} ${difference.account}`,
      difference.wallet === undefined ? undefined : `wallet ${difference.wallet}`,
      sequence === undefined ? undefined : `reading ${sequence}`,
      signature === undefined ? undefined : `transaction ${signature}`,
    ].filter((part) => part !== undefined);
    lines.push(
      '',
      `${kind}${where.length === 0 ? '' : `: ${where.join(', ')}`}`,
      `  expected ${expected}`,
      `  found    ${actual}`,
      ...(difference.since === undefined ? [] : [`  since    ${difference.since}`]),
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
        markets: market.markets,
        open_orders: market.openOrders,
        trades: market.trades,
        traded: market.traded,
        escrowed_grid: market.escrowedGrid,
        escrowed_quote: market.escrowedQuote,
        gifts: market.gifts.map((gift) => ({ ...gift })),
        gift_count: market.giftCount,
        token_accounts: holdings.tokenAccounts,
        supply_when_added_up: holdings.supply,
        held_in_token_accounts: holdings.held,
        held_in_wallets: holdings.inWallets,
        held_in_escrows: holdings.inEscrows,
        balances: figures.balances,
        balances_behind: figures.balancesBehind,
        energy_whole: figures.energy.whole,
        energy_days: figures.energy.days,
        energy_quarters: figures.energy.quarters,
        energy_readings: figures.energy.readings,
        energy_unproved: figures.energy.unproved,
        energy_oldest: figures.energy.oldest,
      },
      repaired: repaired.map(({ difference, repair: what }) => ({ ...difference, repair: what })),
      difference_count: differenceCount,
      differences: differences.map((difference) => ({ ...difference })),
    },
    text: lines.join('\n'),
  };
}
