import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kwhToNkwh, MAX_PAYLOAD_BYTES } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectBooksToAgree } from '../support/books.js';
import { TestGateway } from '../support/gateway.js';
import { SigningMeter } from '../support/signing-meter.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/* A logged-in gateway that sends rubbish between good readings: the good ones are stored, acknowledged and minted. */

let system: RunningSystem;
let meter: SigningMeter;
let other: SigningMeter;

beforeAll(async () => {
  // Another owner than the demo's, so that the wallet holds this meter's energy and no other.
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
  const ownerKey = join(system.dataDir, 'keys', 'bob.json');
  await system.gtxJson('keygen', '--out', ownerKey);
  const payer = join(system.dataDir, 'keys', 'registrar.json');
  const { wallet } = await system.gtxJson('register-user', '--wallet-key', ownerKey, '--payer-key', payer);
  await system.gtxJson('verify-user', '--wallet', wallet);
  meter = await SigningMeter.register(system, 'MTR-POISON', { ownerKey });
  other = await SigningMeter.register(system, 'MTR-OTHER', { ownerKey });
}, 600_000);
afterAll(() => system?.destroy());

test('good readings between poison are stored, acknowledged and minted; poison is counted and told', async () => {
  const gateway = await TestGateway.login(system, meter);
  const send = (payload: string | Buffer | object) => gateway.publish('MTR-POISON', payload);

  const first = meter.next('1', '0.25');
  await send(first);
  await send('this is no JSON');
  await send(randomBytes(900));
  await send('');
  for (const shape of [
    'null',
    '[]',
    '7',
    '"text"',
    '{}',
    '{"reading":{"sequence":"99999999999999999999999"}}',
  ]) {
    await send(shape);
  }
  await send(`${'['.repeat(8_000)}${']'.repeat(8_000)}`);
  await send(JSON.stringify(first).replace('"meter_id"', '"__proto__":{"polluted":true},"meter_id"'));
  await send({ ...first, kwh_amount: 0.7500000001 });
  await send(meter.next('2', '0.5'));

  // Genuine, but of a meter that this gateway has not logged in with.
  await send(other.next('5'));
  // One byte more than is taken, then far more: the second costs no connection either while it fits a packet.
  await send(JSON.stringify(first).padEnd(MAX_PAYLOAD_BYTES + 1, ' '));
  await send(Buffer.alloc(40_000, 0x20));
  await send(meter.next('1'));

  // A stranger's signature under the sequence that comes next: it must not use the sequence up.
  const next = meter.next('3', '1');
  await send({ ...next, meter_signature: meter.body(meter.last, 0n, Keypair.generate()).meter_signature });
  await send(meter.body(meter.last, kwhToNkwh('2'), Keypair.generate()));
  await send(next);
  // The meter itself signs other bytes under a used sequence: somebody has its key, or two gateways run.
  const { last } = meter;
  await send(meter.body({ ...last, producedTotal: last.producedTotal + 1n }, kwhToNkwh('2')));
  await send(meter.next('0.5'));

  await waitFor('the last good one is acknowledged', () => gateway.through('MTR-POISON') >= 5n);
  expect(gateway.closed).toBe(0);
  await gateway.end();

  const stored = await system.query<{ sequence: string; amount_nkwh: string; source: string }>(
    `SELECT sequence, amount_nkwh, source FROM meter_readings WHERE meter_id = 'MTR-POISON' ORDER BY sequence`,
  );
  expect(stored).toEqual(
    ['0.75', '1.5', '1', '2', '0.5'].map((amount, index) => ({
      sequence: String(index + 1),
      amount_nkwh: kwhToNkwh(amount).toString(),
      source: 'mqtt',
    })),
  );
  expect(await system.count(`SELECT count(*) FROM meter_readings WHERE meter_id = 'MTR-OTHER'`)).toBe(0);

  const poison = (reason: string) =>
    system.metric('collector', 'gtx_collector_poison_messages_total', { reason });
  expect(await poison('not_json')).toBe(3);
  expect(await poison('oversized')).toBe(2);
  expect(await poison('wrong_meter')).toBe(1);
  expect(await poison('invalid_body')).toBeGreaterThanOrEqual(8);
  expect(await poison('unforeseen')).toBe(0);
  const refused = (outcome: string) =>
    system.metric('collector', 'gtx_collector_readings_total', { source: 'mqtt', outcome });
  expect(await refused('INVALID_SIGNATURE')).toBe(1);
  expect(await refused('SEQUENCE_CONFLICT')).toBeGreaterThanOrEqual(1);

  // An alert is written after the answer.
  await waitFor('the conflict is told', async () => {
    const alerts = await system.query<{ kind: string; dedupe_key: string; severity: string }>(
      `SELECT kind, dedupe_key, severity FROM alerts WHERE resolved_at IS NULL`,
    );
    expect(alerts).toContainEqual({
      kind: 'sequence_conflict',
      dedupe_key: 'MTR-POISON',
      severity: 'critical',
    });
    return true;
  });
  const log = readFileSync(join(system.dataDir, 'logs', 'collector.log'), 'utf8');
  expect(log).toContain('a message on a reading topic is no reading');
  expect(log).not.toContain('this is no JSON');

  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  await expectBooksToAgree(system, { wallet: meter.wallet, meters: ['MTR-POISON', 'MTR-OTHER'] });
}, 600_000);

test('a packet too large to read costs its sender the connection, and nobody else', async () => {
  const bystander = await TestGateway.login(system, other);
  const sender = await waitFor('a login newer than the last', () => TestGateway.login(system, meter));
  sender.publish('MTR-POISON', Buffer.alloc(1_000_000, 0x20)).catch(() => {
    // It is never answered: the connection ends.
  });
  await waitFor('the sender is cut off', () => sender.closed > 0);

  // The stranger's message under its topic did not use up the sequence: the meter's own gateway sends it now.
  await bystander.publish('MTR-OTHER', other.body(other.last, kwhToNkwh('5')));
  await waitFor('the bystander is served', () => bystander.through('MTR-OTHER') >= 1n);
  expect(bystander.closed).toBe(0);
  await bystander.end();

  const before = await system.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [
    system.meterId,
  ]);
  await waitFor('the demo’s gateway goes on', async () => {
    return (
      (await system.count('SELECT count(*) FROM meter_readings WHERE meter_id = $1', [system.meterId])) >
      before + 2
    );
  });
  expect(system.component('collector').restarts).toBe(0);
  await expectBooksToAgree(system, { wallet: meter.wallet, meters: ['MTR-POISON', 'MTR-OTHER'] });
  await system.auditPasses();
}, 600_000);
