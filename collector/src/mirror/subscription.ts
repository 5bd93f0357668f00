import type { Logger } from 'pino';
import WebSocket from 'ws';

export interface LogsSubscriptionOptions {
  /** ws(s) URL of the node. */
  readonly url: string;
  /** Accounts (programs) whose transactions are of interest, base58. */
  readonly mentions: readonly string[];
  /**
   * Called for every notification with the account that it mentions; without one after each (re)connection, when
   * something may have been missed.
   */
  readonly onNews: (mention?: string) => void;
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
    /** Accounts by the number of their subscription. */
    const subscribed = new Map<unknown, string>();
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
    socket.on('message', (data) => {
      alive = true;
      const message = messageOf(String(data));
      if (message?.method === 'logsNotification') {
        onNews(subscribed.get(message.params?.subscription));
        return;
      }
      const mention = typeof message?.id === 'number' ? mentions[message.id - 1] : undefined;
      if (mention !== undefined) subscribed.set(message?.result, mention);
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

interface Message {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly subscription?: unknown };
}

/** Whatever a node says is a reason to look; what cannot be read is one to look everywhere. */
function messageOf(text: string): Message | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** The WebSocket URL that belongs to an RPC URL, as web3.js and validators have it: the next port, if one is named. */
export function webSocketUrl(rpcUrl: string): string {
  const url = new URL(rpcUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (url.port !== '') url.port = String(Number(url.port) + 1);
  return url.href;
}
