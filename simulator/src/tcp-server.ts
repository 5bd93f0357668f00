import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { GtxError } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { type Bus, spoilFrame } from './bus.js';
import { exceptionPdu, ModbusException } from './modbus.js';

/** MBAP header: transaction u16, protocol u16 (0), length u16, unit u8 (MODBUS Messaging on TCP/IP V1.0b, 3.1.3). */
const MBAP_BYTES = 7;
const MAX_PDU = 253;

/** Modbus TCP in front of a bus, as a gateway to serial meters answers. */
export class ModbusTcpServer {
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(bus: Bus, logger: Logger) {
    this.#bus = bus;
    this.#logger = logger;
    this.#server = createServer((socket) => this.#serve(socket));
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
    this.#server.on('error', (error) => this.#logger.error({ err: error }, 'Modbus TCP server'));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new GtxError('INTERNAL', 'no TCP address');
    return address.port;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    let buffer: Buffer = Buffer.alloc(0);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', (error) => this.#logger.debug({ err: error }, 'client went away'));
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
    if (!this.#bus.has(unit)) {
      // A gateway says that nobody on its line answered (V1.1b3 section 7, code 0B).
      const pdu = exceptionPdu(request[0] ?? 0, ModbusException.GatewayTargetFailedToRespond);
      socket.write(mbapFrame(transaction, unit, pdu));
      return;
    }
    const reply = this.#bus.answer(unit, request);
    if (reply === undefined) return;
    const frame = mbapFrame(transaction, unit, reply.pdu);
    const bytes = reply.spoil === undefined ? frame : spoilFrame(frame, reply.spoil);
    if (reply.delayMs === 0) {
      socket.write(bytes);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!socket.destroyed) socket.write(bytes);
    }, reply.delayMs);
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
