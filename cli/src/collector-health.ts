import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { GtxError } from '@gridtokenx/protocol';
import type { Json } from './output.js';

const TIMEOUT_MS = 8_000;
const MOST_BYTES = 64 * 1024;

/** What the check needs of the collector's configuration. */
export interface HealthTarget {
  readonly httpHost: string;
  readonly httpPort: number;
  readonly httpTls: 'on' | 'off';
}

/**
 * Asks a collector on this machine for `/healthz`.
 * @returns whether readings can be stored, and what it said; no answer at all is not ok either
 * @throws GtxError CONFIG_INVALID when its port is chosen anew at each start
 */
export async function askHealth({ httpHost, httpPort, httpTls }: HealthTarget): Promise<{
  ok: boolean;
  url: string;
  words: string;
  answer: Json;
}> {
  if (httpPort === 0) throw new GtxError('CONFIG_INVALID', 'GTX_HTTP_PORT is 0: nobody knows the port');
  // Where it listens everywhere, it listens here.
  const host = httpHost === '0.0.0.0' ? '127.0.0.1' : httpHost === '::' ? '::1' : httpHost;
  const url = `${httpTls === 'on' ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${httpPort}/healthz`;
  try {
    const { status, text } = await get(url);
    const answer = JSON.parse(text) as Json;
    const checks = (answer as { checks?: Record<string, string> } | null)?.checks ?? {};
    const words = Object.entries(checks).map(([name, state]) => `${name} ${state}`);
    return { ok: status === 200, url, words: [`HTTP ${status}`, ...words].join(', '), answer };
  } catch (error) {
    const reason = (error as Error).message || String((error as { code?: unknown }).code);
    return { ok: false, url, words: `no answer from ${url} (${reason})`, answer: null };
  }
}

function get(url: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answered = (response: import('node:http').IncomingMessage): void => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MOST_BYTES) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    };
    // It asks its own machine, sends nothing secret, and may know the server by no name of its certificate.
    const request = url.startsWith('https:')
      ? https(url, { signal, rejectUnauthorized: false }, answered)
      : http(url, { signal }, answered);
    request.on('error', reject);
    request.end();
  });
}
