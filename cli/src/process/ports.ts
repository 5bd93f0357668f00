import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { z } from 'zod';

/** The ports that a component would like, when nobody else has them. */
export const PREFERRED_PORTS = {
  rpc: 8899,
  postgres: 54329,
  mqtt: 1883,
  http: 8080,
  agent: 8081,
  modbus: 5020,
  supervisor: 8082,
} as const;

export type PortName = keyof typeof PREFERRED_PORTS;

const PortsFile = z.partialRecord(
  z.enum(Object.keys(PREFERRED_PORTS) as [PortName, ...PortName[]]),
  z.int().min(1).max(65535),
);

/** Ports taken at an earlier start; empty when there was none or the file is damaged (it is only a preference). */
export function readPorts(path: string): Partial<Record<PortName, number>> {
  if (!existsSync(path)) return {};
  try {
    return PortsFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {};
  }
}

export function writePorts(path: string, ports: Partial<Record<PortName, number>>): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(ports, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** True when `port` (and `port + 1`, for a chain's WebSocket) can be bound on 127.0.0.1 at this moment. */
export async function isPortFree(port: number, count = 1): Promise<boolean> {
  for (let offset = 0; offset < count; offset += 1) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen({ port: port + offset, host: '127.0.0.1', exclusive: true }, () =>
        server.close(() => resolve(true)),
      );
    });
    if (!free) return false;
  }
  return true;
}

/**
 * Which port to ask for: the one of last time, else the preferred one, else 0 (the system chooses). With `anyFree`
 * the preferred ones are left alone, so that several installations (or tests) run side by side.
 */
export async function choosePort(
  name: PortName,
  remembered: Partial<Record<PortName, number>>,
  options: { anyFree: boolean; count?: number },
): Promise<number> {
  const wishes = [remembered[name], options.anyFree ? undefined : PREFERRED_PORTS[name]];
  for (const wish of wishes) if (wish !== undefined && (await isPortFree(wish, options.count))) return wish;
  return 0;
}
