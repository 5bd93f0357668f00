import { parseTopic, TOPIC_ROOT, type TopicKind } from '@gridtokenx/protocol';

/** What a gateway says and what it hears (the protocol's table of topics). */
export const PUBLISHED_BY_GATEWAY: ReadonlySet<TopicKind> = new Set(['reading', 'telemetry', 'status']);
export const HEARD_BY_GATEWAY: ReadonlySet<TopicKind> = new Set(['ack', 'command']);

export type Principal = { role: 'operator' } | { role: 'gateway'; meters: ReadonlyMap<string, boolean> };

/** May this login publish to this topic? `waiting`: the meter is named in the login but not yet granted. */
export function mayPublish(
  principal: Principal | undefined,
  topic: string,
): { meterId: string; kind: TopicKind; waiting: boolean } | undefined {
  if (principal?.role !== 'gateway') return undefined;
  const parsed = parseTopic(topic);
  if (parsed === undefined || !PUBLISHED_BY_GATEWAY.has(parsed.kind)) return undefined;
  const granted = principal.meters.get(parsed.meterId);
  return granted === undefined ? undefined : { ...parsed, waiting: !granted };
}

/** May this login subscribe to this filter? */
export function maySubscribe(principal: Principal | undefined, filter: string): boolean {
  if (principal === undefined) return false;
  if (principal.role === 'operator') return filter === '#' || filter.startsWith(`${TOPIC_ROOT}/`);
  const parsed = parseTopic(filter);
  return parsed !== undefined && HEARD_BY_GATEWAY.has(parsed.kind) && principal.meters.has(parsed.meterId);
}

/** May a message on this topic be handed to this login? */
export function mayReceive(principal: Principal | undefined, topic: string): boolean {
  if (principal === undefined) return false;
  const parsed = parseTopic(topic);
  if (parsed === undefined) return false;
  if (principal.role === 'operator') return true;
  return HEARD_BY_GATEWAY.has(parsed.kind) && principal.meters.get(parsed.meterId) === true;
}
