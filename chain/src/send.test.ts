import { encodeBase58, GtxError } from '@gridtokenx/protocol';
import { type Connection, Keypair, SystemProgram } from '@solana/web3.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openConnection } from './connection.js';
import { toChainError } from './failure.js';
import { REGISTRY_PROGRAM_ID } from './programs.js';
import {
  confirmTransaction,
  type PreparedTransaction,
  prepareTransaction,
  resolveSignature,
  sendAndConfirm,
  sendPrepared,
  signedTransaction,
} from './send.js';
import { RpcProxy, type Verdict } from './testing/proxy.js';
import { buildTransaction, recentPriorityFee, simulate } from './transaction.js';

/* What a node may answer, and in which order, that a well-behaved one rarely does. A real web3.js Connection
 * asks; the answers are written out. With a real chain: localnet.test.ts. */

const signature = encodeBase58(new Uint8Array(64).fill(9));
const LAST_VALID = 150;

let node: RpcProxy;
let url: string;
let connection: Connection;
beforeEach(async () => {
  node = new RpcProxy();
  url = await node.start();
  connection = openConnection(url);
});
afterEach(() => node.stop());

type Status = {
  slot: number;
  confirmations: number | null;
  err: unknown;
  confirmationStatus: string;
} | null;

const status = (value: Status, slot = 1_000): Verdict => ({ result: { context: { slot }, value: [value] } });
const confirmed: Status = { slot: 77, confirmations: 1, err: null, confirmationStatus: 'confirmed' };
const finalized: Status = { slot: 77, confirmations: null, err: null, confirmationStatus: 'finalized' };
const processed: Status = { slot: 77, confirmations: 0, err: null, confirmationStatus: 'processed' };
const epoch = (blockHeight: number, absoluteSlot = blockHeight + 10): Verdict => ({
  result: { absoluteSlot, blockHeight, epoch: 0, slotIndex: 0, slotsInEpoch: 432_000, transactionCount: 1 },
});

/** Answers each method from its own list; the last answer of a list stays. */
function script(answers: Record<string, Verdict[]>): void {
  node.decide = ({ method }) => {
    const list = answers[method];
    if (!list?.length) return { error: { code: -32601, message: `not scripted: ${method}` } };
    return (list.length > 1 ? list.shift() : list[0]) as Verdict;
  };
}

async function errorOf(promise: Promise<unknown>): Promise<GtxError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof GtxError) return error;
  throw error ?? new Error('nothing was thrown');
}

const resolve = () => resolveSignature(connection, signature, LAST_VALID);

describe('resolveSignature', () => {
  it('reports what the status says', async () => {
    for (const [value, expected] of [
      [confirmed, { state: 'confirmed', slot: 77 }],
      [finalized, { state: 'finalized', slot: 77 }],
      [processed, { state: 'pending', slot: 77 }],
    ] as const) {
      script({ getSignatureStatuses: [status(value)] });
      expect(await resolve()).toEqual(expected);
    }
  });

  it('asks the whole history', async () => {
    script({ getSignatureStatuses: [status(confirmed)] });
    await resolve();
    expect(node.seen).toEqual([
      { method: 'getSignatureStatuses', params: [[signature], { searchTransactionHistory: true }] },
    ]);
  });

  it('says pending up to and including the last valid height', async () => {
    for (const height of [0, LAST_VALID - 1, LAST_VALID]) {
      script({ getSignatureStatuses: [status(null)], getEpochInfo: [epoch(height)] });
      expect(await resolve()).toEqual({ state: 'pending' });
    }
  });

  it('says expired only past it, at finalized, with the status still absent', async () => {
    script({ getSignatureStatuses: [status(null)], getEpochInfo: [epoch(LAST_VALID + 1)] });
    expect(await resolve()).toEqual({ state: 'expired' });
    expect(node.seen.map(({ method }) => method)).toEqual([
      'getSignatureStatuses',
      'getEpochInfo',
      'getSignatureStatuses',
    ]);
    expect(node.seen[1]?.params).toEqual([{ commitment: 'finalized' }]);
  });

  it('does not miss a transaction that landed between the two questions', async () => {
    script({
      getSignatureStatuses: [status(null), status(confirmed)],
      getEpochInfo: [epoch(LAST_VALID + 1)],
    });
    expect(await resolve()).toEqual({ state: 'confirmed', slot: 77 });
    script({
      getSignatureStatuses: [status(null), status(processed)],
      getEpochInfo: [epoch(LAST_VALID + 1)],
    });
    expect(await resolve()).toEqual({ state: 'pending', slot: 77 });
  });

  it('does not believe a node that is behind the one that gave the height', async () => {
    const height = epoch(LAST_VALID + 1, 500);
    script({ getSignatureStatuses: [status(null, 400), status(null, 499)], getEpochInfo: [height] });
    expect(await resolve()).toEqual({ state: 'pending' });
    script({ getSignatureStatuses: [status(null, 400), status(null, 500)], getEpochInfo: [height] });
    expect(await resolve()).toEqual({ state: 'expired' });
  });

  it('names the error of a transaction that landed and failed', async () => {
    script({
      getSignatureStatuses: [
        status({ ...confirmed, err: { InstructionError: [3, { Custom: 6030 }] } } as Status),
      ],
      getTransaction: [{ result: null }],
    });
    expect(await resolve()).toEqual({
      state: 'failed',
      slot: 77,
      error: {
        reason: 'SequenceNotHigher',
        code: 6030,
        instructionIndex: 3,
        message: 'SequenceNotHigher in instruction 3: the sequence is not higher than the last one',
      },
    });
  });

  it('waits for confirmation also of failures', async () => {
    script({ getSignatureStatuses: [status({ ...processed, err: 'AccountNotFound' } as Status)] });
    expect((await resolve()).state).toBe('pending');
  });
});

describe('outages', () => {
  it.each<[string, Verdict]>([
    ['no answer', 'hang'],
    ['a broken connection', 'reset'],
    ['HTTP 429', { status: 429 }],
    ['HTTP 502', { status: 502 }],
    ['a node that is behind', { error: { code: -32005, message: 'Node is behind by 42 slots' } }],
    ['a method that the node lacks', { error: { code: -32601, message: 'Method not found' } }],
    ['nonsense', { result: 'nonsense' }],
  ])('%s is CHAIN_UNAVAILABLE, wherever it happens', async (_, verdict) => {
    node.decide = () => verdict;
    if (verdict === 'hang') connection = openConnection(url, { timeoutMs: 50 });
    const payer = Keypair.generate();
    const transaction = buildTransaction({
      payer: payer.publicKey,
      instructions: [],
      blockhash: signature.slice(0, 43),
    });
    const wire = new Uint8Array(10);
    for (const error of [
      resolve(),
      simulate(connection, transaction),
      sendPrepared(connection, { wire, signature }, { skipPreflight: true }).then((outcome) => {
        // Any text is a signature to a client that sent its own: nothing to find fault with.
        if (verdict !== 'hang' && typeof verdict === 'object' && 'result' in verdict) {
          throw new GtxError('CHAIN_UNAVAILABLE', outcome);
        }
      }),
      prepareTransaction(connection, { payer, instructions: [] }),
      recentPriorityFee(connection, [], { percentile: 50, max: 1 }),
      // All are listened to from the start: they end in any order.
    ].map(errorOf)) {
      expect((await error).code).toBe('CHAIN_UNAVAILABLE');
    }
  });

  it('is told apart from refusals', () => {
    for (const error of [new Error('fetch failed'), 'text', undefined, new TypeError('x')]) {
      expect(toChainError(error).code).toBe('CHAIN_UNAVAILABLE');
    }
    const known = new GtxError('CHAIN_REFUSED', 'x');
    expect(toChainError(known)).toBe(known);
  });
});

describe('confirmTransaction', () => {
  const sent = { signature, lastValidBlockHeight: LAST_VALID };

  it('waits for the commitment that was asked for', async () => {
    script({ getSignatureStatuses: [status(processed), status(confirmed), status(finalized)] });
    expect(await confirmTransaction(connection, sent, { pollMs: 1 })).toEqual({
      state: 'confirmed',
      slot: 77,
    });
    expect(await confirmTransaction(connection, sent, { pollMs: 1, commitment: 'finalized' })).toEqual({
      state: 'finalized',
      slot: 77,
    });
  });

  it('rides out an outage', async () => {
    script({ getSignatureStatuses: ['reset', { status: 503 }, 'reset', status(confirmed)] });
    expect((await confirmTransaction(connection, sent, { pollMs: 1 })).state).toBe('confirmed');
  });

  it('gives up when nobody has answered for long enough, and says what to ask about later', async () => {
    node.decide = () => 'reset';
    let now = 0;
    const error = await errorOf(
      confirmTransaction(connection, sent, {
        pollMs: 1,
        unavailableAfterMs: 1_000,
        // Each look at the clock is 400 ms later than the one before.
        now: () => {
          now += 400;
          return now;
        },
      }),
    );
    expect(error.code).toBe('CHAIN_UNAVAILABLE');
    expect(error.details).toEqual(sent);
  });

  it('gives up when there is no outcome for long enough', async () => {
    script({ getSignatureStatuses: [status(null)], getEpochInfo: [epoch(1)] });
    let now = 0;
    const error = await errorOf(
      confirmTransaction(connection, sent, {
        pollMs: 1,
        timeoutMs: 1_000,
        now: () => {
          now += 100;
          return now;
        },
      }),
    );
    expect(error.code).toBe('CHAIN_UNAVAILABLE');
  });

  it('sends the same bytes again while there is no status, and only then', async () => {
    script({
      getSignatureStatuses: [status(null), status(null), status(processed), status(confirmed)],
      getEpochInfo: [epoch(1)],
      sendTransaction: [
        { error: { code: -32002, message: 'x', data: { err: 'AccountNotFound', logs: [] } } },
      ],
    });
    const wire = Uint8Array.of(1, 2, 3);
    await confirmTransaction(connection, { ...sent, wire }, { pollMs: 1, resendMs: 0 });
    const resent = node.seen.filter(({ method }) => method === 'sendTransaction');
    expect(resent).toHaveLength(2);
    for (const { params } of resent) {
      expect(params).toMatchObject([Buffer.from(wire).toString('base64'), { skipPreflight: true }]);
    }
  });

  it('ends with the reason of an abort', async () => {
    script({ getSignatureStatuses: [status(null)], getEpochInfo: [epoch(1)] });
    const stop = new AbortController();
    const waiting = confirmTransaction(connection, sent, { signal: stop.signal });
    stop.abort(new Error('stopping'));
    await expect(waiting).rejects.toThrow('stopping');
  });
});

describe('sendPrepared', () => {
  const payer = Keypair.generate();
  let prepared: PreparedTransaction;
  beforeEach(() => {
    const transaction = buildTransaction({
      payer: payer.publicKey,
      blockhash: Keypair.generate().publicKey.toBase58(),
      instructions: [
        SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: payer.publicKey, lamports: 1 }),
      ],
    });
    prepared = signedTransaction(transaction, [payer], LAST_VALID);
  });
  const preflight = (err: unknown, logs: string[] = []): Verdict => ({
    error: { code: -32002, message: 'Transaction simulation failed', data: { err, logs } },
  });

  it('knows a transaction that is there already, and one that the node could not place', async () => {
    script({
      sendTransaction: [preflight('AlreadyProcessed'), preflight('BlockhashNotFound'), { result: signature }],
    });
    expect(await sendPrepared(connection, prepared)).toBe('sent');
    expect(await sendPrepared(connection, prepared)).toBe('not-forwarded');
    expect(await sendPrepared(connection, prepared)).toBe('sent');
  });

  it.each<[unknown, string[], object]>([
    ['InsufficientFundsForFee', [], { reason: 'InsufficientFundsForFee' }],
    [{ InsufficientFundsForRent: { account_index: 3 } }, [], { reason: 'InsufficientFundsForRent' }],
    [
      { InstructionError: [1, { Custom: 1 }] },
      [],
      { reason: 'Custom', code: 1, instructionIndex: 1, programId: SystemProgram.programId.toBase58() },
    ],
    [
      { InstructionError: [1, { Custom: 6030 }] },
      [
        `Program ${REGISTRY_PROGRAM_ID.toBase58()} invoke [1]`,
        `Program ${REGISTRY_PROGRAM_ID.toBase58()} failed: custom program error: 0x178e`,
      ],
      { reason: 'SequenceNotHigher', code: 6030, programId: REGISTRY_PROGRAM_ID.toBase58() },
    ],
    [
      { InstructionError: [1, { Custom: 6030 }] },
      [
        `Program ${REGISTRY_PROGRAM_ID.toBase58()} invoke [1]`,
        'Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA invoke [2]',
        'Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA failed: custom program error: 0x11',
      ],
      { reason: 'Custom', code: 6030 },
    ],
    [
      { InstructionError: [1, { Custom: 17 }] },
      ['Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA failed: custom program error: 0x11'],
      { reason: 'AccountFrozen', code: 17 },
    ],
    [
      { InstructionError: [1, { Custom: 2040 }] },
      [`Program ${REGISTRY_PROGRAM_ID.toBase58()} failed: custom program error: 0x7f8`],
      { reason: 'ConstraintDuplicateMutableAccount' },
    ],
    [{ InstructionError: [1, 'InvalidSeeds'] }, [], { reason: 'InvalidSeeds', instructionIndex: 1 }],
  ])('maps %j to CHAIN_REFUSED with its name', async (err, logs, details) => {
    script({ sendTransaction: [preflight(err, logs)] });
    const error = await errorOf(sendPrepared(connection, prepared));
    expect(error.code).toBe('CHAIN_REFUSED');
    expect(error.details).toMatchObject({ ...details, signature: prepared.signature });
  });

  it('takes parameters that the node cannot read as refused, for ever', async () => {
    script({ sendTransaction: [{ error: { code: -32602, message: 'base64 encoded too large' } }] });
    expect((await errorOf(sendPrepared(connection, prepared))).code).toBe('CHAIN_REFUSED');
  });
});

describe('sendAndConfirm', () => {
  const payer = Keypair.generate();
  const blockhash = (lastValidBlockHeight: number): Verdict => ({
    result: {
      context: { slot: 1 },
      value: { blockhash: Keypair.generate().publicKey.toBase58(), lastValidBlockHeight },
    },
  });

  it('signs again only after the transaction before has expired', async () => {
    script({
      getLatestBlockhash: [blockhash(10), blockhash(500)],
      sendTransaction: ['reset', { result: signature }],
      getSignatureStatuses: [
        status(null),
        status(null),
        status(null),
        status(null),
        status(null),
        status(confirmed),
      ],
      getEpochInfo: [epoch(10), epoch(11), epoch(12)],
    });
    const signed: string[] = [];
    const result = await sendAndConfirm(connection, {
      payer,
      instructions: [],
      pollMs: 1,
      onSigned: (prepared) => {
        // Written down before anything is sent.
        expect(node.count('sendTransaction')).toBe(signed.length);
        signed.push(prepared.signature);
      },
    });
    expect(result).toEqual({ signature: signed[1], slot: 77, attempts: 2 });
    expect(new Set(signed).size).toBe(2);
  });

  it('ends with TRANSACTION_EXPIRED when none gets through', async () => {
    script({
      getLatestBlockhash: [blockhash(10)],
      sendTransaction: [{ result: signature }],
      getSignatureStatuses: [status(null)],
      getEpochInfo: [epoch(11)],
    });
    const error = await errorOf(
      sendAndConfirm(connection, { payer, instructions: [], pollMs: 1, maxAttempts: 2 }),
    );
    expect(error.code).toBe('TRANSACTION_EXPIRED');
    expect(node.count('sendTransaction')).toBe(2);
  });

  it('does not sign again what was refused', async () => {
    script({
      getLatestBlockhash: [blockhash(10)],
      sendTransaction: [{ result: signature }],
      getSignatureStatuses: [status({ ...confirmed, err: 'AccountNotFound' } as Status)],
      getTransaction: [{ result: null }],
    });
    const error = await errorOf(sendAndConfirm(connection, { payer, instructions: [], pollMs: 1 }));
    expect(error.code).toBe('CHAIN_REFUSED');
    expect(error.details).toMatchObject({ reason: 'AccountNotFound', slot: 77 });
    expect(node.count('sendTransaction')).toBe(1);
  });
});
