/**
 * One line to meters (a serial port, or a TCP connection) with one queue: exactly one request is on the
 * line at a time, whoever asks. Knows frames and time limits, knows nothing of meters.
 */
import { connect, type Socket } from 'node:net';
import {
  type Answer,
  encodeRtuRequest,
  encodeTcpRequest,
  findRtuAnswer,
  matchTcpFrame,
  nextTcpFrame,
  type ReadRequest,
} from './modbus-frames.js';

export interface TcpLineSettings {
  type: 'tcp';
  host: string;
  port: number;
}

export interface RtuLineSettings {
  type: 'rtu';
  path: string;
  baudRate: number;
  parity: 'none' | 'even' | 'odd';
  dataBits: 7 | 8;
  stopBits: 1 | 2;
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
  /** The line is being closed. */
  | 'closed';

/** A read that brought no registers. Not a GtxError: it never leaves the measuring part as it is. */
export class BusError extends Error {
  override readonly name = 'BusError';
  constructor(
    readonly failure: BusFailure,
    message: string,
    readonly exceptionCode?: number,
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
  connects: number;
  connectFailures: number;
}

/** A byte stream in both directions: a socket or a serial port. */
interface Wire {
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

interface WireEvents {
  data(bytes: Uint8Array): void;
  /** The wire ended by itself. */
  lost(reason: string): void;
}

interface Waiting {
  request: ReadRequest;
  transaction: number;
  resolve(answer: Answer): void;
  reject(error: BusError): void;
}

const CONNECT_TIMEOUT_MS = 3_000;
/** Waits between attempts to open a line that cannot be opened. */
const RECONNECT_MS = [250, 1_000, 2_000, 4_000, 8_000, 15_000];
/** After so many reads in a row without one byte received, a TCP connection is taken for dead. */
const SILENT_READS_BEFORE_RECONNECT = 3;
const MAX_RECEIVED_BYTES = 1024;

/** A key that is equal for settings which name the same wire. */
export function lineKey(settings: LineSettings): string {
  return settings.type === 'tcp' ? `tcp:${settings.host}:${settings.port}` : `rtu:${settings.path}`;
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
  private closed = false;
  private readonly abort = new AbortController();

  /** @param monotonic milliseconds that never step (performance.now) */
  constructor(
    readonly settings: LineSettings,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  get connected(): boolean {
    return this.wire !== undefined;
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
    await this.silence(gapMs);
    const wire = this.wire;
    if (this.closed) throw new BusError('closed', 'the line is closed');
    if (!wire) throw new BusError('connection', this.lastConnectError || 'the connection was lost');

    // Whatever came in while nothing was asked answers nothing that is still wanted.
    if (this.settings.type === 'rtu') this.discardReceived();
    this.transaction = (this.transaction + 1) & 0xffff;
    this.counters.requests++;
    const transaction = this.transaction;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.waiting = { request, transaction, resolve, reject };
        timer = setTimeout(() => {
          this.counters.timeouts++;
          reject(new BusError('timeout', `unit ${request.unit} did not answer within ${timeoutMs} ms`));
        }, timeoutMs);
        wire.write(
          this.settings.type === 'tcp' ? encodeTcpRequest(transaction, request) : encodeRtuRequest(request),
        );
      });
      this.silentReads = 0;
      if (answer.kind === 'exception') {
        this.counters.exceptions++;
        throw new BusError(
          'exception',
          `unit ${request.unit} answered with exception ${answer.code}`,
          answer.code,
        );
      }
      return answer.data;
    } catch (error) {
      if (error instanceof BusError && error.failure === 'timeout') await this.afterTimeout();
      throw error;
    } finally {
      clearTimeout(timer);
      this.waiting = undefined;
      this.lastActivityMs = this.monotonic();
    }
  }

  /** A TCP peer that says nothing at all any more is gone (power cut, half-open connection): dial again. */
  private async afterTimeout(): Promise<void> {
    this.silentReads++;
    if (this.settings.type === 'tcp' && this.silentReads >= SILENT_READS_BEFORE_RECONNECT) {
      this.silentReads = 0;
      await this.drop();
    }
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
        this.settings.type === 'tcp'
          ? await openSocket(this.settings, events, this.abort.signal)
          : await openSerialPort(this.settings, events);
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

function openSocket(settings: TcpLineSettings, events: WireEvents, signal: AbortSignal): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: settings.host, port: settings.port, noDelay: true, signal });
    let open = false;
    let closing = false;
    let failure = 'closed by the other side';
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    );
    socket.on('connect', () => {
      clearTimeout(timer);
      open = true;
      resolve({
        write: (bytes) => void socket.write(bytes),
        close: () =>
          new Promise((done) => {
            closing = true;
            socket.once('close', () => done());
            socket.destroy();
            if (socket.closed) done();
          }),
      });
    });
    socket.on('data', (bytes) => events.data(bytes));
    socket.on('error', (error) => {
      failure = error.message;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      if (!open) reject(new Error(failure));
      else if (!closing) events.lost(failure);
    });
  });
}

/** `serialport` is loaded only where a serial line is configured: it costs memory. */
async function openSerialPort(settings: RtuLineSettings, events: WireEvents): Promise<Wire> {
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({
    path: settings.path,
    baudRate: settings.baudRate,
    parity: settings.parity,
    dataBits: settings.dataBits,
    stopBits: settings.stopBits,
    // Two programs on one RS-485 line read each other's answers.
    lock: true,
    autoOpen: false,
  });
  let closing = false;
  let failure = 'the serial port was closed';
  port.on('data', (bytes: Buffer) => events.data(bytes));
  port.on('error', (error: Error) => {
    failure = error.message;
  });
  port.on('close', () => {
    if (!closing) events.lost(failure);
  });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? reject(error) : resolve()));
  });
  return {
    write: (bytes) => void port.write(Buffer.from(bytes)),
    close: () =>
      new Promise((done) => {
        closing = true;
        if (!port.isOpen) done();
        else port.close(() => done());
      }),
  };
}
