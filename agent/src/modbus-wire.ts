/** The bytes' way: a TCP connection or a serial port. Knows nothing of Modbus. */
import { connect, type Socket } from 'node:net';

/** A byte stream in both directions. */
export interface Wire {
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

export interface WireEvents {
  data(bytes: Uint8Array): void;
  /** The wire ended by itself: peer gone, cable or USB adapter pulled. */
  lost(reason: string): void;
}

export interface SerialSettings {
  path: string;
  baudRate: number;
  parity: 'none' | 'even' | 'odd';
  dataBits: 7 | 8;
  stopBits: 1 | 2;
}

const CONNECT_TIMEOUT_MS = 3_000;

/**
 * @param signal ends it, also while it is being opened
 * @throws Error when it cannot be opened
 */
export function openSocket(
  settings: { host: string; port: number },
  events: WireEvents,
  signal: AbortSignal,
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    // Not by connect's own `signal`: its listener is never removed, and the signal of a line outlives all its sockets.
    signal.throwIfAborted();
    const socket: Socket = connect({ host: settings.host, port: settings.port, noDelay: true });
    const abort = (): void => void socket.destroy(new Error('the connection was aborted'));
    signal.addEventListener('abort', abort, { once: true });
    let open = false;
    let closing = false;
    let over = false;
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
            if (over) done();
            else socket.once('close', () => done());
            socket.destroy();
          }),
      });
    });
    socket.on('data', (bytes) => events.data(bytes));
    socket.on('error', (error) => {
      failure = error.message;
    });
    socket.on('close', () => {
      over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (!open) reject(new Error(failure));
      else if (!closing) events.lost(failure);
    });
  });
}

/**
 * `serialport` is loaded only where a serial line is configured: it costs memory.
 * @throws Error when it cannot be opened
 */
export async function openSerialPort(settings: SerialSettings, events: WireEvents): Promise<Wire> {
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
  port.on('close', (error?: Error | null) => {
    if (!closing) events.lost(error?.message ?? failure);
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
