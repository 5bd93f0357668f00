import { join } from 'node:path';
import { fetchMeter } from '@gridtokenx/chain';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  mosquittoUser,
  mosquittoWanted,
  startMosquitto,
  type TestMosquitto,
} from '../../collector/src/testing/mosquitto.js';
import { type Homestead, Plant, statusOf } from '../support/plant.js';
import type { Service } from '../support/service.js';
import { waitFor } from '../support/wait.js';

/*
 * Two collectors share a database and a Mosquitto that `gtx broker rules` has set up. One after the other is stopped as a service
 * manager stops it (SIGTERM) and started again, while gateways go on sending: no reading is lost or stored twice, and
 * somebody settles all the time.
 */

const METERS = ['MTR-101', 'MTR-102'];
let plant: Plant;
let mosquitto: TestMosquitto;
let environment: Record<string, string>;
const homes: Homestead[] = [];
let collectors: Service[] = [];

beforeAll(async () => {
  if (!mosquittoWanted()) return;
  plant = await Plant.create();
  const port = await freePort();
  const user = mosquittoUser();
  const folder = join(plant.dataDir, 'mosquitto');
  const rules = await plant.gtx(
    ...['broker', 'rules', ...METERS, '--out', folder, '--tls-dir', join(plant.dataDir, 'tls')],
    ...['--listen', `127.0.0.1:${port}`, ...(user ? ['--owner', `${user.uid}:${user.gid}`] : [])],
  );
  mosquitto = await startMosquitto(rules.config_file, port);
  const url = `mqtts://127.0.0.1:${port}`;
  environment = { MQTT_URL: url, ...rules.collector_environment };
  collectors = await Promise.all([plant.collector(environment), plant.collector(environment)]);
  for (const meterId of METERS) {
    const file = (name: string) => join(folder, 'logins', name);
    homes.push(
      await plant.home(meterId, {
        mqtt: { url, ca_file: file('ca.pem'), password_file: file(`${meterId}.password`) },
      }),
    );
  }
}, 600_000);

afterAll(async () => {
  await plant?.destroy();
  await mosquitto?.stop();
});

const stored = (meterId: string) =>
  plant.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [meterId]);
const everyMeter = async (check: (meterId: string) => Promise<boolean>) =>
  (await Promise.all(METERS.map(check))).every(Boolean);

test.runIf(mosquittoWanted())(
  'collectors are restarted in turn under a stream of readings',
  async () => {
    await waitFor('both meters are settled', () =>
      everyMeter(async (id) => ((await fetchMeter(plant.connection, id))?.minted ?? 0n) > 0n),
    );
    const shares = async (service: Service) =>
      Number(
        /^gtx_collector_acks_total (\d+)/m.exec(
          await (await fetch(new URL('/metrics', service.info.http_url))).text(),
        )?.[1] ?? 0,
      );
    await waitFor('each collector has a share of the readings', async () =>
      (await Promise.all(collectors.map(shares))).every((acks) => acks > 0),
    );

    for (let round = 0; round < 4; round++) {
      const index = round % 2;
      const leaving = collectors[index] as Service;
      const leases = () => plant.count('SELECT count(*) FROM settlement_meters WHERE lease_until > now()');
      expect(await leaving.stop()).toBe(0);
      const [other] = collectors.filter((one) => one !== leaving);
      // The one that stayed takes everything, readings and settlement.
      const before = new Map(
        await Promise.all(
          METERS.map(
            async (id) =>
              [
                id,
                { stored: await stored(id), minted: (await fetchMeter(plant.connection, id))?.minted ?? 0n },
              ] as const,
          ),
        ),
      );
      await waitFor(`the other one goes on in round ${round}`, () =>
        everyMeter(async (id) => {
          const then = before.get(id);
          const minted = (await fetchMeter(plant.connection, id))?.minted ?? 0n;
          return then !== undefined && (await stored(id)) >= then.stored + 3 && minted > then.minted;
        }),
      );
      expect(other?.running).toBe(true);
      expect(await leases()).toBeLessThanOrEqual(METERS.length);
      collectors[index] = await plant.collector(environment);
    }

    for (const home of homes) await plant.rest(home);
    for (const { meterId, agent } of homes) {
      const status = async () => (await statusOf(agent)).meters[0];
      await waitFor(`all of ${meterId} is acknowledged`, async () => {
        const { outbox } = await status();
        return outbox.pending === 0 && outbox.sent <= 1;
      });
      await waitFor(`all of ${meterId} is minted`, async () => {
        const [row] = await plant.query<{ total: string }>(
          'SELECT max(surplus_total) AS total FROM meter_readings WHERE meter_id = $1',
          [meterId],
        );
        return (await fetchMeter(plant.connection, meterId))?.minted === BigInt(row?.total ?? -1);
      });
      // Each sequence once, and their amounts are the register.
      const { sum, total } = await plant.wholeLine(meterId);
      expect(sum).toBe(total);
      expect((await status()).troubled).toEqual([]);
    }
    await waitFor('the audit passes', async () => (await plant.tryGtx('audit')).code === 0, {
      everyMs: 1_000,
    });
  },
  600_000,
);
