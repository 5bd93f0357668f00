import type { Logger } from 'pino';
import WebSocket from 'ws';

export interface LogsSubscriptionOptions {
  /** ws(s) URL of the node. */
  readonly url: string;
  /** Accounts (programs) whose transactions are of interest, base58. */
  readonly mentions: readonly string[];
  /** Called for every notification, and once after each (re)connection: something may have been missed. */
  readonly onNews: () => void;
  readonly logger: Logger;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** A node that says nothing, not even pong, for this long is gone. */
const PING_MS = 20_000;

/**
 * Listens to `logsSubscribe` and only says that there is news: what it is, is read from the history, in order and
 * without gaps. A lost connection costs nothing but time, and is made anew.
 */
export class LogsSubscription {
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retryMs = FIRST_RETRY_MS;
  private stopped = false;

  constructor(private readonly options: LogsSubscriptionOptions) {}

  start(): void {
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
  }

  private connect(): void {
    const { url, mentions, onNews, logger } = this.options;
    const socket = new WebSocket(url, { handshakeTimeout: 10_000 });
    this.socket = socket;
    let alive = true;
    const pinger = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, PING_MS);
    socket.on('pong', () => {
      alive = true;
    });
    socket.on('open', () => {
      this.retryMs = FIRST_RETRY_MS;
      mentions.forEach((mention, index) => {
        socket.send(
          JSON.stringify({
            jsonrpc: '2.0',
            id: index + 1,
            method: 'logsSubscribe',
            params: [{ mentions: [mention] }, { commitment: 'confirmed' }],
          }),
        );
      });
    });
    socket.on('message', () => {
      alive = true;
      // A subscription's confirmation counts as news too: what happened before it is to be looked for.
      onNews();
    });
    socket.on('error', (error) => {
      logger.debug({ err: error, url }, 'the node’s WebSocket failed; polling goes on');
    });
    socket.on('close', () => {
      clearInterval(pinger);
      if (this.stopped) return;
      this.timer = setTimeout(() => this.connect(), this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
    });
  }
}

/** The WebSocket URL that belongs to an RPC URL, as web3.js and validators have it: the next port, if one is named. */
export function webSocketUrl(rpcUrl: string): string {
  const url = new URL(rpcUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (url.port !== '') url.port = String(Number(url.port) + 1);
  return url.href;
}
