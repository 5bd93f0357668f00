/** The collector's time over HTTP, for a gateway whose login was refused as stale or whose clock nobody confirms. */
import { GtxError, parseJsonWith } from '@gridtokenx/protocol';
import { z } from 'zod';
import { askCollector, type TlsTexts } from './collector-http.js';

const TimeBody = z.looseObject({ time: z.number().int().positive() });
const TIMEOUT_MS = 5_000;
const MAX_BODY = 4_096;

/**
 * Asks `GET {collector_url}/api/time`.
 * @param now wall clock in ms
 * @param signal ends it early
 * @returns own clock minus collector's in ms, good to half the request's duration and the second that the
 *   answer is given in
 * @throws GtxError TIMEOUT, NOT_FOUND or INVALID_BODY; the network's error
 */
export async function readClockOffset(
  collectorUrl: string,
  now: () => number,
  tls?: TlsTexts,
  signal?: AbortSignal,
): Promise<number> {
  const url = new URL('/api/time', collectorUrl);
  const startedMs = now();
  const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BODY };
  const answer = await askCollector({ method: 'GET', url, tls, signal, ...limits });
  const endedMs = now();
  if (answer.status !== 200) throw new GtxError('NOT_FOUND', `${url.href} answered ${answer.status}`);
  const { time } = parseJsonWith(TimeBody, answer.body);
  // The answer is cut to whole seconds: on average it is half a second early.
  return (startedMs + endedMs) / 2 - (time * 1000 + 500);
}
