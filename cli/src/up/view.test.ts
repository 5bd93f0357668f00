import { describe, expect, it } from 'vitest';
import { NOTHING_YET, type Observation } from './observe.js';
import { newsLines, powerText, renderView, screenRows, type ViewState } from './view.js';

const mint = { signature: '5igNature', amountNkwh: 18_031_293n, confirmedAtMs: 1_000_000, meters: ['MTR-1'] };
const busy: Observation = {
  power: { productionWatts: 2_314.4, consumptionWatts: 412, gridWatts: -1_902, atMs: 1_000_000 },
  gatewayOnline: true,
  waiting: 2,
  storedThisRun: 5,
  storedTotal: 12,
  lastReading: {
    meterId: 'MTR-1',
    sequence: 12n,
    amountNkwh: 18_031_293n,
    status: 'minted',
    storedAtMs: 1_000_000,
  },
  mintsThisRun: [mint],
  mintedThisRunNkwh: 18_031_293n,
  mintedTotalNkwh: 15_018_031_293n,
  alerts: ['warning: the sun is late'],
};
const state = (observation: Observation): ViewState => ({
  meterId: 'MTR-1',
  dataDir: '/data',
  runningMs: 72_000,
  nowMs: 1_012_000,
  components: [
    { name: 'collector', state: 'running', pid: 42, url: 'http://127.0.0.1:8080', restarts: 0 },
    { name: 'localnet', state: 'waiting-to-restart', pid: undefined, url: '', restarts: 2 },
    { name: 'postgres', state: 'external', pid: undefined, url: 'postgresql://u:***@h/d', restarts: 0 },
  ],
  observation,
  targetMints: 3,
});

describe('the live view', () => {
  it('shows power, readings, GRID, transactions, places and URLs, with units', () => {
    const text = renderView(state(busy));
    for (const part of [
      'running for 1 min 12 s',
      '2,314 W produced, 412 W used, 1,902 W to the grid',
      '5 stored in this run, 12 in all, 2 waiting; last: number 12, 0.018031293 kWh surplus, minted',
      '0.018031293 GRID in this run by 1 transaction (3 wanted), 15.018031293 GRID in all',
      '5igNature',
      '12.0 s ago',
      'warning: the sun is late',
      'running (process 42)  http://127.0.0.1:8080',
      'waiting-to-restart, restarted 2x',
      '/data',
    ]) {
      expect(text).toContain(part);
    }
  });

  it('says so when there is nothing yet, or the gateway is away', () => {
    const text = renderView(state({ ...NOTHING_YET, gatewayOnline: false }));
    expect(text).toContain('waiting for the first sample (gateway offline)');
    expect(text).toContain('none yet');
    expect(text).toContain('0 GRID in this run');
  });

  it('names what a meter without production register shows', () => {
    const none = { productionWatts: undefined, consumptionWatts: undefined, gridWatts: undefined, atMs: 0 };
    expect(powerText({ ...none, gridWatts: 310 })).toBe('310 W from the grid');
    expect(powerText({ ...none, gridWatts: 0 })).toBe('0 W from the grid');
    expect(powerText(none)).toBe('the meter shows no power');
  });

  it('counts the rows that wrapped lines take', () => {
    expect(screenRows('abc\n\nabcdef', undefined)).toBe(3);
    expect(screenRows('abc\n\nabcdef', 3)).toBe(4);
    expect(screenRows('abcdefg', 3)).toBe(3);
  });
});

describe('the lines of news', () => {
  it('tell each thing once, mints in the order in which they came', () => {
    const later = { ...mint, signature: '6igNature', confirmedAtMs: 2_000_000 };
    const lines = newsLines(NOTHING_YET, { ...busy, mintsThisRun: [later, mint] });
    expect(lines).toEqual([
      expect.stringContaining('reading 12 of MTR-1 stored: 0.018031293 kWh surplus'),
      'minted 0.018031293 GRID: transaction 5igNature',
      'minted 0.018031293 GRID: transaction 6igNature',
      'alert, warning: the sun is late',
    ]);
    expect(newsLines(busy, busy)).toEqual([]);
  });
});
