/** The local status page: `/healthz`, `/metrics`, `/api/status`. Read only, loopback by default. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GtxError } from '@gridtokenx/protocol';

export interface StatusSource {
  health(): { ok: boolean };
  status(): unknown;
  metrics(): string;
}

export class StatusServer {
  private server: Server | undefined;

  constructor(private readonly source: StatusSource) {}

  /** @returns the URL. @throws GtxError PORT_IN_USE */
  async start(host: string, port: number): Promise<string> {
    const server = createServer((request, response) => {
      const path = (request.url ?? '/').split('?')[0];
      const send = (status: number, type: string, body: string) => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        send(405, 'application/json', JSON.stringify({ error: { code: 'METHOD_NOT_ALLOWED' } }));
      } else if (path === '/healthz') {
        const health = this.source.health();
        send(health.ok ? 200 : 503, 'application/json', JSON.stringify(health));
      } else if (path === '/metrics') {
        send(200, 'text/plain; version=0.0.4; charset=utf-8', this.source.metrics());
      } else if (path === '/api/status') {
        send(200, 'application/json', JSON.stringify(this.source.status()));
      } else send(404, 'application/json', JSON.stringify({ error: { code: 'NOT_FOUND' } }));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE'
            ? new GtxError('PORT_IN_USE', `http.port ${port} on ${host} is taken`)
            : error,
        );
      });
      server.listen(port, host, () => resolve());
    });
    this.server = server;
    const address = server.address() as AddressInfo;
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `http://${name}:${address.port}`;
  }

  async stop(): Promise<void> {
    const server = this.server;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}
