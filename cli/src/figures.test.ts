import { expect, test } from 'vitest';
import { palette } from './colours.js';
import { type Figures, figuresPanel, figuresText, midnight, short } from './figures.js';

const stage = (name: string) => ({
  stage: name,
  count_minute: 1_200,
  count_hour: 72_000,
  waiting: name === 'stored' ? 37 : 0,
  lag_seconds_p50: name === 'final' ? null : 2,
  lag_seconds_p95: 75,
});
const figures: Figures = {
  service: {
    status: 'ok',
    version: '0.1.0',
    checks: { database: 'ok', broker: 'ok', chain: 'ok' },
  },
  overview: {
    time: '2026-01-02T03:04:05.000Z',
    power: { production_watts: 12_345_678, consumption_watts: 900, surplus_watts: 12_344_778, meters: 9_876 },
    power_hidden: null,
    today: {
      since: '2026-01-02T00:00:00.000Z',
      produced_kwh: '45678.123456789',
      consumed_kwh: '3',
      surplus_kwh: '45675.1',
      minted_grid: '45000.5',
      readings: 1,
    },
    total: { minted_grid: '1234567.000000001', readings: 20_000_000, meters: 10_000, users: 1 },
    pipeline: ['received', 'stored', 'accepted', 'minted', 'final'].map(stage),
  },
  operator: {
    fleet: {
      meters: 10_000,
      states: { online: 9_876, silent: 100, offline: 0, never: 24 },
      problems: { clock: 3, bus: 0, outbox: 0, alerts: 0 },
      outbox_readings: 1,
    },
    settlement: {
      queue: { pending: 12, covered: 0, accepted: 0, held: 2, review: 0 },
      oldest_waiting_seconds: 4_000,
      in_flight_count: 1,
      last_hour: { confirmed: 100, failed: 1, expired: 0, p50_seconds: 0.4, p95_seconds: 2 },
      paused: true,
    },
    alerts: { open: 100, more: true, critical: 1 },
  },
};

test('figures in words: grouped, with their units, one and many, nothing rounded up', () => {
  expect(figuresText(figures)).toBe(
    [
      'Power now   12,345,678 W produced, 900 W used, 12,344,778 W surplus, of 9,876 meters',
      'Today       45,678.123 kWh produced, 3 kWh used, 45,675.100 kWh surplus; 1 reading',
      'GRID        45,000.500 GRID minted today, 1,234,567.000 GRID in all',
      'Gateways    9,876 online, 100 silent, 0 offline, 24 never heard; clock 3; 1 reading still in gateways',
      'Settlement  PAUSED; 12 waiting, the oldest for 1 h 6 min; 2 held; 0 in review; 1 transaction under way; last hour: 100 confirmed, 1 failed, half within 400 ms',
      'Alerts      100 and more open, 1 critical: gtx alerts list',
      '',
      'From meter to token: 20,000,000 readings of 10,000 meters of 1 user so far; times from the end of a reading’s interval',
      '  stage         last minute  last hour  wait here  half within  95 % within',
      '  received            1,200     72,000          0        2.0 s   1 min 15 s',
      '  stored              1,200     72,000         37        2.0 s   1 min 15 s',
      '  on the chain        1,200     72,000          0        2.0 s   1 min 15 s',
      '  minted              1,200     72,000          0        2.0 s   1 min 15 s',
      '  final               1,200     72,000          0            –   1 min 15 s',
    ].join('\n'),
  );
});

test('what is hidden is said to be, and what only operators see is left out', () => {
  const hidden: Figures = {
    ...figures,
    operator: undefined,
    overview: {
      ...figures.overview,
      power: null,
      power_hidden: 'too_few_meters',
      today: { ...figures.overview.today, produced_kwh: null, consumed_kwh: null, surplus_kwh: null },
    },
  };
  const text = figuresText(hidden);
  expect(text).toContain('Power now  shown to operators only');
  expect(text).toContain('Today      too few meters to show energy; 1 reading');
  expect(text).not.toMatch(/Gateways|Settlement|Alerts/);
  const silent = { ...hidden, overview: { ...hidden.overview, power_hidden: null } };
  expect(figuresText(silent)).toContain('Power now  no meter tells it');
});

test('what needs a hand stands out', () => {
  const panel = figuresPanel(figures, palette(true)).join('\n');
  for (const bad of ['100 silent', 'PAUSED', '1 failed', '1 critical']) {
    expect(panel).toContain(`\u001b[31m${bad}\u001b[39m`);
  }
  expect(panel).toContain('stored \u001b[36m1,200/min\u001b[39m (37 wait) → on the chain');
});

test('amounts keep three decimals and never say more than there is', () => {
  expect(['0', '0.0009', '999.9999', '1000', '1234567.1'].map(short)).toEqual([
    '0',
    '0.000',
    '999.999',
    '1,000',
    '1,234,567.100',
  ]);
});

test('today begins at this machine’s midnight', () => {
  const now = new Date(2026, 0, 2, 23, 59, 59, 999);
  expect(midnight(now.getTime())).toBe(new Date(2026, 0, 2).toISOString());
});
