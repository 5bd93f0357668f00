import { createPublicKey, verify } from 'node:crypto';
import {
  decodeBase58,
  encodeLoginMessage,
  encodeReading,
  fromReading,
  LoginPassword,
  SubmitReading,
  toReading,
} from '@gridtokenx/protocol';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Fleet } from './fleet.js';
import type { FleetMeter } from './fleet-meter.js';

const logger = pino({ level: 'silent' });
const fleetOf = (more: object = {}) =>
  new Fleet(
    { mqtt_url: 'mqtt://127.0.0.1:1', meters: 5, wallets: 2, epoch: 1_800_000_000, ...more },
    { logger },
  );
const signed = (meter: FleetMeter, message: Uint8Array, signature: string) =>
  verify(
    null,
    message,
    createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(meter.publicKey).toString('base64url') },
    }),
    decodeBase58(signature, 64),
  );

describe('a fleet', () => {
  it('is the same for the same seed, and another for another', () => {
    const identities = (seed: string) => fleetOf({ seed }).identities();
    expect(identities('a')).toEqual(identities('a'));
    const keys = [...identities('a'), ...identities('b')].map(({ public_key }) => public_key);
    expect(new Set(keys).size).toBe(10);
    expect(new Set(identities('a').map(({ wallet }) => wallet)).size).toBe(2);
    expect(
      identities('a')
        .map(({ meter_id }) => meter_id)
        .at(-1),
    ).toBe('FLEET-000005');
  });

  it('signs readings as a gateway does, and the totals follow from the sequence alone', () => {
    const meters = fleetOf().meters();
    fc.assert(
      fc.property(fc.nat(4), fc.integer({ min: 1, max: 2_000_000 }), (index, sequence) => {
        const meter = meters[index] as FleetMeter;
        const body = SubmitReading.parse(JSON.parse(meter.submission(sequence, sequence - 1)));
        const reading = toReading(body);
        const before = sequence === 1 ? 0n : meter.reading(sequence - 1).surplusTotal;
        expect(reading).toEqual(meter.reading(sequence));
        expect(signed(meter, encodeReading(reading), body.meter_signature)).toBe(true);
        // The same text as the builder's, which checks everything.
        expect(body).toEqual(
          fromReading({
            meterId: meter.meterId,
            wallet: meter.wallet,
            reading,
            amountNkwh: reading.surplusTotal - before,
            signature: body.meter_signature,
            publicKey: meter.publicKeyText,
          }),
        );
        const former = meter.reading(sequence - 1);
        const rise = (name: 'producedTotal' | 'consumedTotal' | 'surplusTotal') =>
          reading[name] - former[name];
        expect(rise('surplusTotal')).toBe(rise('producedTotal') - rise('consumedTotal'));
        expect(rise('surplusTotal')).toBeGreaterThan(0n);
        expect(reading.intervalStart).toBe(former.intervalEnd);
      }),
    );
  });

  it('logs in with a signature for each meter', () => {
    for (const meter of fleetOf().meters()) {
      const entry = meter.login(1_800_000_123);
      LoginPassword.parse([entry]);
      const message = encodeLoginMessage({ unixSeconds: 1_800_000_123, meterId: meter.meterId });
      expect(signed(meter, message, entry.signature)).toBe(true);
    }
  });

  it('begins on a multiple of the interval, six days ago', () => {
    const now = Date.UTC(2027, 0, 10, 12, 34, 56);
    const fleet = new Fleet({ mqtt_url: 'mqtt://h:1' }, { logger, now: () => now });
    expect(fleet.config.epoch % 900).toBe(0);
    expect(now / 1000 - fleet.config.epoch).toBeLessThan(6 * 86_400 + 900);
  });

  it.each([
    ['a URL of another kind', { mqtt_url: 'http://x' }],
    ['more meters than a login may have', { meters_per_gateway: 65 }],
    ['a prefix that is no meter id', { prefix: 'my home' }],
    ['ids that are too long', { prefix: 'x'.repeat(30) }],
  ])('with %s is refused', (_, more) => {
    expect(() => fleetOf(more)).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('says when there is no broker', async () => {
    await expect(fleetOf({ meters: 1 }).run()).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  });
});
