import { ERRORS, encodeBase58 } from '@gridtokenx/protocol';
import { ApiError, ask } from './api.js';
import type { Signer } from './session.js';
import { fromBase64, takeApart } from './transaction.js';
import type { BuiltTransaction, Submitted, TransactionState } from './types.js';

/** The collector looks at the chain this often; a confirmed trade is known within a second. */
const LOOK_EVERY_MS = 500;
/** Where the collector cannot be asked for now: after two seconds, four, up to this. */
const FIRST_TRY_MS = 2_000;
const LONGEST_TRY_MS = 15_000;
/** Sending takes the collector as long as its chain. */
const SUBMIT_MS = 90_000;

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

/** Whether the collector may answer otherwise when it is asked again. */
function isPassing(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  return error.code === 'UNREACHABLE' || error.status >= 500 || ERRORS[error.code].retry === 'later';
}

/** @param failures in a row, this error's included */
const wait = (failures: number, error?: ApiError) => {
  const told = Number(error?.details.retry_after_seconds ?? 0) * 1_000;
  const longer = Math.min(FIRST_TRY_MS * 2 ** (failures - 1), LONGEST_TRY_MS);
  return new Promise<void>((resolve) => setTimeout(resolve, Math.max(error ? longer : LOOK_EVERY_MS, told)));
};

/**
 * Signs, sends, and waits for what becomes of it. What is signed may be carried out, whoever has sent it on and whether or not
 * that was answered: from then on only the chain says how it ends.
 * @throws ApiError, TransactionFailed, or what the wallet throws when its owner declines
 */
export async function carryOut(
  built: Pick<BuiltTransaction, 'transaction' | 'last_valid_block_height'>,
  by: Signer,
  told: (step: Step, signature?: string) => void,
): Promise<string> {
  const transaction = await by.signTransaction(built.transaction);
  const [first = new Uint8Array()] = takeApart(fromBase64(transaction)).signatures;
  const signature = encodeBase58(first);
  told('signed', signature);
  let lastValid = built.last_valid_block_height;
  let sent = false;
  /** It may have been sent on. */
  let possible = false;
  let failures = 0;
  for (;;) {
    let passing: ApiError | undefined;
    try {
      if (!sent) {
        const answer = await ask<Submitted>('/api/transactions/submit', {
          method: 'POST',
          body: { transaction },
          answerMs: SUBMIT_MS,
        });
        sent = true;
        lastValid = Math.max(lastValid, answer.last_valid_block_height);
        told('sent', signature);
      }
    } catch (error) {
      if (isPassing(error)) {
        passing = error;
        possible ||= error.code !== 'RATE_LIMITED';
      } else if (!possible) {
        // There is no such transaction.
        told('built');
        throw error;
      } else sent = true;
    }
    try {
      if (sent || possible) {
        const state = await ask<TransactionState>(`/api/transactions/${signature}`, {
          query: { last_valid_block_height: lastValid },
        });
        if (isConfirmed(state)) {
          told('confirmed', signature);
          return signature;
        }
      }
    } catch (error) {
      if (!isPassing(error)) throw error;
      passing = error;
    }
    failures = passing ? failures + 1 : 0;
    await wait(failures, passing);
  }
}

/** @throws TransactionFailed */
function isConfirmed({ state, error }: TransactionState): boolean {
  if (state === 'failed')
    throw new TransactionFailed(
      error?.reason ?? '',
      error ? `${error.reason}: ${error.message} ${error.what_to_do}` : state,
    );
  if (state === 'expired') throw new TransactionFailed('expired', state);
  return state !== 'pending';
}
