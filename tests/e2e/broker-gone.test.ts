import { afterAll, beforeAll, test } from 'vitest';
import { BrokerProcess } from '../support/broker-process.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * A broker that is killed, stays away for many intervals and comes back empty (it kept nothing): the gateway keeps
 * every reading meanwhile and delivers them all, in order, without a person doing anything.
 */

const broker = new BrokerProcess();
let system: RunningSystem;

beforeAll(async () => {
  await broker.start();
  system = await RunningSystem.start({
    args: ['--interval-seconds', '1'],
    env: { MQTT_URL: broker.url },
  });
}, 600_000);

afterAll(async () => {
  await system?.destroy();
  await broker.kill();
});

test('many intervals without a broker are delivered when it is back', async () => {
  const stored = () => system.count('SELECT count(*) FROM meter_readings');
  await waitFor('a reading is stored', async () => (await stored()) > 0);

  await broker.kill();
  const gateway = async (): Promise<{ sequence: number; outbox: { pending: number; sent: number } }> =>
    JSON.parse(await system.http('agent', '/api/status')).meters[0];
  const undecided = async (): Promise<number> => {
    const { outbox } = await gateway();
    return outbox.pending + outbox.sent;
  };
  await waitFor('twenty intervals wait in the outbox', async () => (await undecided()) >= 20);
  // Some may be stored whose acknowledgement was lost with the broker: what counts is that all are in the end.
  const { sequence: delayed } = await gateway();

  await broker.start();
  // What was published before the collector listened again is sent again, after readings that came later.
  await waitFor('what was delayed is stored, and nothing is missing', async () => {
    const [row] = await system.query<{ last: string; count: string }>(
      'SELECT max(sequence) AS last, count(*) FROM meter_readings',
    );
    return row !== undefined && Number(row.last) >= delayed && row.count === row.last;
  });
  await waitFor('the outbox is empty again', async () => (await undecided()) <= 1);

  await waitFor('what was delayed is minted', async () => {
    return (
      (await system.count('SELECT count(*) FROM meter_readings WHERE minted AND sequence >= $1', [delayed])) >
      0
    );
  });
  await waitFor('the audit passes', async () => (await system.gtx('audit')).code === 0, { everyMs: 1_000 });
}, 600_000);
