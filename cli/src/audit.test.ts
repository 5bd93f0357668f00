import type { AuditReport, Difference } from '@gridtokenx/collector';
import { describe, expect, it } from 'vitest';
import { describeAudit } from './audit.js';

const order: Difference = {
  kind: 'ORDER_DIFFERS',
  what: 'order',
  account: '9eibaFDzNLx5Yc2QbkbTSrr8XXmB2dvPaJqcUeKMBXKF',
  expected: 'remaining 5',
  actual: 'remaining 4',
  action: 'Read it again.',
  since: '2026-03-01T10:00:00.000Z',
};
const balance: Difference = {
  kind: 'BALANCE_DIFFERS',
  wallet: '8e8S5kcpCKUVNNkpzdanYoLfBkcPqTqKdig5mhCZCaMn',
  mint: '59xM1wsD9psG7SfMiFWk4yofP3uyijQQoTFepxV1Fjtj',
  expected: '7 in its token account',
  actual: '9',
  action: 'Read it again.',
};

function report(
  differences: readonly Difference[],
  gifts: AuditReport['figures']['market']['gifts'] = [],
): AuditReport {
  return {
    ok: differences.length === 0,
    checkedAt: '2026-03-01T10:05:00.000Z',
    genesisHash: 'genesis',
    slot: 77,
    differences,
    differenceCount: differences.length,
    figures: {
      supply: '15000000000',
      totalMinted: '15000000000',
      totalBurned: '0',
      totalRetired: '0',
      directBurns: [],
      meters: 1,
      sumOfMintedCounters: '15000000000',
      sumOfMintEvents: '15000000000',
      sumOfHeld: '0',
      transactions: 9,
      transactionsWithCutLogs: 0,
      mintEvents: 1,
      readingsOnChain: 1,
      readings: 1,
      signaturesVerified: 1,
      settlements: 1,
      certificates: {
        books: 0,
        liveCertificates: 0,
        retiredCertificates: 0,
        certified: '0',
        certifiedAndRetired: '0',
      },
      market: {
        markets: 1,
        openOrders: 2,
        trades: 1,
        traded: '10000000000',
        escrowedGrid: '2000000000',
        escrowedQuote: '0',
        gifts,
        giftCount: gifts.length,
      },
      holdings: {
        supply: '15000000000',
        tokenAccounts: 3,
        held: '15000000000',
        inEscrows: '2000000000',
        inWallets: '13000000000',
      },
      balances: 4,
      balancesBehind: 0,
      energy: { whole: false, days: 3, quarters: 280, readings: 2800, unproved: 0, oldest: '2026-02-20' },
    },
  };
}

describe('describeAudit', () => {
  it('shows who holds what, and the market', () => {
    const { ok, text } = describeAudit(report([]));
    expect(ok).toBe(true);
    expect(text).toContain('The books agree (up to slot 77).');
    expect(text).toContain('15 GRID in 3 token accounts: 13 GRID in wallets, 2 GRID in escrows');
    expect(text).toContain('2 open orders; 1 trades of 10 GRID');
    expect(text).toContain('280 quarters of an hour of 3 days compared with 2800 readings');
    expect(text).not.toContain('gifts');
  });

  it('names each difference with what it is about and since when, and what was repaired', () => {
    const repaired = { difference: balance, repair: 'read the token accounts again' };
    const { text, json } = describeAudit(report([order, balance]), [repaired]);
    expect(text).toContain(`ORDER_DIFFERS: order ${order.account}`);
    expect(text).toContain('  since    2026-03-01T10:00:00.000Z');
    expect(text).toContain(`BALANCE_DIFFERS: wallet ${balance.wallet}`);
    expect(text).toContain('Repaired BALANCE_DIFFERS: read the token accounts again.');
    expect(json).toMatchObject({
      ok: false,
      difference_count: 2,
      repaired: [{ kind: 'BALANCE_DIFFERS', repair: 'read the token accounts again' }],
    });
  });

  it('calls what an escrow holds beyond its order a gift', () => {
    const gift = { order: 'abc', side: 'sell', amount: '5' } as const;
    const { ok, text, json } = describeAudit(report([], [gift]));
    expect(ok).toBe(true);
    expect(text).toContain('1 escrows hold more than their order says');
    expect(json).toMatchObject({ figures: { gifts: [gift], gift_count: 1 } });
  });
});
