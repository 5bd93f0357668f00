/**
 * The clients of the WebSocket benchmark, as a process of its own: so many connections that follow one book. Frames are
 * cut out of the byte stream here; what a delta says is read once, since all clients get the same bytes.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { serve } from './child.js';
import { processUsage } from './process-usage.js';
import { percentile } from './statistics.js';

export type LiveMessage =
  | { step: 'connect'; httpUrl: string; market: string; clients: number; atOnce: number }
  | { step: 'begin' }
  /** `written`: price and when its order was committed, in milliseconds of this machine's clock. */
  | { step: 'end'; written: [string, number][] };

export interface LiveConnected {
  /** Until all clients had their snapshot. */
  seconds: number;
  snapshotBytes: number;
}

export interface LiveResult {
  /** From the commit to the frame's last byte at a client. */
  p50Millis: number;
  p99Millis: number;
  maxMillis: number;
  /** Deltas, and how many of them reached clients. */
  deltas: number;
  frames: number;
  /** Clients that did not hear of every order. */
  incomplete: number;
  cpuSeconds: number;
}

const now = () => performance.timeOrigin + performance.now();

interface Delta {
  prices: string[];
}

class Client {
  readonly socket: Socket;
  snapshotBytes = 0;
  /** Sequence and time of each delta. */
  readonly received: { sequence: string; at: number }[] = [];
  private rest: Buffer = Buffer.alloc(0);
  private upgraded = false;

  constructor(
    url: URL,
    market: string,
    private readonly deltas: Map<string, Delta>,
    private readonly onSnapshot: () => void,
    onLost: (error: Error) => void,
  ) {
    const subscribe = Buffer.from(JSON.stringify({ op: 'subscribe', channel: 'book', market }));
    this.socket = connect(Number(url.port), url.hostname, () => {
      const key = randomBytes(16).toString('base64');
      this.socket.write(
        `GET /ws HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
      // A client's frame is masked (RFC 6455 5.3); a mask of zeros leaves it as it is.
      const length =
        subscribe.length < 126
          ? [0x80 | subscribe.length]
          : [0x80 | 126, subscribe.length >> 8, subscribe.length & 255];
      this.socket.write(Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), subscribe]));
    });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', onLost);
    this.socket.on('close', () => onLost(new Error('the collector closed a connection')));
  }

  private take(chunk: Buffer): void {
    const at = now();
    let data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    if (!this.upgraded) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        this.rest = data;
        return;
      }
      if (!data.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
        throw new Error(`no upgrade: ${data.toString('utf8')}`);
      }
      this.upgraded = true;
      data = data.subarray(end + 4);
    }
    for (;;) {
      if (data.length < 2) break;
      const short = (data[1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (data.length < head) break;
      const length =
        short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
      if (data.length < head + length) break;
      // Pings need no answer in the minute that this takes.
      if (((data[0] as number) & 0x0f) === 1) this.frame(data.subarray(head, head + length), at);
      data = data.subarray(head + length);
    }
    this.rest = data;
  }

  private frame(payload: Buffer, at: number): void {
    const type = payload.indexOf('"type":"');
    if (type < 0) return;
    if (payload[type + 8] === 's'.charCodeAt(0)) {
      this.snapshotBytes = payload.length;
      this.onSnapshot();
      return;
    }
    const begin = payload.indexOf('"sequence":') + 11;
    const sequence = payload.toString('latin1', begin, payload.indexOf(',', begin));
    if (!this.deltas.has(sequence)) {
      const { data } = JSON.parse(payload.toString('utf8')) as {
        data: Record<'asks' | 'bids', { price: string }[]>;
      };
      this.deltas.set(sequence, { prices: [...data.asks, ...data.bids].map(({ price }) => price) });
    }
    this.received.push({ sequence, at });
  }
}

const clients: Client[] = [];
const deltas = new Map<string, Delta>();
let ending = false;
let cpuBefore = 0;

serve<LiveMessage>(async (message) => {
  if (message.step === 'connect') await connectAll(message);
  else if (message.step === 'begin') {
    cpuBefore = processUsage(process.pid).cpuSeconds;
    process.send?.({});
  } else report(message.written);
});

async function connectAll({
  httpUrl,
  market,
  clients: count,
  atOnce,
}: Extract<LiveMessage, { step: 'connect' }>) {
  const url = new URL(httpUrl);
  const begin = performance.now();
  const one = () =>
    new Promise<void>((resolve, reject) => {
      clients.push(
        new Client(url, market, deltas, resolve, (error) => {
          if (!ending) reject(error);
        }),
      );
    });
  const workers = Array.from({ length: atOnce }, async () => {
    while (clients.length < count) await one();
  });
  await Promise.all(workers);
  const connected: LiveConnected = {
    seconds: (performance.now() - begin) / 1000,
    snapshotBytes: clients[0]?.snapshotBytes ?? 0,
  };
  process.send?.(connected);
}

function report(written: readonly [string, number][]): void {
  ending = true;
  const at = new Map(written);
  const waits: number[] = [];
  let incomplete = 0;
  for (const { received } of clients) {
    const heard = new Set<string>();
    for (const { sequence, at: arrived } of received) {
      const prices = (deltas.get(sequence)?.prices ?? []).filter(
        (price) => at.has(price) && !heard.has(price),
      );
      for (const price of prices) {
        heard.add(price);
        waits.push(arrived - (at.get(price) as number));
      }
    }
    if (heard.size < at.size) incomplete += 1;
  }
  const result: LiveResult = {
    p50Millis: percentile(waits, 50),
    p99Millis: percentile(waits, 99),
    maxMillis: percentile(waits, 100),
    deltas: deltas.size,
    frames: clients.reduce((sum, { received }) => sum + received.length, 0),
    incomplete,
    cpuSeconds: processUsage(process.pid).cpuSeconds - cpuBefore,
  };
  process.send?.(result);
  for (const { socket } of clients) socket.destroy();
}
