import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import type { TlsTexts } from '@gridtokenx/agent';

const MOST_BYTES = 64 * 1024;

/** One GET with an authority and a certificate of one's own. Throws the network's error in words. */
export function get(
  url: URL,
  options: { headers?: Record<string, string>; tls?: TlsTexts | undefined; timeoutMs: number },
): Promise<{ status: number; text: string }> {
  const { headers = {}, tls, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsGet : httpGet)(
      url,
      { headers, timeout: timeoutMs, ...tls },
      (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > MOST_BYTES) request.destroy(new Error('the answer is too long'));
          else parts.push(part);
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    request.on('error', (error: Error & { code?: string }) => reject(new Error(error.message || error.code)));
  });
}
