import { type Ack, GtxError, topicFor } from '@gridtokenx/protocol';
import { describe, expect, it } from 'vitest';
import { checkCommand, MAX_ENVELOPE_BYTES, openEnvelope, readAck } from './acknowledge.js';
import { makeKey, TestCollector } from './testing/collector.js';

const collector = new TestCollector();
const topic = topicFor('MTR-001', 'ack');
const ack: Ack = {
  meter_id: 'MTR-001',
  time: 1_700_000_000,
  through: '7',
  stored: ['7'],
  refused: [],
  held: [],
};
const bytes = (text: string) => new TextEncoder().encode(text);
const open = (text: string, on = topic) => openEnvelope(on, bytes(text), collector.key.text, 'ACK_INVALID');

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GtxError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('acknowledgements', () => {
  const good = collector.envelope(topic, JSON.stringify(ack));

  it('are believed when the pinned key signed them', () => {
    expect(readAck(open(good), 'MTR-001', 7)).toEqual({
      timeSeconds: 1_700_000_000,
      decision: { through: 7, stored: [7], held: [], refused: [] },
    });
  });

  it('are refused from another key, also when it claims to be the pinned one', () => {
    const thief = makeKey();
    expect(codeOf(() => open(collector.envelope(topic, JSON.stringify(ack), thief)))).toBe('ACK_INVALID');
    const liar = { ...thief, text: collector.key.text };
    expect(codeOf(() => open(collector.envelope(topic, JSON.stringify(ack), liar)))).toBe('ACK_INVALID');
  });

  it("are refused on another meter's topic, and about another meter", () => {
    expect(codeOf(() => open(good, topicFor('MTR-002', 'ack')))).toBe('ACK_INVALID');
    expect(codeOf(() => open(good, topicFor('MTR-001', 'command')))).toBe('ACK_INVALID');
    expect(codeOf(() => readAck(open(good), 'MTR-002', 7))).toBe('ACK_INVALID');
  });

  it('are refused with any byte changed', () => {
    const parsed = JSON.parse(good) as { payload: string };
    for (let at = 0; at < parsed.payload.length; at += 7) {
      const changed = `${parsed.payload.slice(0, at)}~${parsed.payload.slice(at + 1)}`;
      expect(codeOf(() => open(JSON.stringify({ ...parsed, payload: changed })))).toBe('ACK_INVALID');
    }
  });

  it('are refused beyond what was sent, wherever the number stands', () => {
    for (const part of [
      { through: '8' },
      { stored: ['8'] },
      { held: [{ sequence: '8' }] },
      { refused: [{ sequence: '8', code: 'KEY_MISMATCH', retry: 'never' as const }] },
      { through: '18446744073709551615' },
    ]) {
      expect(codeOf(() => readAck(JSON.stringify({ ...ack, ...part }), 'MTR-001', 7))).toBe('ACK_INVALID');
    }
  });

  it('are refused when malformed or huge', () => {
    for (const text of [
      '',
      '{}',
      '[]',
      'null',
      '{"payload":1}',
      '\u0000',
      'x'.repeat(MAX_ENVELOPE_BYTES + 1),
    ]) {
      expect(codeOf(() => open(text))).toBe('ACK_INVALID');
    }
    for (const payload of ['{}', '{"meter_id":"MTR-001"}', JSON.stringify({ ...ack, through: '-1' })]) {
      expect(codeOf(() => readAck(payload, 'MTR-001', 7))).toBe('ACK_INVALID');
    }
  });
});

describe('commands', () => {
  const command = { id: 'a', time: 1_000, type: 'resend' as const, from_sequence: '1' };

  it('are obeyed once, and none older than the last', () => {
    const first = checkCommand(command, undefined, 1_010);
    expect(codeOf(() => checkCommand(command, first, 1_010))).toBe('COMMAND_INVALID');
    expect(codeOf(() => checkCommand({ ...command, id: 'b', time: 999 }, first, 1_010))).toBe(
      'COMMAND_INVALID',
    );
    const second = checkCommand({ ...command, id: 'b' }, first, 1_010);
    expect(codeOf(() => checkCommand(command, second, 1_010))).toBe('COMMAND_INVALID');
    expect(checkCommand({ ...command, id: 'a', time: 1_001 }, second, 1_010)).toEqual({
      time: 1_001,
      ids: ['a'],
    });
  });

  it('are refused when stale, as far as the clock can tell', () => {
    expect(codeOf(() => checkCommand(command, undefined, 1_301))).toBe('COMMAND_INVALID');
    expect(checkCommand(command, undefined, undefined)).toEqual({ time: 1_000, ids: ['a'] });
  });
});
