import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RpcRequest {
  method: string;
  params: unknown[];
}

/** `forward` to the node, `hang` without an answer, `reset` the connection, or answer in its place. */
export type Verdict =
  | 'forward'
  | 'hang'
  | 'reset'
  | { result: unknown }
  | { error: { code: number; message: string; data?: unknown } }
  | { status: number };

/**
 * An HTTP server between a client and a Solana node, or in place of one, that decides for each JSON-RPC request
 * what happens to it. Tests only.
 */
export class RpcProxy {
  readonly seen: RpcRequest[] = [];
  decide: (request: RpcRequest) => Verdict = () => 'forward';
  private readonly server: Server;

  constructor(private readonly upstream?: string) {
    this.server = createServer((incoming, outgoing) => {
      readBody(incoming).then((body) => {
        const call = JSON.parse(body) as RpcRequest & { id: unknown };
        const verdict = this.decide(call);
        this.seen.push({ method: call.method, params: call.params });
        if (verdict === 'hang') return;
        if (verdict === 'reset') {
          incoming.socket.destroy();
        } else if (verdict === 'forward') {
          if (!this.upstream) throw new Error(`nobody answers ${call.method}`);
          const headers = { 'content-type': 'application/json' };
          const forwarded = request(this.upstream, { method: 'POST', headers }, (answer) => {
            outgoing.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' });
            answer.pipe(outgoing);
          });
          forwarded.on('error', () => incoming.socket.destroy());
          forwarded.end(body);
        } else if ('status' in verdict) {
          outgoing.writeHead(verdict.status).end();
        } else {
          outgoing.writeHead(200, { 'content-type': 'application/json' });
          outgoing.end(JSON.stringify({ jsonrpc: '2.0', id: call.id, ...verdict }));
        }
      }, outgoing.destroy.bind(outgoing));
    });
  }

  count(method: string): number {
    return this.seen.filter((call) => call.method === method).length;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
