import { afterAll, beforeAll, expect, test } from 'vitest';
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
  const agentUrl = system.url('agent', 'status');
  const outbox = async (): Promise<number> => {
    const metrics = await (await fetch(`${agentUrl}/metrics`)).text();
    const depth = /^gtx_agent_outbox_undecided_readings\{[^}]*\} (\d+)$/m.exec(metrics)?.[1];
    if (depth === undefined) throw new Error('the agent tells no outbox depth');
    return Number(depth);
  };
  await waitFor('twenty intervals wait in the outbox', async () => (await outbox()) >= 20);
  const before = await stored();

  await broker.start();
  await waitFor('the outbox is empty again', async () => (await outbox()) <= 1);
  expect(await stored()).toBeGreaterThanOrEqual(before + 19);
  const [row] = await system.query<{ last: string; count: string }>(
    'SELECT max(sequence) AS last, count(*) FROM meter_readings',
  );
  expect(row?.count).toBe(row?.last);

  await waitFor('what was delayed is minted', async () => {
    return (
      (await system.count('SELECT count(*) FROM meter_readings WHERE minted AND sequence >= $1', [
        before + 19,
      ])) > 0
    );
  });
  await waitFor('the audit passes', async () => (await system.gtx('audit')).code === 0, { everyMs: 1_000 });
}, 600_000);
