import { GtxError } from './errors.js';
import { assertU32, assertU64, type Nkwh } from './units.js';

/**
 * A meter's reading, version 1: registers, not deltas. Its 48 bytes are what a meter key signs.
 * Totals are nkWh since registration.
 */
export interface Reading {
  /** Bits of `ReadingFlag`. */
  flags: number;
  /** From 1, +1 for each reading of this meter, never reused. */
  sequence: bigint;
  /** Unix seconds: the previous reading's end. */
  intervalStart: number;
  /** Unix seconds. */
  intervalEnd: number;
  producedTotal: Nkwh;
  consumedTotal: Nkwh;
  /** Sum over intervals of max(0, produced - consumed); for a bidirectional grid meter its export register. */
  surplusTotal: Nkwh;
}

/** Bits of `Reading.flags`. */
export const ReadingFlag = {
  /** The clock was set during the interval. */
  ClockSet: 1,
  /** The interval is longer than usual. */
  Gap: 2,
  /** The meter was replaced or reset during the interval. */
  MeterReset: 4,
} as const;

/** All bits that version 1 defines; the others are reserved and zero. */
export const READING_FLAGS_MASK = ReadingFlag.ClockSet | ReadingFlag.Gap | ReadingFlag.MeterReset;

export const READING_BYTES = 48;
/** ASCII `GTX1`. */
export const READING_MAGIC = Uint8Array.of(0x47, 0x54, 0x58, 0x31);

/**
 * The 48 bytes that are signed: magic, flags u32, sequence u64, start u32, end u32, three u64 totals,
 * all little-endian.
 * @throws GtxError VALUE_INVALID when a field does not fit
 */
export function encodeReading(reading: Reading): Uint8Array {
  assertU32(reading.flags, 'flags');
  assertU64(reading.sequence, 'sequence');
  assertU32(reading.intervalStart, 'intervalStart');
  assertU32(reading.intervalEnd, 'intervalEnd');
  assertU64(reading.producedTotal, 'producedTotal');
  assertU64(reading.consumedTotal, 'consumedTotal');
  assertU64(reading.surplusTotal, 'surplusTotal');
  const bytes = new Uint8Array(READING_BYTES);
  bytes.set(READING_MAGIC, 0);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, reading.flags, true);
  view.setBigUint64(8, reading.sequence, true);
  view.setUint32(16, reading.intervalStart, true);
  view.setUint32(20, reading.intervalEnd, true);
  view.setBigUint64(24, reading.producedTotal, true);
  view.setBigUint64(32, reading.consumedTotal, true);
  view.setBigUint64(40, reading.surplusTotal, true);
  return bytes;
}

/**
 * The fields of 48 signed bytes. Only the form is checked here (length and magic), so that whatever the
 * chain accepted can be shown; rules about values are the collector's and the program's.
 * @throws GtxError MESSAGE_INVALID
 */
export function decodeReading(bytes: Uint8Array): Reading {
  if (bytes.length !== READING_BYTES) {
    throw new GtxError('MESSAGE_INVALID', `a reading has ${READING_BYTES} bytes, not ${bytes.length}`);
  }
  for (let index = 0; index < READING_MAGIC.length; index++) {
    if (bytes[index] !== READING_MAGIC[index]) {
      throw new GtxError('MESSAGE_INVALID', 'not a version 1 reading (magic GTX1 missing)');
    }
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    flags: view.getUint32(4, true),
    sequence: view.getBigUint64(8, true),
    intervalStart: view.getUint32(16, true),
    intervalEnd: view.getUint32(20, true),
    producedTotal: view.getBigUint64(24, true),
    consumedTotal: view.getBigUint64(32, true),
    surplusTotal: view.getBigUint64(40, true),
  };
}
