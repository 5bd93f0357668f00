/**
 * A connection that only lives, so that the broker says `offline` for one meter when the gateway is gone. MQTT knows one
 * last will for each connection (3.1.1, 3.1.2.5), and a gateway may serve several meters.
 */
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import { reconnectWaitMs } from './deliver.js';

/** How long the broker may take to take leave. */
const GOODBYE_MS = 2_000;

export interface PresenceDeps {
  meterId: string;
  url: string;
  /** A new login and the meter's last will, for each attempt. */
  options: () => IClientOptions;
  /** The broker has the will: whatever an earlier one has said is to be said anew. */
  onPresent: () => void;
  logger: Logger;
}

export class Presence {
  private client: MqttClient | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private stopping = false;

  constructor(private readonly deps: PresenceDeps) {}

  start(): void {
    this.dial();
  }

  /** Takes leave in order, so that the will is not published. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    const { client } = this;
    this.client = undefined;
    if (!client) return;
    await new Promise<void>((resolve) => {
      // A broker that is not there any more does not say that it has heard.
      const timer = setTimeout(() => client.stream.destroy(), GOODBYE_MS);
      client.end(!client.connected, {}, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private dial(): void {
    if (this.stopping) return;
    const { url, options, onPresent, logger, meterId } = this.deps;
    const client = connect(url, options());
    this.client = client;
    let reason = 'the connection was closed';
    let over = false;
    const lost = () => {
      if (over || this.client !== client || this.stopping) return;
      over = true;
      client.end(true);
      const waitMs = reconnectWaitMs(this.failures++, Math.random);
      logger.debug({ meter_id: meterId, reason, wait_ms: waitMs }, 'no connection for the last will');
      this.timer = setTimeout(() => this.dial(), waitMs);
    };
    client.on('error', (error: Error) => {
      reason = error.message;
      lost();
    });
    client.on('close', lost);
    client.on('connect', () => {
      this.failures = 0;
      onPresent();
    });
  }
}
