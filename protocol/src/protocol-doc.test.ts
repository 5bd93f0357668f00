import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  Ack,
  Command,
  decodeBase58,
  encodeBase58,
  encodeEnvelopeMessage,
  encodeLoginMessage,
  encodeOwnerMessage,
  encodeReading,
  LoginPassword,
  parseJsonWith,
  SignedEnvelope,
  Status,
  SubmitReading,
  SubmitReadingResult,
  Telemetry,
  TOPIC_KINDS,
  toReading,
} from './index.js';
import { hex, testKey, unhex, verify } from './test-ed25519.js';

const text = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const vectors = JSON.parse(readFileSync(new URL('./fixtures/vectors.json', import.meta.url), 'utf8'));

const SCHEMAS: Record<string, z.ZodType> = {
  Ack,
  Command,
  LoginPassword,
  SignedEnvelope,
  Status,
  SubmitReading,
  SubmitReadingResult,
  Telemetry,
};

const examples = [...text.matchAll(/<!-- json: ([^\n]*) -->\n```json\n([\s\S]*?)```/g)].map(
  ([, label, json]) => ({ label: label as string, json: json as string }),
);

describe('the examples of docs/protocol.md', () => {
  it('are all marked with their schema, and every schema has one', () => {
    expect(examples).toHaveLength(text.match(/```json/g)?.length ?? 0);
    const named = new Set(examples.map(({ label }) => label.split(' ')[0]));
    expect([...named].sort()).toEqual(Object.keys(SCHEMAS).sort());
  });

  it.each(examples)('$label', ({ label, json }) => {
    const [name, , topic, , inner] = label.split(' ') as [string, string?, string?, string?, string?];
    const value = parseJsonWith(SCHEMAS[name] as z.ZodType, json);
    if (name === 'SubmitReading') {
      const body = value as SubmitReading;
      const message = encodeReading(toReading(body));
      expect(hex(message)).toBe(vectors.valid[0].message_hex);
      expect(verify(decodeBase58(body.meter_signature, 64), message, decodeBase58(body.public_key, 32))).toBe(
        true,
      );
    }
    if (name === 'LoginPassword') {
      for (const entry of value as LoginPassword) {
        const message = encodeLoginMessage({ unixSeconds: entry.time, meterId: entry.meter_id });
        const key = decodeBase58(vectors.login_message.public_key, 32);
        expect(verify(decodeBase58(entry.signature, 64), message, key)).toBe(true);
      }
    }
    if (topic !== undefined) {
      const envelope = value as SignedEnvelope;
      parseJsonWith(SCHEMAS[inner as string] as z.ZodType, envelope.payload);
      const message = encodeEnvelopeMessage(topic, envelope.payload);
      const key = testKey(createHash('sha256').update('example collector key').digest());
      expect(envelope.public_key).toBe(encodeBase58(key.publicKey));
      expect(verify(decodeBase58(envelope.signature, 64), message, key.publicKey)).toBe(true);
      const elsewhere = encodeEnvelopeMessage(topic.replace('MTR-001', 'MTR-002'), envelope.payload);
      expect(verify(decodeBase58(envelope.signature, 64), elsewhere, key.publicKey)).toBe(false);
    }
  });

  it('show the bytes of the first vector', () => {
    const shown = /<!-- vector: valid 0 -->\n```\n([\s\S]*?)```/.exec(text)?.[1]?.replaceAll(/\s/g, '');
    expect(shown).toBe(vectors.valid[0].message_hex);
  });

  it('list every topic', () => {
    for (const kind of TOPIC_KINDS) expect(text).toContain(`| \`gtx/v1/{meter}/${kind}\` |`);
  });
});

/** Each format with all fields empty, and with one field full: the bytes that differ are the field's place. */
const FIELDS: Record<string, (field?: string) => Uint8Array> = {
  reading: (field) => {
    const full = (name: string, value: bigint) => (field === name ? value : 0n);
    return encodeReading({
      flags: field === 'flags' ? 0xffff_ffff : 0,
      sequence: full('sequence', 2n ** 64n - 1n),
      intervalStart: field === 'interval_start' ? 0xffff_ffff : 0,
      intervalEnd: field === 'interval_end' ? 0xffff_ffff : 0,
      producedTotal: full('produced_total', 2n ** 64n - 1n),
      consumedTotal: full('consumed_total', 2n ** 64n - 1n),
      surplusTotal: full('surplus_total', 2n ** 64n - 1n),
    });
  },
  owner: (field) =>
    encodeOwnerMessage({
      network: new Uint8Array(32).fill(field === 'network' ? 255 : 0),
      meterId: (field === 'meter_id' ? 'B' : 'A').repeat(32),
      owner: encodeBase58(new Uint8Array(32).fill(field === 'owner' ? 255 : 0)),
    }),
  login: (field) =>
    encodeLoginMessage({
      unixSeconds: field === 'unix_seconds' ? 0xffff_ffff : 0,
      meterId: (field === 'meter_id' ? 'B' : 'A').repeat(32),
    }),
};

describe('the byte tables of docs/protocol.md', () => {
  const tables = [...text.matchAll(/<!-- bytes: (\w+) (\d+) -->\n((?:\|.*\n)+)/g)];
  it('are there for every format', () => {
    expect(tables.map((table) => table[1]).sort()).toEqual(Object.keys(FIELDS).sort());
  });

  it.each(
    tables.map((table) => ({ name: table[1] as string, size: Number(table[2]), rows: table[3] as string })),
  )('$name', ({ name, size, rows }) => {
    const encode = FIELDS[name] as (field?: string) => Uint8Array;
    const empty = encode();
    expect(empty.length).toBe(size);
    let next = 0;
    for (const row of rows.trim().split('\n').slice(2)) {
      const [offset, length, field, content] = row
        .split('|')
        .slice(1)
        .map((cell) => cell.trim()) as [string, string, string, string];
      expect(Number(offset)).toBe(next);
      next += Number(length);
      if (field === 'magic') {
        const magic = /`(....)` \(([0-9a-f ]+)\)/.exec(content) as RegExpExecArray;
        expect(Buffer.from(empty.subarray(0, 4)).toString('latin1')).toBe(magic[1]);
        expect(unhex((magic[2] as string).replaceAll(' ', ''))).toEqual(empty.subarray(0, 4));
        continue;
      }
      const changed = encode(field.replaceAll('`', ''));
      const differing = [...changed.keys()].filter((index) => changed[index] !== empty[index]);
      expect(differing).toEqual(Array.from({ length: Number(length) }, (_, index) => Number(offset) + index));
    }
    expect(next).toBe(size);
  });
});
