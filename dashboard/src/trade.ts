import { ask } from './api.js';
import type { Signer } from './session.js';
import type { BuiltTransaction, Submitted, TransactionState } from './types.js';

/** The collector looks at the chain this often; a confirmed trade is known within a second. */
const LOOK_EVERY_MS = 500;

export type Step = 'built' | 'signed' | 'sent' | 'confirmed';

/** A transaction that the chain refused (`reason`: the program's name for why) or that came too late (`expired`). */
export class TransactionFailed extends Error {
  constructor(
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

export function build(body: Record<string, unknown>): Promise<BuiltTransaction> {
  return ask<BuiltTransaction>('/api/orders/build', { method: 'POST', body });
}

/**
 * Signs, sends, and waits for what becomes of it.
 * @throws ApiError, TransactionFailed, or what the wallet throws when its owner declines
 */
export async function carryOut(
  built: Pick<BuiltTransaction, 'transaction'>,
  by: Signer,
  told: (step: Step, signature?: string) => void,
): Promise<string> {
  const transaction = await by.signTransaction(built.transaction);
  told('signed');
  const { signature, last_valid_block_height } = await ask<Submitted>('/api/transactions/submit', {
    method: 'POST',
    body: { transaction },
  });
  told('sent', signature);
  for (;;) {
    const { state, error } = await ask<TransactionState>(`/api/transactions/${signature}`, {
      query: { last_valid_block_height },
    });
    if (state === 'confirmed' || state === 'finalized') {
      told('confirmed', signature);
      return signature;
    }
    if (state === 'failed')
      throw new TransactionFailed(
        error?.reason ?? '',
        error ? `${error.reason}: ${error.message} ${error.what_to_do}` : state,
      );
    if (state === 'expired') throw new TransactionFailed('expired', state);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
