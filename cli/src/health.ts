import { connect } from 'node:net';
import pg from 'pg';

/** How a component answers when it is asked. */
export type Health = {
  readonly ok: boolean;
  /** In words: what it answered, or what went wrong. */
  readonly detail: string;
};

const TIMEOUT_MS = 3_000;

async function httpHealth(url: string): Promise<Health> {
  const response = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = (await response.text()).slice(0, 300);
  return { ok: response.ok, detail: response.ok ? 'healthy' : `HTTP ${response.status}: ${text}` };
}

async function rpcHealth(url: string): Promise<Health> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'getHealth' }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const body = (await response.json()) as { result?: unknown; error?: { message?: string } };
  return body.result === 'ok'
    ? { ok: true, detail: 'healthy' }
    : { ok: false, detail: body.error?.message ?? `HTTP ${response.status}` };
}

async function databaseHealth(url: string): Promise<Health> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  });
  // An error after the question has been answered belongs to nobody.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return { ok: true, detail: 'answers queries' };
  } finally {
    await client.end().catch(() => {});
  }
}

async function portHealth(url: string): Promise<Health> {
  const { hostname, port, protocol } = new URL(url);
  const fallback: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };
  return await new Promise((resolve) => {
    const socket = connect({
      host: hostname,
      port: Number(port) || (fallback[protocol] ?? 0),
      timeout: TIMEOUT_MS,
    });
    const end = (health: Health): void => {
      socket.destroy();
      resolve(health);
    };
    socket.once('connect', () => end({ ok: true, detail: 'accepts connections' }));
    socket.once('timeout', () => end({ ok: false, detail: 'does not answer' }));
    socket.once('error', (error) => end({ ok: false, detail: error.message }));
  });
}

const PROBES: Record<string, (url: string) => Promise<Health>> = {
  http: httpHealth,
  status: httpHealth,
  rpc: rpcHealth,
  database: databaseHealth,
  mqtt: portHealth,
};

/** Asks everything that a component offers; the first that fails speaks for it. Never throws. */
export async function probe(urls: Readonly<Record<string, string>>): Promise<Health> {
  const asked = Object.entries(urls).filter(([name]) => name in PROBES);
  if (asked.length === 0) return { ok: true, detail: 'its process is there' };
  const answers = await Promise.all(
    asked.map(async ([name, url]): Promise<Health> => {
      try {
        const health = await (PROBES[name] as (url: string) => Promise<Health>)(url);
        return { ok: health.ok, detail: `${name}: ${health.detail}` };
      } catch (error) {
        const cause = (error as { cause?: { message?: string } }).cause?.message;
        return { ok: false, detail: `${name}: ${cause || (error as Error).message || 'no answer'}` };
      }
    }),
  );
  const bad = answers.find(({ ok }) => !ok);
  return bad ?? { ok: true, detail: answers.map(({ detail }) => detail).join(', ') };
}
