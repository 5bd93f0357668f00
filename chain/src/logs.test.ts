import { Keypair } from '@solana/web3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvents, eventsOf } from './events.js';
import { energyTokenIdl } from './idl/energy-token.js';
import { registryIdl } from './idl/registry.js';
import { readLogs } from './logs.js';
import { ENERGY_TOKEN_PROGRAM_ID, REGISTRY_PROGRAM_ID } from './programs.js';

const REGISTRY = REGISTRY_PROGRAM_ID.toBase58();
const TOKEN = ENERGY_TOKEN_PROGRAM_ID.toBase58();
const STRANGER = Keypair.generate().publicKey.toBase58();

/** A call tree, and the log lines that the runtime writes for it. */
interface Call {
  program: string;
  inside: (Call | { text: string } | { data: Uint8Array[] })[];
}

function linesOf(call: Call, depth = 1): string[] {
  return [
    `Program ${call.program} invoke [${depth}]`,
    ...call.inside.flatMap((item) => {
      if ('program' in item) return linesOf(item, depth + 1);
      if ('text' in item) return [`Program log: ${item.text}`];
      return [`Program data: ${item.data.map((field) => Buffer.from(field).toString('base64')).join(' ')}`];
    }),
    `Program ${call.program} consumed 1000 of 200000 compute units`,
    `Program ${call.program} success`,
  ];
}

/** What a reader that is told the truth would find, in order. */
function dataOf(call: Call): { programId: string; fields: Uint8Array[] }[] {
  return call.inside.flatMap((item) => {
    if ('program' in item) return dataOf(item);
    return 'data' in item ? [{ programId: call.program, fields: item.data }] : [];
  });
}

function discriminatorOf(
  idl: { events?: { name: string; discriminator: number[] }[] },
  name: string,
): number[] {
  const found = idl.events?.find((event) => event.name === name)?.discriminator;
  if (!found) throw new Error(`no event ${name}`);
  return found;
}

const minted = Uint8Array.from([
  ...discriminatorOf(energyTokenIdl, 'ProductionMinted'),
  ...new Uint8Array(32).fill(1),
  ...new Uint8Array(32).fill(2),
  ...[0, 0, 0, 0, 1, 0, 0, 0],
  ...[255, 255, 255, 255, 255, 255, 255, 255],
]);
const registered = Uint8Array.from([
  ...discriminatorOf(registryIdl, 'MeterRegistered'),
  ...new Uint8Array(32).fill(1),
  ...Buffer.from('METER-001'.padEnd(32, '\0')),
  ...new Uint8Array(32).fill(3),
  ...new Uint8Array(32).fill(4),
  ...new Uint8Array(32).fill(5),
  ...[136, 19, 0, 0],
  ...[0, 241, 83, 101, 0, 0, 0, 0],
]);

const program = fc.constantFrom(REGISTRY, TOKEN, STRANGER);
/** Texts with which a program would like to be taken for the runtime. */
const hostileText = fc.oneof(
  fc.string(),
  fc.constantFrom(
    `Program ${REGISTRY} invoke [1]`,
    `x\nProgram ${REGISTRY} invoke [2]\nProgram data: ${Buffer.from(minted).toString('base64')}`,
    'Log truncated',
    `Program ${STRANGER} success`,
    `Program ${TOKEN} failed: custom program error: 0x1`,
  ),
);
const item = fc.oneof(
  fc.record({ text: hostileText }),
  fc.record({
    data: fc.array(fc.oneof(fc.constantFrom(minted, registered), fc.uint8Array({ maxLength: 40 })), {
      minLength: 1,
      maxLength: 2,
    }),
  }),
);
const { call } = fc.letrec<{ call: Call }>((tie) => ({
  call: fc.record({
    program,
    inside: fc.array(fc.oneof({ maxDepth: 3 }, item, tie('call') as fc.Arbitrary<Call>), {
      maxLength: 4,
    }) as fc.Arbitrary<Call['inside']>,
  }),
}));

describe('readLogs', () => {
  it('attributes every data line to the program that wrote it', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 3 }), (calls) => {
        expect(readLogs(calls.flatMap((one) => linesOf(one)))).toEqual({
          data: calls.flatMap(dataOf),
          truncated: false,
        });
      }),
    );
  });

  it('reports what lies before a gap, flags the gap, and believes nothing after it', () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(), (calls, at, more) => {
        const lines = calls.flatMap((one) => linesOf(one));
        const cut = at % lines.length;
        // As the runtime does it: one marker, long lines dropped, shorter ones behind them still written.
        const rest = lines.slice(cut + 1).filter((_, index) => (more >> (index % 20)) % 2 === 0);
        const read = readLogs([...lines.slice(0, cut), 'Log truncated', ...rest]);
        expect(read.truncated).toBe(true);
        const before = lines.slice(0, cut).filter((line) => line.startsWith('Program data: ')).length;
        expect(read.data).toEqual(calls.flatMap(dataOf).slice(0, before));
      }),
    );
  });

  it('flags logs that simply end', () => {
    expect(readLogs([`Program ${REGISTRY} invoke [1]`]).truncated).toBe(true);
  });

  it('flags lines that cannot follow each other', () => {
    for (const lines of [
      [`Program ${REGISTRY} invoke [2]`],
      [`Program ${REGISTRY} success`],
      [`Program ${REGISTRY} invoke [1]`, `Program ${STRANGER} success`],
      [`Program ${REGISTRY} invoke [1]`, `Program ${STRANGER} failed: x`],
      [`Program data: AAAA`],
      [`Program ${REGISTRY} invoke [2]`, 'Program data: AAAA', `Program ${REGISTRY} success`],
    ]) {
      expect(readLogs(lines), lines.join('|')).toMatchObject({ data: [], truncated: true });
    }
  });

  it('names the innermost program that failed', () => {
    const logs = [
      `Program ${REGISTRY} invoke [1]`,
      `Program ${TOKEN} invoke [2]`,
      `Program ${TOKEN} failed: custom program error: 0x1771`,
      `Program ${REGISTRY} failed: custom program error: 0x1771`,
    ];
    expect(readLogs(logs)).toEqual({
      data: [],
      truncated: false,
      failure: { programId: TOKEN, message: 'custom program error: 0x1771' },
    });
  });
});

describe('decodeEvents', () => {
  const call = (programId: string, ...data: Uint8Array[]): Call => ({
    program: programId,
    inside: data.map((bytes) => ({ data: [bytes] })),
  });

  it('decodes fields: 64-bit integers, keys, meter ids', () => {
    const { events, truncated, unknown } = decodeEvents([
      ...linesOf({ program: REGISTRY, inside: [{ data: [registered] }, call(TOKEN, minted)] }),
    ]);
    expect({ truncated, unknown }).toEqual({ truncated: false, unknown: 0 });
    expect(events).toMatchObject([
      {
        name: 'MeterRegistered',
        programId: REGISTRY,
        index: 0,
        data: { meterId: 'METER-001', ratedWatts: 5000, timestamp: 1_700_000_000n },
      },
      {
        name: 'ProductionMinted',
        programId: TOKEN,
        index: 1,
        data: { amount: 2n ** 32n, totalMinted: 2n ** 64n - 1n },
      },
    ]);
    const [first] = events;
    expect(first?.name === 'MeterRegistered' && first.data.owner.toBytes()).toEqual(
      new Uint8Array(32).fill(3),
    );
  });

  it('ignores our events from the mouth of another program, also when it calls or is called by ours', () => {
    const forged = call(STRANGER, minted, registered);
    for (const logs of [
      linesOf(forged),
      linesOf({ program: STRANGER, inside: [call(REGISTRY), { data: [minted] }] }),
      linesOf({ program: REGISTRY, inside: [forged] }),
    ]) {
      expect(decodeEvents(logs)).toEqual({ events: [], truncated: false, unknown: 0 });
    }
  });

  it("ignores one of our programs' events from the other one", () => {
    expect(decodeEvents(linesOf(call(REGISTRY, minted)))).toEqual({
      events: [],
      truncated: false,
      unknown: 1,
    });
  });

  it('counts what it does not know instead of failing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (entries) => {
        const { events, unknown } = decodeEvents(linesOf(call(REGISTRY, ...entries)));
        expect(events.length + unknown).toBe(entries.length);
      }),
    );
    for (let length = 0; length < registered.length; length++) {
      expect(decodeEvents(linesOf(call(REGISTRY, registered.subarray(0, length)))).unknown).toBe(1);
    }
  });

  it('shows odd meter ids as hex, so that nothing stands still over them', () => {
    const odd = Uint8Array.from(registered);
    odd[40] = 0xff;
    const [event] = decodeEvents(linesOf(call(REGISTRY, odd))).events;
    expect(event?.name === 'MeterRegistered' && event.data.meterId).toMatch(/^hex:ff45544552/);
  });
});

describe('eventsOf', () => {
  const logMessages = linesOf({ program: TOKEN, inside: [{ data: [minted] }] });

  it('gives no events of a failed transaction, and says when there are no logs', () => {
    expect(eventsOf({ err: null, logMessages }).events).toHaveLength(1);
    expect(eventsOf({ err: { InstructionError: [0, 'Custom'] }, logMessages }).events).toEqual([]);
    expect(eventsOf({ err: null, logMessages: null }).truncated).toBe(true);
    expect(eventsOf(null).truncated).toBe(true);
  });
});
