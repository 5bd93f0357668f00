import type { TopicKind } from '@gridtokenx/protocol';

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
  /** Whether gateways can be heard now: also, that a broker elsewhere grants what was asked for. */
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
  /** The gateway of this meter has come, or come back, and listens for acknowledgements. */
  onListening(meterId: string): void;
  /**
   * A message on `gtx/v1/{meterId}/status` or `.../telemetry`; it may be anything.
   * @param retained the broker had kept it: it was said before
   */
  onNews?(kind: 'status' | 'telemetry', meterId: string, payload: Uint8Array, retained: boolean): void;
  /** Every message that passes, also those that are refused, for operators who watch. */
  onTraffic?(message: PassingMessage): void;
}

/** A message on its way through the broker. */
export interface PassingMessage {
  meterId: string;
  kind: TopicKind;
  topic: string;
  /** `in`: from a gateway. */
  direction: 'in' | 'out';
  payload: Uint8Array | string;
  retained: boolean;
  /** Why it goes no further; it was said to nobody. */
  refused?: 'forbidden' | 'oversized' | 'waiting';
}
