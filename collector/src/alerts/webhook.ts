import { createHmac } from 'node:crypto';
import type { AlertSeverity } from '../alerts.js';
import type { AlertChannel, Notice } from './notice.js';

export interface WebhookOptions {
  /** https, or http to this machine. */
  readonly url: string;
  /** Shared with the receiver: proves that a request is this collector's. */
  readonly secret: string;
  readonly minimumSeverity: AlertSeverity;
  readonly now: () => number;
  readonly version: string;
  /** Default 10 s. */
  readonly timeoutMillis?: number;
}

/**
 * The signature of a webhook's request: HMAC-SHA256 (RFC 2104) over the time and the body as they are sent, so that an
 * old request cannot be sent again as a new one.
 * @param timestamp Unix seconds, as in the header `x-gtx-timestamp`
 * @returns the header `x-gtx-signature`: `v1=` and 64 hexadecimal digits
 */
export function webhookSignature(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** The body of a webhook's request. Times are ISO 8601 in UTC. */
export function webhookBody(notices: readonly Notice[], sentAt: Date): string {
  return JSON.stringify({
    version: 1,
    sent_at: sentAt.toISOString(),
    notices: notices.map(({ id, event, number, alert }) => ({
      id,
      event,
      number,
      alert: {
        id: alert.id,
        kind: alert.kind,
        key: alert.key,
        severity: alert.severity,
        message: alert.message,
        details: alert.details,
        occurrences: alert.occurrences,
        first_seen: alert.firstSeen.toISOString(),
        last_seen: alert.lastSeen.toISOString(),
        resolved_at: alert.resolvedAt?.toISOString() ?? null,
      },
    })),
  });
}

/** Posts notices as JSON to a URL. Any 2xx means that they were taken. */
export class WebhookChannel implements AlertChannel {
  readonly name = 'webhook';
  readonly minimumSeverity: AlertSeverity;

  constructor(private readonly options: WebhookOptions) {
    this.minimumSeverity = options.minimumSeverity;
  }

  async send(notices: readonly Notice[]): Promise<void> {
    const { url, secret, now, version, timeoutMillis = 10_000 } = this.options;
    const body = webhookBody(notices, new Date(now()));
    const timestamp = String(Math.floor(now() / 1000));
    let response: Response;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': `gridtokenx/${version}`,
          'x-gtx-timestamp': timestamp,
          'x-gtx-signature': webhookSignature(secret, timestamp, body),
        },
        body,
        // A redirect would carry the alerts to whoever it names.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMillis),
      });
    } catch (error) {
      // The error's own text may hold the whole address, and that may hold a secret.
      throw new Error(`the webhook at ${new URL(url).host} does not answer (${reasonOf(error)})`);
    }
    await response.body?.cancel();
    if (response.ok) return;
    const redirect = response.status >= 300 && response.status < 400;
    throw new Error(
      `the webhook at ${new URL(url).host} answered ${response.status}${redirect ? ': redirects are not followed, configure the final address' : ''}`,
    );
  }

  test(notice: Notice): Promise<void> {
    return this.send([notice]);
  }

  close(): void {}
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error.name;
}
