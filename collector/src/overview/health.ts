import { formatTimestamp } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import type pg from 'pg';
import { PUBLIC_CLUSTERS } from '../settlement/policy.js';
import type { Collectors } from './collectors.js';
import type { HealthAnswer } from './schemas.js';

/** Where the mirror is. */
export interface Mirrored {
  slot: number;
  /** When it last had everything, milliseconds since 1970. */
  millis: number;
}

export interface HealthDeps {
  readonly pool: pg.Pool;
  readonly connection: Connection;
  readonly mirrored: () => Mirrored | undefined;
  readonly broker: () => Promise<{ connected: boolean; clients: number | null; url: string }>;
  readonly collectors: Pick<Collectors, 'list'>;
  /** Meters whose energy is not added up. */
  readonly behind: () => Promise<number>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const CHAIN_MILLIS = 2_000;

/** Everything that the collector depends on, for an operator. @throws the database's error */
export async function healthDetails(deps: HealthDeps): Promise<HealthAnswer> {
  const { pool, now } = deps;
  const [database, chain, collectors, audit, behind, broker] = await Promise.all([
    databaseHealth(pool),
    chainHealth(deps),
    deps.collectors.list(),
    auditHealth(pool),
    deps.behind(),
    deps.broker(),
  ]);
  return {
    time: iso(new Date(now())),
    database: { ...database, rollup_behind: behind },
    chain,
    broker: { ...broker, url: withoutSecrets(broker.url) },
    collectors: collectors.map(({ id, version, startedAt, lastSeen, roles }) => ({
      id,
      version,
      started_at: iso(startedAt),
      last_seen: iso(lastSeen),
      roles,
    })),
    audit,
  };
}

const iso = (at: Date) => formatTimestamp(Math.floor(at.getTime() / 1000));

async function databaseHealth(pool: pg.Pool): Promise<Omit<HealthAnswer['database'], 'rollup_behind'>> {
  const { rows } = await pool.query(
    `SELECT current_setting('server_version') AS version, pg_database_size(current_database())::text AS size,
       current_setting('max_connections')::int AS most,
       (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()) AS connections,
       (SELECT extract(epoch FROM now() - min(xact_start))::float8 FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest,
       (SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'meter_readings'::regclass) AS partitions`,
  );
  const row = rows[0];
  return {
    version: row.version,
    size_bytes: Number(row.size),
    connections: row.connections,
    max_connections: row.most,
    oldest_transaction_seconds: row.oldest === null ? null : Math.max(0, Math.round(row.oldest * 10) / 10),
    partitions: row.partitions,
  };
}

async function chainHealth({ pool, connection, mirrored, now }: HealthDeps): Promise<HealthAnswer['chain']> {
  const [{ rows }, node] = await Promise.all([
    pool.query<{ genesis_hash: string | null; queued: number }>(
      `SELECT (SELECT genesis_hash FROM chain_network) AS genesis_hash, (SELECT count(*) FROM chain_queue)::int AS queued`,
    ),
    askNode(connection),
  ]);
  const genesis = rows[0]?.genesis_hash ?? null;
  const mirror = mirrored();
  return {
    cluster: genesis === null ? null : (PUBLIC_CLUSTERS[genesis] ?? genesis),
    rpc_ms: node?.millis ?? null,
    slot: node?.slot ?? null,
    block_height: node?.height ?? null,
    mirror_lag_slots:
      node === undefined || mirror === undefined ? null : Math.max(0, node.slot - mirror.slot),
    mirror_lag_seconds:
      mirror === undefined ? null : Math.max(0, Math.round((now() - mirror.millis) / 100) / 10),
    queued: rows[0]?.queued ?? 0,
  };
}

/** Slot and height of the node, and how long it took to tell; undefined when it does not, or not in time. */
async function askNode(
  connection: Connection,
): Promise<{ millis: number; slot: number; height: number | null } | undefined> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), CHAIN_MILLIS);
  });
  const asked = connection.getEpochInfo('confirmed').then(
    ({ absoluteSlot, blockHeight }) => ({
      millis: Math.round((performance.now() - began) * 10) / 10,
      slot: absoluteSlot,
      height: blockHeight ?? null,
    }),
    // That it does not answer is the answer.
    () => undefined,
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function auditHealth(pool: pg.Pool): Promise<HealthAnswer['audit']> {
  const { rows } = await pool.query<{
    checked_at: Date | null;
    ok: boolean | null;
    differences: number;
    open: number;
  }>(
    `SELECT a.checked_at, a.ok, coalesce((a.report ->> 'differenceCount')::int, 0) AS differences,
       (SELECT count(*)::int FROM reconcile_differences WHERE resolved_at IS NULL) AS open
     FROM (SELECT 1) AS one LEFT JOIN LATERAL (
       SELECT checked_at, ok, report FROM audit_reports ORDER BY id DESC LIMIT 1) AS a ON TRUE`,
  );
  const row = rows[0];
  return {
    last_at: row?.checked_at ? iso(row.checked_at) : null,
    ok: row?.ok ?? null,
    differences: row?.differences ?? 0,
    open: row?.open ?? 0,
  };
}

/** An address as it may be shown: nothing of a login in it. */
export function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return '';
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  parsed.search = '';
  parsed.hash = '';
  return parsed.href.replace(/\/$/, '');
}
