/** The benchmark's meters: keys, registration on the chain, and readings that follow from a sequence number. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import {
  ensureTokenAccounts,
  ownerMessageFor,
  registerMeter,
  registerUser,
  signMessage,
  verifyUser,
} from '@gridtokenx/chain';
import {
  encodeBase58,
  encodeLoginMessage,
  encodeReading,
  fromReading,
  NKWH_PER_KWH,
  type Reading,
  type SubmitReading,
} from '@gridtokenx/protocol';
import { type Connection, Keypair } from '@solana/web3.js';

/** PKCS #8 around an Ed25519 seed (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export const RATED_WATTS = 50_000;
/** Energy of one reading: 0.0001 kWh produced, 0.00004 of them used. Far below what 50 kW gives in a second. */
const PRODUCED_NKWH = NKWH_PER_KWH / 10_000n;
const CONSUMED_NKWH = (PRODUCED_NKWH * 4n) / 10n;

/** What another process needs to act for a meter. */
export interface MeterData {
  meterId: string;
  /** Owner, base58. */
  wallet: string;
  /** 64 bytes: seed and public key. */
  secretKey: number[];
}

/** A meter that has always measured the same: reading n follows from n alone. */
export class BenchMeter {
  readonly publicKey: Uint8Array;
  private readonly key: KeyObject;
  private readonly publicKeyText: string;

  constructor(readonly data: MeterData) {
    const secretKey = Uint8Array.from(data.secretKey);
    this.publicKey = secretKey.subarray(32);
    this.publicKeyText = encodeBase58(this.publicKey);
    const der = Buffer.concat([PKCS8_PREFIX, secretKey.subarray(0, 32)]);
    this.key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  }

  /**
   * @param sequence from 1
   * @param intervalEnd Unix seconds
   */
  reading(sequence: number, intervalEnd: number, intervalSeconds: number): Reading {
    const count = BigInt(sequence);
    return {
      flags: 0,
      sequence: count,
      intervalStart: intervalEnd - intervalSeconds,
      intervalEnd,
      producedTotal: count * PRODUCED_NKWH,
      consumedTotal: count * CONSUMED_NKWH,
      surplusTotal: count * (PRODUCED_NKWH - CONSUMED_NKWH),
    };
  }

  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.key);
  }

  /** The body that carries a reading, signed. */
  submission(reading: Reading): SubmitReading {
    return fromReading({
      meterId: this.data.meterId,
      wallet: this.data.wallet,
      reading,
      amountNkwh: PRODUCED_NKWH - CONSUMED_NKWH,
      signature: this.sign(encodeReading(reading)),
      publicKey: this.publicKeyText,
    });
  }

  /** This meter's entry of an MQTT password. */
  login(unixSeconds: number): { meter_id: string; time: number; signature: string } {
    const { meterId } = this.data;
    const signature = this.sign(encodeLoginMessage({ unixSeconds, meterId }));
    return { meter_id: meterId, time: unixSeconds, signature: encodeBase58(signature) };
  }
}

const OWNERS = 8;
const AT_ONCE = 8;

/**
 * Registers meters on the chain, as an operator would: owners registered and verified, each meter with its
 * key's consent. Owners are shared between meters.
 */
export async function registerFleet(
  connection: Connection,
  registrar: Keypair,
  names: { prefix: string; count: number },
): Promise<MeterData[]> {
  const owners = Array.from({ length: Math.min(OWNERS, names.count) }, () => Keypair.generate());
  await inParallel(owners, async (wallet) => {
    await registerUser(connection, { payer: registrar, wallet });
    await verifyUser(connection, { payer: registrar, registrar, wallet: wallet.publicKey });
  });
  await ensureTokenAccounts(
    connection,
    registrar,
    owners.map(({ publicKey }) => publicKey),
  );
  const indexes = Array.from({ length: names.count }, (_, index) => index);
  return inParallel(indexes, async (index) => {
    const owner = owners[index % owners.length] as Keypair;
    const key = Keypair.generate();
    const meterId = `${names.prefix}-${String(index + 1).padStart(4, '0')}`;
    await registerMeter(connection, {
      payer: registrar,
      owner,
      registrar,
      meterId,
      publicKey: key.publicKey.toBytes(),
      consent: signMessage(key, await ownerMessageFor(connection, meterId, owner.publicKey)),
      ratedWatts: RATED_WATTS,
    });
    return { meterId, wallet: owner.publicKey.toBase58(), secretKey: [...key.secretKey] };
  });
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const todo = items.entries();
  const worker = async () => {
    for (const [index, item] of todo) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
