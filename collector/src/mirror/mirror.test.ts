import {
  ed25519Instruction,
  fetchMeter,
  instructions,
  ownerMessageFor,
  registerMeter,
  registerUser,
  SettlementTables,
  sendAndConfirm,
} from '@gridtokenx/chain';
import { decodeBase58, encodeReading, GtxError, type SubmitReading, toReading } from '@gridtokenx/protocol';
import { Keypair, PublicKey } from '@solana/web3.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runAudit } from '../audit/audit.js';
import { ChangeFeed } from '../feed/index.js';
import { PgSettlementStore } from '../settlement/store.js';
import { until, World, type WorldMeter } from '../settlement/testing/world.js';
import { TestMeter } from '../testing/gateway.js';
import { ChainMirror } from './mirror.js';
import { webSocketUrl } from './subscription.js';

const world = new World();
let owner: Keypair;

beforeAll(async () => {
  await world.start();
  owner = await world.addOwner();
});
afterAll(() => world.stop());
beforeEach(() => world.useEmptyDatabase());

/** The instructions that bring a reading to the chain without any collector. */
function direct(home: WorldMeter, body: SubmitReading, mint = false) {
  const message = encodeReading(toReading(body));
  const { meterId } = home.meter;
  return [
    ed25519Instruction([
      { publicKey: decodeBase58(body.public_key), signature: decodeBase58(body.meter_signature), message },
    ]),
    mint
      ? instructions.submitAndMint({ meters: [{ meterId, owner: home.owner.publicKey }] })
      : instructions.submitMeterReading({ meterId, owner: home.owner.publicKey }),
  ];
}

async function clean(): Promise<void> {
  const { pool, connection, logger, now } = world;
  const { differences } = await runAudit({ pool, connection, logger, now });
  expect(differences).toEqual([]);
}

describe('ChainMirror.meter', () => {
  it('looks up a meter that it has not seen, with its owner, and remembers one that is not there for a while', async () => {
    const home = await world.addMeter(owner);
    // Its time stands still: taking the chain away may last longer than it remembers.
    const { pool, connection, logger, alerts } = world;
    let time = world.now();
    const mirror = new ChainMirror({
      pool,
      connection,
      logger,
      alerts,
      now: () => time,
      config: { wsUrl: false },
    });
    const meter = await mirror.meter(home.meter.meterId);
    expect(meter).toMatchObject({
      meterId: home.meter.meterId,
      wallet: owner.publicKey.toBase58(),
      userVerified: true,
      publicKey: home.meter.publicKey,
      ratedWatts: 100_000,
      status: 'active',
      chain: { sequence: 0n, producedTotal: 0n, consumedTotal: 0n, surplusTotal: 0n },
    });
    await expect(mirror.meter('nobody')).resolves.toBeUndefined();
    await expect(mirror.meter('not a meter id!')).resolves.toBeUndefined();

    const port = await world.stopChain();
    try {
      // Known in the database, or known to be unknown: the chain is not asked.
      await expect(mirror.meter(home.meter.meterId)).resolves.toMatchObject({ meterId: home.meter.meterId });
      await expect(mirror.meter('nobody')).resolves.toBeUndefined();
      await expect(mirror.meter('somebody')).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' });
      time += 6_000;
      await expect(mirror.meter('nobody')).rejects.toMatchObject({ code: 'CHAIN_UNAVAILABLE' });
      await expect(mirror.meter(home.meter.meterId, { refresh: true })).rejects.toMatchObject({
        code: 'CHAIN_UNAVAILABLE',
      });
    } finally {
      await world.startChain(port);
    }
  });

  it('asks the chain again when told that its knowledge may be stale', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.meter(home.meter.meterId);
    const old = home.meter.publicKey;
    await world.rotateKey(home);
    expect((await mirror.meter(home.meter.meterId))?.publicKey).toBe(old);
    world.pass(2);
    expect((await mirror.meter(home.meter.meterId, { refresh: true }))?.publicKey).toBe(home.meter.publicKey);
  });

  it('learns at once of a meter that was unknown a moment ago when its registration comes in', async () => {
    const mirror = world.mirror();
    const meter = new TestMeter('late-meter', Math.floor(world.now() / 1000), 3600);
    await expect(mirror.meter(meter.meterId)).resolves.toBeUndefined();
    const message = await ownerMessageFor(world.connection, meter.meterId, owner.publicKey);
    await registerMeter(world.connection, {
      payer: world.feePayer,
      owner,
      registrar: world.registrar,
      meterId: meter.meterId,
      publicKey: meter.publicKeyBytes,
      consent: meter.sign(message),
      ratedWatts: 5000,
    });
    await mirror.catchUp();
    await expect(mirror.meter(meter.meterId)).resolves.toMatchObject({ ratedWatts: 5000 });
  });
});

describe('ChainMirror', () => {
  it('imports a reading that somebody brought straight to the chain, and settlement mints it', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    world.pass(3600);
    const body = home.meter.next('2', '0.25');
    await world.send(direct(home, body), []);
    await mirror.catchUp();
    const { rows } = await world.pool.query(
      `SELECT status, minted, source, meter_signature, amount_nkwh::text AS amount FROM meter_readings
       WHERE meter_id = $1`,
      [home.meter.meterId],
    );
    expect(rows).toEqual([
      {
        status: 'accepted',
        minted: false,
        source: 'chain',
        meter_signature: body.meter_signature,
        amount: '1750000000',
      },
    ]);
    await clean();
    // Whoever submits may also mint; if nobody does, settlement does after an interval.
    await world.settlement(mirror, { intervalSeconds: 0 }).settleNow();
    expect((await fetchMeter(world.connection, home.meter.meterId))?.minted).toBe(1_750_000_000n);
    expect((await world.readings(home.meter.meterId))[0]).toMatchObject({ status: 'minted', minted: true });
    await clean();
  });

  it('marks what this collector holds when another one has settled it', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    world.pass(3600);
    await world.store(home.meter.next());
    world.pass(3600);
    const newest = home.meter.next();
    await world.store(newest);
    const signature = await world.send(direct(home, newest, true), []);
    await mirror.catchUp();
    expect(await world.readings(home.meter.meterId)).toEqual([
      { sequence: 1, status: 'minted', minted: true, signature },
      { sequence: 2, status: 'minted', minted: true, signature },
    ]);
    // A late reading, below what the chain has, is covered as soon as settlement runs.
    await world.settlement(mirror).settleNow();
    expect(await world.states()).toEqual([]);
    await clean();
  });

  it('finds out by itself, when the mirror is behind, that the chain already has what it was to settle', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    world.pass(3600);
    const body = home.meter.next();
    await world.store(body);
    const signature = await world.send(direct(home, body, true), []);
    await world.settlement(mirror).settleNow();
    expect(await world.states()).toEqual([]);
    expect(await world.readings(home.meter.meterId)).toEqual([
      { sequence: 1, status: 'minted', minted: true, signature },
    ]);
    await mirror.catchUp();
    await clean();
  });

  it('builds the same database from nothing, keys and imported readings included', async () => {
    const home = await world.addMeter(owner);
    world.pass(3600);
    await world.send(direct(home, home.meter.next(), true), []);
    await world.rotateKey(home);
    world.pass(3600);
    await world.send(direct(home, home.meter.next(), true), []);
    const mirror = world.mirror();
    await mirror.catchUp();
    const { rows } = await world.pool.query(
      'SELECT after_sequence::int AS after FROM meter_keys WHERE meter_id = $1 ORDER BY from_slot',
      [home.meter.meterId],
    );
    expect(rows).toEqual([{ after: 0 }, { after: 1 }]);
    expect((await world.readings(home.meter.meterId)).map(({ status }) => status)).toEqual([
      'minted',
      'minted',
    ]);
    const state = async () => {
      const tables = ['users', 'meters', 'meter_keys', 'chain_readings', 'chain_events'];
      const found = await Promise.all(
        tables.map(async (table) => {
          const { rows: all } = await world.pool.query(`SELECT * FROM ${table}`);
          return all
            .map(({ created_at, updated_at, id, user_id, slot, mint_due_since, ...row }) =>
              JSON.stringify(row),
            )
            .sort();
        }),
      );
      return found;
    };
    const first = await state();
    // Once more, and once more from nothing: nothing changes.
    await mirror.catchUp();
    expect(await state()).toEqual(first);
    await world.useEmptyDatabase();
    await world.mirror().catchUp();
    expect(await state()).toEqual(first);
    await clean();
  });

  it('reads a reading from its instruction when the transaction has logged its event away', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    world.pass(3600);
    const body = home.meter.next();
    await world.store(body);
    // Harmless instructions until the log is full.
    const noise = Array.from({ length: 45 }, () =>
      instructions.getUnsettledBalance({ meterId: home.meter.meterId }),
    );
    const tables = new SettlementTables({ connection: world.connection, authority: world.feePayer });
    await tables.ensure([{ meterId: home.meter.meterId, owner: owner.publicKey }]);
    const table = await world.connection.getAddressLookupTable(new PublicKey(tables.addresses[0] ?? ''));
    const { signature } = await sendAndConfirm(world.connection, {
      payer: world.feePayer,
      instructions: [...noise, ...direct(home, body, true)],
      lookupTables: table.value ? [table.value] : [],
    });
    expect((await fetchMeter(world.connection, home.meter.meterId))?.minted).toBe(600_000_000n);
    await mirror.catchUp();
    expect(await world.readings(home.meter.meterId)).toEqual([
      { sequence: 1, status: 'minted', minted: true, signature },
    ]);
    const alerts = await world.pool.query(
      `SELECT dedupe_key FROM alerts WHERE kind = 'chain_logs_truncated'`,
    );
    expect(alerts.rows).toEqual([{ dedupe_key: signature }]);
    world.pass(3600);
    await world.store(home.meter.next());
    await world.settlement(mirror).settleNow();
    expect((await fetchMeter(world.connection, home.meter.meterId))?.minted).toBe(1_200_000_000n);
    await clean();
  });

  it('tells when the chain accepted other bytes under a sequence than it holds', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    world.pass(3600);
    const twin = Object.assign(Object.create(Object.getPrototypeOf(home.meter)), home.meter) as TestMeter;
    await world.store(home.meter.next('1', '0'));
    await world.send(direct(home, twin.next('3', '0'), true), []);
    await mirror.catchUp();
    expect((await world.readings(home.meter.meterId))[0]?.status).toBe('superseded');
    const alerts = await world.pool.query(
      `SELECT dedupe_key FROM alerts WHERE kind = 'chain_reading_conflict'`,
    );
    expect(alerts.rows).toEqual([{ dedupe_key: `${home.meter.meterId}/1` }]);
  });

  it('gives readings back when a fork takes their transaction, and takes it in again when it comes again', async () => {
    const home = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    await world.measure([home]);
    await world.settlement(mirror).settleNow();
    const [reading] = await world.readings(home.meter.meterId);
    const signature = reading?.signature ?? '';
    expect(reading?.minted).toBe(true);
    const store = new PgSettlementStore({
      pool: world.pool,
      collector: 'test',
      policy: () => ({ mode: 'interval', intervalSeconds: 60, minimumNkwh: 0n, maxWaitSeconds: 60 }),
      leaseSeconds: 20,
      logger: world.logger,
    });
    const applied = await store.takeApplied(100);
    const settlement = applied.find((candidate) => candidate.signature === signature);
    if (!settlement) throw new Error('the settlement is not among the applied transactions');
    await store.drop(settlement);
    expect(await world.readings(home.meter.meterId)).toEqual([
      { sequence: 1, status: 'pending', minted: false, signature: null },
    ]);
    expect(await world.states()).toEqual(['dropped']);
    const events = await world.pool.query(
      'SELECT count(*)::int AS n FROM chain_events WHERE signature = $1',
      [signature],
    );
    expect(events.rows[0].n).toBe(0);
    // It was not really taken back: the mirror finds it again and puts everything in order.
    world.pass(61);
    await mirror.catchUp();
    expect((await world.readings(home.meter.meterId))[0]).toMatchObject({ minted: true, signature });
    expect(await world.states()).toEqual(['confirmed']);
    await clean();
  });

  it('does not let a transaction that cannot be applied hold up the ones behind it', async () => {
    const first = await world.addMeter(owner);
    const second = await world.addMeter(owner);
    const mirror = world.mirror();
    await mirror.catchUp();
    // What makes it fail: something in the way that the mirror did not put there.
    await world.pool.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN IF NEW.meter_id = '${first.meter.meterId}' THEN RAISE check_violation; END IF; RETURN NEW; END $$`,
    );
    await world.pool.query(
      'CREATE TRIGGER refuse BEFORE INSERT ON chain_readings FOR EACH ROW EXECUTE FUNCTION refuse()',
    );
    world.pass(3600);
    await world.send(direct(first, first.meter.next(), true), []);
    await world.send(direct(second, second.meter.next(), true), []);
    await mirror.catchUp();
    expect(await world.readings(second.meter.meterId)).toHaveLength(1);
    expect(await world.readings(first.meter.meterId)).toHaveLength(0);
    const alerts = await world.pool.query(`SELECT severity FROM alerts WHERE kind = 'mirror_failed'`);
    expect(alerts.rows).toEqual([{ severity: 'critical' }]);
    // However often it has been tried.
    await world.pool.query(`UPDATE chain_queue SET tries = 5000, next_try_at = '-infinity'`);
    await mirror.catchUp();
    await world.pool.query('DROP TRIGGER refuse ON chain_readings');
    await world.pool.query(`UPDATE chain_queue SET next_try_at = '-infinity'`);
    await mirror.catchUp();
    expect(await world.readings(first.meter.meterId)).toHaveLength(1);
    expect(await world.openAlerts('mirror_failed')).toEqual([]);
    await clean();
  });

  it('lets nobody miss what it applied in a long backlog and died before telling', async () => {
    const feed = new ChangeFeed({ databaseUrl: world.databaseUrl, logger: world.logger });
    const heard: string[] = [];
    feed.onChange(({ kind }) => heard.push(kind));
    await feed.start();
    try {
      const killed = world.mirror({ longBacklog: 0 });
      killed.onApplied(() => {
        throw new GtxError('CHAIN_UNAVAILABLE', 'killed');
      });
      await expect(killed.catchUp()).rejects.toThrow('killed');
      // Its page is in the database, and another collector finds little that is new.
      await world.mirror().catchUp();
      await until(async () => heard.includes('gap'));
      expect(heard).not.toContain('transaction');
    } finally {
      await feed.stop();
    }
  });

  it('follows the chain live over its WebSocket, and across a restart of the node', async () => {
    const mirror = world.mirror({ pollSeconds: 3600, wsUrl: webSocketUrl(world.rpcUrl) });
    await mirror.start();
    try {
      const wallet = Keypair.generate();
      await registerUser(world.connection, { payer: world.feePayer, wallet });
      const known = async () =>
        (await world.pool.query('SELECT FROM users WHERE wallet_address = $1', [wallet.publicKey.toBase58()]))
          .rowCount === 1;
      await until(known);
      const port = await world.stopChain();
      await world.startChain(port);
      const home = await world.addMeter(owner);
      await until(
        async () =>
          (await world.pool.query('SELECT FROM meters WHERE meter_id = $1', [home.meter.meterId]))
            .rowCount === 1,
      );
    } finally {
      await mirror.stop();
    }
  });

  it('ends what an earlier run told of and what is over', async () => {
    const { alerts } = world;
    const critical = { key: 'mirror', severity: 'critical', message: 'before' } as const;
    await alerts.raise({ ...critical, kind: 'chain_unavailable', details: { part: 'mirror' } });
    await alerts.raise({ ...critical, kind: 'other_chain', details: {} });
    const mirror = world.mirror();
    await mirror.start();
    try {
      await until(async () => (await world.openAlerts('chain_unavailable', 'other_chain')).length === 0);
    } finally {
      await mirror.stop();
    }
  });

  it('refuses a database that belongs to another chain', async () => {
    const mirror = world.mirror();
    await mirror.start();
    await mirror.stop();
    await world.pool.query(`UPDATE chain_network SET genesis_hash = 'elsewhere'`);
    await expect(world.mirror().start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    // Settlement does not settle there either.
    await expect(world.settlement(mirror).settleNow()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
