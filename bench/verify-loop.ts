import { verifySignature } from '@gridtokenx/collector';
import { encodeReading } from '@gridtokenx/protocol';
import { BenchMeter, type MeterData } from './fleet.js';

interface Signed {
  message: Uint8Array;
  signature: Uint8Array;
  publicKey: Uint8Array;
}

const MESSAGES = 2_000;

/**
 * What everything is compared with: one thread that does nothing but verify signed readings, with the very
 * function that the collector verifies with (libsodium's crypto_sign_verify_detached over the 48 bytes).
 */
export class VerifyLoop {
  private readonly signed: Signed[];

  constructor(meters: readonly MeterData[], firstEnd: number) {
    const fleet = meters.map((data) => new BenchMeter(data));
    this.signed = Array.from({ length: MESSAGES }, (_, index) => {
      const meter = fleet[index % fleet.length] as BenchMeter;
      const sequence = 1 + Math.floor(index / fleet.length);
      const message = encodeReading(meter.reading(sequence, firstEnd + sequence, 1));
      return { message, signature: meter.sign(message), publicKey: meter.publicKey };
    });
  }

  /** Verifications per second, measured for about `seconds`. */
  measure(seconds: number): number {
    const started = performance.now();
    let count = 0;
    let elapsed = 0;
    do {
      for (const { message, signature, publicKey } of this.signed) {
        if (!verifySignature(signature, message, publicKey))
          throw new Error('a good signature did not verify');
      }
      count += this.signed.length;
      elapsed = performance.now() - started;
    } while (elapsed < seconds * 1000);
    return (count / elapsed) * 1000;
  }
}
