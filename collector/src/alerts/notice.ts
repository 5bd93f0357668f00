import type { AlertSeverity } from '../alerts.js';

export type NoticeEvent = 'opened' | 'escalated' | 'repeated' | 'recovered';

/** One piece of news about an alert, for one channel. */
export interface Notice {
  /** The same in every attempt to deliver it: receivers can leave out what they have. */
  readonly id: string;
  readonly event: NoticeEvent;
  /** 1 for the first notice of this alert on this channel. */
  readonly number: number;
  readonly alert: {
    readonly id: string;
    readonly kind: string;
    readonly key: string;
    readonly severity: AlertSeverity;
    readonly message: string;
    readonly details: Record<string, unknown>;
    readonly occurrences: number;
    readonly firstSeen: Date;
    readonly lastSeen: Date;
    readonly resolvedAt: Date | undefined;
  };
}

/** Where notices go. Several come at once when much happens at once. */
export interface AlertChannel {
  /** A stable word; the outbox is kept by it. */
  readonly name: string;
  /** Alerts below it are not told here. */
  readonly minimumSeverity: AlertSeverity;
  /** Resolves when the other side has taken all of them. @throws Error whose message carries no secret */
  send(notices: readonly Notice[]): Promise<void>;
  /** What a notice that is only a test does. */
  test(notice: Notice): Promise<void>;
  close(): void;
}

/** At most this many in one message. */
export const MAX_NOTICES = 50;

const EVENT_WORDS: Record<NoticeEvent, string> = {
  opened: 'new',
  escalated: 'worse',
  repeated: 'still open',
  recovered: 'over',
};

const SEVERITIES: readonly AlertSeverity[] = ['info', 'warning', 'critical'];

/** One line that says what there is to know first. */
export function headline(notices: readonly Notice[]): string {
  const [only] = notices;
  if (only === undefined) return 'no alerts';
  if (notices.length === 1) {
    const { severity, message } = only.alert;
    return oneLine(`${only.event === 'recovered' ? 'over' : severity}: ${message}`, 180);
  }
  const open = notices.filter(({ event }) => event !== 'recovered');
  const over = notices.length - open.length;
  const counts = [
    ...SEVERITIES.toReversed().map((severity) => {
      const count = open.filter(({ alert }) => alert.severity === severity).length;
      return count > 0 ? `${count} ${severity}` : '';
    }),
    over > 0 ? `${over} over` : '',
  ];
  return `${notices.length} alerts: ${counts.filter((text) => text !== '').join(', ')}`;
}

/** The notices as a person reads them. */
export function plainText(notices: readonly Notice[]): string {
  return notices
    .map(({ event, alert }) => {
      const { kind, key, severity, message, details, occurrences, firstSeen, resolvedAt } = alert;
      const lines = [
        `[${severity}] ${EVENT_WORDS[event]}: ${oneLine(message, 1_000)}`,
        `  kind:  ${kind} (what to do: docs/runbook.md, ${kind})`,
        `  about: ${oneLine(key, 300)}`,
        `  since: ${firstSeen.toISOString()}${occurrences > 1 ? `, ${occurrences} times` : ''}`,
      ];
      if (resolvedAt !== undefined) lines.push(`  over:  ${resolvedAt.toISOString()}`);
      for (const [name, value] of Object.entries(details)) {
        lines.push(`  ${name}: ${oneLine(typeof value === 'string' ? value : JSON.stringify(value), 300)}`);
      }
      return lines.join('\n');
    })
    .join('\n\n');
}

/** Control characters could forge headers of a message or lines of a log. */
function oneLine(text: string, most: number): string {
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  return clean.length > most ? `${clean.slice(0, most - 1)}…` : clean;
}
