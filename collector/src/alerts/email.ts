import { readFileSync } from 'node:fs';
import { createTransport, type Transporter } from 'nodemailer';
import type { Logger } from 'pino';
import type { AlertSeverity } from '../alerts.js';
import { isLoopback } from '../login/sites.js';
import { type AlertChannel, headline, type Notice, plainText } from './notice.js';

export interface EmailOptions {
  /** `smtps://host:465` (TLS from the first byte, RFC 8314) or `smtp://host:587` (STARTTLS, RFC 3207). */
  readonly url: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** PEM file with the authority of the server's certificate; the system's own without. */
  readonly caFile: string | undefined;
  readonly from: string;
  readonly to: readonly string[];
  readonly minimumSeverity: AlertSeverity;
  /** Where the collector's page is, for the end of the mail. */
  readonly publicUrl: string | undefined;
  readonly logger: Logger;
  /** For each step of the exchange. Default 15 s. */
  readonly timeoutMillis?: number;
}

/** Sends notices by SMTP. Off this machine only over TLS with a certificate that is checked. */
export class EmailChannel implements AlertChannel {
  readonly name = 'email';
  readonly minimumSeverity: AlertSeverity;
  private transport: Transporter | undefined;

  constructor(private readonly options: EmailOptions) {
    this.minimumSeverity = options.minimumSeverity;
  }

  async send(notices: readonly Notice[]): Promise<void> {
    const { from, to, publicUrl, url } = this.options;
    const [first] = notices;
    if (first === undefined) return;
    this.transport ??= this.open();
    const foot = publicUrl === undefined ? '' : `\n\n${publicUrl}`;
    try {
      const { rejected } = await this.transport.sendMail({
        from,
        to: [...to],
        subject: `[gridtokenx] ${headline(notices)}`,
        text: `${plainText(notices)}${foot}\n`,
        // A second attempt has the same id: mail programs show it once.
        messageId: `<${first.id}@gridtokenx>`,
        ...(notices.length === 1 && { references: `<${first.alert.id}@gridtokenx>` }),
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
      // Somebody has it: sending it to everybody again would help nobody.
      if (rejected?.length)
        this.options.logger.warn({ rejected }, 'the mail server refused recipients of an alert');
    } catch (error) {
      const { host } = new URL(url);
      throw new Error(`the mail server ${host} did not take the mail (${reasonOf(error)})`);
    }
  }

  test(notice: Notice): Promise<void> {
    return this.send([notice]);
  }

  close(): void {
    this.transport?.close();
    this.transport = undefined;
  }

  private open(): Transporter {
    const { url, username, password, caFile, timeoutMillis = 15_000 } = this.options;
    const { hostname, port, protocol } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    const secure = protocol === 'smtps:';
    // A relay on this machine rarely has a certificate that anybody could check; where an authority is named it does.
    const plain = !secure && isLoopback(host) && caFile === undefined;
    return createTransport({
      host,
      port: port === '' ? (secure ? 465 : 587) : Number(port),
      secure,
      requireTLS: !secure && !plain,
      ignoreTLS: plain,
      ...(username !== undefined && { auth: { user: username, pass: password ?? '' } }),
      tls: { minVersion: 'TLSv1.2', ...(caFile !== undefined && { ca: readFileSync(caFile) }) },
      connectionTimeout: timeoutMillis,
      greetingTimeout: timeoutMillis,
      socketTimeout: timeoutMillis,
      // Mails are made of text alone.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }
}

/** The step that failed and the server's own words, which hold no password. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = 'code' in error ? `${String(error.code)}: ` : '';
  const response = 'response' in error && typeof error.response === 'string' ? error.response : error.message;
  return `${code}${response}`.slice(0, 300);
}
