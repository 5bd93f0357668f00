import { NOTICE_FACTS, noticeNames, noticeOf } from '@gridtokenx/protocol';
import { afterAll, describe, expect, test } from 'vitest';
import { en } from '../text/en.js';
import { language } from '../text/index.js';
import { noticeInWords } from './notice.js';

const meter = { meter_id: 'MTR-001' };
const reading = { ...meter, sequence: '7' };
/** Facts of each notice, as the collector writes them. */
const FACTS: Record<string, Record<string, unknown>> = {
  sequence_conflict: reading,
  reading_not_storable: reading,
  reading_held: { ...reading, amount_kwh: '130' },
  held_amount: { ...reading, amount_kwh: '130', attempts: null },
  energy_held: { ...reading, amount_kwh: '3.9', review_id: 'r' },
  'implausible_production.above_rated': {
    ...meter,
    rule: 'above_rated',
    mean_watts: 900,
    rated_watts: 300,
    sequence: '9',
  },
  'implausible_production.sun_below_horizon': {
    ...meter,
    rule: 'sun_below_horizon',
    mean_watts: 300,
    highest_sun_degrees: -20,
  },
  'implausible_production.neighbours_silent': {
    ...meter,
    rule: 'neighbours_silent',
    mean_watts: 400,
    neighbours: 8,
    silent: 8,
  },
  'implausible_production.above_neighbours': {
    ...meter,
    rule: 'above_neighbours',
    neighbours: 9,
    own_kwh_per_kw: 9.1,
    median_kwh_per_kw: 3.2,
  },
  sites_file_invalid: { file: '/etc/gridtokenx/sites.json' },
  gateway_silent: { ...meter, last_heard_at: null },
  'gateway_silent.many': { meters: 71, among_them: ['MTR-001'] },
  gateway_bus: { ...meter, last_error: 'METER_BUS_ERROR' },
  'gateway_bus.many': { meters: 71, among_them: ['MTR-001'] },
  gateway_clock: { ...meter, offset_ms: 12 },
  'gateway_clock.many': { meters: 71, among_them: ['MTR-001'] },
  settlement_failed: { ...reading, error: 'MeterSuspended', attempts: 10 },
  settlement_dropped: { signature: '5sig' },
  'fee_payer.settlement': { wallet: 'Payer', part: 'settlement' },
  'fee_payer.matching': { wallet: 'Payer', part: 'matching' },
  certificate_refused: { ...meter, attempts: 5, error: 'FundsTooLow' },
  match_failed: { attempts: 10, error: 'OutOfBand', sell_order: 's', buy_order: 'b' },
  market_halted: { market: 'Market', reason: 'FeedStale' },
  'chain_unavailable.mirror': { part: 'mirror' },
  'chain_unavailable.settlement': { part: 'settlement' },
  'chain_unavailable.matching': { part: 'matching' },
  'chain_unavailable.certificates': { part: 'certificates' },
  other_chain: {},
  mirror_failed: { signature: '5sig' },
  chain_reading_conflict: reading,
  chain_logs_truncated: { signature: '5sig', lost: [] },
  paused: {},
  audit_difference: { kind: 'ORDER_DIFFERS', expected: 'remaining 5', actual: 'remaining 4' },
  alert_channel_failed: { channel: 'webhook' },
};
const kindOf = (name: string) => name.split('.')[0] as string;

describe.each(['en', 'th'] as const)('notices in %s', (name) => {
  const before = language.value;
  afterAll(() => {
    language.value = before;
  });

  test('each is said, with its facts and nothing left open', () => {
    language.value = name;
    expect(Object.keys(FACTS).sort()).toEqual(noticeNames().sort());
    for (const [notice, facts] of Object.entries(FACTS)) {
      expect(noticeOf(kindOf(notice), facts)?.name).toBe(notice);
      const text = noticeInWords(kindOf(notice), facts);
      expect(text, notice).toBeDefined();
      expect(text, notice).not.toMatch(/[{}]|undefined/);
      for (const fact of ['meter_id', 'sequence', 'amount_kwh', 'signature', 'wallet', 'error'])
        if (Object.hasOwn(noticeOf(kindOf(notice), facts)?.facts ?? {}, fact))
          expect(text, notice).toContain(facts[fact]);
    }
  });
});

test('what it does not know, or lacks the facts of, is left to the collector’s own sentence', () => {
  expect(noticeInWords('sun_went_out', { meter_id: 'MTR-001' })).toBeUndefined();
  expect(noticeInWords('toString', {})).toBeUndefined();
  expect(noticeInWords('energy_held', { meter_id: 'MTR-001', sequence: null })).toBeUndefined();
  expect(noticeInWords('fee_payer', { wallet: 'Payer', part: 'baking' })).toBeUndefined();
});

test('every notice has its text, and every text its notice', () => {
  const texts = Object.keys(en).filter((key) => key.startsWith('notice.'));
  expect(texts.sort()).toEqual(
    noticeNames()
      .map((name) => `notice.${name}`)
      .sort(),
  );
  expect(new Set(noticeNames().map(kindOf))).toEqual(new Set(Object.keys(NOTICE_FACTS)));
});
