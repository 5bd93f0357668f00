import { createInterface } from 'node:readline/promises';
import { GtxError } from '@gridtokenx/protocol';

/** Asks one question; an empty answer is the empty text. */
export type Ask = (question: string) => Promise<string>;

/**
 * Runs something with a person to ask, if there is one at this terminal.
 * @throws GtxError VALUE_INVALID when the person ends the input
 */
export async function withTerminal<T>(
  signal: AbortSignal,
  work: (ask: Ask | undefined) => Promise<T>,
): Promise<T> {
  if (!process.stdin.isTTY) return await work(undefined);
  // Questions go to stderr: results stay clean.
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<never>((_, reject) => {
    lines.once('close', () => reject(new GtxError('VALUE_INVALID', 'the questions were not answered')));
  });
  ended.catch(() => {});
  try {
    return await work((question) => Promise.race([lines.question(question, { signal }), ended]));
  } finally {
    lines.close();
  }
}
