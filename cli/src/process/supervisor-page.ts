import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { errorBody, GtxError, type Metric, processMetrics, renderMetrics } from '@gridtokenx/protocol';
import type { ComponentStatus } from './supervisor.js';

/** What a supervisor tells of its components, and of itself. */
export function supervisorMetrics(components: readonly ComponentStatus[]): Metric[] {
  const perComponent = (
    name: string,
    type: Metric['type'],
    help: string,
    value: (component: ComponentStatus) => number,
  ): Metric => ({
    name,
    type,
    help,
    labels: ['component'],
    samples: components.map((component) => ({
      labels: { component: component.name },
      value: value(component),
    })),
  });
  return [
    perComponent('gtx_supervisor_process_up', 'gauge', '1 while the component runs and is ready.', (one) =>
      one.state === 'running' ? 1 : 0,
    ),
    perComponent(
      'gtx_supervisor_restarts_total',
      'counter',
      'Times the component ended unasked and was started again.',
      (one) => one.restarts,
    ),
    ...processMetrics({
      cpu: process.cpuUsage(),
      memory: process.memoryUsage(),
      startedSeconds: Math.round(Date.now() / 1000 - process.uptime()),
    }),
  ];
}

/** A supervisor's `/healthz` and `/metrics`, on loopback. */
export class SupervisorPage {
  readonly #status: () => readonly ComponentStatus[];
  readonly #server: Server;

  constructor(status: () => readonly ComponentStatus[]) {
    this.#status = status;
    this.#server = createServer((request, response) => {
      const send = (status: number, body: unknown) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      const path = (request.url ?? '/').split('?')[0];
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        send(405, errorBody(new GtxError('METHOD_NOT_ALLOWED')));
      } else if (path === '/metrics') {
        response
          .writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
          .end(renderMetrics(supervisorMetrics(this.#status())));
      } else if (path === '/healthz') {
        const down = this.#status().filter(({ state }) => state !== 'running');
        send(down.length === 0 ? 200 : 503, {
          component: 'supervisor',
          status: down.length === 0 ? 'ok' : 'unhealthy',
          ...(down.length === 0 ? {} : { down: down.map(({ name }) => name) }),
        });
      } else send(404, errorBody(new GtxError('NOT_FOUND')));
    });
  }

  /** @returns the URL. @throws GtxError PORT_IN_USE */
  async start(port: number): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
      throw new GtxError('PORT_IN_USE', `the supervisor's port ${port} is taken`, undefined, { cause });
    }
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new GtxError('INTERNAL', 'no TCP address');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
