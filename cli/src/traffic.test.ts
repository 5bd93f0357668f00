import { encodeBase58 } from '@gridtokenx/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeMessage } from './traffic.js';

const KEY = '4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS';
const SIGNATURE = encodeBase58(new Uint8Array(64).fill(7));
const at = { retained: false, atMs: Date.UTC(2026, 0, 2, 3, 4, 5) };
const text = (kind: string, payload: unknown, retained = false) =>
  describeMessage(`gtx/v1/MTR-1/${kind}`, Buffer.from(JSON.stringify(payload)), { ...at, retained });
const envelope = (payload: unknown) => ({
  payload: JSON.stringify(payload),
  public_key: KEY,
  signature: SIGNATURE,
});

describe('the broker’s traffic in words', () => {
  it('moves nobody’s cursor', () => {
    const evil = describeMessage(
      'gtx/v1/x/reading',
      Buffer.from('\u001b[2J\u001b]0;title\u0007\r\nnext\u202e'),
      at,
    );
    expect(evil.text).toMatch(/^03:04:05 {2}x {17}not understood, \d+ bytes: ·\[2J·\]0;title···next·$/);
  });

  it('readings', () => {
    const body = {
      meter_id: 'MTR-1',
      wallet_address: KEY,
      kwh_amount: '0.012',
      reading_timestamp: '2026-01-02T03:04:00Z',
      meter_signature: SIGNATURE,
      public_key: KEY,
      reading: {
        flags: 0,
        sequence: '7',
        interval_start: 1_767_322_995,
        interval_end: 1_767_323_040,
        produced_total: '3',
        consumed_total: '0',
        surplus_total: '3',
      },
    };
    const { json, text: line } = text('reading', body);
    expect(line).toBe(
      `03:04:05  MTR-1             reading 7: 0.012 kWh surplus over 45 s, signature ${SIGNATURE.slice(0, 12)}…`,
    );
    expect(json).toMatchObject({
      meter_id: 'MTR-1',
      kind: 'reading',
      understood: true,
      payload: { kwh_amount: '0.012' },
    });
  });

  it('acknowledgements and commands, out of their signed envelopes', () => {
    const ack = {
      meter_id: 'MTR-1',
      time: 1,
      through: '6',
      stored: ['8'],
      refused: [{ sequence: '7', code: 'READING_TOO_OLD', retry: 'never' }],
      held: [{ sequence: '9' }],
    };
    expect(text('ack', envelope(ack)).text).toContain(
      'acknowledged through 6; stored 8; refused 7 READING_TOO_OLD (retry never); held 9',
    );
    expect(
      text('command', envelope({ id: 'a', time: 1, type: 'resend', from_sequence: '4' })).text,
    ).toContain('send again from reading 4');
    expect(
      text('command', envelope({ id: 'a', time: 1, type: 'sampling', sample_seconds: 5 })).text,
    ).toContain('every 5 s');
  });

  it('live values and states', () => {
    const device = { role: 'grid', profile: 'p', unit: 1, online: false };
    expect(
      text('telemetry', { meter_id: 'MTR-1', time: 1, grid_watts: -1500.4, devices: [device] }, true).text,
    ).toContain('live: 1,500 W to the grid, grid meter offline  (retained)');
    expect(text('status', { state: 'offline', version: '1.0.0', time: 1 }).text).toContain(
      'gateway offline, version 1.0.0',
    );
    const online = {
      state: 'online',
      version: '1.0.0',
      time: 1,
      outbox_depth: 3,
      clock: { synchronised: false },
      bus: { ok: true, devices: [] },
      alerts: [{ code: 'OUTBOX_FULL', message: 'no room', since: 1 }],
    };
    expect(text('status', online).text).toContain(
      '3 readings waiting, clock NOT synchronised, alert OUTBOX_FULL: no room',
    );
  });

  it('never fails, whatever somebody sends', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 200 }), (topic, payload) => {
        const shown = describeMessage(topic, payload, at);
        expect(shown.json).toMatchObject({ understood: false });
        expect(shown.text).toContain('not understood');
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('reading', 'ack', 'telemetry', 'status', 'command'),
        fc.json(),
        (kind, payload) => {
          expect(
            describeMessage(`gtx/v1/MTR-1/${kind}`, Buffer.from(payload), at).text.length,
          ).toBeGreaterThan(0);
        },
      ),
    );
  });
});
