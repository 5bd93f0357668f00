/**
 * One line to meters (a serial port, or a TCP connection) with one queue: exactly one request is on the
 * line at a time, whoever asks. Knows frames and time limits, knows nothing of meters.
 *
 * Three kinds: Modbus TCP (`tcp`), RTU frames on a serial port (`rtu`), and RTU frames through a TCP connection to
 * a transparent serial server (`rtu_over_tcp`).
 */
import {
  type Answer,
  encodeRtuRequest,
  encodeTcpRequest,
  findRtuAnswer,
  matchTcpFrame,
  nextTcpFrame,
  type ReadRequest,
  startsWithEcho,
} from './modbus-frames.js';
import {
  openSerialPort,
  openSocket,
  type SerialSettings,
  type Wire,
  type WireEvents,
} from './modbus-wire.js';
import { monotonicMs } from './monotonic.js';

export interface TcpLineSettings {
  type: 'tcp' | 'rtu_over_tcp';
  host: string;
  port: number;
}

export interface RtuLineSettings extends SerialSettings {
  type: 'rtu';
}

export type LineSettings = TcpLineSettings | RtuLineSettings;

/** Why a read brought no registers. */
export type BusFailure =
  /** No (fitting) answer in time. */
  | 'timeout'
  /** The device answered with a Modbus exception, see `exceptionCode`. */
  | 'exception'
  /** The port or connection cannot be opened, or was lost. */
  | 'connection'
  /** An answer to our transaction that does not fit our question. */
  | 'mismatch'
  /** Not asked: a late answer to an earlier question would be taken for the answer to this one. */
  | 'owed'
  /** The line is being closed. */
  | 'closed';

/** A read that brought no registers. Not a GtxError: it never leaves the measuring part as it is. */
export class BusError extends Error {
  override readonly name = 'BusError';
  constructor(
    readonly failure: BusFailure,
    message: string,
    readonly exceptionCode?: number,
    /** Something came back, though no answer: the device lives and the line damages what it says. */
    readonly damaged = false,
  ) {
    super(message);
  }
}

/** What has happened on a line, for metrics; only counts up. */
export interface LineCounters {
  requests: number;
  timeouts: number;
  exceptions: number;
  /** Frames that answered an earlier request, thrown away. */
  staleFrames: number;
  /** Bytes that belonged to no answer (noise, echoes, late frames on a serial line). */
  strayBytes: number;
  /** Requests that the adapter sent back to us before the answer (2-wire adapters without echo suppression). */
  echoes: number;
  connects: number;
  connectFailures: number;
}

interface Waiting {
  request: ReadRequest;
  transaction: number;
  resolve(answer: Answer): void;
  reject(error: BusError): void;
}

/** Waits between attempts to open a line that cannot be opened. */
const RECONNECT_MS = [250, 1_000, 2_000, 4_000, 8_000, 15_000];
/** After so many reads in a row without one byte received, a TCP connection is taken for dead. */
const SILENT_READS_BEFORE_RECONNECT = 3;
const MAX_RECEIVED_BYTES = 1024;
/** So long an answer that never came may still come. */
const OWED_MS = 60_000;
/**
 * After an exchange that went wrong the line must have been quiet for this long before the next request. Longer than
 * the standard's 3.5 characters, because USB adapters and serial servers hand bytes over in lumps (16 ms is common).
 */
const RESYNC_SILENCE_MS = 50;
/** Requests that bring nothing may take this share of a line's time in the long run... */
const TROUBLE_SHARE = 0.2;
/** ... and this much at once. */
const TROUBLE_BURST_MS = 10_000;
/** Who waits for its turn and does not ask for so long has lost it. */
const QUEUE_PLACE_MS = 60_000;

/** A key that is equal for settings which name the same wire. */
export function lineKey(settings: LineSettings): string {
  return settings.type === 'rtu'
    ? `rtu:${settings.path}`
    : `${settings.type}:${settings.host}:${settings.port}`;
}

/**
 * The silence that ends a frame on a serial line: 3.5 characters of 11 bits, and 1.75 ms above 19,200 bit/s
 * (Modbus over Serial Line V1.02, 2.5.1.1).
 */
export function frameSilenceMs(baudRate: number): number {
  return baudRate > 19_200 ? 1.75 : (3.5 * 11_000) / baudRate;
}

/** Time that a request of 8 and its answer of 5 + 2n characters spend on a serial line, 11 bits each. */
export function transmissionMs(baudRate: number, registers: number): number {
  return ((8 + 5 + 2 * registers) * 11_000) / baudRate;
}

/**
 * One Modbus line. `read` may be called by any number of devices at once; requests go out one after the
 * other in the order of the calls, each with its own time limit and the gap its device needs.
 */
export class ModbusLine {
  readonly counters: LineCounters = {
    requests: 0,
    timeouts: 0,
    exceptions: 0,
    staleFrames: 0,
    strayBytes: 0,
    echoes: 0,
    connects: 0,
    connectFailures: 0,
  };
  private wire: Wire | undefined;
  private received: Buffer = Buffer.alloc(0);
  private waiting: Waiting | undefined;
  private tail: Promise<unknown> = Promise.resolve();
  private transaction = Math.floor(Math.random() * 0x10000);
  private lastActivityMs = 0;
  private silentReads = 0;
  private connectFailuresInRow = 0;
  private connectNotBeforeMs = 0;
  private lastConnectError = '';
  /** The last exchange went wrong, or left bytes that belong to nothing. */
  private outOfStep = false;
  /** By unit: lengths (in registers) of answers that never came, and until when they might. */
  private readonly owed = new Map<number, Map<number, number>>();
  /** Units that wait for their turn, first come first, and when they asked last. */
  private readonly queued = new Map<number, number>();
  private troubleMs = 0;
  private troubleAtMs = 0;
  private closed = false;
  private readonly abort = new AbortController();

  /** @param monotonic milliseconds that never step (default: `monotonicMs`) */
  constructor(
    readonly settings: LineSettings,
    private readonly monotonic: () => number = monotonicMs,
  ) {}

  get connected(): boolean {
    return this.wire !== undefined;
  }

  /**
   * Whether a device that has failed may be asked again: the requests that bring nothing have not taken more than
   * their share of the line's time (a fifth, all devices together), so that the others are not held up. Devices that
   * are told to wait have their turn in the order in which they came.
   */
  hasPatienceFor(unit: number): boolean {
    const now = this.monotonic();
    for (const [other, seenMs] of this.queued) if (now - seenMs > QUEUE_PLACE_MS) this.queued.delete(other);
    const [first] = this.queued.keys();
    return this.spendPatience(0) < TROUBLE_BURST_MS && (first === undefined || first === unit);
  }

  /** Takes a turn by `hasPatienceFor`, or a place in the queue. */
  takeTurn(unit: number): boolean {
    const granted = this.hasPatienceFor(unit);
    if (granted) this.queued.delete(unit);
    // A key that is set again keeps its place.
    else this.queued.set(unit, this.monotonic());
    return granted;
  }

  /** Time that brought nothing; it is forgiven as time passes. @returns what is left of it, in ms */
  private spendPatience(ms: number): number {
    const now = this.monotonic();
    const forgiven = (now - this.troubleAtMs) * TROUBLE_SHARE;
    this.troubleMs = Math.max(0, this.troubleMs - forgiven) + ms;
    this.troubleAtMs = now;
    return this.troubleMs;
  }

  /** Lengths (in registers) of answers that this unit still owes: questions of these lengths must wait. */
  owedBy(unit: number): ReadonlySet<number> {
    const owed = this.owed.get(unit);
    const now = this.monotonic();
    for (const [count, until] of owed ?? []) if (until <= now) owed?.delete(count);
    return new Set(owed?.keys());
  }

  /** Notes that an answer of this length may still come. */
  noteOwed(unit: number, count: number): void {
    const owed = this.owed.get(unit) ?? new Map<number, number>();
    this.owed.set(unit, owed.set(count, this.monotonic() + OWED_MS));
  }

  /** Late answers of a unit are not waited for any longer: they have had the time to come. */
  forgetOwed(unit: number): void {
    this.owed.delete(unit);
  }

  /** Waits without holding up the line; returns early when it is closed. */
  pause(ms: number): Promise<void> {
    return pause(ms, this.abort.signal);
  }

  /**
   * Reads registers.
   * @param timeoutMs from the request on the line to its whole answer
   * @param gapMs least silence on the line before the request
   * @returns the registers' bytes, big-endian words as received
   * @throws BusError
   */
  read(request: ReadRequest, timeoutMs: number, gapMs: number): Promise<Uint8Array> {
    const result = this.tail.then(() => this.exchange(request, timeoutMs, gapMs));
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Ends the line; waiting reads fail with `closed`. */
  async close(): Promise<void> {
    this.closed = true;
    this.abort.abort();
    this.waiting?.reject(new BusError('closed', 'the line is closed'));
    await this.tail;
    await this.drop();
  }

  private async exchange(request: ReadRequest, timeoutMs: number, gapMs: number): Promise<Uint8Array> {
    await this.open();
    const beganMs = this.monotonic();
    await this.silence(this.silenceBefore(gapMs));
    const wire = this.wire;
    if (this.closed) throw new BusError('closed', 'the line is closed');
    if (!wire) throw new BusError('connection', this.lastConnectError || 'the connection was lost');
    // With Modbus TCP the transaction tells a late answer from the one that is wanted.
    if (this.settings.type !== 'tcp' && this.owedBy(request.unit).has(request.count)) {
      throw new BusError('owed', `waiting until late answers of unit ${request.unit} have come or are lost`);
    }

    // Whatever came in while nothing was asked answers nothing that is still wanted.
    if (this.settings.type !== 'tcp') this.discardReceived();
    this.transaction = (this.transaction + 1) & 0xffff;
    this.counters.requests++;
    const transaction = this.transaction;
    const limitMs =
      this.settings.type === 'rtu'
        ? timeoutMs + transmissionMs(this.settings.baudRate, request.count)
        : timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.waiting = { request, transaction, resolve, reject };
        timer = setTimeout(() => {
          this.counters.timeouts++;
          const { message, damaged } = this.describeTimeout(request, timeoutMs);
          reject(new BusError('timeout', message, undefined, damaged));
        }, limitMs);
        wire.write(
          this.settings.type === 'tcp' ? encodeTcpRequest(transaction, request) : encodeRtuRequest(request),
        );
      });
      this.silentReads = 0;
      this.outOfStep = false;
      if (answer.kind === 'exception') {
        this.counters.exceptions++;
        throw new BusError(
          'exception',
          `unit ${request.unit} answered with exception ${answer.code}`,
          answer.code,
        );
      }
      // A device answers in order: what it owed before this answer has come or is lost.
      this.owed.delete(request.unit);
      return answer.data;
    } catch (error) {
      if (error instanceof BusError && error.failure !== 'exception') {
        this.outOfStep = true;
        if (error.failure === 'timeout') await this.afterTimeout(request);
        this.spendPatience(this.monotonic() - beganMs);
      }
      throw error;
    } finally {
      clearTimeout(timer);
      this.waiting = undefined;
      this.lastActivityMs = this.monotonic();
    }
  }

  /** Bytes without an answer among them point to wiring or settings, silence to the device or its address. */
  private describeTimeout(request: ReadRequest, timeoutMs: number): { message: string; damaged: boolean } {
    const silent = `unit ${request.unit} did not answer within ${timeoutMs} ms`;
    const { length } = this.received;
    if (this.settings.type === 'tcp' || length === 0) return { message: silent, damaged: false };
    if (startsWithEcho(this.received, request) && length === 8) {
      return { message: `${silent} (the adapter sent the request back)`, damaged: false };
    }
    return { message: `${silent}; ${length} bytes came that are no answer`, damaged: true };
  }

  private async afterTimeout(request: ReadRequest): Promise<void> {
    this.noteOwed(request.unit, request.count);
    // A TCP peer that says nothing at all any more is gone (power cut, half-open connection): dial again.
    this.silentReads++;
    if (this.settings.type !== 'rtu' && this.silentReads >= SILENT_READS_BEFORE_RECONNECT) {
      this.silentReads = 0;
      await this.drop();
    }
  }

  /**
   * On a serial line a frame ends by 3.5 characters of silence, so no request may follow sooner; and by that silence
   * all devices get back in step after noise (Modbus over Serial Line V1.02, 2.5.1.1).
   */
  private silenceBefore(gapMs: number): number {
    if (this.settings.type === 'tcp') return gapMs;
    const least = this.settings.type === 'rtu' ? frameSilenceMs(this.settings.baudRate) : 0;
    return Math.max(gapMs, least, this.outOfStep ? RESYNC_SILENCE_MS : 0);
  }

  /** Waits until the line has been quiet for `gapMs`: meters want 3.5 characters at least, often far more. */
  private async silence(gapMs: number): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds++) {
      const wait = this.lastActivityMs + gapMs - this.monotonic();
      if (wait <= 0 || this.closed) return;
      await pause(wait, this.abort.signal);
    }
    // A line that never falls silent (a babbling device) must not block the queue for ever.
  }

  private discardReceived(): void {
    this.counters.strayBytes += this.received.length;
    this.received = Buffer.alloc(0);
  }

  private async open(): Promise<void> {
    if (this.wire || this.closed) return;
    if (this.monotonic() < this.connectNotBeforeMs) {
      throw new BusError('connection', this.lastConnectError);
    }
    const events: WireEvents = {
      data: (bytes) => this.onData(bytes),
      lost: (reason) => this.onLost(reason),
    };
    this.received = Buffer.alloc(0);
    try {
      this.wire =
        this.settings.type === 'rtu'
          ? await openSerialPort(this.settings, events)
          : await openSocket(this.settings, events, this.abort.signal);
      // With Modbus TCP a new connection brings no answers to what was asked on the old one.
      if (this.settings.type === 'tcp') this.owed.clear();
      this.connectFailuresInRow = 0;
      this.counters.connects++;
    } catch (error) {
      const wait = RECONNECT_MS[Math.min(this.connectFailuresInRow, RECONNECT_MS.length - 1)] as number;
      this.connectFailuresInRow++;
      this.counters.connectFailures++;
      this.connectNotBeforeMs = this.monotonic() + wait;
      this.lastConnectError = `cannot open ${lineKey(this.settings)}: ${(error as Error).message}`;
      throw new BusError('connection', this.lastConnectError);
    }
  }

  private async drop(): Promise<void> {
    const wire = this.wire;
    this.wire = undefined;
    this.received = Buffer.alloc(0);
    await wire?.close();
  }

  private onLost(reason: string): void {
    this.wire = undefined;
    this.lastConnectError = `connection lost: ${reason}`;
    this.waiting?.reject(new BusError('connection', this.lastConnectError));
  }

  private onData(bytes: Uint8Array): void {
    this.silentReads = 0;
    this.lastActivityMs = this.monotonic();
    this.received = this.received.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.received, bytes]);
    if (this.settings.type === 'tcp') this.takeTcpFrames();
    else this.takeRtuAnswer();
  }

  private takeTcpFrames(): void {
    for (;;) {
      const scan = nextTcpFrame(this.received);
      if (scan.kind === 'more') return;
      if (scan.kind === 'broken') {
        const wire = this.wire;
        this.onLost(scan.reason);
        void wire?.close();
        return;
      }
      this.received = this.received.subarray(scan.consumed);
      const match = this.waiting ? matchTcpFrame(scan, this.waiting) : ({ kind: 'stale' } as const);
      if (match.kind === 'answer') this.waiting?.resolve(match.answer);
      else if (match.kind === 'stale') this.counters.staleFrames++;
      else this.waiting?.reject(new BusError('mismatch', 'the answer does not fit the request'));
    }
  }

  private takeRtuAnswer(): void {
    const found = this.waiting && findRtuAnswer(this.received, this.waiting.request);
    if (found) {
      if (this.waiting && startsWithEcho(this.received, this.waiting.request)) this.counters.echoes++;
      this.counters.strayBytes += found.strayBytes;
      this.received = this.received.subarray(found.consumed);
      this.waiting?.resolve(found.answer);
    } else if (this.received.length > MAX_RECEIVED_BYTES) {
      const excess = this.received.length - MAX_RECEIVED_BYTES / 2;
      this.counters.strayBytes += excess;
      this.received = this.received.subarray(excess);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(1, ms));
    signal.addEventListener('abort', done, { once: true });
  });
}
