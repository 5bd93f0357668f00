import type { Logger } from 'pino';
import type { AlertSeverity } from '../alerts.js';
import type { AlertChannel, Notice } from './notice.js';

/**
 * The collector's own log. A new alert is logged by whoever raises it, at once; here come the repetitions and the end,
 * once whatever the number of collectors.
 */
export class LogChannel implements AlertChannel {
  readonly name = 'log';

  constructor(
    private readonly logger: Logger,
    readonly minimumSeverity: AlertSeverity,
  ) {}

  async send(notices: readonly Notice[]): Promise<void> {
    for (const notice of notices) {
      if (notice.event === 'opened') continue;
      this.write(notice);
    }
  }

  async test(notice: Notice): Promise<void> {
    this.write(notice);
  }

  close(): void {}

  private write({ event, number, alert }: Notice): void {
    const { kind, key, severity, message, occurrences, firstSeen } = alert;
    this.logger[event === 'recovered' ? 'info' : 'warn'](
      { alert: kind, key, severity, event, number, occurrences, since: firstSeen.toISOString() },
      `alert ${event}: ${message}`,
    );
  }
}
