import type { NoticeFacts } from '@gridtokenx/protocol';
import type { AlertSeverity, Alerts } from '../alerts.js';

/** Failures in a row after which somebody is told. */
const ALERT_AFTER = 5;

export interface OutageDeps {
  readonly alerts: Alerts;
  readonly part: NoticeFacts<'chain_unavailable'>['part'];
  readonly severity: AlertSeverity;
  /** What the sentence begins with. */
  readonly says: string;
}

/**
 * The alert `chain_unavailable` of one part of the collector. Collectors on one database share it: one that gets on ends
 * it, and one that does not opens it again with its next failure.
 */
export class OutageAlert {
  /** After a start too: whoever ran before, or died meanwhile, may have raised it. */
  private raised = true;

  constructor(private readonly deps: OutageDeps) {}

  /** @param failures in a row, this one included */
  async failed(failures: number, error: unknown): Promise<void> {
    if (failures < ALERT_AFTER) return;
    const { alerts, part, severity, says } = this.deps;
    this.raised = true;
    await alerts.raise({
      kind: 'chain_unavailable',
      key: part,
      severity,
      message: `${says}: ${error instanceof Error ? error.message : String(error)}`,
      details: { part },
    });
  }

  async worked(): Promise<void> {
    if (!this.raised) return;
    this.raised = !(await this.deps.alerts.resolve('chain_unavailable', this.deps.part));
  }
}
