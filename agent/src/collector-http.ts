/** Requests to the collector over HTTP: its time, and the second way for readings while the broker is away. */
import { request as httpRequest } from 'node:http';
import { GtxError } from '@gridtokenx/protocol';

/** PEM texts: whom to trust, and who we are where that is asked for. */
export interface TlsTexts {
  ca?: string;
  cert?: string;
  key?: string;
}

export interface CollectorRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers?: Record<string, string>;
  body?: string;
  tls?: TlsTexts | undefined;
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal | undefined;
}

export interface CollectorAnswer {
  status: number;
  body: Buffer;
  /** Of the header Retry-After, in seconds. */
  retryAfterSeconds: number | undefined;
}

/**
 * @returns whatever was answered, also a refusal
 * @throws GtxError TIMEOUT, INVALID_BODY when the answer is longer than `maxBytes`; the network's or TLS's error
 */
export async function askCollector(wanted: CollectorRequest): Promise<CollectorAnswer> {
  const { method, url, headers = {}, body, tls, timeoutMs, maxBytes, signal } = wanted;
  // TLS takes 3 MB, which a gateway whose broker and collector are on the same machine does without.
  const send = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  return new Promise((resolve, reject) => {
    const { ca, cert, key } = tls ?? {};
    const request = send(
      url,
      {
        method,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        },
        rejectUnauthorized: true,
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > maxBytes) request.destroy(new GtxError('INVALID_BODY', 'the answer is too long'));
          else parts.push(part);
        });
        response.on('error', reject);
        response.on('end', () => {
          const retryAfter = Number(response.headers['retry-after']);
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(parts),
            retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined,
          });
        });
      },
    );
    // For the whole exchange: an answer that trickles would pass any limit on silence.
    const timer = setTimeout(
      () => request.destroy(new GtxError('TIMEOUT', `${url.href} did not answer`)),
      timeoutMs,
    );
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.end(body);
  });
}
