import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { VirtualMeter } from './meter.js';
import { answerPdu, exceptionPdu } from './modbus.js';

const times = z.int().min(1).max(1_000_000).optional().describe('How many answers; without it until cleared');

/** Faults of meters in the field that a gateway has to live with. One at a time per unit. */
export const Fault = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('dead'), times }).describe('Does not answer'),
  z
    .strictObject({ type: z.literal('late'), delay_ms: z.int().min(0).max(60_000), times })
    .describe('Answers, but late'),
  z.strictObject({ type: z.literal('garbage'), times }).describe('Answers with random bytes'),
  z.strictObject({ type: z.literal('bad-crc'), times }).describe('Answers with a damaged frame'),
  z.strictObject({ type: z.literal('truncated'), times }).describe('Answers with half a frame'),
  z
    .strictObject({ type: z.literal('exception'), code: z.int().min(1).max(255).default(6), times })
    .describe('Answers with a Modbus exception (6: server device busy)'),
  z.strictObject({ type: z.literal('freeze'), times }).describe('Repeats the registers of this moment'),
  z
    .strictObject({ type: z.literal('value'), value: z.enum(['zero', 'nan', 'ones']), times })
    .describe('All registers are zero, not a number, or 0xFFFF'),
  z
    .strictObject({
      type: z.literal('fragile'),
      min_gap_ms: z.int().min(1).max(10_000),
      restart_ms: z.int().min(1).max(60_000),
    })
    .describe('Restarts (silent for restart_ms) when asked again before min_gap_ms have passed'),
]);
export type Fault = z.infer<typeof Fault>;

/** What a unit sends back. */
export interface Reply {
  pdu: Buffer;
  delayMs: number;
  /** How the transport has to spoil the frame. */
  spoil?: 'garbage' | 'bad-crc' | 'truncated';
}

interface Slot {
  meter: VirtualMeter;
  fault?: Fault | undefined;
  remaining: number;
  frozen: Map<number, Map<number, number>>;
  lastRequestMs: number;
  silentUntilMs: number;
  requests: number;
}

/** The units on one line, with their faults. Transports only frame what comes from here. */
export class Bus {
  readonly #slots = new Map<number, Slot>();
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #beforeAnswer: () => void;

  /** @param beforeAnswer called after the registers advanced and before an answer leaves */
  constructor(meters: VirtualMeter[], now: () => number, logger: Logger, beforeAnswer: () => void) {
    this.#now = now;
    this.#logger = logger;
    this.#beforeAnswer = beforeAnswer;
    for (const meter of meters) {
      this.#slots.set(meter.unit, {
        meter,
        remaining: 0,
        frozen: new Map(),
        lastRequestMs: Number.NEGATIVE_INFINITY,
        silentUntilMs: Number.NEGATIVE_INFINITY,
        requests: 0,
      });
    }
  }

  has(unit: number): boolean {
    return this.#slots.has(unit);
  }

  /** The meter of a unit. @throws RangeError when there is none */
  meter(unit: number): VirtualMeter {
    return this.#slot(unit).meter;
  }

  meters(): VirtualMeter[] {
    return [...this.#slots.values()].map((slot) => slot.meter);
  }

  fault(unit: number): Fault | undefined {
    return this.#slot(unit).fault;
  }

  /** Requests that reached the unit, answered or not. */
  requests(unit: number): number {
    return this.#slot(unit).requests;
  }

  setFault(unit: number, fault: Fault | undefined): void {
    const slot = this.#slot(unit);
    slot.fault = fault;
    slot.frozen.clear();
    slot.silentUntilMs = Number.NEGATIVE_INFINITY;
    slot.remaining =
      fault !== undefined && 'times' in fault && fault.times !== undefined
        ? fault.times
        : Number.POSITIVE_INFINITY;
    if (fault?.type === 'freeze') {
      slot.meter.advance(this.#now());
      for (const code of [3, 4]) slot.frozen.set(code, slot.meter.registers(code));
    }
    this.#logger.info({ unit, fault }, fault === undefined ? 'fault cleared' : 'fault set');
  }

  /** Answers a request, or undefined for silence (no such unit, broadcast, dead or restarting meter). */
  answer(unit: number, request: Buffer): Reply | undefined {
    const slot = this.#slots.get(unit);
    if (slot === undefined) return undefined;
    const now = this.#now();
    slot.requests += 1;
    const fault = this.#takeFault(slot);
    const gap = now - slot.lastRequestMs;
    slot.lastRequestMs = now;
    if (now < slot.silentUntilMs) return undefined;
    if (fault?.type === 'fragile' && gap < fault.min_gap_ms) {
      slot.silentUntilMs = now + fault.restart_ms;
      this.#logger.warn({ unit, gap_ms: gap }, 'asked too fast: the meter restarts');
      return undefined;
    }
    if (fault?.type === 'dead') return undefined;
    if (fault?.type === 'exception') {
      return { pdu: exceptionPdu(request[0] ?? 0, fault.code), delayMs: 0 };
    }
    slot.meter.advance(now);
    const pdu = answerPdu(request, slot.meter.profile, (code) => this.#registers(slot, fault, code));
    this.#beforeAnswer();
    switch (fault?.type) {
      case 'late':
        return { pdu, delayMs: fault.delay_ms };
      case 'garbage':
      case 'bad-crc':
      case 'truncated':
        return { pdu, delayMs: 0, spoil: fault.type };
      default:
        return { pdu, delayMs: 0 };
    }
  }

  #registers(slot: Slot, fault: Fault | undefined, functionCode: number): Map<number, number> {
    if (fault?.type === 'freeze') return slot.frozen.get(functionCode) ?? new Map();
    const registers = slot.meter.registers(functionCode);
    if (fault?.type !== 'value') return registers;
    for (const address of registers.keys()) {
      const nan = address % 2 === 0 ? 0x7fc0 : 0;
      registers.set(address, fault.value === 'zero' ? 0 : fault.value === 'ones' ? 0xffff : nan);
    }
    return registers;
  }

  #takeFault(slot: Slot): Fault | undefined {
    const fault = slot.fault;
    if (fault !== undefined) {
      slot.remaining -= 1;
      if (slot.remaining <= 0) slot.fault = undefined;
    }
    return fault;
  }

  #slot(unit: number): Slot {
    const slot = this.#slots.get(unit);
    if (slot === undefined) throw new RangeError(`no unit ${unit}`);
    return slot;
  }
}

/** Spoils a whole frame as a disturbed line would. */
export function spoilFrame(frame: Buffer, how: NonNullable<Reply['spoil']>): Buffer {
  switch (how) {
    case 'garbage': {
      const noise = randomBytes(frame.length);
      // Never a valid answer by chance: the first byte is no unit id (0 is broadcast).
      noise[0] = 0;
      return noise;
    }
    case 'bad-crc': {
      const damaged = Buffer.from(frame);
      damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 0xff;
      return damaged;
    }
    case 'truncated':
      return frame.subarray(0, Math.max(1, Math.floor(frame.length / 2)));
  }
}
