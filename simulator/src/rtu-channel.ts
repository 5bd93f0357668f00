/** RTU frames on a stream of bytes, whatever carries it: requests in, answers with their faults out. */
import type { Bus } from './bus.js';
import { spoilFrame } from './faults.js';
import { RtuRequestParser, rtuFrame } from './rtu-framing.js';

/** Silence after which bytes belong to no frame. Far above 3.5 characters at 2400 baud (16 ms). */
const IDLE_MS = 50;

export class RtuChannel {
  readonly #bus: Bus;
  readonly #write: (bytes: Buffer) => void;
  readonly #random: () => number;
  readonly #parser = new RtuRequestParser();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** The last whole frame of each unit. */
  readonly #former = new Map<number, Buffer>();
  #idle: NodeJS.Timeout | undefined;

  constructor(bus: Bus, write: (bytes: Buffer) => void, random: () => number) {
    this.#bus = bus;
    this.#write = write;
    this.#random = random;
  }

  /** Bytes came in. */
  push(bytes: Uint8Array): void {
    clearTimeout(this.#idle);
    for (const request of this.#parser.push(bytes)) this.#answer(request.unit, request.pdu);
    if (!this.#parser.pending) return;
    this.#idle = setTimeout(() => {
      const request = this.#parser.idle();
      if (request !== undefined) this.#answer(request.unit, request.pdu);
    }, IDLE_MS);
  }

  /** Nothing leaves any more. */
  stop(): void {
    clearTimeout(this.#idle);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #answer(unit: number, pdu: Buffer): void {
    const reply = this.#bus.answer(unit, pdu);
    if (reply === undefined) return;
    const frame = rtuFrame(unit, reply.pdu);
    const former = this.#former.get(unit) ?? frame;
    this.#former.set(unit, frame);
    const pieces = spoilFrame(
      (other) => (other === undefined ? frame : rtuFrame(other, reply.pdu)),
      unit,
      reply.spoils,
      rtuFrame(unit, pdu),
      former,
      this.#random,
    );
    let delayMs = reply.delayMs;
    for (const { bytes, afterMs } of pieces) {
      delayMs += afterMs;
      this.#later(delayMs, () => this.#write(bytes));
    }
  }

  #later(delayMs: number, action: () => void): void {
    if (delayMs <= 0) {
      action();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}
