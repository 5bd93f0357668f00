import {
  BOOK_BYTES,
  bookAddress,
  CERTIFICATE_BYTES,
  certificateAddress,
  EnergySource,
  fetchBook,
  fetchCertificate,
  fetchMeter,
  instructions,
  meterAddress,
  ownerMessageFor,
  transferMeter,
} from '@gridtokenx/chain';
import type { Keypair, PublicKey } from '@solana/web3.js';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChainMirror } from '../mirror/mirror.js';
import { until, World, type WorldMeter } from '../settlement/testing/world.js';
import { type CertificatesConfig, CertificatesIssuer } from './issuer.js';
import { certificatesMetrics } from './metrics.js';

const world = new World();
let owner: Keypair;
let metrics: Registry;
const KWH = 1_000_000_000n;

beforeAll(async () => {
  await world.start();
  owner = await world.addOwner();
  await world.fund(owner);
});
afterAll(() => world.stop());
beforeEach(() => world.useEmptyDatabase());

const meterOf = (home: WorldMeter): PublicKey => meterAddress(home.meter.meterId);
const bookOf = (home: WorldMeter) => fetchBook(world.connection, meterOf(home));
const balanceOf = (key: PublicKey) => world.connection.getBalance(key, 'confirmed');

/** A meter with a book, opened before it produced anything; opted in unless told otherwise, with lamports for `rents`. */
async function home(options: { optedIn?: boolean; rents?: number; min?: bigint } = {}): Promise<WorldMeter> {
  const { optedIn = true, rents = 10, min = 0n } = options;
  const added = await world.addMeter(owner);
  const meter = meterOf(added);
  const state = await fetchMeter(world.connection, added.meter.meterId);
  const rent = await world.connection.getMinimumBalanceForRentExemption(CERTIFICATE_BYTES);
  await world.send(
    [
      instructions.openBook({
        payer: world.feePayer.publicKey,
        owner: owner.publicKey,
        registrar: world.registrar.publicKey,
        meter,
        source: EnergySource.Solar,
        startTotal: state?.settled ?? 0n,
        periodStart: state?.lastEnd ?? 0,
      }),
      instructions.setAutoIssue({ owner: owner.publicKey, meter, enabled: optedIn, minEnergyNkwh: min }),
      ...(rents > 0
        ? [
            instructions.fundBook({
              payer: world.feePayer.publicKey,
              meter,
              lamports: BigInt(rents * rent),
            }),
          ]
        : []),
    ],
    [owner, world.registrar],
  );
  return added;
}

function issuer(
  mirror: ChainMirror,
  config: Partial<CertificatesConfig> = {},
  connection = world.connection,
): CertificatesIssuer {
  const { pool, feePayer, logger, now, alerts } = world;
  metrics = new Registry();
  return new CertificatesIssuer({
    pool,
    connection,
    feePayer,
    logger,
    now,
    alerts,
    mirror,
    metrics: certificatesMetrics(metrics),
    config: { mode: 'owner', minimumNkwh: 0n, ...config },
  });
}

const metric = async (name: string) => (await metrics.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;

async function mirrored(...homes: WorldMeter[]): Promise<ChainMirror> {
  const mirror = world.mirror();
  for (const { meter } of homes) await mirror.meter(meter.meterId);
  return mirror;
}

async function openAlerts(): Promise<{ kind: string; dedupe_key: string; message: string }[]> {
  const { rows } = await world.pool.query(
    'SELECT kind, dedupe_key, message FROM alerts WHERE resolved_at IS NULL ORDER BY kind, dedupe_key',
  );
  return rows;
}

describe('CertificatesIssuer', () => {
  it('issues one certificate with each settlement to an owner who opted in, at the cost of the book', async () => {
    const [solar, other] = [await home(), await home({ optedIn: false })];
    const mirror = await mirrored(solar, other);
    const certificates = issuer(mirror);
    await certificates.issueNow();
    expect((await bookOf(solar))?.certifiedTotal).toBe(0n);

    const before = await balanceOf(world.feePayer.publicKey);
    await world.measure([solar, other], '2', '0.5');
    await world.settlement(mirror).settleNow();
    const settled = await balanceOf(world.feePayer.publicKey);
    await certificates.issueNow();
    expect(before).toBeGreaterThan(settled);
    // A signature's fee, and nothing else.
    expect(settled - (await balanceOf(world.feePayer.publicKey))).toBe(5_000);
    expect(await fetchCertificate(world.connection, bookAddress(meterOf(solar)), 1n)).toMatchObject({
      holder: owner.publicKey,
      rentPayer: owner.publicKey,
      fromTotal: 0n,
      toTotal: (KWH * 3n) / 2n,
      source: EnergySource.Solar,
      periodEnd: solar.meter.reading.intervalEnd,
    });
    expect((await bookOf(other))?.certifiedTotal).toBe(0n);

    await world.measure([solar], '1', '0');
    await world.settlement(mirror).settleNow();
    await certificates.issueNow();
    await certificates.issueNow();
    expect(await bookOf(solar)).toMatchObject({ certifiedTotal: (KWH * 5n) / 2n, nextSerial: 3n });
    expect(await metric('gtx_collector_certificates_issued_total')).toBe(2);
    expect(await openAlerts()).toEqual([]);
  });

  it('issues for many meters, several in a transaction, and lets none be held up by one that is refused', async () => {
    const homes: WorldMeter[] = [];
    for (let i = 0; i < 7; i++) homes.push(await home({ rents: i === 2 ? 0 : 1 }));
    const mirror = await mirrored(...homes);
    await world.measure(homes);
    await world.settlement(mirror).settleNow();
    await issuer(mirror).issueNow();
    const totals = await Promise.all(homes.map(async (each) => (await bookOf(each))?.certifiedTotal));
    expect(totals).toEqual(homes.map((_, i) => (i === 2 ? 0n : 600_000_000n)));
    expect(await metric('gtx_collector_certificate_refusals_total')).toBe(1);
    expect(await metric('gtx_collector_certificates_refused_meters')).toBe(1);
  });

  it('tells of a book without lamports after three refusals, waits longer each time, and takes it up again', async () => {
    const poor = await home({ rents: 0 });
    const mirror = await mirrored(poor);
    await world.measure([poor]);
    await world.settlement(mirror).settleNow();
    const certificates = issuer(mirror);
    await certificates.issueNow();
    await certificates.issueNow();
    expect(await metric('gtx_collector_certificate_refusals_total')).toBe(1);
    expect(await openAlerts()).toEqual([]);
    for (const seconds of [60, 120]) {
      world.pass(seconds);
      await certificates.issueNow();
    }
    expect(await metric('gtx_collector_certificate_refusals_total')).toBe(3);
    expect(await openAlerts()).toMatchObject([
      { kind: 'certificate_refused', dedupe_key: poor.meter.meterId },
    ]);
    const rent = await world.connection.getMinimumBalanceForRentExemption(CERTIFICATE_BYTES);
    const meter = meterOf(poor);
    await world.send(
      [instructions.fundBook({ payer: world.feePayer.publicKey, meter, lamports: BigInt(rent) })],
      [],
    );
    world.pass(240);
    await certificates.issueNow();
    expect((await bookOf(poor))?.certifiedTotal).toBe(600_000_000n);
    expect(await balanceOf(bookAddress(meter))).toBe(
      await world.connection.getMinimumBalanceForRentExemption(BOOK_BYTES),
    );
    expect(await openAlerts()).toEqual([]);
    expect(await metric('gtx_collector_certificates_refused_meters')).toBe(0);
  });

  it('pays itself where it is told to, for no less than it was told', async () => {
    const sponsored = await home({ rents: 0 });
    const mirror = await mirrored(sponsored);
    const certificates = issuer(mirror, { mode: 'collector', minimumNkwh: KWH });
    await world.measure([sponsored]);
    await world.settlement(mirror).settleNow();
    await certificates.issueNow();
    expect((await bookOf(sponsored))?.certifiedTotal).toBe(0n);
    await world.measure([sponsored]);
    await world.settlement(mirror).settleNow();
    await certificates.issueNow();
    expect(await fetchCertificate(world.connection, bookAddress(meterOf(sponsored)), 1n)).toMatchObject({
      rentPayer: world.feePayer.publicKey,
      toTotal: 1_200_000_000n,
    });
  });

  it("respects an owner's least amount", async () => {
    const patient = await home({ min: KWH });
    const mirror = await mirrored(patient);
    const certificates = issuer(mirror);
    for (const expected of [0n, 1_200_000_000n]) {
      await world.measure([patient]);
      await world.settlement(mirror).settleNow();
      await certificates.issueNow();
      expect((await bookOf(patient))?.certifiedTotal).toBe(expected);
    }
    expect(await metric('gtx_collector_certificate_refusals_total')).toBe(0);
  });

  it('finds what was settled while nobody issued, and repeats nothing after a crash', async () => {
    const late = await home();
    const mirror = await mirrored(late);
    await world.measure([late]);
    await world.settlement(mirror).settleNow();
    // The answer to its transaction was lost, as in a crash right after sending: it is on the chain all the same.
    const lost = Object.create(world.connection);
    lost.getSignatureStatuses = () => Promise.reject(new Error('killed'));
    const first = issuer(mirror, {}, lost);
    const killed = first.issueNow();
    await until(async () => (await bookOf(late))?.certifiedTotal === 600_000_000n);
    await first.stop();
    await expect(killed).rejects.toThrow();
    const second = issuer(mirror);
    await second.issueNow();
    expect(await bookOf(late)).toMatchObject({ certifiedTotal: 600_000_000n, nextSerial: 2n });
    expect(await metric('gtx_collector_certificates_issued_total')).toBe(0);
  });

  it('does nothing twice where two collectors issue at once', async () => {
    const shared = await home();
    const mirror = await mirrored(shared);
    await world.measure([shared]);
    await world.settlement(mirror).settleNow();
    const both = [issuer(mirror), issuer(mirror)];
    await Promise.all(both.map((each) => each.issueNow()));
    expect(await bookOf(shared)).toMatchObject({ certifiedTotal: 600_000_000n, nextSerial: 2n });
    expect(await openAlerts()).toEqual([]);
  });

  it('hands a book to the new owner, and issues nothing to either before they opt in', async () => {
    const sold = await home({ rents: 1 });
    const mirror = await mirrored(sold);
    await world.measure([sold]);
    await world.settlement(mirror).settleNow();
    const certificates = issuer(mirror);
    await certificates.issueNow();
    const buyer = await world.addOwner();
    const { meter } = sold;
    await transferMeter(world.connection, {
      payer: world.feePayer,
      oldOwner: owner,
      registrar: world.registrar,
      newOwner: buyer.publicKey,
      meterId: meter.meterId,
      consent: meter.sign(await ownerMessageFor(world.connection, meter.meterId, buyer.publicKey)),
    });
    await mirror.catchUp();
    await certificates.issueNow();
    expect(await bookOf(sold)).toMatchObject({
      owner: buyer.publicKey,
      autoIssue: false,
      certifiedTotal: 600_000_000n,
    });
    expect(await metric('gtx_collector_certificate_books_adopted_total')).toBe(1);
    expect(await openAlerts()).toEqual([]);
  });

  it('rests while certificates are paused', async () => {
    const idle = await home();
    const mirror = await mirrored(idle);
    await world.measure([idle]);
    await world.settlement(mirror).settleNow();
    const pause = (paused: boolean) =>
      world.send(
        [instructions.setCertificatesPaused({ authority: world.authority.publicKey, paused })],
        [world.authority],
      );
    await pause(true);
    const certificates = issuer(mirror);
    await certificates.issueNow();
    expect(await metric('gtx_collector_certificate_refusals_total')).toBe(0);
    await pause(false);
    world.pass(601);
    await certificates.issueNow();
    expect((await bookOf(idle))?.certifiedTotal).toBe(600_000_000n);
  });

  it('runs by itself: settled, then certified, and a settlement does not wait for it', async () => {
    const running = await home();
    const mirror = await mirrored(running);
    const certificates = issuer(mirror);
    await certificates.start();
    try {
      await world.measure([running]);
      await world.settlement(mirror).settleNow();
      await until(async () => (await bookOf(running))?.certifiedTotal === 600_000_000n);
    } finally {
      await certificates.stop();
    }
    expect(
      await world.connection.getAccountInfo(certificateAddress(bookAddress(meterOf(running)), 1n)),
    ).not.toBeNull();
  });

  it('ends what an earlier run told of and what is over', async () => {
    const { meterId } = (await home()).meter;
    const mirror = world.mirror();
    await mirror.meter(meterId);
    await world.alerts.raise({
      kind: 'certificate_refused',
      key: meterId,
      severity: 'warning',
      message: 'before',
      details: { meter_id: meterId, attempts: 3, error: 'FundsTooLow' },
    });
    await world.alerts.raise({
      kind: 'chain_unavailable',
      key: 'certificates',
      severity: 'warning',
      message: 'before',
      details: { part: 'certificates' },
    });
    const certificates = issuer(mirror);
    await certificates.start();
    try {
      await until(async () => (await openAlerts()).length === 0);
    } finally {
      await certificates.stop();
    }
  });

  it('survives an outage of the chain, and tells of a long one', async () => {
    const outage = await home();
    const mirror = await mirrored(outage);
    await world.measure([outage]);
    await world.settlement(mirror).settleNow();
    const certificates = issuer(mirror, { pauseMs: 50 });
    const port = await world.stopChain();
    await certificates.start();
    try {
      await until(async () => (await openAlerts()).some(({ kind }) => kind === 'chain_unavailable'));
      await world.startChain(port);
      await until(async () => (await bookOf(outage))?.certifiedTotal === 600_000_000n);
      await until(async () => (await openAlerts()).length === 0);
    } finally {
      await certificates.stop();
    }
  });
});
