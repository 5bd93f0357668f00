/** A fleet's meters: keys and readings that follow from a seed. For load tests only: whoever knows the seed has the keys. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import {
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  formatTimestamp,
  nkwhToKwh,
  type Reading,
  toReadingFields,
} from '@gridtokenx/protocol';
import { hash32 } from '../model/noise.js';

/** Mean production of the smallest home, and how much the largest has more, in watts. */
const LEAST_WATTS = 200;
const MORE_WATTS = 4800;
/** Share of production that the home uses itself, in percent. */
const OWN_USE_PERCENT = 40n;

/** Readings of a fleet: reading n ends n intervals after the epoch. */
export interface FleetTimes {
  /** Unix seconds, a multiple of the interval. */
  epoch: number;
  intervalSeconds: number;
}

/** The 32 secret bytes of an Ed25519 key that follow from a seed. */
export function derivedSeed(seed: string, what: string): Buffer {
  return createHash('sha256').update(`gridtokenx fleet\n${seed}\n${what}`).digest();
}

/** Node's key for 32 secret bytes: as JWK, since reading PKCS #8 costs four times as much. */
export function keyOf(secret: Buffer): KeyObject {
  return createPrivateKey({
    format: 'jwk',
    // The public half is not looked at, but must be there.
    key: { kty: 'OKP', crv: 'Ed25519', d: secret.toString('base64url'), x: '' },
  });
}

/** 32 bytes. */
export function publicKeyOf(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x as string, 'base64url');
}

/** One meter. What it measures is power that stands still: reading n follows from n alone. */
export class FleetMeter {
  /** Base58. */
  readonly publicKeyText: string;
  readonly #key: KeyObject;
  readonly #watts: bigint;
  readonly #times: FleetTimes;

  constructor(
    readonly meterId: string,
    /** Owner, base58. */
    readonly wallet: string,
    secret: Buffer,
    times: FleetTimes,
  ) {
    this.#key = keyOf(secret);
    this.publicKeyText = encodeBase58(publicKeyOf(this.#key));
    this.#watts = BigInt(LEAST_WATTS + (hash32(meterId) % MORE_WATTS));
    this.#times = times;
  }

  /** 32 bytes. */
  get publicKey(): Uint8Array {
    return publicKeyOf(this.#key);
  }

  /** @param sequence from 1 */
  reading(sequence: number): Reading {
    const { epoch, intervalSeconds } = this.#times;
    // 1 W for 1 s is 1e6 / 3600 nkWh.
    const produced = (this.#watts * BigInt(sequence * intervalSeconds) * 2500n) / 9n;
    const consumed = (produced * OWN_USE_PERCENT) / 100n;
    return {
      flags: 0,
      sequence: BigInt(sequence),
      intervalStart: epoch + (sequence - 1) * intervalSeconds,
      intervalEnd: epoch + sequence * intervalSeconds,
      producedTotal: produced,
      consumedTotal: consumed,
      surplusTotal: produced - consumed,
    };
  }

  /**
   * The signed reading as it goes to the collector, JSON text.
   * @param previous sequence of the reading before it that the collector has; 0 for none
   */
  submission(sequence: number, previous: number): string {
    const reading = this.reading(sequence);
    const amount = reading.surplusTotal - (previous === 0 ? 0n : this.reading(previous).surplusTotal);
    // As protocol's fromReading: its checks of what was just made here would be the greater part of the cost.
    return JSON.stringify({
      meter_id: this.meterId,
      wallet_address: this.wallet,
      kwh_amount: nkwhToKwh(amount),
      reading_timestamp: formatTimestamp(reading.intervalEnd),
      meter_signature: encodeBase58(sign(null, encodeReading(reading), this.#key)),
      public_key: this.publicKeyText,
      reading: toReadingFields(reading),
    });
  }

  /** This meter's entry of an MQTT password. */
  login(unixSeconds: number): { meter_id: string; time: number; signature: string } {
    const message = encodeLoginMessage({ unixSeconds, meterId: this.meterId });
    return {
      meter_id: this.meterId,
      time: unixSeconds,
      signature: encodeBase58(sign(null, message, this.#key)),
    };
  }

  /** Signature over any message of the meter's own, such as the consent to its owner. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#key);
  }
}
