import { assertMeterId, isMeterId } from './messages.js';

export const TOPIC_ROOT = 'gtx/v1';

/** The kinds of messages, in the order of a reading's life. */
export const TOPIC_KINDS = ['reading', 'ack', 'telemetry', 'status', 'command'] as const;
export type TopicKind = (typeof TOPIC_KINDS)[number];

/** Subscription for all meters' readings. */
export const READINGS_FILTER = `${TOPIC_ROOT}/+/reading`;

/** `gtx/v1/{meter}/{kind}`. @throws GtxError VALUE_INVALID for a bad meter id */
export function topicFor(meterId: string, kind: TopicKind): string {
  assertMeterId(meterId);
  return `${TOPIC_ROOT}/${meterId}/${kind}`;
}

/** Meter and kind of a topic name, or undefined when it is not one of ours (filters are not topics). */
export function parseTopic(topic: string): { meterId: string; kind: TopicKind } | undefined {
  const parts = topic.split('/');
  if (parts.length !== 4 || parts[0] !== 'gtx' || parts[1] !== 'v1') return undefined;
  const meterId = parts[2] as string;
  const kind = TOPIC_KINDS.find((candidate) => candidate === parts[3]);
  if (kind === undefined || !isMeterId(meterId)) return undefined;
  return { meterId, kind };
}
