import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorBody, GtxError, parseJsonWith, renderMetrics, u64Text } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { z } from 'zod';
import { FaultRules } from './fault-plan.js';
import { Fault, LineFault } from './faults.js';
import { simulatorMetrics } from './metrics.js';
import type { Controls } from './simulator.js';

const MAX_BODY = 10_000;
const watts = z.number().min(0).max(1_000_000).optional();
const Power = z.strictObject({ solar_watts: watts, household_watts: watts });
const Energy = z.strictObject({ import_nkwh: u64Text.optional(), export_nkwh: u64Text.optional() });

/**
 * HTTP control: `GET /state`, `GET /healthz`, `GET /metrics`, `PUT /units/{unit}/power|energy|fault`,
 * `DELETE /units/{unit}/fault|power`, `PUT /line/fault`, `PUT|DELETE /faults`. For one machine: it listens on loopback unless told otherwise.
 */
export class ControlServer {
  readonly #controls: Controls;
  readonly #has: (unit: number) => boolean;
  readonly #logger: Logger;
  readonly #server: Server;

  constructor(controls: Controls, has: (unit: number) => boolean, logger: Logger) {
    this.#controls = controls;
    this.#has = has;
    this.#logger = logger;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        if (!(error instanceof GtxError)) this.#logger.error({ err: error }, 'control');
        const known = error instanceof GtxError ? error : new GtxError('INTERNAL');
        send(response, known.status, errorBody(known));
      });
    });
  }

  /** Listens; resolves to the URL. @throws GtxError PORT_IN_USE */
  async start(host: string, port: number): Promise<string> {
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
      throw new GtxError('PORT_IN_USE', `the simulator's control port ${port} is taken`, undefined, {
        cause,
      });
    }
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new GtxError('INTERNAL', 'no TCP address');
    return `http://${host}:${address.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (request.method === 'GET') {
      if (path === '/healthz') return send(response, 200, { status: 'ok' });
      if (path === '/state') {
        return send(response, 200, {
          units: this.#controls.state(),
          sites: this.#controls.sites(),
          faults: Object.fromEntries(this.#controls.faults()),
        });
      }
      if (path === '/metrics') {
        response
          .writeHead(200, { 'content-type': 'text/plain; version=0.0.4' })
          .end(renderMetrics(simulatorMetrics(this.#controls)));
        return;
      }
    }
    if (path === '/faults') {
      if (request.method === 'DELETE') this.#controls.setFaults([]);
      else if (request.method === 'PUT') {
        this.#controls.setFaults(parseJsonWith(FaultRules, await readBody(request)));
      } else throw new GtxError('METHOD_NOT_ALLOWED', `${request.method} ${path}`);
      return send(response, 200, { faults: Object.fromEntries(this.#controls.faults()) });
    }
    if (path === '/line/fault') {
      if (request.method !== 'PUT') throw new GtxError('METHOD_NOT_ALLOWED', `${request.method} ${path}`);
      this.#controls.setLineFault(parseJsonWith(LineFault, await readBody(request)));
      return send(response, 200, { faults: Object.fromEntries(this.#controls.faults()) });
    }
    const match = /^\/units\/(\d{1,3})\/(power|energy|fault)$/.exec(path);
    const unit = Number(match?.[1]);
    if (match === null || !this.#has(unit)) throw new GtxError('NOT_FOUND', `nothing at ${path}`);
    if (request.method === 'PUT') {
      const body = await readBody(request);
      if (match[2] === 'power') this.#controls.setPower(unit, parseJsonWith(Power, body));
      else if (match[2] === 'fault') this.#controls.setFault(unit, parseJsonWith(Fault, body));
      else {
        const energy = parseJsonWith(Energy, body);
        this.#controls.setEnergy(unit, {
          ...(energy.import_nkwh === undefined ? {} : { importNkwh: BigInt(energy.import_nkwh) }),
          ...(energy.export_nkwh === undefined ? {} : { exportNkwh: BigInt(energy.export_nkwh) }),
        });
      }
    } else if (request.method === 'DELETE' && match[2] !== 'energy') {
      if (match[2] === 'power') this.#controls.setPower(unit, {});
      else this.#controls.setFault(unit, undefined);
    } else {
      throw new GtxError('METHOD_NOT_ALLOWED', `${request.method} ${path}`);
    }
    send(response, 200, { unit: this.#controls.state().find((state) => state.unit === unit) });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY) throw new GtxError('PAYLOAD_TOO_LARGE');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
