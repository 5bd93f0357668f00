/**
 * As much of MQTT 3.1.1 as a load generator needs, with packets made before the measurement: a full client
 * library costs about as much for each message as the collector does, on cores that both share.
 */
import { connect, type Socket } from 'node:net';
import { GtxError } from '@gridtokenx/protocol';

/** Control packet types, 2.2.1. */
const CONNECT = 1;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBSCRIBE = 8;
const SUBACK = 9;

const QOS_1 = 0b0010;
/** SUBSCRIBE's reserved flags, 3.8.1. */
const SUBSCRIBE_FLAGS = 0b0010;
/** "MQTT", protocol level 4, 3.1.2. */
const PROTOCOL = Buffer.from('00044d51545404', 'hex');
/** User name, password, clean session, 3.1.2.3. */
const CONNECT_FLAGS = 0b1100_0010;
const MAX_PACKET_ID = 65_535;
const REFUSED = 0x80;

function packet(type: number, flags: number, ...parts: Uint8Array[]): Buffer {
  let left = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [(type << 4) | flags];
  // Remaining length, 2.2.3: seven bits a byte, least significant first.
  do {
    const byte = left & 0x7f;
    left >>>= 7;
    head.push(left > 0 ? byte | 0x80 : byte);
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), ...parts]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function field(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** A PUBLISH at QoS 1, whole but for its packet id. */
export interface PreparedPublish {
  bytes: Buffer;
  /** Where the packet id goes. */
  idOffset: number;
}

/** Makes a PUBLISH packet at QoS 1 (3.3). */
export function preparePublish(topic: string, payload: string | Uint8Array): PreparedPublish {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const bytes = packet(PUBLISH, QOS_1, field(topic), u16(0), body);
  return { bytes, idOffset: bytes.length - body.length - 2 };
}

/** One received packet: `type` and `flags` of its first byte, and what follows the length. */
export interface Frame {
  type: number;
  flags: number;
  body: Buffer;
}

/** Cuts a byte stream into packets, however it arrives. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  /** @throws GtxError BROKER_UNAVAILABLE on a length that MQTT does not know (2.2.3: at most four bytes) */
  *read(chunk: Buffer): Generator<Frame> {
    let buffer = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      let whole = false;
      while (at < buffer.length) {
        const byte = buffer[at] as number;
        length += (byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if ((byte & 0x80) === 0) {
          whole = true;
          break;
        }
        if (at > 4) throw new GtxError('BROKER_UNAVAILABLE', 'the broker does not speak MQTT');
      }
      if (!whole || buffer.length < at + length) break;
      const first = buffer[0] as number;
      yield { type: first >> 4, flags: first & 0x0f, body: buffer.subarray(at, at + length) };
      buffer = buffer.subarray(at + length);
    }
    this.rest = buffer;
  }
}

/** Topic and payload of a received PUBLISH, and its packet id at QoS 1. */
export function publishOf({ flags, body }: Frame): {
  topic: string;
  payload: Buffer;
  id: number | undefined;
} {
  const length = body.readUInt16BE(0);
  const topic = body.toString('utf8', 2, 2 + length);
  const hasId = (flags & 0b0110) !== 0;
  const end = 2 + length + (hasId ? 2 : 0);
  return { topic, payload: body.subarray(end), id: hasId ? body.readUInt16BE(2 + length) : undefined };
}

export interface WireOptions {
  /** `mqtt://host:port` */
  url: string;
  clientId: string;
  username: string;
  password: string;
  onMessage: (topic: string, payload: Buffer) => void;
  onLost: (error: Error) => void;
}

/** One MQTT connection. */
export class WireClient {
  private socket: Socket | undefined;
  private readonly reader = new FrameReader();
  private nextId = 0;
  private closing = false;
  private waiting:
    | { type: number; resolve: (frame: Frame) => void; reject: (error: Error) => void }
    | undefined;

  constructor(private readonly options: WireOptions) {}

  /** Connects and logs in; `onLost` is for what happens later. @throws GtxError BROKER_UNAVAILABLE, LOGIN_REFUSED */
  async start(): Promise<void> {
    const { url, clientId, username, password } = this.options;
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    this.socket = socket;
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      const failed = (cause?: unknown) =>
        reject(new GtxError('BROKER_UNAVAILABLE', `cannot connect to ${url}`, undefined, { cause }));
      socket.once('error', failed);
      socket.once('close', () => failed());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.end(new GtxError('BROKER_UNAVAILABLE', `${clientId} lost its connection`)));
    socket.on('data', (chunk) => {
      try {
        for (const frame of this.reader.read(chunk)) this.receive(frame);
      } catch (error) {
        this.end(error as Error);
      }
    });
    const answer = this.answer(CONNACK);
    // No keep-alive (0, 3.1.2.10): the connection is busy or closed.
    const connectBody = Buffer.concat([PROTOCOL, Buffer.from([CONNECT_FLAGS]), u16(0)]);
    socket.write(packet(CONNECT, 0, connectBody, field(clientId), field(username), field(password)));
    const { body } = await answer;
    if (body[1] !== 0) {
      this.stop();
      throw new GtxError('LOGIN_REFUSED', `the broker refuses ${clientId} (code ${body[1]})`);
    }
  }

  /** Subscribes at QoS 1. @throws GtxError TOPIC_FORBIDDEN, BROKER_UNAVAILABLE; then the connection is over */
  async subscribe(topics: readonly string[]): Promise<void> {
    const answer = this.answer(SUBACK);
    const filters = topics.map((topic) => Buffer.concat([field(topic), Buffer.from([1])]));
    this.socket?.write(packet(SUBSCRIBE, SUBSCRIBE_FLAGS, u16(this.id()), ...filters));
    const { body } = await answer;
    if (body.subarray(2).includes(REFUSED)) {
      this.stop();
      throw new GtxError('TOPIC_FORBIDDEN', 'a subscription was refused');
    }
  }

  /** Sends messages in one go. */
  publish(messages: readonly PreparedPublish[]): void {
    const { socket } = this;
    if (socket === undefined || messages.length === 0) return;
    socket.cork();
    for (const { bytes, idOffset } of messages) {
      bytes.writeUInt16BE(this.id(), idOffset);
      socket.write(bytes);
    }
    socket.uncork();
  }

  /** Bytes that wait for the network. */
  get backlogBytes(): number {
    return this.socket?.writableLength ?? 0;
  }

  stop(): void {
    this.closing = true;
    this.socket?.destroy();
  }

  /** The connection is over: who waits for an answer is told, or else the owner. */
  private end(error: Error): void {
    const { waiting, closing } = this;
    this.waiting = undefined;
    this.stop();
    if (waiting !== undefined) waiting.reject(error);
    else if (!closing) this.options.onLost(error);
  }

  private id(): number {
    this.nextId = this.nextId === MAX_PACKET_ID ? 1 : this.nextId + 1;
    return this.nextId;
  }

  private answer(type: number): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.closing) reject(new GtxError('BROKER_UNAVAILABLE', 'the connection is over'));
      else this.waiting = { type, resolve, reject };
    });
  }

  private receive(frame: Frame): void {
    if (frame.type === PUBLISH) {
      const { topic, payload, id } = publishOf(frame);
      if (id !== undefined) this.socket?.write(packet(PUBACK, 0, u16(id)));
      this.options.onMessage(topic, payload);
    } else if (frame.type === this.waiting?.type) {
      const { resolve } = this.waiting;
      this.waiting = undefined;
      resolve(frame);
    }
  }
}
