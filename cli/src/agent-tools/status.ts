/** What a running gateway says of itself. */
import { loadAgentConfig } from '@gridtokenx/agent';
import { GtxError, parseWith } from '@gridtokenx/protocol';
import { z } from 'zod';

const TIMEOUT_MS = 5_000;

/** What these commands use of `/api/status`; the rest is passed on as it is. */
const Device = z.looseObject({
  role: z.string(),
  profile: z.string(),
  unit: z.number(),
  online: z.boolean(),
  serial_number: z.string().nullable(),
  lastMessage: z.string().optional(),
  whatToDo: z.string().optional(),
});
const Power = z.looseObject({
  productionWatts: z.number().optional(),
  consumptionWatts: z.number().optional(),
  gridWatts: z.number().optional(),
});
export const StatusBody = z.looseObject({
  version: z.string(),
  time_ms: z.number(),
  started_ms: z.number(),
  broker: z.looseObject({
    url: z.string(),
    connected: z.boolean(),
    // Gateways of before do not say it.
    way: z.enum(['mqtt', 'http', 'none']).optional(),
  }),
  clock: z.looseObject({
    trusted: z.boolean(),
    reason: z.string().optional(),
    offsetMs: z.number().optional(),
  }),
  store: z.looseObject({ bytes: z.number(), maxBytes: z.number(), folder: z.string() }),
  meters: z.array(
    z.looseObject({
      id: z.string(),
      public_key: z.string(),
      healthy: z.boolean(),
      last_sample_ms: z.number().nullable(),
      power_watts: Power,
      produced_total: z.string(),
      consumed_total: z.string(),
      surplus_total: z.string(),
      sequence: z.number(),
      last_end: z.number(),
      outbox: z.record(z.string(), z.number()),
      devices: z.array(Device),
    }),
  ),
  alerts: z.array(
    z.looseObject({
      code: z.string(),
      meterId: z.string().optional(),
      message: z.string(),
      sinceMs: z.number(),
    }),
  ),
});
export type StatusBody = z.infer<typeof StatusBody>;
/** Where the status page of a configuration's gateway is. @throws GtxError CONFIG_INVALID */
export function statusUrl(configPath: string, env: NodeJS.ProcessEnv): string {
  const { http } = loadAgentConfig(configPath, env);
  if (http.port === 0) {
    throw new GtxError(
      'CONFIG_INVALID',
      `${configPath} lets the gateway choose its port (http.port: 0): give --url, as the gateway prints it when it starts`,
    );
  }
  const host = ['0.0.0.0', '::'].includes(http.host) ? '127.0.0.1' : http.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

/** @throws GtxError AGENT_UNAVAILABLE */
export async function fetchStatus(url: string): Promise<StatusBody> {
  let body: unknown;
  try {
    const response = await fetch(new URL('/api/status', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    body = await response.json();
  } catch (error) {
    const cause = (error as { cause?: { message?: string } }).cause?.message;
    throw new GtxError(
      'AGENT_UNAVAILABLE',
      `no gateway answers at ${url}: ${cause || (error as Error).message}`,
    );
  }
  try {
    return parseWith(StatusBody, body);
  } catch (error) {
    throw new GtxError(
      'AGENT_UNAVAILABLE',
      `what answers at ${url} is no gateway: ${(error as Error).message}`,
    );
  }
}
