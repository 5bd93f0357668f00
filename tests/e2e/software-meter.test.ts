import { join } from 'node:path';
import { fetchMeter } from '@gridtokenx/chain';
import { kwhToNkwh } from '@gridtokenx/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booksOf, expectBooksToAgree, walletBalance } from '../support/books.js';
import { SigningMeter, submit } from '../support/signing-meter.js';
import { lastJson, RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/* The process description's commands, one after another, on a running system beside the demo's meter. */

let system: RunningSystem;
const alice = () => join(system.dataDir, 'keys', 'alice.json');

beforeAll(async () => {
  system = await RunningSystem.start({ args: ['--interval-seconds', '1'] });
}, 600_000);
afterAll(() => system?.destroy());

/** A reading of a software meter whose interval is not empty yet is not signed: again when a second has passed. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
async function submitReading(...args: string[]): Promise<{ code: number; json: any }> {
  return await waitFor('the interval is not empty', async () => {
    const result = await system.gtx('submit-reading', ...args, '--json');
    const json = lastJson(result);
    return json.error?.code === 'VALUE_INVALID' ? undefined : { code: result.code, json };
  });
}

test('keygen, register-user, verify-user, register-meter, 25 - 10 kWh: 15 GRID in the wallet', async () => {
  const made = await system.gtxJson('keygen', '--out', alice());
  const wallet = system.key('alice').publicKey.toBase58();
  expect(JSON.stringify(made)).toContain(wallet);
  const again = await system.gtx('keygen', '--out', alice(), '--json');
  expect(lastJson(again).error.code).toBe('KEY_FILE_EXISTS');

  const payer = join(system.dataDir, 'keys', 'registrar.json');
  const user = ['register-user', '--wallet-key', alice(), '--payer-key', payer];
  expect(await system.gtxJson(...user)).toMatchObject({ wallet, changed: true });
  expect(await system.gtxJson(...user)).toMatchObject({ wallet, changed: false });

  const meter = [
    'register-meter',
    '--meter-id',
    'MTR-A',
    '--owner-key',
    alice(),
    '--rated-watts',
    '1000000000',
  ];
  const unknown = await system.gtx(...meter, '--json');
  expect(lastJson(unknown).error).toMatchObject({
    code: 'CHAIN_REFUSED',
    details: { reason: 'UserNotVerified' },
  });
  expect(await system.gtxJson('verify-user', '--wallet', wallet)).toMatchObject({
    verified: true,
    changed: true,
  });
  expect(await system.gtxJson(...meter)).toMatchObject({ meter_id: 'MTR-A', owner: wallet, changed: true });
  const reading = ['--meter-id', 'MTR-A', '--wallet', wallet, '--production', '25', '--consumption', '10'];

  // Not verified any more: refused for now, and kept.
  await system.gtxJson('verify-user', '--wallet', wallet, '--revoke');
  const isVerified = 'SELECT count(*) FROM users WHERE wallet_address = $1 AND verified';
  await waitFor('the collector has seen it', async () => (await system.count(isVerified, [wallet])) === 0);
  const early = await submitReading(...reading);
  expect(early).toMatchObject({ code: 4, json: { error: { code: 'USER_NOT_VERIFIED', retry: 'later' } } });
  await system.gtxJson('verify-user', '--wallet', wallet);
  // The one that waited goes first; then the new one with nothing in it.
  const stored = await waitFor('the collector has seen the verification', async () => {
    const result = await system.gtx(
      ...[
        'submit-reading',
        '--meter-id',
        'MTR-A',
        '--wallet',
        wallet,
        '--production',
        '0',
        '--consumption',
        '0',
      ],
      '--json',
    );
    return result.code === 0 ? lastJson(result) : undefined;
  });
  expect(stored).toMatchObject({ meter_id: 'MTR-A', sequence: '2', kwh_amount: '0', http_status: 201 });

  await waitFor(
    '15 GRID are in the wallet',
    async () => (await walletBalance(system, wallet)) === kwhToNkwh('15'),
  );
  const settled = await system.gtxJson('settle-meter-balance', '--meter-id', 'MTR-A');
  expect(settled).toMatchObject({ changed: false, total_minted_grid: '15', held_kwh: '0' });
  await expectBooksToAgree(system, { wallet, meters: ['MTR-A'] });
}, 600_000);

test('--direct to the chain: settle-meter-balance mints it, the collector imports it and goes on from it', async () => {
  const wallet = system.key('alice').publicKey.toBase58();
  const direct = await submitReading(
    ...['--meter-id', 'MTR-A', '--wallet', wallet, '--production', '1', '--consumption', '0.25', '--direct'],
  );
  expect(direct).toMatchObject({ code: 0, json: { sequence: '3', counted_kwh: '0.75', held_kwh: '0' } });
  await system.gtxJson('settle-meter-balance', '--meter-id', 'MTR-A');
  expect(await walletBalance(system, wallet)).toBe(kwhToNkwh('15.75'));

  const imported = await waitFor('the collector has imported it', async () => {
    const rows = await system.query<{
      source: string;
      amount_nkwh: string;
      minted: boolean;
      verified: boolean;
    }>(
      `SELECT source, amount_nkwh, minted, octet_length(message) = 48 AS verified
       FROM meter_readings WHERE meter_id = 'MTR-A' AND sequence = 3`,
    );
    return rows[0]?.minted ? rows[0] : undefined;
  });
  expect(imported).toEqual({
    source: 'chain',
    amount_nkwh: kwhToNkwh('0.75').toString(),
    minted: true,
    verified: true,
  });
  const next = await submitReading(
    ...['--meter-id', 'MTR-A', '--wallet', wallet, '--production', '0.000000001', '--consumption', '0'],
  );
  expect(next).toMatchObject({
    code: 0,
    json: { sequence: '4', kwh_amount: '0.000000001', http_status: 201 },
  });
  await expectBooksToAgree(system, { wallet, meters: ['MTR-A'] });
}, 600_000);

test('the same reading again is 200, more than 100 kWh is 202 and nothing of that meter settles', async () => {
  const meter = await SigningMeter.register(system, 'MTR-B');
  const other = await SigningMeter.register(system, 'MTR-C');
  const first = meter.next('2', '0.5');
  expect(await submit(system, first)).toMatchObject({
    status: 201,
    body: { status: 'pending', duplicate: false },
  });
  expect(await submit(system, first)).toMatchObject({
    status: 200,
    body: { duplicate: true, kwh_amount: '1.5' },
  });
  const minted = async (id: string) => (await booksOf(system, id)).chain.minted;
  await waitFor('the first is minted', async () => (await minted('MTR-B')) === kwhToNkwh('1.5'));

  const exactly = meter.next('100');
  expect(await submit(system, exactly)).toMatchObject({ status: 201 });
  await waitFor('100 kWh are minted', async () => (await minted('MTR-B')) === kwhToNkwh('101.5'));
  const above = meter.next('100.000000001');
  expect(await submit(system, above)).toMatchObject({ status: 202, body: { status: 'held' } });
  expect(await submit(system, above)).toMatchObject({
    status: 200,
    body: { status: 'held', duplicate: true },
  });
  // The next total contains the held energy: it must wait too.
  expect(await submit(system, meter.next('1'))).toMatchObject({ status: 201 });
  // Another meter's later reading settles: the settlement has passed over what is held.
  expect(await submit(system, other.next('3'))).toMatchObject({ status: 201 });
  await waitFor(
    'a later reading of another meter is minted',
    async () => (await minted('MTR-C')) === kwhToNkwh('3'),
  );
  expect(await minted('MTR-B')).toBe(kwhToNkwh('101.5'));
  const rows = await system.query<{ sequence: string; status: string }>(
    `SELECT sequence, status FROM meter_readings WHERE meter_id = 'MTR-B' AND NOT minted ORDER BY sequence`,
  );
  expect(rows).toEqual([
    { sequence: '3', status: 'held' },
    { sequence: '4', status: 'pending' },
  ]);
  const [review] = await system.query<{ kind: string; status: string; amount_nkwh: string }>(
    `SELECT kind, status, amount_nkwh FROM reviews WHERE meter_id = 'MTR-B'`,
  );
  expect(review).toEqual({
    kind: 'held_amount',
    status: 'open',
    amount_nkwh: kwhToNkwh('100.000000001').toString(),
  });
}, 600_000);

test('beyond the rated power the chain holds: release lets it count, write-off gives it up', async () => {
  // 1 kW: some seconds allow far less than a kilowatt-hour.
  const meter = await SigningMeter.register(system, 'MTR-D', { ratedWatts: 1_000 });
  const onChain = async () => {
    const found = await fetchMeter(system.connection, 'MTR-D');
    if (found === undefined) throw new Error('no such meter');
    return found;
  };
  const holdOf = async (sequence: bigint): Promise<bigint> => {
    const { holds } = await onChain();
    return holds.find((one) => one.amount > 0n && one.sequence === sequence)?.amount ?? 0n;
  };
  expect(await submit(system, meter.next('1'))).toMatchObject({ status: 201 });
  const held = await waitFor('the chain holds the excess', async () => (await holdOf(1n)) || undefined);
  expect((await onChain()).minted + held).toBe(kwhToNkwh('1'));
  // 1 kW for the seconds of the interval, and a tenth more.
  expect((await onChain()).eligible).toBe((1_000n * 11n * 1_000_000_000n) / (10n * 3_600_000n));

  const nothing = await system.gtx('release', '--meter-id', 'MTR-D', '--sequence', '9', '--json');
  expect(lastJson(nothing).error.code).toBe('NOT_FOUND');
  const released = await system.gtxJson('release', '--meter-id', 'MTR-D', '--sequence', '1');
  expect(kwhToNkwh(released.released_kwh)).toBe(held);
  expect((await system.gtx('release', '--meter-id', 'MTR-D', '--sequence', '1')).code).not.toBe(0);
  await waitFor('the released energy is minted', async () => {
    await system.gtxJson('settle-meter-balance', '--meter-id', 'MTR-D');
    return (await onChain()).minted === kwhToNkwh('1');
  });

  expect(await submit(system, meter.next('2'))).toMatchObject({ status: 201 });
  const second = await waitFor('the chain holds the second', async () => (await holdOf(2n)) || undefined);
  const mintedBefore = kwhToNkwh('3') - second;
  await waitFor('its counted part is minted', async () => (await onChain()).minted === mintedBefore);
  const written = await system.gtxJson('write-off', '--meter-id', 'MTR-D', '--sequence', '2');
  expect(kwhToNkwh(written.written_off_kwh)).toBe(second);
  expect(await onChain()).toMatchObject({ held: 0n, eligible: mintedBefore, minted: mintedBefore });
  // What was written off does not come back with the next reading.
  expect(await submit(system, meter.next('0.0001'))).toMatchObject({ status: 201 });
  await waitFor(
    'the next is minted',
    async () => (await onChain()).minted === mintedBefore + kwhToNkwh('0.0001'),
  );
  await system.auditPasses();
}, 600_000);
