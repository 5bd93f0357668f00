/** What the collector needs of MQTT, whether the broker runs in this process or elsewhere. */
export interface MqttBus {
  start(): Promise<void>;
  /**
   * Before the end: asks for nothing more, so that other collectors get it, and takes what is on its way already.
   * Messages still go out. Never rejects.
   */
  quiesce(): Promise<void>;
  stop(): Promise<void>;
  /** QoS 1. Resolves when the broker has it; never rejects: a lost message is sent again on the next occasion. */
  publish(topic: string, payload: string, options?: { retain?: boolean }): Promise<void>;
  /** Whether messages can flow now. */
  readonly connected: boolean;
  /** Where gateways connect. */
  readonly url: string;
}

/** What the bus tells the collector. */
export interface MqttHandlers {
  /**
   * A message on `gtx/v1/{meterId}/reading`. The bus takes no further message from this sender until the
   * promise resolves (it does so at once unless the collector is behind).
   */
  onReading(meterId: string, payload: Uint8Array): Promise<void> | undefined;
  /** The gateway of this meter is there and listens for acknowledgements. */
  onListening(meterId: string): void;
}
