/** How long what was heard of a gateway holds. */
export interface FleetRules {
  /** A gateway that said `online` and was not heard for so long is silent. */
  silentSeconds: number;
  /** A meter's settlement interval: a reading that ended within three of them shows that the gateway is there. */
  intervalSeconds: number;
}

/**
 * - `online`: it says so and was heard lately, or a reading of it came lately (over HTTP, say);
 * - `silent`: it was there and is not heard any more, without having taken leave;
 * - `offline`: it took leave, or the broker said so for it;
 * - `never`: nothing has come yet.
 */
export const FLEET_STATES = ['online', 'silent', 'offline', 'never'] as const;
export type FleetState = (typeof FLEET_STATES)[number];

export const PROBLEMS = ['clock', 'bus', 'outbox', 'alert'] as const;
export type FleetProblem = (typeof PROBLEMS)[number];

/** Readings in the outbox from which on it counts as a problem: one or two are on their way at any time. */
export const OUTBOX_WAITING = 5;
/** Live values count as those of now for so long: `telemetry_seconds` is 10 unless set. */
export const POWER_SECONDS = 60;
/** Live values so long after an `offline` show that it was the last will of an earlier connection. */
const AFTER_OFFLINE_SECONDS = 5;

/**
 * The state as an SQL expression over `fleet f` and `meters m`.
 * @param values of the statement; what the expression needs is added
 */
export function stateSql(
  { silentSeconds, intervalSeconds }: FleetRules,
  nowSeconds: number,
  values: unknown[],
): string {
  const heardFrom = `to_timestamp($${values.push(nowSeconds - silentSeconds)}::float8)`;
  const endedFrom = `$${values.push(nowSeconds - 3 * intervalSeconds)}::bigint`;
  const back = `f.telemetry_seen > f.changed_at + interval '${AFTER_OFFLINE_SECONDS} seconds'`;
  return `CASE
    WHEN f.heard_at >= ${heardFrom} AND (f.online IS DISTINCT FROM false OR ${back}) THEN 'online'
    WHEN m.last_end >= ${endedFrom} AND (f.online IS DISTINCT FROM false OR m.last_end > extract(epoch FROM f.changed_at)) THEN 'online'
    WHEN f.online = false THEN 'offline'
    WHEN f.heard_at IS NOT NULL OR m.last_sequence > 0 THEN 'silent'
    ELSE 'never' END`;
}
