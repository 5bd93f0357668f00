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
import {
  expectHoldings,
  newPerson,
  type Person,
  persist,
  produce,
  type Terminal,
  terminalOf,
  told,
} from '../support/market.js';
import { type Homestead, Plant, statusOf } from '../support/plant.js';
import { announceSeed, seededRandom } from '../support/random.js';
import type { Service } from '../support/service.js';
import { waitFor } from '../support/wait.js';

/*
 * Two collectors share one database and one Mosquitto, over shared subscriptions. Either is killed (kill -9) in turn while
 * a home sends readings and people trade: what one had begun the other finishes, and nothing happens twice.
 */

const KILLS = Number(process.env.GTX_KILLS ?? 6);
const HOME = 'MTR-201';
let plant: Plant;
let terminal: Terminal;
let mosquitto: TestMosquitto;
let environment: Record<string, string>;
let home: Homestead;
let collectors: Service[] = [];
let seller: Person;
let buyer: Person;

beforeAll(async () => {
  if (!mosquittoWanted()) return;
  plant = await Plant.create();
  terminal = terminalOf(plant);
  await plant.gtx('chain', 'init');
  const port = await freePort();
  const user = mosquittoUser();
  const folder = join(plant.dataDir, 'mosquitto');
  const rules = await plant.gtx(
    ...['broker', 'rules', HOME, '--out', folder, '--tls-dir', join(plant.dataDir, 'tls')],
    ...['--listen', `127.0.0.1:${port}`, ...(user ? ['--owner', `${user.uid}:${user.gid}`] : [])],
  );
  mosquitto = await startMosquitto(rules.config_file, port);
  const url = `mqtts://127.0.0.1:${port}`;
  environment = { MQTT_URL: url, ...rules.collector_environment };
  collectors = await Promise.all([plant.collector(environment), plant.collector(environment)]);
  const file = (name: string) => join(folder, 'logins', name);
  home = await plant.home(HOME, {
    mqtt: { url, ca_file: file('ca.pem'), password_file: file(`${HOME}.password`) },
  });
  seller = await newPerson(terminal, 'seller');
  buyer = await newPerson(terminal, 'buyer');
  await told(terminal, 'faucet', '--amount', '100', '--to', buyer.wallet);
}, 600_000);

afterAll(async () => {
  await plant?.destroy();
  await mosquitto?.stop();
});

/** Commands name the collector that lives. */
const persistAt = (collector: Service | undefined, ...args: string[]) =>
  persist(terminal, ...args, '--url', String(collector?.info.http_url));

test.runIf(mosquittoWanted())(
  `${KILLS} kill -9 of one of two collectors under readings and trades`,
  async () => {
    const random = seededRandom(announceSeed());
    await produce(
      terminal,
      seller,
      'MTR-202',
      { production: '25', consumption: '10' },
      collectors[0]?.info.http_url,
    );
    await expectHoldings(terminal, seller, { grid: '15', grx: '0' });

    for (let round = 0; round < KILLS; round++) {
      const victim = collectors[round % 2] as Service;
      const stayed = collectors[(round + 1) % 2];
      const [order, counter] = random() < 0.5 ? ['sell', 'buy'] : ['buy', 'sell'];
      const keyOf = (side: string | undefined) => (side === 'sell' ? seller : buyer).keyFile;
      const make = (side: string | undefined) =>
        persist(
          terminal,
          ...['create-order', '--side', String(side), '--amount', '1', '--price', '3'],
          ...['--keypair', keyOf(side)],
        );
      await make(order);
      // The second one crosses the first: whichever collector matches may be the one that dies now.
      const crossing = make(counter);
      expect(await victim.stop('SIGKILL')).toBe(-1);
      await crossing;
      const stored = await plant.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [HOME]);
      await waitFor('the other one stores readings', async () => {
        const now = await plant.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [HOME]);
        return now > stored + 1;
      });
      await waitFor(`the trade of round ${round} is done`, async () => {
        const trades = await persistAt(stayed, 'trades', '--all', '--source', 'collector');
        return trades.trades.length === round + 1;
      });
      collectors[round % 2] = await plant.collector(environment);
    }
    await expectHoldings(terminal, seller, { grid: String(15 - KILLS), grx: String(3 * KILLS) });
    await expectHoldings(terminal, buyer, { grid: String(KILLS), grx: String(100 - 3 * KILLS) });

    await plant.rest(home);
    await waitFor('all of the home is acknowledged', async () => {
      const { outbox } = (await statusOf(home.agent)).meters[0];
      return outbox.pending === 0 && outbox.sent <= 1;
    });
    await waitFor('all of the home is minted', async () => {
      const [row] = await plant.query<{ total: string }>(
        'SELECT max(surplus_total) AS total FROM meter_readings WHERE meter_id = $1',
        [HOME],
      );
      return (await fetchMeter(plant.connection, HOME))?.minted === BigInt(row?.total ?? -1);
    });
    const { sum, total } = await plant.wholeLine(HOME);
    expect(sum).toBe(total);
    await waitFor('the audit passes', async () => (await plant.tryGtx('audit')).code === 0, {
      everyMs: 1_000,
    });
    expect(await told(terminal, 'replay', '--check')).toMatchObject({ identical: true });
  },
  30 * 60_000,
);
