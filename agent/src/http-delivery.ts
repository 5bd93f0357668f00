/**
 * The second way for readings: `POST /api/meters/{meter_id}/readings`. The same bodies as over MQTT, and the same
 * acknowledgement comes back, signed by the pinned key: whatever answers over HTTP is believed no more than a broker.
 */
import {
  ERRORS,
  type ErrorCode,
  encodeBase58,
  formatLoginHeader,
  GtxError,
  MAX_READINGS_PER_REQUEST,
  type SubmitReading,
} from '@gridtokenx/protocol';
import { MAX_ENVELOPE_BYTES } from './acknowledge.js';
import { askCollector, type TlsTexts } from './collector-http.js';

export { MAX_READINGS_PER_REQUEST };

const TIMEOUT_MS = 30_000;

export interface Delivery {
  collectorUrl: string;
  meterId: string;
  login: { time: number; signature: Uint8Array };
  readings: readonly SubmitReading[];
  tls: TlsTexts;
  signal: AbortSignal;
}

/**
 * Delivers some readings of one meter.
 * @returns the envelope's bytes, not yet verified
 * @throws GtxError the collector's refusal (`details.retry_after_seconds` where it names a time), or
 *   COLLECTOR_UNAVAILABLE, TIMEOUT; the network's error
 */
export async function deliverOverHttp(delivery: Delivery): Promise<Buffer> {
  const { collectorUrl, meterId, login, readings, tls, signal } = delivery;
  const url = new URL(`/api/meters/${meterId}/readings`, collectorUrl);
  const { status, body, retryAfterSeconds } = await askCollector({
    method: 'POST',
    url,
    headers: {
      'content-type': 'application/json',
      authorization: formatLoginHeader({ ...login, signature: encodeBase58(login.signature) }),
    },
    body: JSON.stringify({ readings }),
    tls,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_ENVELOPE_BYTES,
    signal,
  });
  if (status === 200) return body;
  throw refusalOf(url, status, body, retryAfterSeconds);
}

function refusalOf(url: URL, status: number, body: Buffer, retryAfterSeconds: number | undefined): GtxError {
  let code: unknown;
  let message: unknown;
  try {
    ({ code, message } = (JSON.parse(body.toString('utf8')) as { error: Record<string, unknown> }).error);
  } catch {
    // Not the collector's own words: a proxy's, perhaps.
  }
  const details = retryAfterSeconds === undefined ? undefined : { retry_after_seconds: retryAfterSeconds };
  if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) {
    return new GtxError(code as ErrorCode, String(message).slice(0, 300), details);
  }
  return new GtxError('COLLECTOR_UNAVAILABLE', `${url.href} answered ${status}`, details);
}
