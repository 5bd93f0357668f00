import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { GtxError } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import type { Bus } from './bus.js';
import { type Piece, spoilFrame } from './faults.js';
import { exceptionPdu, ModbusException } from './modbus.js';
import { RtuChannel } from './rtu-channel.js';

/** MBAP header: transaction u16, protocol u16 (0), length u16, unit u8 (MODBUS Messaging on TCP/IP V1.0b, 3.1.3). */
const MBAP_BYTES = 7;
const MAX_PDU = 253;
/** Waits until a cut server's port can be listened on again. */
const AGAIN_MS = 200;

/** A bus behind TCP: Modbus TCP as a gateway to serial meters answers, or RTU frames as a plain converter passes them. */
export class MeterServer {
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #framing: 'mbap' | 'rtu';
  readonly #random: () => number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #former = new Map<number, Buffer>();
  #address: { host: string; port: number } | undefined;
  #stopping = false;

  constructor(bus: Bus, logger: Logger, framing: 'mbap' | 'rtu', random: () => number) {
    this.#bus = bus;
    this.#logger = logger;
    this.#framing = framing;
    this.#random = random;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', (error) => this.#logger.debug({ err: error }, 'client went away'));
      if (this.#framing === 'mbap') this.#serveMbap(socket);
      else this.#serveRtu(socket);
    });
  }

  /** Listens; resolves to the port. @throws GtxError PORT_IN_USE */
  async start(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
      throw new GtxError('PORT_IN_USE', `the simulator's port ${port} on ${host} is taken`, undefined, {
        cause,
      });
    }
    this.#server.on('error', (error) => this.#logger.error({ err: error }, 'meter server'));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new GtxError('INTERNAL', 'no TCP address');
    this.#address = { host, port: address.port };
    return address.port;
  }

  /** The cable is pulled out: connections break, none can be made, until it is put back after a time. */
  cut(offMs: number): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    this.#later(offMs, () => this.#listenAgain());
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #listenAgain(): void {
    const address = this.#address;
    if (this.#stopping || address === undefined || this.#server.listening) return;
    const failed = () => this.#later(AGAIN_MS, () => this.#listenAgain());
    this.#server.once('error', failed);
    this.#server.listen(address.port, address.host, () => this.#server.off('error', failed));
  }

  #serveRtu(socket: Socket): void {
    const channel = new RtuChannel(this.#bus, (bytes) => void socket.write(bytes), this.#random);
    socket.on('data', (bytes: Buffer) => channel.push(bytes));
    socket.on('close', () => channel.stop());
  }

  #serveMbap(socket: Socket): void {
    let buffer: Buffer = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      buffer = Buffer.concat([buffer, data]);
      while (buffer.length >= MBAP_BYTES) {
        const length = buffer.readUInt16BE(4);
        if (buffer.readUInt16BE(2) !== 0 || length < 2 || length > MAX_PDU + 1) {
          this.#logger.warn('not Modbus TCP: connection closed');
          socket.destroy();
          return;
        }
        if (buffer.length < 6 + length) return;
        this.#answer(
          socket,
          buffer.readUInt16BE(0),
          buffer[6] as number,
          Buffer.from(buffer.subarray(7, 6 + length)),
        );
        buffer = buffer.subarray(6 + length);
      }
    });
  }

  #answer(socket: Socket, transaction: number, unit: number, request: Buffer): void {
    // A gateway says that nobody on its line answered (V1.1b3 section 7, code 0B).
    const nobody = () =>
      mbapFrame(
        transaction,
        unit,
        exceptionPdu(request[0] ?? 0, ModbusException.GatewayTargetFailedToRespond),
      );
    if (!this.#bus.has(unit)) {
      socket.write(nobody());
      return;
    }
    const reply = this.#bus.answer(unit, request);
    if (reply === undefined) return;
    const damaged = reply.spoils.some(({ type }) => type === 'bad-crc');
    const frame = damaged ? nobody() : mbapFrame(transaction, unit, reply.pdu);
    const former = this.#former.get(unit) ?? frame;
    this.#former.set(unit, frame);
    const pieces: Piece[] = spoilFrame(
      (other) => (other === undefined || damaged ? frame : mbapFrame(transaction, other, reply.pdu)),
      unit,
      reply.spoils.filter(({ type }) => type !== 'bad-crc'),
      mbapFrame(transaction, unit, request),
      former,
      this.#random,
    );
    let delayMs = reply.delayMs;
    for (const { bytes, afterMs } of pieces) {
      delayMs += afterMs;
      this.#later(delayMs, () => {
        if (!socket.destroyed) socket.write(bytes);
      });
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

function mbapFrame(transaction: number, unit: number, pdu: Buffer): Buffer {
  const frame = Buffer.alloc(MBAP_BYTES + pdu.length);
  frame.writeUInt16BE(transaction, 0);
  frame.writeUInt16BE(pdu.length + 1, 4);
  frame[6] = unit;
  frame.set(pdu, MBAP_BYTES);
  return frame;
}
