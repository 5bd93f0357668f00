import { fetchMeter, fetchTokenConfig, gridMintAddress, gridTokenAccount } from '@gridtokenx/chain';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommands } from '../support/page.js';
import { type Homestead, Plant, statusOf } from '../support/plant.js';
import type { Service } from '../support/service.js';
import { SystemPostgres, systemPostgresInstalled } from '../support/system-postgres.js';
import { waitFor } from '../support/wait.js';

/*
 * The restore drill of docs/run-a-collector.md: the database is lost, and what takes its place is of yesterday. Chain and
 * gateways teach it the rest.
 */

const wanted = systemPostgresInstalled() || process.env.CI !== undefined;
const postgres = new SystemPostgres();
let plant: Plant;
let collector: Service;
let environment: Record<string, string>;
let mqtt: string;
let shell: { cwd: string; env: Record<string, string> };

beforeAll(async () => {
  if (!wanted) return;
  await postgres.start();
  plant = await Plant.create(postgres.url('gridtokenx'));
  shell = {
    cwd: plant.dataDir,
    env: {
      DATABASE_URL: plant.databaseUrl,
      ADMIN_URL: postgres.url('postgres'),
      PATH: `${postgres.path}:${process.env.PATH}`,
    },
  };
  await plant.query('CREATE DATABASE gridtokenx', [], postgres.url('postgres'));
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  mqtt = `mqtt://127.0.0.1:${mqttPort}`;
  environment = { GTX_MQTT_PORT: String(mqttPort), GTX_HTTP_PORT: String(httpPort) };
  collector = await plant.collector(environment);
}, 600_000);

afterAll(async () => {
  await plant?.destroy();
  if (wanted) postgres.stop();
});

const minted = async (meterId: string) => (await fetchMeter(plant.connection, meterId))?.minted ?? 0n;
const stored = (meterId: string) =>
  plant.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [meterId]);
/** Whatever belongs to a reading itself, and not to how and when it came here. */
const readingsOf = (through: ReadonlyMap<string, string>) =>
  Promise.all(
    [...through].map(([meterId, last]) =>
      plant.query(
        `SELECT meter_id, sequence, encode(message, 'hex') AS message, meter_signature, public_key, amount_nkwh, flags,
           interval_start, interval_end, produced_total, consumed_total, surplus_total, wallet_address, minted
         FROM meter_readings WHERE meter_id = $1 AND sequence <= $2 ORDER BY sequence`,
        [meterId, last],
      ),
    ),
  );
const settled = async ({ meterId }: Homestead) => {
  const [row] = await plant.query<{ total: string }>(
    'SELECT max(surplus_total) AS total FROM meter_readings WHERE meter_id = $1',
    [meterId],
  );
  return row !== undefined && (await minted(meterId)) === BigInt(row.total);
};
const delivered = async ({ agent }: Homestead) => {
  const { outbox } = (await statusOf(agent)).meters[0];
  return outbox.pending === 0 && outbox.sent <= 1;
};

test.runIf(wanted)(
  'a database of yesterday learns the rest from the chain and from gateways, and nothing is minted twice',
  async () => {
    const first = await plant.home('MTR-201', { mqtt: { url: mqtt } });
    await waitFor('the first meter is settled', async () => (await minted('MTR-201')) > 0n);
    await runCommands('run-a-collector.md', 'backup', shell);
    const yesterday = await stored('MTR-201');

    // The day in between: energy, time without any (such readings never reach the chain), a meter that is new.
    await waitFor('the day goes on', async () => (await stored('MTR-201')) >= yesterday + 5);
    const second = await plant.home('MTR-202', { mqtt: { url: mqtt } });
    await waitFor('the second meter is settled', async () => (await minted('MTR-202')) > 0n);
    for (const home of [first, second]) await plant.rest(home);
    await waitFor('the day is delivered', async () => (await delivered(first)) && (await delivered(second)));
    await waitFor('the day is settled', async () => (await settled(first)) && (await settled(second)));
    expect(await collector.stop()).toBe(0);
    const rows = await plant.query<{ meter_id: string; last: string }>(
      'SELECT meter_id, max(sequence) AS last FROM meter_readings GROUP BY meter_id ORDER BY meter_id',
    );
    const through = new Map(rows.map((row) => [row.meter_id, row.last]));
    const before = await readingsOf(through);
    const unsettled = await plant.count(
      `SELECT count(*) FROM meter_readings r WHERE amount_nkwh = 0 AND sequence > $1 AND NOT EXISTS
       (SELECT 1 FROM chain_events e WHERE e.data->>'sequence' = r.sequence::text AND e.data->>'meter_id' = r.meter_id)`,
      [yesterday],
    );
    expect(unsettled).toBeGreaterThan(0);
    const counters = await Promise.all([...through.keys()].map((id) => fetchMeter(plant.connection, id)));
    const owner = plant.key('owner').publicKey;
    const balance = async () =>
      (await plant.connection.getTokenAccountBalance(gridTokenAccount(owner), 'confirmed')).value.amount;
    const balanceBefore = await balance();

    await plant.leave(plant.databaseUrl);
    await runCommands('run-a-collector.md', 'restore', shell);
    expect(await stored('MTR-201')).toBeLessThan(before[0]?.length ?? 0);
    expect(await plant.count("SELECT count(*) FROM meters WHERE meter_id = 'MTR-202'")).toBe(0);

    collector = await plant.collector(environment);
    await waitFor('everything is there again', async () => {
      const now = await readingsOf(through);
      return now.every((list, index) => list.length === before[index]?.length);
    });
    await waitFor(
      'the gateways have delivered',
      async () => (await delivered(first)) && (await delivered(second)),
    );
    expect(await readingsOf(through)).toEqual(before);
    // The meters have stood still since: whatever was minted now would have been minted twice.
    expect(await Promise.all([...through.keys()].map((id) => fetchMeter(plant.connection, id)))).toEqual(
      counters,
    );
    expect(await balance()).toBe(balanceBefore);
    const sources = await plant.query<{ source: string }>(
      'SELECT DISTINCT source FROM meter_readings WHERE sequence > $1 ORDER BY source',
      [yesterday],
    );
    expect(sources.map(({ source }) => source)).toEqual(['chain', 'mqtt']);
    expect(collector.log).toContain('readings are missing, asking for them');

    // And the day goes on.
    await plant.power(first, 900_000);
    await waitFor(
      'new energy is minted',
      async () => (await minted('MTR-201')) > (counters[0]?.minted ?? 0n),
    );
    await plant.rest(first);
    await waitFor('all is delivered', async () => (await delivered(first)) && (await delivered(second)));
    await waitFor('all is settled', async () => (await settled(first)) && (await settled(second)));
    const supply = await plant.connection.getTokenSupply(gridMintAddress(), 'confirmed');
    const total = (await Promise.all([...through.keys()].map(minted))).reduce((sum, one) => sum + one, 0n);
    expect(BigInt(supply.value.amount)).toBe(total);
    expect((await fetchTokenConfig(plant.connection))?.totalMinted).toBe(total);
    await waitFor('the audit passes', async () => (await plant.tryGtx('audit')).code === 0, {
      everyMs: 1_000,
    });
  },
  600_000,
);
