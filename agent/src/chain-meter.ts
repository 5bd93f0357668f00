/** A meter's account on the chain, asked of a Solana node without Solana's libraries, which a gateway does not carry. */
import { createHash } from 'node:crypto';
import { decodeBase58, encodeBase58, encodeMeterId, GtxError } from '@gridtokenx/protocol';
import { Point } from '@noble/ed25519';
import { z } from 'zod';

/** The registry that gridtokenx deploys; a deployment of one's own has another. */
export const REGISTRY_PROGRAM = 'AS6vsB8coXaS6hHU6qcD4ZfHJREejj975KgDis7rDWpK';

const TIMEOUT_MS = 15_000;
/** Of the account: 8 bytes of its kind (sha256 of `account:Meter`), then meter id, owner, public key, token account. */
const KIND = createHash('sha256').update('account:Meter').digest().subarray(0, 8);
const PUBLIC_KEY_AT = 8 + 32 + 32;
const LAST_SEQUENCE_AT = 8 + 4 * 32;

export interface ChainMeter {
  /** Of the last reading that the chain has accepted; 0 before the first. */
  lastSequence: bigint;
  /** Base58. */
  publicKey: string;
}

/**
 * Where a meter's account is: the program's derived address of the seeds `meter` and the meter id (Solana's
 * `find_program_address`: the first that is no point of the curve, so that nobody has its key).
 */
export function meterAccountAddress(meterId: string, program = REGISTRY_PROGRAM): string {
  const programId = decodeBase58(program, 32);
  for (let bump = 255; bump >= 0; bump--) {
    const hash = createHash('sha256')
      .update('meter')
      .update(encodeMeterId(meterId))
      .update(Uint8Array.of(bump))
      .update(programId)
      .update('ProgramDerivedAddress')
      .digest();
    if (!isOnCurve(hash)) return encodeBase58(hash);
  }
  throw new GtxError('INTERNAL', `no address for meter ${meterId}`);
}

function isOnCurve(bytes: Uint8Array): boolean {
  try {
    Point.fromBytes(bytes, true);
    return true;
  } catch {
    return false;
  }
}

const Answer = z.looseObject({
  error: z.looseObject({ message: z.string() }).optional(),
  result: z
    .looseObject({
      value: z
        .looseObject({ owner: z.string(), data: z.tuple([z.base64(), z.literal('base64')]) })
        .nullable(),
    })
    .optional(),
});

/**
 * Asks a Solana node for a meter.
 * @returns undefined when the chain has no such meter
 * @throws GtxError CHAIN_UNAVAILABLE when the node does not answer as one
 */
export async function readChainMeter(
  rpcUrl: string,
  meterId: string,
  program = REGISTRY_PROGRAM,
): Promise<ChainMeter | undefined> {
  const address = meterAccountAddress(meterId, program);
  let answer: z.infer<typeof Answer>;
  try {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'getAccountInfo',
        params: [address, { encoding: 'base64', commitment: 'confirmed' }],
      }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    answer = Answer.parse(await response.json());
  } catch (error) {
    throw new GtxError('CHAIN_UNAVAILABLE', `${rpcUrl} does not answer: ${(error as Error).message}`);
  }
  if (answer.result === undefined) {
    throw new GtxError('CHAIN_UNAVAILABLE', `${rpcUrl}: ${answer.error?.message ?? 'no result'}`);
  }
  const { value } = answer.result;
  if (value === null) return undefined;
  const data = Buffer.from(value.data[0], 'base64');
  const fits =
    value.owner === program &&
    data.length >= LAST_SEQUENCE_AT + 8 &&
    data.subarray(0, 8).equals(KIND) &&
    data.subarray(8, 40).equals(encodeMeterId(meterId));
  if (!fits)
    throw new GtxError('CHAIN_UNAVAILABLE', `${rpcUrl}: ${address} is no account of meter ${meterId}`);
  return {
    lastSequence: data.readBigUInt64LE(LAST_SEQUENCE_AT),
    publicKey: encodeBase58(data.subarray(PUBLIC_KEY_AT, PUBLIC_KEY_AT + 32)),
  };
}
