import type { Logger } from 'pino';
import type { FaultPlan, OneShot } from './fault-plan.js';
import type { Fault, LineFault, Spoil } from './faults.js';
import type { Home } from './home.js';
import type { PowerOverride, Registers, VirtualMeter } from './meter.js';
import { answerPdu, exceptionPdu } from './modbus.js';

/** What a unit sends back. */
export interface Reply {
  pdu: Buffer;
  /** When it leaves: a meter's answers leave in order, so a late one holds up those behind it. */
  delayMs: number;
  /** How the transport has to spoil the frame, in this order. */
  spoils: readonly Spoil[];
}

/** A fault that lasts. */
type Lasting = Exclude<Fault, { type: 'brown-out' | 'exchange' }>;
type Snapshot = Map<number, Map<number, number>>;

interface Slot {
  meter: VirtualMeter;
  home: Home;
  /** Set by hand. */
  fault?: Lasting | undefined;
  remaining: number;
  untilMs: number;
  /** Registers of the moment at which a fault froze them, by what set it. */
  frozen: Map<string, Snapshot>;
  lastRequestMs: number;
  silentUntilMs: number;
  zeroAnswers: number;
  lastReplyMs: number;
  requests: number;
}

/** The units on one line, with their faults. Transports only frame what comes from here. */
export class Bus {
  readonly #slots = new Map<number, Slot>();
  readonly #homes: readonly Home[];
  #plan: FaultPlan;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #beforeAnswer: () => void;
  /** Takes the line away for a time. */
  onCut: (offMs: number) => void = () => undefined;
  /** How often each fault has been injected, by unit (`line` for the line's own) and kind. */
  readonly injected = new Map<string, number>();

  /** @param beforeAnswer called after the registers advanced and before an answer leaves */
  constructor(
    homes: readonly Home[],
    plan: FaultPlan,
    now: () => number,
    logger: Logger,
    beforeAnswer: () => void,
  ) {
    this.#homes = homes;
    this.#plan = plan;
    this.#now = now;
    this.#logger = logger;
    this.#beforeAnswer = beforeAnswer;
    for (const home of homes) {
      for (const meter of home.meters) {
        this.#slots.set(meter.unit, {
          meter,
          home,
          remaining: 0,
          untilMs: Number.NEGATIVE_INFINITY,
          frozen: new Map(),
          lastRequestMs: Number.NEGATIVE_INFINITY,
          silentUntilMs: Number.NEGATIVE_INFINITY,
          zeroAnswers: 0,
          lastReplyMs: Number.NEGATIVE_INFINITY,
          requests: 0,
        });
      }
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
    return [...this.#slots.values()].map((slot) => slot.meter).sort((a, b) => a.unit - b.unit);
  }

  /** The fault that was set by hand and still holds. */
  fault(unit: number): Fault | undefined {
    const slot = this.#slot(unit);
    return this.#now() < slot.untilMs ? slot.fault : undefined;
  }

  /** Requests that reached the unit, answered or not. */
  requests(unit: number): number {
    return this.#slot(unit).requests;
  }

  /** Counts energy up to now, through the scheduled faults that change registers, each at its own moment. */
  advance(): void {
    const now = this.#now();
    for (const shot of this.#plan.due(now)) {
      for (const home of this.#homes) home.advance(Math.min(shot.atMs, now));
      this.#fire(shot);
    }
    for (const home of this.#homes) home.advance(now);
  }

  setPower(unit: number, power: PowerOverride): void {
    this.advance();
    const { meter, home } = this.#slot(unit);
    meter.override(power);
    home.refresh();
  }

  setEnergy(unit: number, registers: Partial<Registers>): void {
    this.advance();
    this.#slot(unit).meter.setEnergy(registers);
  }

  /** Sets a fault by hand in place of the one before; undefined ends it. One that happens once happens now. */
  setFault(unit: number, fault: Fault | undefined): void {
    const slot = this.#slot(unit);
    this.advance();
    if (fault?.type === 'brown-out' || fault?.type === 'exchange') {
      this.#fire({ rule: -1, unit, fault, atMs: this.#now() });
      return;
    }
    slot.fault = fault;
    slot.frozen.delete('hand');
    slot.silentUntilMs = Number.NEGATIVE_INFINITY;
    slot.remaining = fault?.times ?? Number.POSITIVE_INFINITY;
    slot.untilMs = this.#now() + (fault?.seconds ?? Number.POSITIVE_INFINITY) * 1000;
    if (fault?.type === 'freeze') slot.frozen.set('hand', this.#snapshot(slot));
    this.#logger.info({ unit, fault }, fault === undefined ? 'fault cleared' : 'fault set');
  }

  /** Another plan from now on. */
  setPlan(plan: FaultPlan): void {
    this.advance();
    this.#plan = plan;
    for (const slot of this.#slots.values()) {
      for (const key of slot.frozen.keys()) if (key !== 'hand') slot.frozen.delete(key);
    }
  }

  /** When the next scheduled cut of the line is due, if there is one. */
  nextCutMs(): number | undefined {
    return this.#plan.nextCutMs();
  }

  setLineFault(fault: LineFault): void {
    this.advance();
    this.#fire({ rule: -1, unit: undefined, fault, atMs: this.#now() });
  }

  /** Answers a request, or undefined for silence (no such unit, broadcast, dead or restarting meter). */
  answer(unit: number, request: Buffer): Reply | undefined {
    const slot = this.#slots.get(unit);
    if (slot === undefined) return undefined;
    const now = this.#now();
    slot.requests += 1;
    this.advance();
    const faults = this.#faultsOf(slot, now);
    const gap = now - slot.lastRequestMs;
    slot.lastRequestMs = now;
    const of = <T extends Lasting['type']>(type: T) =>
      faults.map(({ fault }) => fault).find((fault) => fault.type === type) as
        | Extract<Lasting, { type: T }>
        | undefined;
    if (now < slot.silentUntilMs) return undefined;
    const fragile = of('fragile');
    if (fragile !== undefined && gap < fragile.min_gap_ms) {
      slot.silentUntilMs = now + fragile.restart_ms;
      this.#inject(unit, 'fragile', { gap_ms: gap });
      return undefined;
    }
    if (of('dead') !== undefined) return undefined;
    const exception = of('exception');
    if (exception !== undefined) {
      return { pdu: exceptionPdu(request[0] ?? 0, exception.code), ...this.#when(slot, 0), spoils: [] };
    }
    const pdu = answerPdu(request, slot.meter.map, (code) => this.#registers(slot, faults, code));
    if (slot.zeroAnswers > 0) slot.zeroAnswers -= 1;
    this.#beforeAnswer();
    return {
      pdu,
      ...this.#when(slot, of('late')?.delay_ms ?? 0),
      spoils: faults.flatMap(({ fault }) => spoilsOf(fault)),
    };
  }

  /** A meter works off one request after the other: no answer overtakes a former one. */
  #when(slot: Slot, delayMs: number): { delayMs: number } {
    const now = this.#now();
    slot.lastReplyMs = Math.max(now + delayMs, Math.min(slot.lastReplyMs, now + 60_000));
    return { delayMs: slot.lastReplyMs - now };
  }

  #registers(
    slot: Slot,
    faults: readonly { key: string; fault: Lasting }[],
    functionCode: number,
  ): Map<number, number> {
    for (const { key, fault } of faults) {
      if (fault.type !== 'freeze') continue;
      const frozen = slot.frozen.get(key) ?? this.#snapshot(slot);
      slot.frozen.set(key, frozen);
      return frozen.get(functionCode) ?? new Map();
    }
    const registers = slot.meter.registers(functionCode);
    const value = faults.map(({ fault }) => fault).find((fault) => fault.type === 'value');
    const how = slot.zeroAnswers > 0 ? 'zero' : value?.type === 'value' ? value.value : undefined;
    if (how === undefined) return registers;
    for (const address of registers.keys()) {
      const nan = address % 2 === 0 ? 0x7fc0 : 0;
      registers.set(address, how === 'zero' ? 0 : how === 'ones' ? 0xffff : nan);
    }
    return registers;
  }

  #snapshot(slot: Slot): Snapshot {
    return new Map([3, 4].map((code) => [code, slot.meter.registers(code)]));
  }

  /** What befalls this answer: the fault set by hand, then those of the plan. Each is counted and logged. */
  #faultsOf(slot: Slot, now: number): { key: string; fault: Lasting }[] {
    const faults: { key: string; fault: Lasting }[] = [];
    const { unit } = slot.meter;
    if (slot.fault !== undefined && now < slot.untilMs) {
      faults.push({ key: 'hand', fault: slot.fault });
      slot.remaining -= 1;
      if (slot.remaining <= 0) slot.fault = undefined;
    } else slot.fault = undefined;
    const { lasting, once } = this.#plan.atRequest(unit, now);
    for (const shot of once) this.#fire(shot);
    for (const { rule, fault } of lasting) faults.push({ key: `rule ${rule}`, fault });
    for (const key of slot.frozen.keys()) {
      if (key !== 'hand' && !faults.some((one) => one.key === key)) slot.frozen.delete(key);
    }
    for (const { key, fault } of faults) {
      // What a meter that is too slow to be asked does is counted when it happens.
      if (fault.type !== 'fragile') this.#inject(unit, fault.type, { by: key });
    }
    return faults;
  }

  #fire({ rule, unit, fault, atMs }: OneShot): void {
    if (fault.type === 'cut') {
      this.#inject('line', fault.type, { ...fault, rule });
      this.onCut(fault.off_ms);
      return;
    }
    const slots = unit === undefined ? [...this.#slots.values()] : [this.#slot(unit)];
    for (const slot of slots) {
      const { meter } = slot;
      meter.switchOff(atMs, atMs + fault.off_ms);
      slot.silentUntilMs = atMs + fault.off_ms;
      if (fault.type === 'brown-out') {
        const after = (now: bigint, lost: string) => (now > BigInt(lost) ? now - BigInt(lost) : 0n);
        meter.setEnergy({
          importNkwh: after(meter.importNkwh, fault.lost_import_nkwh),
          exportNkwh: after(meter.exportNkwh, fault.lost_export_nkwh),
        });
        slot.zeroAnswers = fault.zero_answers;
      } else {
        meter.setEnergy({
          importNkwh: BigInt(fault.import_nkwh),
          exportNkwh: BigInt(fault.export_nkwh),
        });
        meter.serialNumber = fault.serial_number ?? meter.serialNumber + 1;
      }
      this.#inject(meter.unit, fault.type, { ...fault, rule });
    }
  }

  #inject(unit: number | 'line', type: string, details: object): void {
    const key = `${unit}/${type}`;
    const count = (this.injected.get(key) ?? 0) + 1;
    this.injected.set(key, count);
    this.#logger.info({ unit, fault: type, count, ...details }, 'fault injected');
  }

  #slot(unit: number): Slot {
    const slot = this.#slots.get(unit);
    if (slot === undefined) throw new RangeError(`no unit ${unit}`);
    return slot;
  }
}

function spoilsOf(fault: Lasting): Spoil[] {
  switch (fault.type) {
    case 'wrong-unit':
    case 'bad-crc':
    case 'truncated':
    case 'garbage':
    case 'joined':
    case 'echo':
      return [{ type: fault.type }];
    case 'noise':
      return [{ type: 'noise', bytes: fault.bytes }];
    case 'split':
      return [{ type: 'split', pauseMs: fault.pause_ms }];
    default:
      return [];
  }
}
