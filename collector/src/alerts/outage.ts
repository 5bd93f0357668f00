import type { NoticeFacts } from '@gridtokenx/protocol';
import type { AlertSeverity, Alerts } from '../alerts.js';

/** Failures in a row after which somebody is told. */
const ALERT_AFTER = 5;
/** Between two looks for the alert of a collector that never came back. */
const LOOK_EVERY_MS = 60_000;

export interface OutageDeps {
  readonly alerts: Alerts;
  readonly now: () => number;
  readonly part: NoticeFacts<'chain_unavailable'>['part'];
  readonly severity: AlertSeverity;
  /** What the sentence begins with. */
  readonly says: string;
}

/**
 * The alert `chain_unavailable` of one part of the collector. Collectors on one database share it: one that gets on ends
 * it, and one that does not opens it again with its next failure. One that is gone for good may leave it to those who had no
 * reason to end it: they do when nobody has raised it for long.
 */
export class OutageAlert {
  /** After a start too: whoever ran before, or died meanwhile, may have raised it. */
  private raised = true;
  private lookAt = 0;

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
    const { alerts, part, now } = this.deps;
    if (this.raised) this.raised = !(await alerts.resolve('chain_unavailable', part));
    else if (now() >= this.lookAt) {
      this.lookAt = now() + LOOK_EVERY_MS;
      await alerts.resolveForsaken('chain_unavailable', part);
    }
  }
}
