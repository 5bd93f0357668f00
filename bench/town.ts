/**
 * A town's history in a database: meters of solar homes, their readings every quarter of an hour, what the chain made of
 * them, and a market. Written as the collector would have written it, in the order of time, but by the database itself:
 * twenty million readings take minutes. None of it is on any chain.
 */
import { createHash } from 'node:crypto';
import {
  ENERGY_TOKEN_PROGRAM_ID,
  gridMintAddress,
  gridTokenAccount,
  meterAddress,
  REGISTRY_PROGRAM_ID,
  TRADING_PROGRAM_ID,
} from '@gridtokenx/chain';
import { encodeBase58, encodeReading } from '@gridtokenx/protocol';
import { Keypair, PublicKey } from '@solana/web3.js';
import type pg from 'pg';
import { BenchMeter } from './fleet.js';

export interface TownOptions {
  meters: number;
  /** Owners; each has a meter at least. */
  wallets: number;
  /** Readings of each meter. */
  readings: number;
  /** The first wallet, base58: a home with {@link OWNERS_METERS} meters. Default: one that nobody has the key of. */
  owner?: string;
  /** When the newest interval ended, Unix seconds. */
  endSeconds: number;
  /** Orders that ever were; a twentieth is open. A trade for each two of the others. */
  orders: number;
  say: (text: string) => void;
}

/** Meters of the first wallet. */
export const OWNERS_METERS = 3;

const QUARTER_SECONDS = 900;
/** Different days and households; each meter is one of them, larger or smaller. */
const KINDS = 40;
/** Readings that one settlement covers of a meter: it is paid twice a day. */
const SETTLED_TOGETHER = 48;
/** The newest readings of each meter wait. */
const PENDING = 2;
/** Meters of one settlement transaction. */
const METERS_TOGETHER = 5;
/** The sun's time here, ahead of UTC. */
const SUN_SECONDS = 7 * 3600;
/** A watt for a quarter of an hour. */
const NKWH_PER_WATT = 250_000;
const RATED_WATTS = 15_000;
/** Rows that one statement takes as parameters. */
const BATCH = 5_000;

interface Meter {
  id: string;
  address: string;
  wallet: string;
  publicKey: string;
  /** 64 bytes: seed and public key. */
  secretKey: Uint8Array;
  kind: number;
  /** In thousandths: how much larger than its kind. */
  scale: number;
}

/** What a kind of home measured by the end of each reading, nkWh since the first. */
interface Course {
  produced: bigint[];
  consumed: bigint[];
  surplus: bigint[];
}

/** Numbers between 0 and 1 that are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const address = (name: string) => encodeBase58(hash(`address ${name}`));
const signature = (name: string) =>
  encodeBase58(Buffer.concat([hash(`signature ${name}`), hash(`its second half ${name}`)]));

function course(kind: number, ends: readonly number[]): Course {
  const random = randomNumbers(kind + 1);
  const peak = 2_000 + 5_000 * random();
  const base = 150 + 350 * random();
  const evening = 500 + 2_000 * random();
  const made: Course = { produced: [], consumed: [], surplus: [] };
  let [produced, consumed, surplus] = [0n, 0n, 0n];
  let [day, clouds] = [-1, 1];
  for (const end of ends) {
    const local = end - QUARTER_SECONDS / 2 + SUN_SECONDS;
    if (Math.floor(local / 86_400) !== day) {
      day = Math.floor(local / 86_400);
      clouds = 0.25 + 0.75 * random();
    }
    const hour = (local % 86_400) / 3600;
    const sun = Math.max(0, Math.sin((Math.PI * (hour - 6)) / 12));
    const watts = Math.floor(peak * sun * clouds * (0.85 + 0.15 * random()));
    const dinner = Math.exp(-(((hour - 19.5) / 2) ** 2));
    const used = Math.floor(base * (0.8 + 0.4 * random()) + evening * dinner);
    produced += BigInt(watts * NKWH_PER_WATT);
    consumed += BigInt(used * NKWH_PER_WATT);
    surplus += BigInt(Math.max(0, watts - used) * NKWH_PER_WATT);
    made.produced.push(produced);
    made.consumed.push(consumed);
    made.surplus.push(surplus);
  }
  return made;
}

function makeMeters({ meters, wallets, owner }: TownOptions): Meter[] {
  return Array.from({ length: meters }, (_, place) => {
    const { publicKey, secretKey } = Keypair.fromSeed(hash(`meter key ${place}`));
    const id = `TOWN-${String(place + 1).padStart(5, '0')}`;
    const wallet = place < OWNERS_METERS ? 0 : 1 + (place % Math.max(1, wallets - 1));
    return {
      id,
      address: meterAddress(id).toBase58(),
      wallet: wallet === 0 && owner !== undefined ? owner : address(`wallet ${wallet}`),
      publicKey: publicKey.toBase58(),
      secretKey,
      kind: place % KINDS,
      scale: 700 + ((place * 37) % 600),
    };
  });
}

/** Rows in as few statements as their number allows; each column is an array. */
async function insertRows(
  client: pg.ClientBase,
  statement: string,
  types: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const columns = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ');
  for (let from = 0; from < rows.length; from += BATCH) {
    const some = rows.slice(from, from + BATCH);
    await client.query(
      statement.replace('ROWS', `unnest(${columns})`),
      types.map((_, index) => some.map((row) => row[index])),
    );
  }
}

/**
 * Does something with tables that have no indexes meanwhile, and makes the indexes again: sorted once instead of found for
 * each row.
 */
async function withoutIndexes(
  client: pg.ClientBase,
  tables: readonly string[],
  say: (text: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const { rows } = await client.query<{ drop: string; make: string }>(
    `SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
         ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END AS drop,
       CASE WHEN c.oid IS NULL THEN replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
         ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
         END AS make
     FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
     WHERE i.indrelid = ANY($1::regclass[])
       -- Other tables' foreign keys hang on it.
       AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype = 'f')`,
    [tables],
  );
  for (const { drop } of rows) await client.query(drop);
  // Foreign keys are not checked here; the collector's own triggers count what is written all the same.
  const triggers = await client.query<{ on: string; off: string }>(
    `SELECT format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname) AS on,
       format('ALTER TABLE %s ENABLE TRIGGER %I', tgrelid::regclass, tgname) AS off
     FROM pg_trigger WHERE tgrelid = ANY($1::regclass[]) AND NOT tgisinternal`,
    [tables],
  );
  for (const { on } of triggers.rows) await client.query(on);
  await work();
  for (const { off } of triggers.rows) await client.query(off);
  for (const { make } of rows) {
    say(make.slice(0, 100));
    await client.query(make);
  }
}

/**
 * Fills a database that has the collector's tables and no rows. PostgreSQL's superuser is needed, as foreign keys are not
 * checked: what is written refers to what was written before. An error leaves a database that is of no use.
 */
export async function fillTown(client: pg.Client, options: TownOptions): Promise<void> {
  const { say, readings, endSeconds } = options;
  const ends = Array.from(
    { length: readings },
    (_, step) => endSeconds - (readings - 1 - step) * QUARTER_SECONDS,
  );
  const courses = Array.from({ length: KINDS }, (_, kind) => course(kind, ends));
  const meters = makeMeters(options);
  // Autovacuum would read again and again what is being written.
  const settings: [name: string, value: string][] = [
    ['autovacuum', 'off'],
    ['max_wal_size', "'8GB'"],
    ['checkpoint_timeout', "'30min'"],
    // What a crash leaves of it is of no use anyway.
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
  ];
  for (const [name, value] of settings) {
    await client.query(`ALTER SYSTEM SET ${name} = ${value}`);
  }
  await client.query('SELECT pg_reload_conf()');
  await client.query(
    "SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET statement_timeout = 0",
  );
  await client.query('SET session_replication_role = replica');
  try {
    await client.query('SELECT ensure_reading_partition(to_timestamp(at)) FROM unnest($1::bigint[]) AS at', [
      [...new Set(ends.filter((_, step) => step % 96 === 0)), endSeconds, endSeconds + 86_400],
    ]);
    say(`${meters.length} meters`);
    await fillMeters(client, options, meters, courses, ends);
    await fillSettlements(client, options, meters, courses, ends);
    await fillReadings(client, options, ends);
    await client.query('ANALYZE meter_readings; ANALYZE reading_keys');
    await addUp(client, ends);
    say('signatures');
    await signReadings(client, meters, courses, ends);
    await fillCertificates(client, ends);
    await fillMarket(client, options, meters);
    await client.query('SET session_replication_role = origin');
    await fillReviews(client, meters, readings);
    await fillFleet(client, endSeconds);
    say('statistics');
    await client.query('VACUUM (ANALYZE)');
  } finally {
    for (const [name] of settings) await client.query(`ALTER SYSTEM RESET ${name}`).catch(() => undefined);
    await client.query('SELECT pg_reload_conf()').catch(() => undefined);
    // Whoever measures begins with nothing left to write.
    await client.query('CHECKPOINT').catch(() => undefined);
    await client.query('RESET ALL').catch(() => undefined);
  }
}

async function fillMeters(
  client: pg.ClientBase,
  { readings }: TownOptions,
  meters: readonly Meter[],
  courses: readonly Course[],
  ends: readonly number[],
): Promise<void> {
  const wallets = [...new Set(meters.map(({ wallet }) => wallet))];
  await insertRows(
    client,
    `INSERT INTO users (wallet_address, verified, registered_at, slot) SELECT wallet, true, to_timestamp(at), 1
     FROM ROWS AS t (wallet, at)`,
    ['text', 'bigint'],
    wallets.map((wallet) => [wallet, ends[0]]),
  );
  const accounts = new Map(
    wallets.map((wallet) => [wallet, gridTokenAccount(new PublicKey(wallet)).toBase58()]),
  );
  await insertRows(
    client,
    `INSERT INTO user_balances (wallet, mint, token_account, amount, slot)
     SELECT wallet, '${gridMintAddress().toBase58()}', account, amount, 1 FROM ROWS AS t (wallet, account, amount)`,
    ['text', 'text', 'numeric'],
    wallets.map((wallet, n) => [wallet, accounts.get(wallet), String(1_000_000_000 * (n % 500))]),
  );
  const settled = Math.max(0, readings - 1 - PENDING);
  await insertRows(
    client,
    `INSERT INTO meters (meter_id, address, user_id, wallet_address, public_key, rated_watts, registered_at, slot,
       last_sequence, last_end, last_produced_total, last_consumed_total, last_surplus_total, through,
       chain_sequence, chain_end, chain_produced_total, chain_consumed_total, chain_surplus_total, chain_eligible,
       chain_settled, chain_minted, token_account)
     SELECT t.id, t.address, u.id, t.wallet, t.key, ${RATED_WATTS}, to_timestamp(${ends[0]}), 1,
       ${readings}, ${ends.at(-1)}, t.produced, t.consumed, t.surplus, ${readings},
       ${settled + 1}, ${ends[settled]}, t.chain_produced, t.chain_consumed, t.chain_surplus, t.chain_surplus,
       t.chain_surplus, t.chain_surplus, t.account
     FROM ROWS AS t (id, address, wallet, key, produced, consumed, surplus, chain_produced, chain_consumed, chain_surplus,
       account) JOIN users u ON u.wallet_address = t.wallet`,
    [
      'text',
      'text',
      'text',
      'text',
      'numeric',
      'numeric',
      'numeric',
      'numeric',
      'numeric',
      'numeric',
      'text',
    ],
    meters.map((meter) => {
      const of = courses[meter.kind] as Course;
      const at = (step: number) =>
        [of.produced[step], of.consumed[step], of.surplus[step]].map((total) => String(scaled(total, meter)));
      return [
        meter.id,
        meter.address,
        meter.wallet,
        meter.publicKey,
        ...at(readings - 1),
        ...at(settled),
        accounts.get(meter.wallet),
      ];
    }),
  );
  await client.query(
    `CREATE TEMP TABLE town_meters (place int, meter_id text, user_id uuid, wallet text, key text, address text,
       account text, kind int, scale bigint, signature text)`,
  );
  await insertRows(
    client,
    `INSERT INTO town_meters SELECT t.place, t.id, m.user_id, m.wallet_address, m.public_key, m.address, m.token_account,
       t.kind, t.scale, t.signature
     FROM ROWS AS t (place, id, kind, scale, signature) JOIN meters m ON m.meter_id = t.id ORDER BY t.place`,
    ['int', 'text', 'int', 'bigint', 'text'],
    meters.map((meter, place) => [
      place,
      meter.id,
      meter.kind,
      meter.scale,
      signature(`filler ${place}`).slice(0, 80).padEnd(80, 'z'),
    ]),
  );
  await client.query(
    `CREATE TEMP TABLE town_courses (step int, kind int, produced bigint, consumed bigint, surplus bigint, before bigint,
       PRIMARY KEY (step, kind))`,
  );
  await insertRows(
    client,
    'INSERT INTO town_courses SELECT * FROM ROWS',
    ['int', 'int', 'bigint', 'bigint', 'bigint', 'bigint'],
    ends.flatMap((_, step) =>
      courses.map(({ produced, consumed, surplus }, kind) => [
        step,
        kind,
        ...[produced[step], consumed[step], surplus[step], surplus[step - 1] ?? 0n].map(String),
      ]),
    ),
  );
  await client.query('ANALYZE town_meters; ANALYZE town_courses');
}

/** A total of a meter, from its kind's. The same as `total * scale / 1000` of bigints in SQL. */
function scaled(total: bigint | undefined, meter: Meter): bigint {
  return ((total ?? 0n) * BigInt(meter.scale)) / 1000n;
}

/** Which settlement a reading is in, counted back from the newest; the pending ones are in none. */
function settlementOf(step: number, readings: number): number | undefined {
  const back = readings - 1 - PENDING - step;
  return back < 0 ? undefined : Math.floor(back / SETTLED_TOGETHER);
}

/** What the chain made of the readings: transactions, events, accepted readings, settlements. */
async function fillSettlements(
  client: pg.ClientBase,
  { readings, say }: TownOptions,
  meters: readonly Meter[],
  courses: readonly Course[],
  ends: readonly number[],
): Promise<void> {
  await client.query(
    `CREATE TEMP TABLE town_settlements (part int, together int, signature text, slot bigint, at bigint, last_step int,
       PRIMARY KEY (part, together))`,
  );
  await client.query(
    'CREATE TEMP TABLE town_items (part int, kind int, first_step int, amount bigint, before bigint)',
  );
  const groups = Math.ceil(meters.length / METERS_TOGETHER);
  const parts = (settlementOf(0, readings) ?? -1) + 1;
  const settlements: unknown[][] = [];
  const items: unknown[][] = [];
  let slot = 1_000;
  for (let part = parts - 1; part >= 0; part -= 1) {
    const last = readings - 1 - PENDING - part * SETTLED_TOGETHER;
    const first = Math.max(0, last - SETTLED_TOGETHER + 1);
    for (let together = 0; together < groups; together += 1) {
      slot += 1;
      // A settlement a moment for each group, over some minutes.
      const at = (ends[last] as number) + Math.floor((together * 600) / groups);
      settlements.push([part, together, signature(`settlement ${part} ${together}`), slot, at, last]);
    }
    courses.forEach(({ surplus }, kind) => {
      const before = surplus[first - 1] ?? 0n;
      const amount = (surplus[last] as bigint) - before;
      if (amount > 0n) items.push([part, kind, first, String(amount), String(before)]);
    });
  }
  await insertRows(
    client,
    'INSERT INTO town_settlements SELECT * FROM ROWS',
    ['int', 'int', 'text', 'bigint', 'bigint', 'int'],
    settlements,
  );
  await insertRows(
    client,
    'INSERT INTO town_items SELECT * FROM ROWS',
    ['int', 'int', 'int', 'bigint', 'bigint'],
    items,
  );
  await client.query('ANALYZE town_settlements; ANALYZE town_items');
  say(`${settlements.length} settlements`);
  const registry = REGISTRY_PROGRAM_ID.toBase58();
  const token = ENERGY_TOKEN_PROGRAM_ID.toBase58();
  const tables = ['chain_transactions', 'chain_events', 'chain_readings', 'settlements', 'settlement_items'];
  await withoutIndexes(client, tables, say, async () => {
    // Nights are not settled: they have nothing to pay.
    await client.query(
      `DELETE FROM town_settlements s WHERE NOT EXISTS (SELECT FROM town_items i WHERE i.part = s.part)`,
    );
    await client.query(
      `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, finalized, last_valid_block_height)
       SELECT signature, slot, 0, at, true, slot + 150 FROM town_settlements ORDER BY slot`,
    );
    await client.query(
      `INSERT INTO settlements (id, signature, wire, blockhash, last_valid_block_height, state, collector, lease_until,
         slot, created_at, confirmed_at, closed_at)
       OVERRIDING SYSTEM VALUE
       SELECT row_number() OVER (ORDER BY slot), signature, decode(repeat(md5(signature), 70), 'hex'), left(signature, 44),
         slot + 150, 'finalized', 'town', to_timestamp(at), slot, to_timestamp(at), to_timestamp(at + 1),
         to_timestamp(at + 15) FROM town_settlements ORDER BY slot`,
    );
    await client.query(
      "SELECT setval(pg_get_serial_sequence('settlements', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM settlements), false)",
    );
    const accepted = `FROM town_settlements s JOIN town_items i ON i.part = s.part
      JOIN town_meters t ON t.kind = i.kind AND t.place / ${METERS_TOGETHER} = s.together
      JOIN town_courses c ON c.kind = i.kind AND c.step = s.last_step
      CROSS JOIN LATERAL (SELECT (i.before + i.amount) * t.scale / 1000 - i.before * t.scale / 1000 AS paid,
        to_json(t.meter_id) AS meter_name) AS p`;
    await client.query(
      `INSERT INTO settlement_items (settlement_id, meter_id, kind, after_sequence, through_sequence, expected_nkwh,
         minted_nkwh, open)
       SELECT n.id, t.meter_id, 'submit', i.first_step, s.last_step + 1, paid, paid, false ${accepted}
       JOIN settlements n ON n.signature = s.signature ORDER BY n.id, t.place`,
    );
    await client.query(
      `INSERT INTO chain_readings (meter_id, sequence, signature, slot, public_key, interval_end, produced_total,
         consumed_total, surplus_total, counted, held, state, mint_signature)
       SELECT t.meter_id, s.last_step + 1, s.signature, s.slot, t.key, $1::bigint + s.last_step * ${QUARTER_SECONDS},
         c.produced * t.scale / 1000, c.consumed * t.scale / 1000, c.surplus * t.scale / 1000, paid, 0, 'minted',
         s.signature ${accepted} ORDER BY s.slot, t.place`,
      [ends[0]],
    );
    say('their events');
    await client.query(
      `INSERT INTO chain_events (signature, event_index, slot, tx_index, position, block_time, program_id, name, meter,
         accounts, data)
       SELECT s.signature, e.number, s.slot, 0, s.slot * 1073741824 + e.number, s.at, e.program, e.name, t.address,
         e.accounts, e.data ${accepted}
       CROSS JOIN LATERAL (VALUES
         ((t.place % ${METERS_TOGETHER}) * 3, '${registry}', 'MeterReadingSubmitted',
          ARRAY[t.address, t.key], jsonb_build_object('meter', t.address, 'meterId', t.meter_id, 'publicKey', t.key,
            'sequence', (s.last_step + 1)::text, 'producedTotal', (c.produced * t.scale / 1000)::text,
            'consumedTotal', (c.consumed * t.scale / 1000)::text, 'surplusTotal', (c.surplus * t.scale / 1000)::text,
            'counted', paid::text, 'held', '0', 'intervalStart', $1::bigint + (s.last_step - 1) * ${QUARTER_SECONDS},
            'intervalEnd', $1::bigint + s.last_step * ${QUARTER_SECONDS}, 'flags', 0, 'rebased', false)),
         ((t.place % ${METERS_TOGETHER}) * 3 + 1, '${registry}', 'MeterBalanceSettled',
          ARRAY[t.address, t.wallet], jsonb_build_object('meter', t.address, 'meterId', t.meter_id, 'owner', t.wallet,
            'newTokens', paid::text, 'totalSettled', ((i.before + i.amount) * t.scale / 1000)::text,
            'timestamp', s.at::text)),
         ((t.place % ${METERS_TOGETHER}) * 3 + 2, '${token}', 'ProductionMinted',
          ARRAY[t.address, t.account], jsonb_build_object('meter', t.address, 'ownerTokenAccount', t.account,
            'amount', paid::text, 'totalMinted', (s.slot * 1000000000)::text))
       ) AS e (number, program, name, accounts, data) ORDER BY s.slot, e.number`,
      [ends[0]],
    );
  });
}

async function fillReadings(
  client: pg.ClientBase,
  { readings, say }: TownOptions,
  ends: readonly number[],
): Promise<void> {
  await withoutIndexes(client, ['meter_readings', 'reading_keys'], say, async () => {
    for (const [step, end] of ends.entries()) {
      if (step % 200 === 0) say(`readings: ${step} of ${readings} of each meter`);
      const part = settlementOf(step, readings);
      const status =
        part === undefined ? "'pending'" : "CASE WHEN amount > 0 THEN 'minted' ELSE 'nothing_to_settle' END";
      const minted = part === undefined ? 'false' : 'amount > 0';
      await client.query({
        name: part === undefined ? 'pending' : 'settled',
        text: `WITH written AS (
           INSERT INTO meter_readings (id, user_id, meter_id, wallet_address, sequence, flags, interval_start, interval_end,
             produced_total, consumed_total, surplus_total, amount_nkwh, reading_timestamp, submitted_at, status, minted,
             mint_tx_signature, message, meter_signature, public_key)
           SELECT uuidv7(to_timestamp($2) - clock_timestamp()), t.user_id, t.meter_id, t.wallet, $1::int + 1, 0,
             $2::bigint - ${QUARTER_SECONDS}, $2::bigint, c.produced * t.scale / 1000, c.consumed * t.scale / 1000,
             c.surplus * t.scale / 1000, amount, to_timestamp($2), to_timestamp($2 + 1.5), ${status}, ${minted},
             CASE WHEN ${minted} THEN s.signature END, decode(md5(t.meter_id) || lpad(to_hex($2::bigint + t.place), 64, '0'), 'hex'),
             t.signature || translate(lpad($1::text, 8, '0'), '0', 'z'), t.key
           FROM town_courses c JOIN town_meters t ON t.kind = c.kind
           CROSS JOIN LATERAL (SELECT c.surplus * t.scale / 1000 - c.before * t.scale / 1000 AS amount) AS a
           LEFT JOIN town_settlements s ON s.part = $3 AND s.together = t.place / ${METERS_TOGETHER}
           WHERE c.step = $1
           RETURNING meter_id, sequence, message, id, reading_timestamp)
         INSERT INTO reading_keys (meter_id, sequence, message_hash, reading_id, reading_timestamp)
         SELECT meter_id, sequence, sha256(message), id, reading_timestamp FROM written`,
        values: [step, end, part ?? null],
      });
    }
  });
}

/** True signatures of what people look at: the first wallet's readings, and the newest of everybody. */
async function signReadings(
  client: pg.ClientBase,
  meters: readonly Meter[],
  courses: readonly Course[],
  ends: readonly number[],
): Promise<void> {
  const rows = meters.flatMap((meter, place) => {
    const first = place < OWNERS_METERS ? 0 : ends.length - 1;
    const key = new BenchMeter({
      meterId: meter.id,
      wallet: meter.wallet,
      secretKey: [...meter.secretKey],
    });
    return ends.slice(first).map((end, index) => {
      const step = first + index;
      const of = courses[meter.kind] as Course;
      const message = Buffer.from(
        encodeReading({
          flags: 0,
          sequence: BigInt(step + 1),
          intervalStart: end - QUARTER_SECONDS,
          intervalEnd: end,
          producedTotal: scaled(of.produced[step], meter),
          consumedTotal: scaled(of.consumed[step], meter),
          surplusTotal: scaled(of.surplus[step], meter),
        }),
      );
      return [meter.id, step + 1, message, encodeBase58(key.sign(message))];
    });
  });
  // Batch by batch the planner would read all readings for a few thousand of them.
  await client.query('SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off');
  await insertRows(
    client,
    `WITH signed AS (
       UPDATE meter_readings r SET message = t.message, meter_signature = t.signature
       FROM ROWS AS t (meter_id, sequence, message, signature)
       WHERE r.meter_id = t.meter_id AND r.sequence = t.sequence
       RETURNING r.meter_id, r.sequence, r.message)
     UPDATE reading_keys k SET message_hash = sha256(s.message) FROM signed s
     WHERE k.meter_id = s.meter_id AND k.sequence = s.sequence`,
    ['text', 'numeric', 'bytea', 'text'],
    rows,
  );
  await client.query('RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_seqscan');
}

/** The energy by quarters of an hour, as the collector adds it up: each reading against the one before it. */
async function addUp(client: pg.ClientBase, ends: readonly number[]): Promise<void> {
  const total = (name: string, of: string) => `coalesce(${of}.${name} * t.scale / 1000, 0)`;
  const rise = (name: string) => `sum(${total(name, 'c')} - ${total(name, 'p')})`;
  await client.query(
    `INSERT INTO energy_quarters (quarter, produced, consumed, surplus, readings, meters)
     SELECT quarter_of($1::bigint + c.step * ${QUARTER_SECONDS}), ${['produced', 'consumed', 'surplus'].map(rise).join(', ')},
       count(*), count(*)
     FROM town_courses c JOIN town_meters t ON t.kind = c.kind
     LEFT JOIN town_courses p ON p.step = c.step - 1 AND p.kind = c.kind GROUP BY c.step`,
    [ends[0]],
  );
  await client.query(
    `INSERT INTO energy_meters (meter_id, sequence, interval_end, produced_total, consumed_total, surplus_total)
     SELECT meter_id, last_sequence, last_end, last_produced_total, last_consumed_total, last_surplus_total FROM meters`,
  );
}

/** Two certificates of each meter. */
async function fillCertificates(client: pg.ClientBase, ends: readonly number[]): Promise<void> {
  await client.query(
    `INSERT INTO certificates (address, book, meter, meter_id, producer, holder, attested_by, serial, from_total, to_total,
       period_start, period_end, source, status, issued_signature, issued_at, slot)
     SELECT $2::text || translate(lpad((t.place * 2 + n)::text, 12, '0'), '0', 'z'), left(t.signature, 44), t.address,
       t.meter_id, t.wallet, t.wallet, t.wallet, n, n * 100000000000, (n + 1) * 100000000000, $1::bigint + n * 864000,
       $1::bigint + (n + 1) * 864000, 'solar', 'held', t.signature, to_timestamp($1::bigint + (n + 1) * 864000 + t.place), 1
     FROM town_meters t, generate_series(0, 1) AS n`,
    [ends[0], address('certificates').slice(0, 32)],
  );
}

/** One market: old orders with their trades, and a book of those that stand. */
async function fillMarket(
  client: pg.ClientBase,
  { orders, endSeconds, say }: TownOptions,
  meters: readonly Meter[],
): Promise<void> {
  if (orders === 0) return;
  say(`${orders} orders`);
  const wallets = [...new Set(meters.map(({ wallet }) => wallet))];
  const market = address('market');
  const treasury = address('treasury');
  const program = TRADING_PROGRAM_ID.toBase58();
  await client.query(
    `INSERT INTO markets (address, base_mint, quote_mint, treasury, admin, guardian, lot_size, tick_size, fee_bps, band_bps,
       paused, slot, position) VALUES ($1, $2, $3, $4, $4, $4, 1000000, 1000000, 25, 0, FALSE, 1, 1)`,
    [market, gridMintAddress().toBase58(), address('quote'), treasury],
  );
  const { rows } = await client.query<{ slot: string }>(
    'SELECT coalesce(max(slot), 1000) AS slot FROM chain_transactions',
  );
  const firstSlot = Number(rows[0]?.slot) + 1;
  const open = Math.floor(orders / 20);
  const random = randomNumbers(7);
  const made = Array.from({ length: orders }, (_, n) => {
    const isOpen = n >= orders - open;
    const side = n % 2 === 0 ? 'sell' : 'buy';
    const distance = 10 + Math.floor(600 * random());
    // Sellers above 4 GRX and buyers below it; what was traded was at about 4.
    const price = isOpen ? 4_000 + (side === 'sell' ? distance : -distance) : 3_900 + (n % 200);
    return {
      n,
      isOpen,
      side,
      price: price * 1_000_000,
      amount: (1 + Math.floor(40 * random())) * 100_000_000,
      address: address(`order ${n}`),
      owner: wallets[(n * 17) % wallets.length] as string,
      signature: signature(`order ${n}`),
      at: endSeconds - Math.floor(((orders - n) * 20 * 86_400) / orders),
    };
  });
  const slot = (n: number) => firstSlot + n;
  await insertRows(
    client,
    `INSERT INTO chain_transactions (signature, slot, tx_index, block_time, finalized, last_valid_block_height)
     SELECT signature, slot, 0, at, true, slot + 150 FROM ROWS AS t (signature, slot, at)`,
    ['text', 'bigint', 'bigint'],
    made.map((order) => [order.signature, slot(order.n), order.at]),
  );
  await insertRows(
    client,
    `INSERT INTO orders (address, market, owner, order_id, side, price, amount, remaining, escrowed, deposited, fee_bps,
       rent_payer, expires_at, created_slot, created_tx_index, created_event_index, created_signature, created_at, status,
       closed_signature, closed_at, filled_at, slot)
     SELECT address, '${market}', owner, n, side, price, amount, CASE WHEN open THEN amount ELSE 0 END,
       CASE WHEN open THEN amount ELSE 0 END, amount, 25, owner, at + 90 * 86400, slot, 0, 0, signature, to_timestamp(at),
       CASE WHEN open THEN 'open' ELSE 'filled' END, CASE WHEN NOT open THEN signature END,
       CASE WHEN NOT open THEN to_timestamp(at) END, CASE WHEN NOT open THEN to_timestamp(at) END, slot
     FROM ROWS AS t (address, owner, n, side, price, amount, open, slot, signature, at)`,
    ['text', 'text', 'numeric', 'text', 'numeric', 'numeric', 'boolean', 'bigint', 'text', 'bigint'],
    made.map((order) => [
      order.address,
      order.owner,
      order.n + 1,
      order.side,
      String(order.price),
      String(order.amount),
      order.isOpen,
      slot(order.n),
      order.signature,
      order.at,
    ]),
  );
  await insertRows(
    client,
    `INSERT INTO chain_events (signature, event_index, slot, tx_index, position, block_time, program_id, name, accounts,
       subject, data)
     SELECT signature, 0, slot, 0, slot * 1073741824, at, '${program}', 'OrderCreated', ARRAY['${market}', address, owner],
       address, jsonb_build_object('market', '${market}', 'order', address, 'owner', owner, 'price', price::text)
     FROM ROWS AS t (signature, slot, at, address, owner, price)`,
    ['text', 'bigint', 'bigint', 'text', 'text', 'bigint'],
    made.map((order) => [order.signature, slot(order.n), order.at, order.address, order.owner, order.price]),
  );
  const traded = made.filter(({ isOpen, side }) => !isOpen && side === 'buy');
  await insertRows(
    client,
    `INSERT INTO trades (signature, event_index, market, slot, tx_index, position, seller, buyer, sell_order, buy_order,
       sell_order_id, buy_order_id, maker_order, taker_side, price, amount, quote, fee, sell_closed, buy_closed, executed_at)
     SELECT signature, 1, '${market}', slot, 0, slot * 1073741824 + 1, seller, buyer, sell_order, buy_order, n - 1, n,
       sell_order, 'buy', price, amount, price * amount / 1000000000, price * amount / 400000000000, true, true,
       to_timestamp(at)
     FROM ROWS AS t (signature, slot, seller, buyer, sell_order, buy_order, n, price, amount, at)`,
    ['text', 'bigint', 'text', 'text', 'text', 'text', 'numeric', 'numeric', 'numeric', 'bigint'],
    traded.map((buy) => {
      const sell = made[buy.n - 1] as (typeof made)[number];
      return [
        buy.signature,
        slot(buy.n),
        sell.owner,
        buy.owner,
        sell.address,
        buy.address,
        buy.n + 1,
        String(buy.price),
        String(buy.amount),
        buy.at,
      ];
    }),
  );
  await client.query(
    `INSERT INTO price_guides (market, at, price, oracle_price, supply, demand, imbalance_bps, tariff_bps)
     SELECT $1, to_timestamp($2::bigint - n * 900), 4000000000 + 20000000 * (n % 7), 4000000000, 1000000000000, 900000000000,
       500, 10000 FROM generate_series(0, 1999) AS n`,
    [market, endSeconds],
  );
}

/** What waits for a person, and what did. */
async function fillReviews(client: pg.ClientBase, meters: readonly Meter[], readings: number): Promise<void> {
  const some = Math.min(525, meters.length);
  await client.query(
    `INSERT INTO reviews (kind, meter_id, sequence, amount_nkwh, reason, created_at)
     SELECT 'held_amount', meter_id, $2, 150000000000, 'more than the limit of one reading', now() - place * interval '10 minutes'
     FROM town_meters WHERE place >= ${OWNERS_METERS} ORDER BY place LIMIT $1`,
    [some, readings],
  );
  await client.query(
    `UPDATE reviews SET status = 'dismissed', resolved_at = now(), resolved_by = 'operator', resolution_note = 'looked at'
     WHERE id IN (SELECT id FROM reviews ORDER BY created_at DESC OFFSET 25)`,
  );
  const open = "SELECT meter_id FROM reviews WHERE status = 'open'";
  await client.query(`UPDATE meters SET holds = 1 WHERE meter_id IN (${open})`);
  await client.query(
    `UPDATE meter_readings SET status = 'held' WHERE sequence = $1 AND meter_id = ANY(ARRAY(${open}))`,
    [readings],
  );
  await client.query(
    `INSERT INTO alerts (kind, dedupe_key, severity, message, first_seen, last_seen, resolved_at)
     SELECT 'meter_silent', meter_id, CASE WHEN place % 10 = 0 THEN 'critical' ELSE 'warning' END,
       'no reading of this meter for an hour', now() - place * interval '10 minutes', now() - place * interval '5 minutes',
       CASE WHEN place >= 40 THEN now() END
     FROM town_meters ORDER BY place LIMIT $1`,
    [some],
  );
}

/** What the meters' gateways said of themselves last: most are well, some are not, one in fifty is gone. */
export async function fillFleet(client: pg.ClientBase, endSeconds: number): Promise<void> {
  await client.query(
    `INSERT INTO fleet (meter_id, online, changed_at, heard_at, status_at, status_seen, version, outbox_depth,
       outbox_waiting, clock_synchronised, clock_offset_ms, bus_ok, bus_failures, bus_last_error, bus_devices, alerts,
       alert_count, telemetry_at, telemetry_seen, production_watts, consumption_watts, grid_watts)
     SELECT meter_id, n % 50 <> 7, at - interval '3 days', at, at, at, CASE WHEN n % 10 = 0 THEN '0.0.9' ELSE '0.1.0' END,
       CASE WHEN n % 60 = 11 THEN 40 ELSE 0 END, n % 60 = 11, n % 70 <> 13, CASE WHEN n % 70 = 13 THEN 2500 ELSE 3 END,
       n % 80 <> 17, CASE WHEN n % 80 = 17 THEN 12 ELSE 0 END, CASE WHEN n % 80 = 17 THEN 'no answer' END,
       '[{"role":"grid","unit":1,"ok":true,"failures":0}]', '[]', 0, at, at, 3000 + n % 1000, 400 + n % 900, -2000 + n % 500
     FROM (SELECT meter_id, row_number() OVER (ORDER BY meter_id) AS n, to_timestamp($1) AS at FROM meters) AS m
     ON CONFLICT DO NOTHING`,
    [endSeconds],
  );
}
