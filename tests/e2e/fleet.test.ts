import { readFileSync } from 'node:fs';
import { Fleet } from '@gridtokenx/simulator';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * A fleet's readings are accepted as real gateways' are: registered on the chain by the command, logged in with their
 * keys, stored once each, acknowledged by the collector's signature, and minted.
 */

const METERS = 20;
let system: RunningSystem;

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
}, 600_000);

afterAll(async () => {
  await system?.destroy();
});

test('a fleet is registered, published, stored, acknowledged and minted', async () => {
  const fleet = ['--meters', String(METERS), '--meters-per-gateway', '8', '--wallets', '3', '--seed', 'e2e'];
  const registered = await system.gtxJson('sim', 'fleet', ...fleet, '--register');
  expect(registered).toEqual({ meters: METERS, added: METERS });
  expect(await system.gtxJson('sim', 'fleet', ...fleet, '--register')).toEqual({ meters: METERS, added: 0 });

  const ack = ['--ack-key', system.key('collector-ack').publicKey.toBase58()];
  // The chain counts from the registration on.
  const epoch = ['--epoch', String(Math.floor(Date.now() / 1000))];
  const times = [...epoch, '--interval-seconds', '1', '--rate', '95', '--seconds', '3'];
  const first = await system.gtxJson('sim', 'fleet', ...fleet, ...times, ...ack);
  expect(first).toMatchObject({
    meters: METERS,
    gateways: 3,
    refused: {},
    reconnects: 0,
    out_of_time: false,
  });
  expect(first.readings).toBeGreaterThan(METERS);
  expect(first.acknowledged).toBe(first.readings);
  const stored = (what = '') =>
    system.count(`SELECT count(*) FROM meter_readings WHERE meter_id LIKE 'FLEET-%' ${what}`);
  expect(await stored()).toBe(first.readings);

  // The next run goes on where the first one ended, in the middle of a round.
  expect(first.next.published % METERS).not.toBe(0);
  const next = ['--published', String(first.next.published)];
  const second = await system.gtxJson('sim', 'fleet', ...fleet, ...times, ...next, ...ack);
  expect(second.acknowledged).toBe(second.readings);
  expect(second.refused).toEqual({});
  expect(await stored()).toBe(first.readings + second.readings);
  await waitFor('the fleet is minted', async () => (await stored('AND minted')) > first.readings);
}, 600_000);

test('the commands of the documentation work', async () => {
  const page = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
  const block = /<!-- fleet[^\n]*\n```sh\n([\s\S]*?)```/.exec(page)?.[1] as string;
  const commands = block.trim().split('\n');
  expect(commands).toHaveLength(3);
  for (const command of commands) {
    expect(
      await system.gtx(...command.split(' ').slice(1), '--seed', 'doc', '--prefix', 'DOC'),
    ).toMatchObject({ code: 0 });
  }
  expect(
    await system.count(`SELECT count(*) FROM meter_readings WHERE meter_id LIKE 'DOC-%'`),
  ).toBeGreaterThan(20);
}, 600_000);

test('an acknowledgement of another key is refused', async () => {
  const fleet = new Fleet(
    {
      mqtt_url: system.url('collector', 'mqtt'),
      meters: 1,
      seed: 'e2e',
      wallets: 3,
      interval_seconds: 1,
      epoch: Math.floor(Date.now() / 1000) - 1000,
      rate: 1,
      seconds: 2,
      ack_key: system.key('registrar').publicKey.toBase58(),
    },
    { logger: pino({ level: 'silent' }) },
  );
  await expect(fleet.run()).rejects.toMatchObject({ code: 'ACK_INVALID' });
}, 600_000);
