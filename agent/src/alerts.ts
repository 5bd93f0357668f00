/** What needs a person's attention, now. Raised and cleared by the parts that see it. */
import type { ErrorCode } from '@gridtokenx/protocol';
import type { Logger } from 'pino';

export interface Alert {
  code: ErrorCode;
  /** The meter it concerns; absent when it concerns the gateway. */
  meterId?: string;
  message: string;
  /** Wall clock, ms. */
  sinceMs: number;
}

/** The open alerts; each raise and each clearing is logged once. */
export class Alerts {
  private readonly open = new Map<string, Alert>();
  /** How often each code has been raised. */
  readonly raised = new Map<ErrorCode, number>();

  constructor(
    private readonly logger: Logger,
    private readonly now: () => number,
  ) {}

  /**
   * @param key tells apart several of one code (a device, say)
   */
  raise(code: ErrorCode, message: string, meterId?: string, key = ''): void {
    const id = `${code} ${meterId ?? ''} ${key}`;
    const known = this.open.get(id);
    if (known) {
      known.message = message;
      return;
    }
    this.open.set(id, { code, message, sinceMs: this.now(), ...(meterId === undefined ? {} : { meterId }) });
    this.raised.set(code, (this.raised.get(code) ?? 0) + 1);
    this.logger.warn({ alert: code, meter_id: meterId, raised: true }, message);
  }

  clear(code: ErrorCode, meterId?: string, key = ''): void {
    const id = `${code} ${meterId ?? ''} ${key}`;
    const known = this.open.get(id);
    if (!known) return;
    this.open.delete(id);
    this.logger.info({ alert: code, meter_id: meterId, raised: false }, `over: ${known.message}`);
  }

  /** All open alerts, or those that concern one meter (its own and the gateway's), oldest first. */
  list(meterId?: string): Alert[] {
    return [...this.open.values()].filter(
      (alert) => meterId === undefined || alert.meterId === undefined || alert.meterId === meterId,
    );
  }
}
