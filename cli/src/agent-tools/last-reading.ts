import type { MeterSigner, TlsTexts } from '@gridtokenx/agent';
import {
  type ErrorCode,
  encodeBase58,
  GtxError,
  isErrorCode,
  LastReading,
  parseJsonWith,
} from '@gridtokenx/protocol';
import { z } from 'zod';
import { get } from './http.js';

const ErrorBody = z.looseObject({
  error: z.looseObject({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});
const Stale = z.looseObject({ server_time: z.number().int().positive() });
const TIMEOUT_MS = 10_000;

/**
 * Asks the collector what it has of a meter, in the name of the meter's key.
 * @param unixSeconds time of the login; each must be newer than the meter's last
 * @param tls as `collectorTls` gives them
 * @throws GtxError with the collector's code; COLLECTOR_UNAVAILABLE when it does not answer
 */
export async function fetchLastReading(
  collectorUrl: string,
  meterId: string,
  signer: MeterSigner,
  unixSeconds: number,
  tls?: TlsTexts,
): Promise<LastReading> {
  const url = new URL(`/api/meters/${encodeURIComponent(meterId)}/last-reading`, collectorUrl);
  for (let attempt = 1, time = unixSeconds; ; attempt++) {
    const signature = encodeBase58(signer.signLogin(meterId, time));
    let answer: Awaited<ReturnType<typeof get>>;
    try {
      answer = await get(url, {
        headers: { authorization: `GTXA ${time}.${signature}` },
        tls,
        timeoutMs: TIMEOUT_MS,
      });
    } catch (error) {
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        `${url.origin} does not answer: ${(error as Error).message}`,
      );
    }
    if (answer.status === 200) return parseJsonWith(LastReading, Buffer.from(answer.text));
    let refused: z.infer<typeof ErrorBody>['error'];
    try {
      refused = parseJsonWith(ErrorBody, Buffer.from(answer.text)).error;
    } catch {
      throw new GtxError(
        'COLLECTOR_UNAVAILABLE',
        `${url.href} answered HTTP ${answer.status}, not as a collector does`,
      );
    }
    const code: ErrorCode = isErrorCode(refused.code) ? refused.code : 'COLLECTOR_UNAVAILABLE';
    const stale = Stale.safeParse(refused.details);
    // Somebody logged in for this meter within the same second, or this clock is wrong: the collector says its time.
    if (code === 'LOGIN_STALE' && stale.success && attempt === 1) {
      const server = stale.data.server_time;
      time = (Math.abs(time - server) < 60 ? Math.max(time, server) : server) + 1;
      continue;
    }
    throw new GtxError(code, refused.message);
  }
}
