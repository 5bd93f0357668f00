import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeBase58, encodeReading, kwhToNkwh, toReading, U64_MAX } from '@gridtokenx/protocol';
import { Keypair } from '@solana/web3.js';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MeterBase, SoftwareMeter, surplusOf } from './software-meter.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-meter-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const key = Keypair.generate();
const wallet = Keypair.generate().publicKey.toBase58();
const NOTHING: MeterBase = {
  sequence: 0n,
  producedTotal: 0n,
  consumedTotal: 0n,
  surplusTotal: 0n,
  lastEnd: 1_000,
};
const open = (base: MeterBase | undefined = undefined, meterId = 'MTR-1') =>
  SoftwareMeter.open({
    folder,
    meterId,
    key,
    wallet,
    base: async () => {
      if (base === undefined) throw new Error('the base was asked for although there are counters');
      return base;
    },
  });
const kwh = kwhToNkwh;

describe('the software meter', () => {
  it('signs readings that follow one another, over restarts', async () => {
    const first = (await open(NOTHING)).sign(kwh('25'), kwh('10'), 1_900);
    expect(first).toMatchObject({
      meter_id: 'MTR-1',
      wallet_address: wallet,
      kwh_amount: '15',
      reading_timestamp: '1970-01-01T00:31:40Z',
    });
    expect(first.reading).toEqual({
      flags: 0,
      sequence: '1',
      interval_start: 1_000,
      interval_end: 1_900,
      produced_total: '25000000000',
      consumed_total: '10000000000',
      surplus_total: '15000000000',
    });
    (await open()).accepted();
    const second = (await open()).sign(kwh('1'), kwh('2.5'), 2_800);
    expect(second.kwh_amount).toBe('0');
    expect(second.reading).toMatchObject({
      sequence: '2',
      interval_start: 1_900,
      produced_total: '26000000000',
      consumed_total: '12500000000',
      surplus_total: '15000000000',
    });
  });

  it('signs exactly the 48 bytes with its key', async () => {
    const body = (await open(NOTHING)).sign(kwh('2'), 0n, 1_900);
    const publicKey = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.publicKey.toBytes()).toString('base64url') },
      format: 'jwk',
    });
    const signature = decodeBase58(body.meter_signature, 64);
    expect(verify(null, encodeReading(toReading(body)), publicKey, signature)).toBe(true);
    expect(body.public_key).toBe(key.publicKey.toBase58());
  });

  it('has the reading on disk before it leaves, and signs no other until that is answered', async () => {
    const body = (await open(NOTHING)).sign(kwh('1'), 0n, 1_900);
    // What a kill right after signing leaves: the next run finds the very same reading.
    const after = await open();
    expect(after.pending).toEqual(body);
    expect(() => after.sign(kwh('1'), 0n, 2_000)).toThrow(expect.objectContaining({ code: 'CONFLICT' }));
    expect(statSync(join(folder, 'MTR-1.json')).mode & 0o777).toBe(0o600);
  });

  it('carries the energy of a refused reading in the next one', async () => {
    const meter = await open(NOTHING);
    meter.sign(kwh('5'), 0n, 1_900);
    meter.refused();
    const next = meter.sign(kwh('2'), 0n, 2_800);
    expect(next.reading.sequence).toBe('2');
    expect(next.kwh_amount).toBe('7');
    meter.accepted();
    expect(meter.sign(kwh('1'), 0n, 3_700).kwh_amount).toBe('1');
  });

  it('changes only the amount when it counts again', async () => {
    const meter = await open(NOTHING);
    const body = meter.sign(kwh('5'), 0n, 1_900);
    expect(meter.recount('3.5')).toEqual({ ...body, kwh_amount: '3.5' });
    expect((await open()).pending?.kwh_amount).toBe('3.5');
  });

  it('goes on from what the chain knows when its counters are lost', async () => {
    const base = {
      sequence: 41n,
      producedTotal: kwh('100'),
      consumedTotal: kwh('30'),
      surplusTotal: kwh('80'),
      lastEnd: 5_000,
    };
    const body = (await open(base)).sign(kwh('1'), 0n, 6_000);
    expect(body.kwh_amount).toBe('1');
    expect(body.reading).toMatchObject({
      sequence: '42',
      interval_start: 5_000,
      surplus_total: '81000000000',
    });
  });

  it('refuses an empty interval, an overflow and damaged counters', async () => {
    const meter = await open(NOTHING);
    expect(() => meter.sign(1n, 0n, 1_000)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }));
    const full = await open({ ...NOTHING, producedTotal: U64_MAX }, 'MTR-FULL');
    expect(() => full.sign(1n, 0n, 2_000)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }));
    writeFileSync(join(folder, 'MTR-1.json'), '{"meter_id":"MTR-1"');
    await expect(open(NOTHING)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    writeFileSync(join(folder, 'MTR-2.json'), readFileSync(join(folder, 'MTR-1.json')));
    await expect(open(NOTHING, 'MTR-2')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('loses and invents no energy, whatever is refused', async () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 12n });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ production: amount, consumption: amount, accept: fc.boolean() }), {
          maxLength: 12,
        }),
        async (steps) => {
          rmSync(join(folder, 'MTR-P.json'), { force: true });
          let end = 1_000;
          let sum = 0n;
          let claimed = 0n;
          for (const { production, consumption, accept } of [
            ...steps,
            { production: 0n, consumption: 0n, accept: true },
          ]) {
            const meter = await open(NOTHING, 'MTR-P');
            end += 900;
            const body = meter.sign(production, consumption, end);
            sum += surplusOf(production, consumption);
            expect(body.reading.surplus_total).toBe(sum.toString());
            if (accept) {
              claimed += kwh(String(body.kwh_amount));
              meter.accepted();
            } else meter.refused();
          }
          expect(claimed).toBe(sum);
        },
      ),
      { numRuns: 30 },
    );
  });
});
