// HTTP and WebSocket. Loopback only, and closed to web pages: a page in the user's browser can reach 127.0.0.1 too,
// so requests must carry a loopback Host (DNS rebinding) and, where a browser says so, an allowed Origin.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Chain } from './chain.js';
import { type Json, toJson } from './json.js';
import type { Methods } from './methods.js';
import type { Metrics } from './metrics.js';
import type { PubSub } from './pubsub.js';
import { internalError, invalidRequest, parseError, RpcError } from './rpc-error.js';

/** Largest request body, as on a validator (agave: MAX_REQUEST_BODY_SIZE). */
export const MAX_REQUEST_BYTES = 50 * 1024;
/** Requests in one batch. */
export const MAX_BATCH = 500;
const MAX_WEBSOCKET_MESSAGE = 50 * 1024;
/** A subscriber that lets this much pile up is cut off. */
const MAX_WEBSOCKET_BACKLOG = 16 * 1024 * 1024;
const PORT_ATTEMPTS = 50;
const KEEP_ALIVE_MS = 75_000;

const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '::1']);

export interface ServerOptions {
  host: string;
  /** 0 picks a free pair of ports. */
  port: number;
  /** Origins of web pages that may call, for example `http://localhost:5173`. */
  allowedOrigins: readonly string[];
}

interface Request {
  id: Json;
  method: string;
  params: unknown;
  notification: boolean;
}

/** The name in a Host header or URL without port and brackets. */
function hostName(header: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(header);
  return (bracketed?.[1] ?? header.replace(/:\d+$/, '')).toLowerCase();
}

/** @throws when the host is not a loopback address */
export function assertLoopback(host: string): void {
  if (!LOOPBACK_HOSTS.has(host)) {
    throw new Error(`localnet listens on loopback only (127.0.0.1, ::1 or localhost), not on ${host}`);
  }
}

export class RpcServer {
  readonly #options: ServerOptions;
  readonly #chain: Chain;
  readonly #methods: Methods;
  readonly #pubsub: PubSub;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_WEBSOCKET_MESSAGE });
  #http: Server | undefined;
  #ws: Server | undefined;

  constructor(
    options: ServerOptions,
    parts: { chain: Chain; methods: Methods; pubsub: PubSub; metrics: Metrics; logger: Logger },
  ) {
    this.#options = options;
    this.#chain = parts.chain;
    this.#methods = parts.methods;
    this.#pubsub = parts.pubsub;
    this.#metrics = parts.metrics;
    this.#logger = parts.logger;
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  /**
   * Listens on the port and, for WebSocket alone, on the one above it (where clients of a validator look for it).
   * @returns the RPC port
   */
  async start(): Promise<number> {
    assertLoopback(this.#options.host);
    this.#sockets.on('connection', (socket) => this.#serveSocket(socket));
    for (let attempt = 1; ; attempt++) {
      const http = createServer((request, response) => {
        this.#serve(request, response).catch((error: unknown) => {
          // A client that went away in the middle of its request is no concern of the operator.
          this.#logger[request.destroyed ? 'debug' : 'error']({ err: error }, 'request failed');
          response.destroy();
        });
      });
      const ws = createServer((_request, response) => {
        plain(response, 426, 'This port is for WebSocket; HTTP is on the port below.\n', {
          Upgrade: 'websocket',
        });
      });
      for (const server of [http, ws]) {
        server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
        server.requestTimeout = 30_000;
        server.headersTimeout = 10_000;
        // Longer than clients keep idle connections (web3.js: 19 s), so that it is they who close them: a request
        // sent just when the server closes would fail.
        server.keepAliveTimeout = KEEP_ALIVE_MS;
      }
      const port = await listen(http, this.#options.port, this.#options.host);
      try {
        if (port === 65_535) throw Object.assign(new Error('no port above 65535'), { code: 'EADDRINUSE' });
        await listen(ws, port + 1, this.#options.host);
      } catch (error) {
        await close(http);
        const busy = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (busy && this.#options.port === 0 && attempt < PORT_ATTEMPTS) continue;
        throw error;
      }
      this.#http = http;
      this.#ws = ws;
      return port;
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.close(1001, 'localnet is stopping');
    const closing = [this.#http, this.#ws].flatMap((server) => (server ? [close(server)] : []));
    for (const server of [this.#http, this.#ws]) server?.closeIdleConnections();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      for (const server of [this.#http, this.#ws]) server?.closeAllConnections();
    }, 500);
    await Promise.all(closing);
    clearTimeout(cut);
  }

  /** Why a request may not come in, or undefined. */
  #refused(request: IncomingMessage): string | undefined {
    if (!LOOPBACK_HOSTS.has(hostName(request.headers.host ?? '')))
      return 'Host header is not a loopback name\n';
    const { origin } = request.headers;
    if (origin !== undefined && !this.#options.allowedOrigins.includes(origin)) {
      return 'Requests from web pages are not allowed\n';
    }
    return undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = this.#refused(request);
    if (refused) {
      plain(response, 403, refused);
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Vary', 'Origin');
    }
    if (request.method === 'OPTIONS') {
      response.setHeader('Access-Control-Allow-Methods', 'POST');
      response.setHeader('Access-Control-Allow-Headers', 'content-type, solana-client');
      plain(response, 204, '');
      return;
    }
    if (request.method === 'GET') {
      await this.#serveGet(request, response);
      return;
    }
    if (request.method !== 'POST') {
      plain(response, 405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n');
      return;
    }
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json') {
      plain(
        response,
        415,
        'Supplied content type is not allowed. Content-Type: application/json is required\n',
      );
      return;
    }
    const body = await readBody(request, MAX_REQUEST_BYTES);
    if (body === undefined) {
      plain(response, 413, `Request body is larger than ${MAX_REQUEST_BYTES} bytes\n`, {
        Connection: 'close',
      });
      request.destroy();
      return;
    }
    const answer = await this.#answer(body);
    const text = answer === undefined ? '' : `${toJson(answer)}\n`;
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    response.end(text);
  }

  async #serveGet(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { unhealthy } = this.#chain;
    switch (request.url) {
      case '/health':
        plain(response, 200, unhealthy === undefined ? 'ok' : 'unknown');
        return;
      case '/healthz': {
        const text = toJson({
          component: 'localnet',
          genesis_hash: this.#methods.genesisHash,
          status: unhealthy === undefined ? 'ok' : 'unhealthy',
          reason: unhealthy,
          slot: this.#chain.bank.clock.slot,
          transactions: this.#chain.bank.transactionCount,
        });
        response.writeHead(unhealthy === undefined ? 200 : 503, { 'Content-Type': 'application/json' });
        response.end(text);
        return;
      }
      case '/metrics': {
        const text = await this.#metrics.registry.metrics();
        response.writeHead(200, { 'Content-Type': this.#metrics.registry.contentType });
        response.end(text);
        return;
      }
      default:
        plain(response, 405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n');
    }
  }

  async #answer(body: Buffer): Promise<Json> {
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString('utf8'));
    } catch {
      return failure(null, parseError());
    }
    const entries = (Array.isArray(parsed) ? parsed : [parsed]).map(toRequest);
    if (entries.length > MAX_BATCH) {
      return failure(null, invalidRequest(`Batch of ${entries.length} requests; max ${MAX_BATCH}`));
    }
    if (entries.includes(undefined)) return failure(null, parseError());
    const answers = await Promise.all(
      entries.map((entry) => this.#answerOne(entry as Request | { answer: Json })),
    );
    if (!Array.isArray(parsed)) return answers[0];
    const present = answers.filter((answer) => answer !== undefined);
    return present.length > 0 ? present : undefined;
  }

  async #answerOne(request: Request | { answer: Json }): Promise<Json> {
    if ('answer' in request) return request.answer;
    let answer: Json;
    let code = 0;
    try {
      const result = await this.#methods.call(request.method, request.params);
      answer = { jsonrpc: '2.0', result: result ?? null, id: request.id };
    } catch (error) {
      const known = this.#toRpcError(error, request.method);
      code = known.code;
      answer = failure(request.id, known);
    }
    this.#metrics.countRequest(this.#methods.has(request.method) ? request.method : 'unknown', code);
    return request.notification ? undefined : answer;
  }

  #toRpcError(error: unknown, method: string): RpcError {
    if (error instanceof RpcError) return error;
    this.#logger.error({ err: error, method }, 'method failed');
    return internalError();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#refused(request)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) =>
      this.#sockets.emit('connection', client, request),
    );
  }

  #serveSocket(socket: WebSocket): void {
    const send = (message: Json) => {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > MAX_WEBSOCKET_BACKLOG) {
        this.#logger.warn({ bytes: socket.bufferedAmount }, 'a WebSocket client does not read: closing it');
        socket.terminate();
        return;
      }
      socket.send(toJson(message));
    };
    const connection = this.#pubsub.connect(send);
    socket.on('error', (error) => this.#logger.debug({ err: error }, 'WebSocket error'));
    socket.on('close', () => this.#pubsub.disconnect(connection));
    socket.on('message', (data) => {
      let parsed: unknown;
      try {
        parsed = JSON.parse(data.toString());
      } catch {
        send(failure(null, parseError()));
        return;
      }
      const entries = (Array.isArray(parsed) ? parsed : [parsed]).map(toRequest);
      if (entries.length > MAX_BATCH || entries.includes(undefined)) {
        send(failure(null, entries.length > MAX_BATCH ? invalidRequest() : parseError()));
        return;
      }
      const answers: Json[] = [];
      const afterwards: (() => void)[] = [];
      for (const request of entries as (Request | { answer: Json })[]) {
        if ('answer' in request) {
          answers.push(request.answer);
          continue;
        }
        try {
          const { result, after } = this.#pubsub.call(connection, request.method, request.params);
          if (after) afterwards.push(after);
          if (!request.notification) answers.push({ jsonrpc: '2.0', result, id: request.id });
        } catch (error) {
          const answer = failure(request.id, this.#toRpcError(error, request.method));
          if (!request.notification) answers.push(answer);
        }
      }
      if (Array.isArray(parsed)) {
        if (answers.length > 0) send(answers);
      } else if (answers[0] !== undefined) send(answers[0]);
      for (const after of afterwards) after();
    });
  }
}

/** What an entry of a request body is: a call, or an answer to give instead. `undefined`: not even that (-32700). */
function toRequest(entry: unknown): Request | { answer: Json } | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const { jsonrpc, id: given, method, params } = entry as Record<string, unknown>;
  if (given !== undefined && given !== null && typeof given !== 'string' && typeof given !== 'number') {
    return undefined;
  }
  const id = given ?? null;
  if (typeof method !== 'string' || (jsonrpc !== undefined && jsonrpc !== '2.0')) {
    return { answer: failure(id, invalidRequest()) };
  }
  if (params !== undefined && params !== null && typeof params !== 'object') {
    return { answer: failure(id, invalidRequest()) };
  }
  if (jsonrpc === undefined) {
    // An answer to JSON-RPC 1.0, and so without a version.
    return { answer: { error: invalidRequest('Unsupported JSON-RPC protocol version').toObject(), id } };
  }
  return { id, method, params, notification: given === undefined };
}

function failure(id: Json, error: RpcError): Json {
  return { jsonrpc: '2.0', error: error.toObject(), id };
}

function plain(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'text/plain', ...headers });
  response.end(text);
}

function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve(undefined);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) resolve(undefined);
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the client went away')));
  });
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
