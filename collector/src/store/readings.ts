/**
 * Judging and storing readings: one transaction for a batch of readings of any meters.
 *
 * The rows of the batch's meters are locked first (in one order, so that collectors sharing a database do
 * not deadlock); what is judged under the lock is what is stored.
 */
import { ERRORS, type Nkwh, nkwhToKwh } from '@gridtokenx/protocol';
import type pg from 'pg';
import type { MeterStatus } from '../ports.js';
import {
  type Judgement,
  judge,
  type MeterContext,
  type Position,
  type Refusal,
  type Rules,
  type StoredStatus,
} from '../validate/rules.js';
import type { Submission } from '../validate/submission.js';
import { bytesArray, numberArray, textArray, uuidV7 } from './sql.js';

export type ReadingSource = 'mqtt' | 'http' | 'chain';

export interface StoreItem {
  submission: Submission;
  /** Outcome of the strict signature verification. */
  signed: boolean;
  source: ReadingSource;
  /** It comes from the meter's own gateway, so that a refusal is written down. Default: all over MQTT does. */
  fromGateway?: boolean;
  rules: Rules;
  /**
   * The item may be judged again after the chain has been asked: a refusal that stale knowledge of the
   * registry could explain is then not yet written down.
   */
  recheck: boolean;
}

/** How far one meter has come, after the batch. */
export interface MeterProgress {
  meterId: string;
  /** Every sequence up to here is stored or refused for good. */
  through: bigint;
  /** Highest stored sequence; above `through` when readings between are missing. */
  lastSequence: bigint;
}

export interface StoreResult {
  /** One for each item, in the order of the items. */
  judgements: Judgement[];
  /** For each known meter of the batch. */
  progress: Map<string, MeterProgress>;
}

/** Refusals that may come from a database that is behind the chain. */
export const REGISTRY_CODES: ReadonlySet<string> = new Set([
  'METER_NOT_REGISTERED',
  'METER_SUSPENDED',
  'USER_NOT_VERIFIED',
  'WALLET_MISMATCH',
  'KEY_MISMATCH',
]);

/** Refusals are written down for sequences at most this far above `through`: a gateway cannot fill the table. */
const MAX_REFUSED_AHEAD = 10_000n;
const WALK_PAGE = 5000;

interface LockedMeter {
  userId: string;
  wallet: string;
  publicKey: string;
  status: MeterStatus;
  userVerified: boolean;
  last: Position;
  chain: Position;
  through: bigint;
  holds: number;
  /** Sequences of this batch that are settled in one way or the other. */
  handled: Set<bigint>;
  /** Readings of this batch, and neighbours found in the database. */
  positions: Map<bigint, Position>;
  stored: boolean;
}

interface NewRow {
  item: StoreItem;
  meter: LockedMeter;
  id: string;
  status: 'pending' | 'covered' | 'held';
  amountNkwh: Nkwh;
}

interface RefusedRow {
  submission: Submission;
  reason: Refusal;
}

/**
 * Judges and stores a batch inside one transaction. When this returns, the readings are durable.
 * @param client a connection that is not in a transaction
 * @throws the database's error after rolling back; then nothing of the batch is stored (or, when the
 *   connection broke during COMMIT, all of it: sending it again finds out)
 */
export async function storeBatch(
  client: pg.ClientBase,
  items: readonly StoreItem[],
  nowMillis: number,
): Promise<StoreResult> {
  await client.query('BEGIN');
  try {
    const result = await storeInTransaction(client, items, nowMillis);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // The error that counts is the first one; a connection that is gone cannot roll back either.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function storeInTransaction(
  client: pg.ClientBase,
  items: readonly StoreItem[],
  nowMillis: number,
): Promise<StoreResult> {
  const meters = await lockMeters(
    client,
    items.map((item) => item.submission.meterId),
  );
  const existing = await loadNeighbourhood(client, items, meters);
  const nowSeconds = Math.floor(nowMillis / 1000);

  const order = items.map((_, index) => index);
  order.sort((a, b) => {
    const left = (items[a] as StoreItem).submission;
    const right = (items[b] as StoreItem).submission;
    if (left.meterId !== right.meterId) return left.meterId < right.meterId ? -1 : 1;
    const difference = left.reading.sequence - right.reading.sequence;
    return difference < 0n ? -1 : difference > 0n ? 1 : a - b;
  });

  const judgements: Judgement[] = new Array(items.length);
  const rows: NewRow[] = [];
  const refused: RefusedRow[] = [];
  for (const index of order) {
    const item = items[index] as StoreItem;
    const { submission } = item;
    const meter = meters.get(submission.meterId);
    const { sequence } = submission.reading;
    const known = existing.get(keyOf(submission.meterId, sequence));
    const judgement = judge(
      submission,
      item.signed,
      contextOf(meter, sequence, known),
      item.rules,
      nowSeconds,
    );
    judgements[index] = judgement;
    if (meter === undefined) continue;
    if (judgement.kind === 'duplicate') {
      meter.handled.add(sequence);
    } else if (judgement.kind === 'store') {
      const { status, amountNkwh } = judgement;
      rows.push({ item, meter, id: uuidV7(nowMillis), status, amountNkwh });
      existing.set(keyOf(submission.meterId, sequence), {
        messageHash: submission.messageHash,
        publicKey: submission.publicKey,
        status,
        amountNkwh,
      });
      accept(meter, submission, status);
    } else if (isRecordable(item, judgement.refusal.code, meter, sequence)) {
      refused.push({ submission, reason: judgement.refusal });
      meter.handled.add(sequence);
    }
  }

  if (rows.length > 0) await insertReadings(client, rows);
  const late = rows.filter(({ status }) => status === 'covered').map(({ item }) => item.submission);
  await shareWithFollowers(client, late);
  if (refused.length > 0) await insertRefused(client, refused);
  const progress = await advance(client, meters, nowSeconds, items);
  await updateMeters(client, meters);
  return { judgements, progress };
}

function keyOf(meterId: string, sequence: bigint): string {
  return `${meterId}/${sequence}`;
}

function accept(meter: LockedMeter, submission: Submission, status: string): void {
  const { reading } = submission;
  const position: Position = {
    sequence: reading.sequence,
    start: reading.intervalStart,
    end: reading.intervalEnd,
    producedTotal: reading.producedTotal,
    consumedTotal: reading.consumedTotal,
    surplusTotal: reading.surplusTotal,
  };
  meter.positions.set(reading.sequence, position);
  meter.handled.add(reading.sequence);
  meter.stored = true;
  if (reading.sequence > meter.last.sequence) meter.last = position;
  if (status === 'held') meter.holds += 1;
}

function isRecordable(item: StoreItem, code: string, meter: LockedMeter, sequence: bigint): boolean {
  const fromGateway = item.fromGateway ?? item.source === 'mqtt';
  if (!fromGateway || ERRORS[code as keyof typeof ERRORS].retry !== 'never') return false;
  if (item.recheck && REGISTRY_CODES.has(code)) return false;
  if (code === 'SEQUENCE_CONFLICT') return false;
  return sequence > meter.through && sequence <= meter.through + MAX_REFUSED_AHEAD;
}

async function lockMeters(client: pg.ClientBase, meterIds: string[]): Promise<Map<string, LockedMeter>> {
  const { rows } = await client.query<Record<string, string>>(
    `SELECT m.meter_id, m.user_id, m.wallet_address, m.public_key, m.status, u.verified::int AS verified,
       m.last_sequence, m.last_end, m.last_produced_total, m.last_consumed_total, m.last_surplus_total,
       m.chain_sequence, m.chain_end, m.chain_produced_total, m.chain_consumed_total, m.chain_surplus_total,
       m.through, m.holds
     FROM meters m JOIN users u ON u.id = m.user_id
     WHERE m.meter_id = ANY($1::text[]) ORDER BY m.meter_id FOR UPDATE OF m`,
    [textArray([...new Set(meterIds)])],
  );
  const meters = new Map<string, LockedMeter>();
  for (const row of rows as Record<string, string>[]) {
    const position = (prefix: 'last' | 'chain'): Position => ({
      sequence: BigInt(row[`${prefix}_sequence`] as string),
      end: Number(row[`${prefix}_end`]),
      producedTotal: BigInt(row[`${prefix}_produced_total`] as string),
      consumedTotal: BigInt(row[`${prefix}_consumed_total`] as string),
      surplusTotal: BigInt(row[`${prefix}_surplus_total`] as string),
    });
    meters.set(row.meter_id as string, {
      userId: row.user_id as string,
      wallet: row.wallet_address as string,
      publicKey: row.public_key as string,
      status: row.status as MeterStatus,
      userVerified: Number(row.verified) === 1,
      last: position('last'),
      chain: position('chain'),
      through: BigInt(row.through as string),
      holds: Number(row.holds),
      handled: new Set(),
      positions: new Map(),
      stored: false,
    });
  }
  return meters;
}

/**
 * For sequences that are not above everything stored (a resend, a late one): the stored reading with the
 * same sequence, and the nearest ones below and above. In ordinary running there are none to look for.
 */
async function loadNeighbourhood(
  client: pg.ClientBase,
  items: readonly StoreItem[],
  meters: ReadonlyMap<string, LockedMeter>,
): Promise<Map<string, NonNullable<MeterContext['existing']>>> {
  const existing = new Map<string, NonNullable<MeterContext['existing']>>();
  const late = items.filter(({ submission }) => {
    const meter = meters.get(submission.meterId);
    return meter !== undefined && submission.reading.sequence <= meter.last.sequence;
  });
  if (late.length === 0) return existing;
  const ids = textArray(late.map((item) => item.submission.meterId));
  const sequences = numberArray(late.map((item) => item.submission.reading.sequence));

  const found = await client.query(
    `SELECT k.meter_id, k.sequence, k.message_hash, r.public_key, r.status, r.amount_nkwh
     FROM unnest($1::text[], $2::numeric[]) AS q (meter_id, sequence)
     JOIN reading_keys k ON k.meter_id = q.meter_id AND k.sequence = q.sequence
     JOIN meter_readings r ON r.id = k.reading_id AND r.reading_timestamp = k.reading_timestamp`,
    [ids, sequences],
  );
  for (const row of found.rows) {
    existing.set(keyOf(row.meter_id, BigInt(row.sequence)), {
      messageHash: row.message_hash as Buffer,
      publicKey: row.public_key as string,
      status: row.status as StoredStatus,
      amountNkwh: BigInt(row.amount_nkwh),
    });
  }

  const isNew = late.filter(
    ({ submission }) => !existing.has(keyOf(submission.meterId, submission.reading.sequence)),
  );
  if (isNew.length === 0) return existing;
  const near = await client.query(
    `SELECT q.meter_id, n.* FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::numeric[])) AS q (meter_id, wanted)
     CROSS JOIN LATERAL (
       (SELECT sequence, interval_start, interval_end, produced_total, consumed_total, surplus_total
        FROM meter_readings r WHERE r.meter_id = q.meter_id AND r.sequence < q.wanted
        ORDER BY r.sequence DESC LIMIT 1)
       UNION ALL
       (SELECT sequence, interval_start, interval_end, produced_total, consumed_total, surplus_total
        FROM meter_readings r WHERE r.meter_id = q.meter_id AND r.sequence > q.wanted
        ORDER BY r.sequence LIMIT 1)
     ) AS n`,
    [
      textArray(isNew.map((item) => item.submission.meterId)),
      numberArray(isNew.map((item) => item.submission.reading.sequence)),
    ],
  );
  for (const row of near.rows) {
    const sequence = BigInt(row.sequence);
    meters.get(row.meter_id)?.positions.set(sequence, {
      sequence,
      start: Number(row.interval_start),
      end: Number(row.interval_end),
      producedTotal: BigInt(row.produced_total),
      consumedTotal: BigInt(row.consumed_total),
      surplusTotal: BigInt(row.surplus_total),
    });
  }
  return existing;
}

function contextOf(
  meter: LockedMeter | undefined,
  sequence: bigint,
  existing: MeterContext['existing'],
): MeterContext {
  if (meter === undefined) return {};
  const context: MeterContext = {
    meter: {
      wallet: meter.wallet,
      publicKey: meter.publicKey,
      status: meter.status,
      userVerified: meter.userVerified,
    },
  };
  if (existing !== undefined) context.existing = existing;
  const consider = (position: Position) => {
    if (position.sequence === 0n) return;
    if (position.sequence < sequence) {
      if (context.previous === undefined || position.sequence > context.previous.sequence) {
        context.previous = position;
      }
    } else if (position.sequence > sequence) {
      if (context.next === undefined || position.sequence < context.next.sequence) context.next = position;
    }
  };
  // A late reading's neighbours were looked up; one above all stored ones follows the newest.
  consider(meter.last);
  consider(meter.chain);
  if (sequence <= meter.last.sequence) for (const position of meter.positions.values()) consider(position);
  if (meter.chain.sequence === sequence && sequence > 0n && existing === undefined) {
    context.onChain = meter.chain;
  }
  return context;
}

async function insertReadings(client: pg.ClientBase, rows: readonly NewRow[]): Promise<void> {
  const of = <T>(pick: (submission: Submission) => T) => rows.map((row) => pick(row.item.submission));
  await client.query(
    `WITH new AS (
       SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::bigint[],
         $7::bigint[], $8::bigint[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::text[],
         $14::bytea[], $15::text[], $16::text[], $17::text[], $18::bytea[])
       AS n (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end,
         produced_total, consumed_total, surplus_total, amount_nkwh, status, message, meter_signature, public_key,
         source, message_hash)
     ), keys AS (
       INSERT INTO reading_keys (meter_id, sequence, message_hash, reading_id, reading_timestamp)
       SELECT meter_id, sequence, message_hash, id, to_timestamp(interval_end) FROM new
     )
     INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start,
       interval_end, produced_total, consumed_total, surplus_total, amount_nkwh, status, message, meter_signature,
       public_key, source, reading_timestamp)
     SELECT id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end, produced_total,
       consumed_total, surplus_total, amount_nkwh, status, message, meter_signature, public_key, source,
       to_timestamp(interval_end)
     FROM new`,
    [
      textArray(rows.map((row) => row.id)),
      textArray(rows.map((row) => row.meter.userId)),
      textArray(of((submission) => submission.meterId)),
      textArray(rows.map((row) => row.meter.wallet)),
      numberArray(of((submission) => submission.reading.sequence)),
      numberArray(of((submission) => submission.reading.flags)),
      numberArray(of((submission) => submission.reading.intervalStart)),
      numberArray(of((submission) => submission.reading.intervalEnd)),
      numberArray(of((submission) => submission.reading.producedTotal)),
      numberArray(of((submission) => submission.reading.consumedTotal)),
      numberArray(of((submission) => submission.reading.surplusTotal)),
      numberArray(rows.map((row) => row.amountNkwh)),
      textArray(rows.map((row) => row.status)),
      bytesArray(of((submission) => submission.message)),
      textArray(of((submission) => submission.signature)),
      textArray(of((submission) => submission.publicKey)),
      textArray(rows.map((row) => row.item.source)),
      bytesArray(of((submission) => submission.messageHash)),
    ],
  );
  const held = rows.filter((row) => row.status === 'held');
  if (held.length > 0) {
    await client.query(
      // With its alert, whose end comes with the review's: see decisions/alerts.md.
      `WITH held AS (
         SELECT * FROM unnest($1::text[], $2::numeric[], $3::numeric[], $4::text[])
         AS h (meter_id, sequence, amount, kwh)
       ), opened AS (
         INSERT INTO reviews (kind, meter_id, sequence, amount_nkwh, reason)
         SELECT 'held_amount', meter_id, sequence, amount, 'above the limit for one reading' FROM held
         RETURNING id, meter_id, sequence
       )
       INSERT INTO alerts (kind, dedupe_key, severity, message, details)
       SELECT 'reading_held', h.meter_id || '/' || h.sequence, 'warning',
         'a reading of meter ' || h.meter_id || ' is above the limit and waits for review',
         jsonb_build_object('review_id', o.id, 'meter_id', h.meter_id, 'sequence', h.sequence::text,
           'amount_nkwh', h.amount::text, 'amount_kwh', h.kwh)
       FROM held h JOIN opened o USING (meter_id, sequence)
       ON CONFLICT (kind, dedupe_key) WHERE resolved_at IS NULL
       DO UPDATE SET occurrences = alerts.occurrences + 1, last_seen = now(), severity = excluded.severity,
         message = excluded.message, details = excluded.details`,
      [
        textArray(held.map((row) => row.item.submission.meterId)),
        numberArray(held.map((row) => row.item.submission.reading.sequence)),
        numberArray(held.map((row) => row.amountNkwh)),
        textArray(held.map((row) => nkwhToKwh(row.amountNkwh))),
      ],
    );
  }
}

/**
 * A reading that arrives after a later one takes its part of the surplus out of the next one's, which had it until then:
 * each has what it added to the one before, and together they are the register. For whoever has added up that one already
 * (`Rollup`) it is written down which came late.
 */
async function shareWithFollowers(
  client: pg.ClientBase,
  late: readonly Pick<Submission, 'meterId' | 'reading'>[],
): Promise<void> {
  if (late.length === 0) return;
  await client.query(
    `WITH late AS (
       SELECT * FROM unnest($1::text[], $2::numeric[], $3::numeric[]) AS n (meter_id, sequence, surplus_total)
     ), noted AS (
       INSERT INTO energy_late (meter_id, sequence) SELECT meter_id, sequence FROM late ON CONFLICT DO NOTHING
     ), shared AS (
       UPDATE meter_readings r SET amount_nkwh = greatest(0, r.surplus_total - n.surplus_total)
       FROM late n CROSS JOIN LATERAL (
         SELECT reading_id, reading_timestamp FROM reading_keys k
         WHERE k.meter_id = n.meter_id AND k.sequence > n.sequence ORDER BY k.sequence LIMIT 1) AS next
       WHERE r.id = next.reading_id AND r.reading_timestamp = next.reading_timestamp
       RETURNING r.meter_id, r.sequence, r.amount_nkwh)
     UPDATE reviews v SET amount_nkwh = s.amount_nkwh FROM shared s
     WHERE v.kind = 'held_amount' AND v.status = 'open' AND v.meter_id = s.meter_id AND v.sequence = s.sequence`,
    [
      textArray(late.map(({ meterId }) => meterId)),
      numberArray(late.map(({ reading }) => reading.sequence)),
      numberArray(late.map(({ reading }) => reading.surplusTotal)),
    ],
  );
}

async function insertRefused(client: pg.ClientBase, refused: readonly RefusedRow[]): Promise<void> {
  const of = <T>(pick: (submission: Submission) => T) => refused.map((row) => pick(row.submission));
  await client.query(
    `INSERT INTO refused_readings (meter_id, sequence, code, details, interval_end, message, meter_signature, public_key)
     SELECT * FROM unnest($1::text[], $2::numeric[], $3::text[], $4::jsonb[], $5::bigint[], $6::bytea[], $7::text[],
       $8::text[])
     ON CONFLICT (meter_id, sequence) DO NOTHING`,
    [
      textArray(of((submission) => submission.meterId)),
      numberArray(of((submission) => submission.reading.sequence)),
      textArray(refused.map((row) => row.reason.code)),
      refused.map((row) => JSON.stringify(row.reason.details)),
      numberArray(of((submission) => submission.reading.intervalEnd)),
      bytesArray(of((submission) => submission.message)),
      textArray(of((submission) => submission.signature)),
      textArray(of((submission) => submission.publicKey)),
    ],
  );
}

/** Moves each meter's `through` over what is stored or refused without a hole. */
async function advance(
  client: pg.ClientBase,
  meters: ReadonlyMap<string, LockedMeter>,
  nowSeconds: number,
  items: readonly StoreItem[],
): Promise<Map<string, MeterProgress>> {
  const beyondHole: [string, LockedMeter][] = [];
  for (const entry of meters) {
    const meter = entry[1];
    let above = 0;
    for (const sequence of meter.handled) if (sequence > meter.through) above += 1;
    while (meter.handled.has(meter.through + 1n)) {
      meter.through += 1n;
      above -= 1;
    }
    if (above > 0 || meter.last.sequence > meter.through) beyondHole.push(entry);
  }
  if (beyondHole.length > 0) {
    // Which holes are none any more: the next sequence is known from an earlier batch. One query for all.
    const { rows } = await client.query<{ meter_id: string }>(
      `SELECT q.meter_id FROM unnest($1::text[], $2::numeric[]) AS q (meter_id, wanted)
       WHERE EXISTS (SELECT FROM reading_keys k WHERE k.meter_id = q.meter_id AND k.sequence = q.wanted)
          OR EXISTS (SELECT FROM refused_readings r WHERE r.meter_id = q.meter_id AND r.sequence = q.wanted)`,
      [
        textArray(beyondHole.map(([meterId]) => meterId)),
        numberArray(beyondHole.map(([, meter]) => meter.through + 1n)),
      ],
    );
    const tooOldBefore = nowSeconds - (items[0]?.rules.maxAgeSeconds ?? 0);
    for (const { meter_id } of rows) {
      const meter = meters.get(meter_id) as LockedMeter;
      meter.through = await walk(client, meter_id, meter.through, tooOldBefore);
    }
  }
  const progress = new Map<string, MeterProgress>();
  for (const [meterId, meter] of meters) {
    progress.set(meterId, { meterId, through: meter.through, lastSequence: meter.last.sequence });
  }
  return progress;
}

/**
 * The end of the unbroken run of stored or refused sequences that begins above `through`. A hole is
 * counted as closed when what follows it is already older than the age limit: whatever belongs into the
 * hole would be refused as too old.
 */
export async function walk(
  client: pg.ClientBase,
  meterId: string,
  from: bigint,
  tooOldBefore: number,
): Promise<bigint> {
  let through = from;
  for (;;) {
    const { rows } = await client.query<{ sequence: string; interval_end: string | null }>(
      `SELECT sequence, extract(epoch FROM reading_timestamp)::bigint AS interval_end FROM reading_keys
         WHERE meter_id = $1 AND sequence > $2
       UNION ALL
       SELECT sequence, interval_end FROM refused_readings WHERE meter_id = $1 AND sequence > $2
       ORDER BY sequence LIMIT ${WALK_PAGE}`,
      [meterId, through.toString()],
    );
    for (const row of rows) {
      const sequence = BigInt(row.sequence);
      if (sequence <= through) continue;
      const closed = row.interval_end !== null && Number(row.interval_end) < tooOldBefore;
      if (sequence !== through + 1n && !closed) return through;
      through = sequence;
    }
    if (rows.length < WALK_PAGE) return through;
  }
}

async function updateMeters(client: pg.ClientBase, meters: ReadonlyMap<string, LockedMeter>): Promise<void> {
  const changed = [...meters].filter(([, meter]) => meter.handled.size > 0);
  if (changed.length === 0) return;
  const of = <T>(pick: (meter: LockedMeter) => T) => changed.map(([, meter]) => pick(meter));
  await client.query(
    `UPDATE meters m SET last_sequence = n.last_sequence, last_end = n.last_end,
       last_produced_total = n.produced, last_consumed_total = n.consumed, last_surplus_total = n.surplus,
       through = n.through, holds = n.holds
     FROM unnest($1::text[], $2::numeric[], $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[],
       $7::numeric[], $8::integer[])
       AS n (meter_id, last_sequence, last_end, produced, consumed, surplus, through, holds)
     WHERE m.meter_id = n.meter_id`,
    [
      textArray(changed.map(([meterId]) => meterId)),
      numberArray(of((meter) => meter.last.sequence)),
      numberArray(of((meter) => meter.last.end)),
      numberArray(of((meter) => meter.last.producedTotal)),
      numberArray(of((meter) => meter.last.consumedTotal)),
      numberArray(of((meter) => meter.last.surplusTotal)),
      numberArray(of((meter) => meter.through)),
      numberArray(of((meter) => meter.holds)),
    ],
  );
}

/** A reading that the chain has accepted and this database does not hold. */
export interface ImportedReading {
  submission: Pick<Submission, 'meterId' | 'publicKey' | 'signature' | 'reading' | 'message' | 'messageHash'>;
  /** Surplus that it added, nkWh. */
  amountNkwh: Nkwh;
  status: 'pending' | 'covered' | 'minted';
  mintSignature?: string;
}

/**
 * Stores a reading found on chain, inside the caller's transaction. Returns false when a reading with that
 * meter and sequence is stored already. The meter must be in `meters`.
 */
export async function importReading(client: pg.ClientBase, imported: ImportedReading): Promise<boolean> {
  const { submission, amountNkwh, status, mintSignature } = imported;
  const { meterId, reading } = submission;
  const meter = (await lockMeters(client, [meterId])).get(meterId);
  if (meter === undefined) throw new Error(`importReading: meter ${meterId} is not in the database`);
  const id = uuidV7(Date.now());
  const key = await client.query(
    `INSERT INTO reading_keys (meter_id, sequence, message_hash, reading_id, reading_timestamp)
     VALUES ($1, $2, $3, $4, to_timestamp($5)) ON CONFLICT DO NOTHING`,
    [meterId, reading.sequence.toString(), submission.messageHash, id, reading.intervalEnd],
  );
  if (key.rowCount === 0) return false;
  await client.query('SELECT ensure_reading_partition(to_timestamp($1))', [reading.intervalEnd]);
  await client.query(
    `INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start,
       interval_end, produced_total, consumed_total, surplus_total, amount_nkwh, status, minted, mint_tx_signature,
       message, meter_signature, public_key, source, reading_timestamp)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 'chain',
       to_timestamp($8::bigint))`,
    [
      id,
      meter.userId,
      meterId,
      meter.wallet,
      reading.sequence.toString(),
      reading.flags,
      reading.intervalStart,
      reading.intervalEnd,
      reading.producedTotal.toString(),
      reading.consumedTotal.toString(),
      reading.surplusTotal.toString(),
      amountNkwh.toString(),
      status,
      status === 'minted',
      mintSignature ?? null,
      Buffer.from(submission.message),
      submission.signature,
      submission.publicKey,
    ],
  );
  if (reading.sequence < meter.last.sequence) await shareWithFollowers(client, [submission]);
  if (reading.sequence > meter.last.sequence) {
    meter.last = {
      sequence: reading.sequence,
      end: reading.intervalEnd,
      producedTotal: reading.producedTotal,
      consumedTotal: reading.consumedTotal,
      surplusTotal: reading.surplusTotal,
    };
  }
  meter.handled.add(reading.sequence);
  if (meter.through + 1n === reading.sequence) {
    meter.through = await walk(client, meterId, meter.through, 0);
  }
  await updateMeters(client, new Map([[meterId, meter]]));
  return true;
}
