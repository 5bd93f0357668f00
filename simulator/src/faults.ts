/** What can go wrong with meters and lines in the field, as data; and how a frame is spoiled. Pure. */
import { u64Text } from '@gridtokenx/protocol';
import { z } from 'zod';
import { crc16 } from './rtu-framing.js';

const times = z.int().min(1).max(1_000_000).optional().describe('How many answers; without it until cleared');
const seconds = z.number().min(0).max(1_000_000).optional().describe('How long; without it until cleared');
const lasting = { times, seconds };
const offMs = (fallback: number) =>
  z.int().min(0).max(3_600_000).default(fallback).describe('Silence in milliseconds');
const nkwh = u64Text.describe('Energy in nkWh as decimal text');

/** Faults of meters in the field that a gateway has to live with. */
export const Fault = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('dead'), ...lasting }).describe('Does not answer'),
  z
    .strictObject({ type: z.literal('late'), delay_ms: z.int().min(0).max(60_000), ...lasting })
    .describe('Answers, but late; later answers of the same meter wait behind it'),
  z.strictObject({ type: z.literal('garbage'), ...lasting }).describe('Answers with random bytes'),
  z
    .strictObject({ type: z.literal('noise'), bytes: z.int().min(1).max(200).default(7), ...lasting })
    .describe('Puts random bytes before the answer'),
  z
    .strictObject({ type: z.literal('bad-crc'), ...lasting })
    .describe(
      'Answers with a damaged frame (on Modbus TCP, which has no CRC, the gateway says so: exception 0B)',
    ),
  z.strictObject({ type: z.literal('truncated'), ...lasting }).describe('Answers with half a frame'),
  z
    .strictObject({ type: z.literal('split'), pause_ms: z.int().min(1).max(10_000).default(60), ...lasting })
    .describe('Sends the answer in two pieces with a pause between'),
  z
    .strictObject({ type: z.literal('joined'), ...lasting })
    .describe('Sends its former answer and the present one as one piece'),
  z
    .strictObject({ type: z.literal('wrong-unit'), ...lasting })
    .describe('Answers with the address of another unit, in a valid frame'),
  z
    .strictObject({ type: z.literal('echo'), ...lasting })
    .describe('The request comes back before the answer, as from some adapters'),
  z
    .strictObject({ type: z.literal('exception'), code: z.int().min(1).max(255).default(6), ...lasting })
    .describe('Answers with a Modbus exception (6: server device busy)'),
  z.strictObject({ type: z.literal('freeze'), ...lasting }).describe('Repeats the registers of this moment'),
  z
    .strictObject({ type: z.literal('value'), value: z.enum(['zero', 'nan', 'ones']), ...lasting })
    .describe('All registers are zero, not a number, or 0xFFFF'),
  z
    .strictObject({
      type: z.literal('fragile'),
      min_gap_ms: z.int().min(1).max(10_000),
      restart_ms: z.int().min(1).max(60_000),
      ...lasting,
    })
    .describe('Restarts (silent for restart_ms) when asked again before min_gap_ms have passed'),
  z
    .strictObject({
      type: z.literal('brown-out'),
      off_ms: offMs(3000),
      lost_import_nkwh: nkwh.default('0'),
      lost_export_nkwh: nkwh.default('0'),
      zero_answers: z
        .int()
        .min(0)
        .max(1000)
        .default(0)
        .describe('So many answers are all zero when it is back'),
    })
    .describe(
      'Loses its supply once: off, counts nothing meanwhile, and has forgotten what it had not saved',
    ),
  z
    .strictObject({
      type: z.literal('exchange'),
      serial_number: z.int().min(0).max(0xffff_ffff).optional().describe('One higher when left out'),
      import_nkwh: nkwh.default('0'),
      export_nkwh: nkwh.default('0'),
      off_ms: offMs(0),
    })
    .describe('Is exchanged once for another meter of its model, with other registers'),
]);
export type Fault = z.infer<typeof Fault>;
/** What a user may write: settings with a default may be left out. */
export type FaultInput = z.input<typeof Fault>;

/** Faults of the line itself. */
export const LineFault = z.discriminatedUnion('type', [
  z
    .strictObject({ type: z.literal('cut'), off_ms: offMs(3000) })
    .describe('The line goes away once, and comes back: the serial device vanishes, connections break'),
]);
export type LineFault = z.infer<typeof LineFault>;
export type LineFaultInput = z.input<typeof LineFault>;

/** Faults that happen once, at a moment, instead of lasting. */
export const ONE_SHOT: readonly (Fault | LineFault)['type'][] = ['brown-out', 'exchange', 'cut'];

/** How a transport has to change the bytes of an answer, in this order. */
export type Spoil =
  | { type: 'wrong-unit' }
  | { type: 'bad-crc' }
  | { type: 'truncated' }
  | { type: 'garbage' }
  | { type: 'joined' }
  | { type: 'noise'; bytes: number }
  | { type: 'echo' }
  | { type: 'split'; pauseMs: number };

/** Bytes for the wire; `afterMs` after the piece before it. */
export interface Piece {
  bytes: Buffer;
  afterMs: number;
}

/**
 * Spoils a whole frame as a disturbed line would.
 * @param frameOf the answer's frame with another unit, or its own
 * @param former the meter's former answer, for `joined`
 * @param random 0..1
 */
export function spoilFrame(
  frameOf: (unit?: number) => Buffer,
  unit: number,
  spoils: readonly Spoil[],
  request: Buffer,
  former: Buffer,
  random: () => number,
): Piece[] {
  let frame = frameOf();
  let pauseMs: number | undefined;
  for (const spoil of spoils) {
    switch (spoil.type) {
      case 'wrong-unit':
        frame = frameOf(unit === 247 ? 1 : unit + 1);
        break;
      case 'bad-crc':
        frame = damaged(frame, random);
        break;
      case 'truncated':
        frame = frame.subarray(0, Math.max(1, Math.floor(frame.length / 2)));
        break;
      case 'garbage':
        frame = noiseBytes(frame.length, random);
        break;
      case 'joined':
        frame = Buffer.concat([former, frame]);
        break;
      case 'noise':
        frame = Buffer.concat([noiseBytes(spoil.bytes, random), frame]);
        break;
      case 'echo':
        frame = Buffer.concat([request, frame]);
        break;
      case 'split':
        pauseMs = spoil.pauseMs;
        break;
    }
  }
  if (pauseMs === undefined || frame.length < 2) return [{ bytes: frame, afterMs: 0 }];
  const middle = Math.ceil(frame.length / 2);
  return [
    { bytes: frame.subarray(0, middle), afterMs: 0 },
    { bytes: frame.subarray(middle), afterMs: pauseMs },
  ];
}

/**
 * A frame with bits turned over behind its head: each byte with a chance of a quarter, at least one. Unit, function and
 * length stay, so that only the CRC tells.
 */
function damaged(frame: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(frame);
  const head = Math.min(3, bytes.length - 1);
  const flip = (at: number) => {
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
  };
  // The CRC finds every damage of up to 16 neighbouring bits, and of more all but one in 65,536.
  for (let at = head; at < bytes.length - 2; at++) if (random() < 0.25) flip(at);
  if (crc16(bytes.subarray(0, -2)) === bytes.readUInt16LE(bytes.length - 2)) flip(bytes.length - 1);
  return bytes;
}

function noiseBytes(length: number, random: () => number): Buffer {
  const noise = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  // Never a valid answer by chance: the first byte is no unit id (0 is broadcast).
  noise[0] = 0;
  return noise;
}
