import {
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  fromReading,
  kwhToNkwh,
  type Reading,
  type SubmitReading,
} from '@gridtokenx/protocol';
import sodium from 'sodium-native';

/** A meter with its key, for tests: counts energy and signs readings as a gateway does. */
export class TestMeter {
  readonly publicKeyBytes = new Uint8Array(32);
  readonly publicKey: string;
  wallet = '';
  private readonly secretKey = new Uint8Array(64);
  private last: Reading;

  constructor(
    readonly meterId: string,
    /** End of the time before the first reading, Unix seconds. */
    start: number,
    readonly intervalSeconds = 900,
  ) {
    sodium.crypto_sign_keypair(this.publicKeyBytes, this.secretKey);
    this.publicKey = encodeBase58(this.publicKeyBytes);
    this.last = {
      flags: 0,
      sequence: 0n,
      intervalStart: start,
      intervalEnd: start,
      producedTotal: 0n,
      consumedTotal: 0n,
      surplusTotal: 0n,
    };
  }

  sign(message: Uint8Array): Uint8Array {
    const signature = new Uint8Array(64);
    sodium.crypto_sign_detached(signature, message, this.secretKey);
    return signature;
  }

  /** The newest reading. */
  get reading(): Reading {
    return this.last;
  }

  /** Measures one interval and signs it. Amounts in kWh text. */
  next(produced = '1', consumed = '0.4', intervals = 1): SubmitReading {
    const dProduced = kwhToNkwh(produced);
    const dConsumed = kwhToNkwh(consumed);
    const rise = dProduced > dConsumed ? dProduced - dConsumed : 0n;
    const before = this.last;
    this.last = {
      flags: intervals > 1 ? 2 : 0,
      sequence: before.sequence + 1n,
      intervalStart: before.intervalEnd,
      intervalEnd: before.intervalEnd + intervals * this.intervalSeconds,
      producedTotal: before.producedTotal + dProduced,
      consumedTotal: before.consumedTotal + dConsumed,
      surplusTotal: before.surplusTotal + rise,
    };
    return this.submission(this.last, rise);
  }

  /** A signed body for any reading. */
  submission(reading: Reading, amountNkwh: bigint): SubmitReading {
    return fromReading({
      meterId: this.meterId,
      wallet: this.wallet,
      reading,
      amountNkwh,
      signature: this.sign(encodeReading(reading)),
      publicKey: this.publicKeyBytes,
    });
  }

  loginEntry(unixSeconds: number): { meter_id: string; time: number; signature: string } {
    const signature = this.sign(encodeLoginMessage({ unixSeconds, meterId: this.meterId }));
    return { meter_id: this.meterId, time: unixSeconds, signature: encodeBase58(signature) };
  }
}

/** A random base58 public key. */
export function randomKey(): string {
  const publicKey = new Uint8Array(32);
  sodium.crypto_sign_keypair(publicKey, new Uint8Array(64));
  return encodeBase58(publicKey);
}
