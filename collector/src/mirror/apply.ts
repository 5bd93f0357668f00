import { createHash } from 'node:crypto';
import type pg from 'pg';
import { type AlertInput, endAlerts, openAlert } from '../alerts.js';
import { notifyChange } from '../feed/change.js';
import { importReading } from '../store/readings.js';
import { type AccountSnapshot, lockMeters, type MeterAccount, writeSnapshot } from './accounts.js';
import { writeBalances } from './balances.js';
import { syncHolds } from './holds.js';
import type { AcceptedReading, LandedEvent, LandedTransaction, UnloggedReading } from './landed.js';
import { positionOf } from './position.js';
import {
  type EventRow,
  insertFacts,
  insertNewOrders,
  project,
  restoreVotes,
  type Subjects,
  subjectsOf,
} from './projections.js';
import { reconcileReadings } from './reconcile.js';

/** What applying transactions found out that a person should hear of. */
export interface ApplyFindings {
  /** Transactions that had not been applied before. */
  readonly applied: readonly string[];
  /** Their events. */
  readonly events: number;
  readonly conflicts: readonly {
    readonly meterId: string;
    readonly sequence: bigint;
    readonly signature: string;
  }[];
  readonly held: readonly {
    readonly meterId: string;
    readonly sequence: bigint;
    readonly amountNkwh: bigint;
  }[];
  /** Of the alert that the registry is paused: whether it is new. Undefined: none was raised. */
  readonly pauseTold: boolean | undefined;
  readonly readingsImported: number;
}

/** The meters and wallets that a transaction names: their accounts have to be read before it is applied. */
export function touched(transactions: readonly LandedTransaction[]): { meters: string[]; wallets: string[] } {
  const meters = new Set<string>();
  const wallets = new Set<string>();
  for (const { events, recovery } of transactions) {
    for (const { meter } of recovery?.readings ?? []) meters.add(meter);
    for (const { event, meter } of events) {
      if (meter !== undefined) meters.add(meter);
      if (event.name === 'UserRegistered' || event.name === 'UserVerified')
        wallets.add(event.data.wallet.toBase58());
      if (event.name === 'MeterTransferred') wallets.add(event.data.oldOwner.toBase58());
    }
  }
  return { meters: [...meters], wallets: [...wallets] };
}

export const PAUSED_ALERT = {
  kind: 'paused',
  key: 'registry',
  severity: 'critical',
  message: 'the registry is paused',
  details: {},
} as const satisfies AlertInput;

/** Looks for a listed transaction before it is taken for one that a fork took back. */
export const MAX_TRIES = 30;
const TRIES_AFTER_FORK = 6;

export interface ApplyOptions {
  /** Every transaction up to this slot can no longer be taken back, as of before the transactions were read. */
  readonly finalizedSlot?: number | undefined;
  /** False in a long backlog: whoever follows the changes is told of a gap at its end. Default true. */
  readonly announce?: boolean | undefined;
}

/**
 * Writes the effects of executed transactions, with the accounts they touched, inside the caller's
 * transaction. Each transaction counts once, however often and by whomever it is applied: its row in
 * `chain_transactions` is the proof.
 *
 * @param snapshot accounts of everything {@link touched} names, read after these transactions.
 * @param heightSeen block height at `confirmed` when they were read: see `chain_transactions`.
 */
export async function applyTransactions(
  client: pg.ClientBase,
  transactions: readonly LandedTransaction[],
  snapshot: AccountSnapshot,
  heightSeen: number,
  { finalizedSlot = 0, announce = true }: ApplyOptions = {},
): Promise<ApplyFindings> {
  const conflicts: { meterId: string; sequence: bigint; signature: string }[] = [];
  const held: { meterId: string; sequence: bigint; amountNkwh: bigint }[] = [];
  const applied: string[] = [];
  const affected = new Set<string>();
  let paused: boolean | undefined;
  let readingsImported = 0;

  // Locks come first and in order, so that two collectors, or one and its ingestion, never wait for each other.
  await lockMeters(
    client,
    [...snapshot.meters.values()].map(({ meterId }) => meterId),
  );
  const known = await writeSnapshot(client, snapshot);

  const subjects = subjectsOf(transactions.flatMap(({ events }) => events));
  if (hasAny(subjects) || transactions.some(({ events }) => events.some(isPause)))
    await lockProjections(client);
  await client.query('DELETE FROM chain_queue WHERE signature = ANY($1::text[])', [
    transactions.map(({ signature }) => signature),
  ]);
  // A refused transaction has no effects, and anybody can make any number of them.
  const executed = inOrder(transactions.filter(({ error }) => error === undefined));
  const claimed = await claim(client, executed, heightSeen, finalizedSlot);
  const news = executed.filter(({ signature }) => claimed.has(signature));
  // What the registry's transactions are taken for depends on the events of those before them.
  await insertEvents(
    client,
    news.filter((transaction) => !concernsMeters(transaction)),
  );
  const settlements = await settledBy(client, [...claimed]);
  for (const transaction of news) {
    applied.push(transaction.signature);
    for (const { event } of transaction.events) if (event.name === 'PausedSet') paused = event.data.paused;
    if (settlements.has(transaction.signature)) await confirmSettlement(client, transaction);
    if (!concernsMeters(transaction)) continue;
    await insertEvents(client, [transaction]);
    const minted = new Map<string, bigint>();
    // What the daily cap put off, as far as the log tells.
    const deferred = new Map<string, bigint>();
    for (const { event } of transaction.events) {
      switch (event.name) {
        case 'MeterRegistered':
          await insertKey(client, event.data.meterId, event.data.publicKey.toBase58(), transaction, 0n);
          affected.add(event.data.meterId);
          break;
        case 'MeterKeyRotated': {
          const after = await lastAccepted(client, event.data.meterId, transaction.slot);
          await insertKey(client, event.data.meterId, event.data.newPublicKey.toBase58(), transaction, after);
          affected.add(event.data.meterId);
          break;
        }
        case 'ProductionMinted': {
          const address = event.data.meter.toBase58();
          minted.set(address, (minted.get(address) ?? 0n) + event.data.amount);
          break;
        }
        case 'MintDeferred':
          deferred.set(event.data.meter.toBase58(), event.data.deferred);
          break;
        case 'EnergyHeld':
          held.push({
            meterId: event.data.meterId,
            sequence: event.data.sequence,
            amountNkwh: event.data.amount,
          });
          break;
        default:
          break;
      }
    }
    const inferred: AcceptedReading[] = [];
    for (const reading of transaction.recovery?.readings ?? []) {
      const account = snapshot.meters.get(reading.meter);
      if (account)
        inferred.push(await inferAccepted(client, transaction, reading, account, minted, deferred));
    }
    for (const accepted of [...transaction.accepted, ...inferred]) {
      const outcome = await acceptReading(client, transaction, accepted, {
        minted: minted.has(accepted.meter),
        inferred: inferred.includes(accepted),
      });
      if (outcome === 'imported') readingsImported += 1;
      if (outcome === 'conflict') {
        conflicts.push({
          meterId: accepted.meterId,
          sequence: accepted.reading.sequence,
          signature: transaction.signature,
        });
      }
      affected.add(accepted.meterId);
    }
    for (const { event } of transaction.events) {
      if (event.name === 'HeldReleased' || event.name === 'HeldWrittenOff') {
        await endHold(client, event, transaction.signature, snapshot);
        affected.add(event.data.meterId);
      }
    }
    for (const [address, amount] of minted) {
      // A cut log may have lost that something was put off: then the account tells how much is still to be minted.
      const account = transaction.recovery ? snapshot.meters.get(address) : undefined;
      const left = deferred.get(address) ?? (account ? account.eligible - account.minted : 0n);
      const meterId = await markMinted(client, address, transaction, left);
      if (meterId !== undefined) affected.add(meterId);
      await client.query(
        `UPDATE settlement_items i SET minted_nkwh = $3 FROM settlements s, meters m
         WHERE s.id = i.settlement_id AND s.signature = $1 AND m.meter_id = i.meter_id AND m.address = $2`,
        [transaction.signature, address, amount.toString()],
      );
    }
  }
  const facts = rowsOf(news);
  await insertFacts(client, facts);
  const made = await insertNewOrders(client, facts);
  const orders = new Set([...subjects.orders].filter((order) => !made.has(order)));
  await project(client, { ...subjects, orders });
  const wallets = await writeBalances(client, news);
  if (announce && applied.length > 0)
    await notifyChange(client, { kind: 'transactions', signatures: applied }, { kind: 'balances', wallets });

  // After the events, which say who ended a hold.
  await syncHolds(client, known);
  if (affected.size > 0) {
    await reconcileReadings(client, [...affected]);
    if (announce) await notifyChange(client, { kind: 'readings', meterIds: [...affected] });
  }
  const pauseTold = paused === undefined ? undefined : await syncPaused(client);
  if (applied.length > 0) await endWaits(client, snapshot, paused === false);
  // What could not be applied before; it may have landed again since, refused.
  await endAlerts(
    client,
    'mirror_failed',
    transactions.map(({ signature }) => signature),
  );
  const events = news.reduce((sum, transaction) => sum + transaction.events.length, 0);
  return { applied, events, conflicts, held, pauseTold, readingsImported };
}

/**
 * Makes rows anew from the stored events, whatever they say now. Certificates may be named by their own address or by
 * their book's. Inside the caller's transaction.
 */
export async function projectAnew(
  client: pg.ClientBase,
  rows: {
    readonly orders: readonly string[];
    readonly markets: readonly string[];
    readonly certificates: readonly string[];
    readonly feeds: readonly string[];
    readonly proposals: readonly string[];
  },
): Promise<void> {
  await lockProjections(client);
  const { rows: books } = await client.query<{ book: string }>(
    `SELECT DISTINCT subject AS book FROM chain_events
     WHERE name LIKE 'Certificate%' AND (subject = ANY($1::text[]) OR accounts && $1::varchar[])
       AND subject IS NOT NULL`,
    [rows.certificates],
  );
  await project(
    client,
    {
      orders: new Set(rows.orders),
      markets: new Set(rows.markets),
      feeds: new Set(rows.feeds),
      books: new Set(books.map(({ book }) => book)),
      proposals: new Set(rows.proposals),
    },
    true,
  );
}

/** Two that make the same rows anew at the same time would each miss what the other is about to commit. */
const PROJECTIONS_LOCK = 0x67_74_78_03;

async function lockProjections(client: pg.ClientBase): Promise<void> {
  // A replay beside the database's own rows has a schema, and so a lock, of its own.
  await client.query('SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))', [PROJECTIONS_LOCK]);
}

const isPause = ({ name }: { readonly name: string }): boolean => name === 'PausedSet';

/**
 * Makes the alert say what the newest event says: transactions may be applied in another order than the chain's, and by
 * others. Under the projections' lock, since it is worked out from all events as well.
 * @returns what {@link openAlert} does; undefined: the registry is not paused
 */
async function syncPaused(client: pg.ClientBase): Promise<boolean | undefined> {
  const { rows } = await client.query<{ paused: boolean }>(
    `SELECT (data ->> 'paused')::boolean AS paused FROM chain_events WHERE name = 'PausedSet'
     ORDER BY position DESC LIMIT 1`,
  );
  if (rows[0]?.paused) return openAlert(client, PAUSED_ALERT);
  await endAlerts(client, PAUSED_ALERT.kind, [PAUSED_ALERT.key]);
  return undefined;
}

function hasAny({ orders, markets, feeds, books, proposals }: Subjects): boolean {
  return [orders, markets, feeds, books, proposals].some(({ size }) => size > 0);
}

/** Each once, in the order of the chain. */
function inOrder(transactions: readonly LandedTransaction[]): LandedTransaction[] {
  const bySignature = new Map(transactions.map((transaction) => [transaction.signature, transaction]));
  return [...bySignature.values()].sort((a, b) => a.slot - b.slot || (a.txIndex ?? 0) - (b.txIndex ?? 0));
}

/** Events after which something is to be worked out of a meter's readings, one transaction after the other. */
const METER_EVENTS: ReadonlySet<string> = new Set([
  'MeterRegistered',
  'MeterKeyRotated',
  'MeterReadingSubmitted',
  'MeterTransferred',
  'ProductionMinted',
  'MintDeferred',
  'EnergyHeld',
  'HeldReleased',
  'HeldWrittenOff',
]);

function concernsMeters({ events, accepted, recovery }: LandedTransaction): boolean {
  return accepted.length > 0 || recovery !== undefined || events.some(({ name }) => METER_EVENTS.has(name));
}

/** Those of these transactions that settlements sent. */
async function settledBy(client: pg.ClientBase, signatures: readonly string[]): Promise<Set<string>> {
  const { rows } = await client.query<{ signature: string }>(
    'SELECT signature FROM settlements WHERE signature = ANY($1::text[])',
    [signatures],
  );
  return new Set(rows.map(({ signature }) => signature));
}

/** Something changed for these meters or their owners: whoever waits for it is tried again now. */
async function endWaits(client: pg.ClientBase, snapshot: AccountSnapshot, unpaused: boolean): Promise<void> {
  await client.query(
    `UPDATE settlement_meters s SET next_attempt_at = '-infinity' FROM meters m
     WHERE m.meter_id = s.meter_id AND s.next_attempt_at > now() AND s.attempts = 0
       AND (m.address = ANY($1::text[]) OR m.wallet_address = ANY($2::text[]) OR ($3 AND s.reason = 'PAUSED'))`,
    [[...snapshot.meters.keys()], [...snapshot.users.keys()], unpaused],
  );
}

/** Those of these transactions that this call is the one to apply. */
async function claim(
  client: pg.ClientBase,
  transactions: readonly LandedTransaction[],
  heightSeen: number,
  finalizedSlot: number,
): Promise<Set<string>> {
  if (transactions.length === 0) return new Set();
  // A settlement's row is made final with its transaction, which settlement's own look at the chain does.
  const { rows } = await client.query<{ signature: string }>(
    `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, last_valid_block_height, finalized)
     SELECT q.signature, q.slot, q.tx_index, q.block_time, coalesce(s.last_valid_block_height, $5),
       q.slot <= $6 AND s.signature IS NULL
     FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::bigint[]) WITH ORDINALITY
       AS q (signature, slot, tx_index, block_time, n)
     LEFT JOIN settlements s ON s.signature = q.signature
     ORDER BY q.n
     ON CONFLICT (signature) DO NOTHING RETURNING signature`,
    [
      transactions.map(({ signature }) => signature),
      transactions.map(({ slot }) => slot),
      transactions.map(({ txIndex }) => txIndex ?? null),
      transactions.map(({ blockTime }) => blockTime ?? null),
      heightSeen,
      finalizedSlot,
    ],
  );
  return new Set(rows.map(({ signature }) => signature));
}

interface StoredRow extends EventRow {
  readonly block_time: number | null;
  readonly program_id: string;
  readonly meter: string | null;
  readonly accounts: readonly string[];
  readonly subject: string | null;
}

function rowsOf(transactions: readonly LandedTransaction[]): StoredRow[] {
  return transactions.flatMap(({ events, signature, slot, txIndex = 0, blockTime }) =>
    events.map((event) => ({
      signature,
      event_index: event.index,
      slot,
      tx_index: txIndex,
      position: positionOf(slot, txIndex, event.index).toString(),
      block_time: blockTime ?? null,
      program_id: event.programId,
      name: event.name,
      meter: event.meter ?? null,
      accounts: event.accounts,
      subject: event.subject ?? null,
      data: event.json,
    })),
  );
}

async function insertEvents(
  client: pg.ClientBase,
  transactions: readonly LandedTransaction[],
): Promise<void> {
  const rows = rowsOf(transactions);
  if (rows.length === 0) return;
  await client.query(
    `INSERT INTO chain_events (signature, event_index, slot, tx_index, position, block_time, program_id, name, meter,
       accounts, subject, data)
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS r (signature text, event_index integer, slot bigint,
       tx_index integer, position bigint, block_time bigint, program_id text, name text, meter text, accounts text[],
       subject text, data jsonb)`,
    [JSON.stringify(rows)],
  );
}

async function insertKey(
  client: pg.ClientBase,
  meterId: string,
  publicKey: string,
  transaction: LandedTransaction,
  afterSequence: bigint,
): Promise<void> {
  await client.query(
    `INSERT INTO meter_keys (public_key, meter_id, from_slot, from_signature, after_sequence)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (public_key) DO NOTHING`,
    [publicKey, meterId, transaction.slot, transaction.signature, afterSequence.toString()],
  );
}

/** The highest sequence that the chain had accepted of a meter by this slot. */
async function lastAccepted(client: pg.ClientBase, meterId: string, slot: number): Promise<bigint> {
  const { rows } = await client.query<{ sequence: string | null }>(
    'SELECT max(sequence) AS sequence FROM chain_readings WHERE meter_id = $1 AND slot <= $2',
    [meterId, slot],
  );
  return BigInt(rows[0]?.sequence ?? 0);
}

/**
 * Writes down that the chain accepted a reading, and takes the reading over when nobody had given it to this
 * collector.
 */
async function acceptReading(
  client: pg.ClientBase,
  transaction: LandedTransaction,
  accepted: AcceptedReading,
  { minted, inferred }: { minted: boolean; inferred: boolean },
): Promise<'known' | 'imported' | 'conflict'> {
  const { meterId, reading, publicKey } = accepted;
  const sequence = reading.sequence.toString();
  const state = accepted.counted > 0n ? 'mint_due' : accepted.held > 0n ? 'held' : 'nothing';
  await client.query(
    `INSERT INTO chain_readings (meter_id, sequence, signature, slot, public_key, interval_end, produced_total,
       consumed_total, surplus_total, counted, held, state, inferred)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      meterId,
      sequence,
      transaction.signature,
      transaction.slot,
      publicKey,
      reading.intervalEnd,
      reading.producedTotal.toString(),
      reading.consumedTotal.toString(),
      reading.surplusTotal.toString(),
      accepted.counted.toString(),
      accepted.held.toString(),
      state,
      inferred,
    ],
  );
  if (state === 'mint_due' && !minted) {
    // Applied after a later transaction that minted it: another collector, or a history that came in two parts.
    await client.query(
      `UPDATE chain_readings SET state = 'minted', mint_signature = e.signature
       FROM (SELECT signature FROM chain_events m WHERE name = 'ProductionMinted' AND meter = $3 AND slot > $4
             -- One that put nothing off paid for all there was.
             AND NOT EXISTS (SELECT FROM chain_events d
               WHERE d.signature = m.signature AND d.meter = m.meter AND d.name = 'MintDeferred')
             ORDER BY slot LIMIT 1) AS e
       WHERE meter_id = $1 AND sequence = $2`,
      [meterId, sequence, accepted.meter, transaction.slot],
    );
  }

  const hash = createHash('sha256').update(accepted.message).digest();
  const { rows: known } = await client.query<{ message_hash: Buffer }>(
    'SELECT message_hash FROM reading_keys WHERE meter_id = $1 AND sequence = $2',
    [meterId, sequence],
  );
  if (known[0]) return known[0].message_hash.equals(hash) ? 'known' : 'conflict';
  // Without its signature a reading could not be proved later; the audit names what is missing.
  if (accepted.signature === '') return 'known';
  const { rows: before } = await client.query<{ surplus_total: string; status: string }>(
    `SELECT surplus_total FROM meter_readings WHERE meter_id = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT 1`,
    [meterId, sequence],
  );
  const amount = reading.surplusTotal - BigInt(before[0]?.surplus_total ?? 0);
  const imported = await importReading(client, {
    submission: {
      meterId,
      publicKey,
      signature: accepted.signature,
      reading,
      message: accepted.message,
      messageHash: hash,
    },
    amountNkwh: amount > 0n ? amount : 0n,
    status: 'pending',
  });
  return imported ? 'imported' : 'known';
}

/**
 * What became of a reading whose event is lost. Whatever the transaction minted or put off is eligible by then; without
 * either the account tells, unless later readings are in it already: then the whole rise is taken for counted.
 */
async function inferAccepted(
  client: pg.ClientBase,
  transaction: LandedTransaction,
  unlogged: UnloggedReading,
  account: MeterAccount,
  minted: ReadonlyMap<string, bigint>,
  deferred: ReadonlyMap<string, bigint>,
): Promise<AcceptedReading> {
  const { meter, publicKey, reading, message, signature } = unlogged;
  const { rows } = await client.query<{ eligible: string; minted: string; surplus: string }>(
    `SELECT coalesce(max(c.surplus_total), 0) AS surplus,
       coalesce(sum(c.counted), 0) + coalesce((SELECT sum((e.data ->> 'amount')::numeric) FROM chain_events e
         WHERE e.meter = $2 AND e.name = 'HeldReleased' AND e.slot <= $5), 0) AS eligible,
       coalesce((SELECT sum((e.data ->> 'amount')::numeric) FROM chain_events e
         WHERE e.meter = $2 AND e.name = 'ProductionMinted' AND e.slot <= $5 AND e.signature <> $4), 0) AS minted
     FROM chain_readings c WHERE c.meter_id = $1 AND c.sequence < $3`,
    [account.meterId, meter, reading.sequence.toString(), transaction.signature, transaction.slot],
  );
  const before = {
    surplus: BigInt(rows[0]?.surplus ?? 0),
    eligible: BigInt(rows[0]?.eligible ?? 0),
    minted: BigInt(rows[0]?.minted ?? 0),
  };
  const rise = reading.surplusTotal - before.surplus;
  const due = (minted.get(meter) ?? 0n) + (deferred.get(meter) ?? 0n);
  let counted = rise;
  // With a cap the line that told what was put off may be lost too: the account is asked before the amount.
  const capped = account.mintedToday > 0n && account.eligible > account.minted;
  if (unlogged.mints && !capped) counted = before.minted + due - before.eligible;
  else if (account.lastSequence === reading.sequence) counted = account.eligible - before.eligible;
  counted = within(counted, rise);
  const held =
    account.lastSequence === reading.sequence ? within(account.held, rise - counted) : rise - counted;
  return { meterId: account.meterId, meter, publicKey, reading, message, signature, counted, held };
}

function within(amount: bigint, most: bigint): bigint {
  if (amount < 0n) return 0n;
  return amount > most ? most : amount;
}

/**
 * A mint pays for what had been counted of the meter by then, the oldest first. What the daily cap put off (`deferred`)
 * is of the newest readings: one counts as minted only when all of its energy is. Returns the meter's id.
 */
async function markMinted(
  client: pg.ClientBase,
  address: string,
  transaction: LandedTransaction,
  deferred: bigint,
): Promise<string | undefined> {
  const { rows } = await client.query<{ meter_id: string }>(
    'SELECT meter_id FROM meters WHERE address = $1',
    [address],
  );
  const meterId = rows[0]?.meter_id;
  if (meterId === undefined) return undefined;
  await client.query(
    `UPDATE chain_readings r SET state = 'minted', mint_signature = $2
     FROM (
       -- What the readings after each one are worth: counted, or held and released since.
       SELECT sequence, coalesce(sum(CASE WHEN counted > 0 THEN counted ELSE held END)
         OVER (ORDER BY sequence DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS newer
       FROM chain_readings WHERE meter_id = $1 AND state = 'mint_due' AND slot <= $3) AS w
     WHERE r.meter_id = $1 AND r.sequence = w.sequence AND w.newer >= $4::numeric`,
    [meterId, transaction.signature, transaction.slot, deferred.toString()],
  );
  return meterId;
}

/** Released energy waits for its mint, energy written off for nothing. */
async function endHold(
  client: pg.ClientBase,
  event: Extract<LandedEvent['event'], { name: 'HeldReleased' | 'HeldWrittenOff' }>,
  signature: string,
  snapshot: AccountSnapshot,
): Promise<void> {
  const { meterId, sequence } = event.data;
  const released = event.name === 'HeldReleased';
  const meter = [...snapshot.meters.values()].find((candidate) => candidate.meterId === meterId);
  const others = (meter?.holds ?? [])
    .filter((hold) => hold.amount > 0n && hold.sequence !== sequence)
    .map((hold) => hold.sequence.toString());
  await client.query(
    `UPDATE reviews SET status = $3, resolution_note = 'decided by ' || $4::text || ' in ' || $5::text
     WHERE id = (SELECT id FROM reviews WHERE kind = 'energy_held' AND meter_id = $1 AND sequence = $2
         AND status = 'dismissed' AND resolved_by = 'chain' ORDER BY created_at DESC LIMIT 1)`,
    [
      meterId,
      sequence.toString(),
      released ? 'released' : 'written_off',
      event.data.authority.toBase58(),
      signature,
    ],
  );
  // An excess that found no free place was merged under a later sequence: it goes with that one.
  await client.query(
    `UPDATE chain_readings SET state = $3 WHERE meter_id = $1 AND state = 'held' AND sequence <= $2
       AND sequence <> ALL($4::numeric[])`,
    [meterId, sequence.toString(), released ? 'mint_due' : 'nothing', others],
  );
}

/** A settlement whose transaction is here has been executed, whatever was thought of it before. */
async function confirmSettlement(client: pg.ClientBase, transaction: LandedTransaction): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `UPDATE settlements SET state = 'confirmed', slot = $2, confirmed_at = now(), closed_at = NULL, error = NULL
     WHERE signature = $1 AND state NOT IN ('confirmed', 'finalized') RETURNING id`,
    [transaction.signature, transaction.slot],
  );
  const id = rows[0]?.id;
  if (id === undefined) return;
  await client.query(
    `UPDATE settlement_items SET open = FALSE, minted_nkwh = coalesce(minted_nkwh, 0) WHERE settlement_id = $1`,
    [id],
  );
  await client.query(
    `UPDATE settlement_meters s SET attempts = 0, alone = FALSE, reason = NULL, next_attempt_at = '-infinity',
       leased_by = NULL, lease_until = NULL
     FROM settlement_items i WHERE i.settlement_id = $1 AND s.meter_id = i.meter_id`,
    [id],
  );
  await client.query(
    `UPDATE alerts a SET resolved_at = now() FROM settlement_items i
     WHERE i.settlement_id = $1 AND a.kind = 'settlement_failed' AND a.dedupe_key = i.meter_id
       AND a.resolved_at IS NULL
       -- It goes with its review: what this transaction has settled may be another reading.
       AND NOT EXISTS (SELECT FROM reviews v
         WHERE v.kind = 'settlement_failed' AND v.meter_id = i.meter_id AND v.status = 'open')`,
    [id],
  );
}

/**
 * Undoes a transaction that a fork took back: its events, keys and accepted readings go, and the readings that
 * were bound to it wait again. The accounts are to be read anew afterwards. Inside the caller's transaction.
 * @returns the meters that it had touched.
 */
export async function undoTransaction(client: pg.ClientBase, signature: string): Promise<string[]> {
  const { rows } = await client.query<{ meter_id: string }>(
    `SELECT meter_id FROM meters WHERE meter_id IN (
       SELECT meter_id FROM chain_readings WHERE signature = $1 OR mint_signature = $1
       UNION SELECT meter_id FROM meter_keys WHERE from_signature = $1)
     ORDER BY meter_id FOR UPDATE`,
    [signature],
  );
  const meterIds = rows.map(({ meter_id }) => meter_id);
  // What the database knows of these accounts is of a fork that is gone: any state of the surviving one is newer.
  await client.query(
    `UPDATE meters SET slot = 0 WHERE address IN (SELECT meter FROM chain_events WHERE signature = $1)`,
    [signature],
  );
  await client.query(
    `UPDATE users SET slot = 0 WHERE wallet_address IN (
       SELECT data ->> 'wallet' FROM chain_events WHERE signature = $1
       UNION SELECT wallet_address FROM meters WHERE address IN (
         SELECT meter FROM chain_events WHERE signature = $1))`,
    [signature],
  );
  // The same of balances: who took part, and whatever this transaction was the last to change.
  await client.query(
    `UPDATE user_balances SET slot = 0, tx_index = -1 WHERE signature = $1 OR wallet IN (
       SELECT unnest(accounts) FROM chain_events WHERE signature = $1)`,
    [signature],
  );
  const { rows: events } = await client.query<{ name: string; json: Record<string, unknown> }>(
    'SELECT name, data AS json FROM chain_events WHERE signature = $1',
    [signature],
  );
  const subjects = subjectsOf(events);
  const pauses = events.some(isPause);
  if (hasAny(subjects) || pauses) await lockProjections(client);
  const { rowCount } = await client.query('DELETE FROM chain_transactions WHERE signature = $1', [signature]);
  if (rowCount === 0) return [];
  // It may land again, in any slot: it is looked for a few times more.
  await client.query(
    `INSERT INTO chain_queue (signature, slot, tries) VALUES ($1, 0, ${MAX_TRIES - TRIES_AFTER_FORK})
     ON CONFLICT DO NOTHING`,
    [signature],
  );
  await project(client, subjects, true);
  if (pauses) await syncPaused(client);
  const votes = events.filter(({ name }) => name === 'VoteCast');
  await restoreVotes(
    client,
    votes.map(({ json }) => ({ proposal: String(json.proposal), wallet: String(json.wallet) })),
  );
  await notifyChange(client, { kind: 'undone', signature });
  await client.query(
    `UPDATE chain_readings SET state = 'mint_due', mint_signature = NULL WHERE mint_signature = $1`,
    [signature],
  );
  await client.query(
    `UPDATE meter_readings r SET status = 'pending', minted = FALSE, mint_tx_signature = NULL
     WHERE r.meter_id = ANY($2::text[]) AND (r.mint_tx_signature = $1
       OR (r.status IN ('accepted', 'chain_held', 'nothing_to_settle', 'minted', 'superseded') AND r.sequence > coalesce(
         (SELECT max(c.sequence) FROM chain_readings c WHERE c.meter_id = r.meter_id), 0)))`,
    [signature, meterIds],
  );
  await client.query(
    `UPDATE settlements SET state = 'dropped', closed_at = now(), error = 'taken back by a fork'
     WHERE signature = $1 AND state <> 'prepared'`,
    [signature],
  );
  // The matcher finds out anew what became of its transaction; pairs that were passed over may trade this time.
  const { rows: matching } = await client.query<{ id: string }>(
    `UPDATE matching_transactions SET state = 'prepared', slot = NULL, error = NULL, closed_at = NULL
     WHERE signature = $1 AND state = 'confirmed' RETURNING id`,
    [signature],
  );
  if (matching.length > 0) {
    await client.query('UPDATE matching_pairs SET skipped = NULL WHERE transaction_id = $1', [
      matching[0]?.id,
    ]);
  }
  await reconcileReadings(client, meterIds);
  await notifyChange(client, { kind: 'readings', meterIds });
  return meterIds;
}
