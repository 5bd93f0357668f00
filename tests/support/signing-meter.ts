import { fetchMeter, signMessage } from '@gridtokenx/chain';
import {
  decodeBase58,
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  fromReading,
  kwhToNkwh,
  type Reading,
  type SubmitReading,
  toReading,
} from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';
import { ask } from './ask.js';
import type { RunningSystem } from './up.js';

/** What one signature of the Ed25519 instruction stands for. */
export interface SignedReading {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
}

/** A registered meter whose key the test holds: counts energy and signs whatever the test wants. */
export class SigningMeter {
  #last: Reading;

  private constructor(
    readonly meterId: string,
    readonly key: Keypair,
    readonly wallet: string,
    start: number,
  ) {
    this.#last = {
      flags: 0,
      sequence: 0n,
      intervalStart: start,
      intervalEnd: start,
      producedTotal: 0n,
      consumedTotal: 0n,
      surplusTotal: 0n,
    };
  }

  /** Registers it with `gtx register-meter` for the data folder's owner, or another one. */
  static async register(
    system: RunningSystem,
    meterId: string,
    { ratedWatts = 1_000_000_000, ownerKey }: { ratedWatts?: number; ownerKey?: string } = {},
  ): Promise<SigningMeter> {
    const registered = await system.gtxJson(
      'register-meter',
      '--meter-id',
      meterId,
      '--rated-watts',
      String(ratedWatts),
      ...(ownerKey === undefined ? [] : ['--owner-key', ownerKey]),
    );
    const onChain = await fetchMeter(system.connection, meterId);
    if (onChain === undefined) throw new Error(`${meterId} is not on the chain`);
    return new SigningMeter(meterId, system.key(`meters/${meterId}`), registered.owner, onChain.lastEnd);
  }

  get last(): Reading {
    return this.#last;
  }

  /** Measures `seconds` more and signs it. Amounts in kWh text. */
  next(produced: string, consumed = '0', seconds = 1): SubmitReading {
    const dProduced = kwhToNkwh(produced);
    const dConsumed = kwhToNkwh(consumed);
    const rise = dProduced > dConsumed ? dProduced - dConsumed : 0n;
    const before = this.#last;
    this.#last = {
      flags: 0,
      sequence: before.sequence + 1n,
      intervalStart: before.intervalEnd,
      intervalEnd: before.intervalEnd + seconds,
      producedTotal: before.producedTotal + dProduced,
      consumedTotal: before.consumedTotal + dConsumed,
      surplusTotal: before.surplusTotal + rise,
    };
    return this.body(this.#last, rise);
  }

  /** A submission of any reading, signed by this meter or by another key. */
  body(reading: Reading, amountNkwh: bigint, key: Keypair = this.key): SubmitReading {
    return fromReading({
      meterId: this.meterId,
      wallet: this.wallet,
      reading,
      amountNkwh,
      signature: signMessage(key, encodeReading(reading)),
      publicKey: key.publicKey.toBytes(),
    });
  }

  /** One entry of an MQTT password. */
  login(unixSeconds: number, key: Keypair = this.key): { meter_id: string; time: number; signature: string } {
    const message = encodeLoginMessage({ unixSeconds, meterId: this.meterId });
    return {
      meter_id: this.meterId,
      time: unixSeconds,
      signature: encodeBase58(signMessage(key, message)),
    };
  }
}

/** The bytes that the chain checks for a submission. */
export function signedReading(body: SubmitReading): SignedReading {
  return {
    publicKey: decodeBase58(body.public_key, 32),
    signature: decodeBase58(body.meter_signature, 64),
    message: encodeReading(toReading(body)),
  };
}

/** Posts a submission, whatever it is. */
export async function submit(
  system: RunningSystem,
  body: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there
): Promise<{ status: number; body: any }> {
  const answer = await ask(new URL('/api/meters/submit-reading', system.url('collector', 'http')), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}
