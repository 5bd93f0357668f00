import { GtxError, type Status, type Telemetry } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { statusNews, supersedes, telemetryNews } from './news.js';

const NOW = 1_800_000_000_000;
const AT = NOW / 1000;
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const online = (extra: object = {}): Status & { state: 'online' } => ({
  state: 'online',
  version: '0.2.0',
  time: AT,
  outbox_depth: 0,
  clock: { synchronised: true },
  bus: { ok: true, devices: [] },
  alerts: [],
  ...extra,
});
const telemetry = (extra: object = {}): Telemetry => ({
  meter_id: 'M-1',
  time: AT,
  grid_watts: -1,
  devices: [],
  ...extra,
});
const device = (extra: object) => ({ role: 'grid', unit: 1, ok: true, failures: 0, ...extra });

describe('a status', () => {
  test('says what fails most, and how often all of them fail', () => {
    const bus = {
      ok: false,
      devices: [
        device({ unit: 1, failures: 3, ok: false, last_error: 'METER_CRC_ERROR' }),
        device({ unit: 2, failures: 8, ok: false, last_error: 'METER_BUS_ERROR' }),
        device({ unit: 3, failures: 9, last_error: 'METER_BUSY' }),
      ],
    };
    const news = statusNews('M-1', bytes(online({ bus, outbox_depth: 5 })), false, NOW);
    expect(news).toMatchObject({
      bus_ok: false,
      bus_failures: 20,
      bus_error: 'METER_BUS_ERROR',
      waiting: true,
    });
  });

  test('of a broker that had kept it was heard when it was said, and never in the future', () => {
    const heard = (time: number, retained: boolean) =>
      statusNews('M-1', bytes(online({ time })), retained, NOW).heard;
    expect(heard(AT - 500, true)).toBe(NOW - 500_000);
    expect(heard(AT + 500, true)).toBe(NOW);
    expect(heard(AT - 500, false)).toBe(NOW);
  });

  test.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{'],
    ['no object', 'null'],
    ['a list', '[[[[[[]]]]]]'],
    ['another state', online({ state: 'asleep' })],
    ['a state alone', { state: 'online' }],
    ['a field too much', online({ admin: true })],
    ['a time that is none', online({ time: -1 })],
    ['a time beyond 2106', online({ time: 2 ** 33 })],
    ['an outbox that is no number', online({ outbox_depth: '5' })],
    ['an outbox beyond all numbers', '{"state":"online","outbox_depth":1e999}'],
    ['a hundred alerts', online({ alerts: Array(100).fill({ code: 'X_Y', message: '', since: 1 }) })],
    ['a NUL, which no database takes', online({ version: 'a\u0000b' })],
    ['half a character', online({ version: 'a\ud800b' })],
    ['a NUL in an alert', online({ alerts: [{ code: 'X_Y', message: '\u0000', since: 1 }] })],
    ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe])],
  ])('is refused with %s', (_name, value) => {
    const payload = Buffer.isBuffer(value) ? value : bytes(value);
    expect(() => statusNews('M-1', payload, false, NOW)).toThrow(GtxError);
  });

  test('in a script of its own is taken', () => {
    const alerts = [{ code: 'METER_BUS_ERROR', message: 'มิเตอร์ไม่ตอบ 😀 \\ud800', since: 1 }];
    expect(() =>
      statusNews('M-1', bytes(online({ version: 'รุ่น', alerts: alerts.slice(1) })), false, NOW),
    ).not.toThrow();
  });

  test('with failures beyond 32 bits is taken', () => {
    const devices = [device({ failures: 2 ** 40 }), device({ failures: 2 ** 40 })];
    expect(statusNews('M-1', bytes(online({ bus: { ok: true, devices } })), false, NOW).bus_failures).toBe(
      2 ** 31 - 1,
    );
  });
});

describe('live values', () => {
  test.each<[string, unknown]>([
    ["another meter's", telemetry({ meter_id: 'M-2' })],
    ['more power than there is', telemetry({ grid_watts: 1e9 })],
    ['power that is no number', '{"meter_id":"M-1","time":1,"grid_watts":1e999,"devices":[]}'],
    ['a hundred devices', telemetry({ devices: Array(100).fill({}) })],
  ])('are refused: %s', (_name, value) => {
    expect(() => telemetryNews('M-1', bytes(value), false, NOW)).toThrow(GtxError);
  });

  test('are whole watts, and what is not measured is not zero', () => {
    const news = telemetryNews(
      'M-1',
      bytes(telemetry({ grid_watts: undefined, production_watts: 0.6 })),
      false,
      NOW,
    );
    expect(news).toMatchObject({ production: 1, consumption: null, grid: null });
  });
});

test('whatever comes is taken or refused, and never ends the collector', () => {
  const anything = fc.oneof(fc.json().map(bytes), fc.uint8Array({ maxLength: 200 }), fc.string().map(bytes));
  fc.assert(
    fc.property(anything, fc.boolean(), (payload, retained) => {
      for (const take of [statusNews, telemetryNews]) {
        try {
          take('M-1', payload, retained, NOW);
        } catch (error) {
          expect(error).toBeInstanceOf(GtxError);
        }
      }
    }),
  );
});

describe('of two messages the later one', () => {
  const said = (time: number, seenSeconds = 0, extra: object = {}, retained = false) =>
    statusNews('M-1', bytes(online({ time, ...extra })), retained, NOW + seenSeconds * 1000);
  const will = (time: number, seenSeconds = 0) =>
    statusNews('M-1', bytes({ state: 'offline', version: '1', time }), false, NOW + seenSeconds * 1000);

  test('counts, unless it says itself that it is older', () => {
    expect(supersedes(said(AT + 60, 60), said(AT))).toBe(true);
    expect(supersedes(said(AT, 60), said(AT))).toBe(true);
    expect(supersedes(said(AT - 60, 60), said(AT))).toBe(false);
  });

  test('counts after a clock was set back: at once from ahead, after a while otherwise', () => {
    expect(supersedes(said(AT + 60, 60), said(AT + 3_600))).toBe(true);
    expect(supersedes(said(0, 60), said(AT))).toBe(false);
    expect(supersedes(said(0, 91), said(AT))).toBe(true);
  });

  test('counts as a last will, which bears the time of its connection', () => {
    expect(supersedes(will(AT - 86_400, 1), said(AT))).toBe(true);
    expect(supersedes(said(AT, 2), will(AT - 86_400, 1))).toBe(true);
  });

  test('does not count when the broker had kept it from before', () => {
    expect(supersedes(said(AT - 3_600, 100, {}, true), said(AT))).toBe(false);
    expect(supersedes(said(AT, 100, {}, true), said(AT - 3_600, 0, {}, true))).toBe(true);
  });
});
