/** The collector's time over HTTP, for a gateway whose login was refused as stale. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { GtxError, parseJsonWith } from '@gridtokenx/protocol';
import { z } from 'zod';

const TimeBody = z.looseObject({ time: z.number().int().positive() });
const TIMEOUT_MS = 5_000;
const MAX_BODY = 4_096;

/**
 * Asks `GET {collector_url}/api/time`.
 * @param now wall clock in ms
 * @returns own clock minus collector's in ms, good to half the request's duration and the second that the
 *   answer is given in
 * @throws GtxError TIMEOUT, NOT_FOUND or INVALID_BODY; the network's error
 */
export function readClockOffset(collectorUrl: string, now: () => number, ca?: string): Promise<number> {
  const url = new URL('/api/time', collectorUrl);
  const startedMs = now();
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? httpsGet : httpGet;
    const request = get(url, { timeout: TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) }, (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > MAX_BODY) request.destroy(new GtxError('INVALID_BODY', 'the time is too long'));
        else parts.push(part);
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          if (response.statusCode !== 200) {
            throw new GtxError('NOT_FOUND', `${url.href} answered ${response.statusCode}`);
          }
          const { time } = parseJsonWith(TimeBody, Buffer.concat(parts));
          const middleMs = (startedMs + now()) / 2;
          // The answer is cut to whole seconds: on average it is half a second early.
          resolve(middleMs - (time * 1000 + 500));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on('timeout', () => request.destroy(new GtxError('TIMEOUT', `${url.href} did not answer`)));
    request.on('error', reject);
  });
}
