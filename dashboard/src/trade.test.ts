import { encodeBase58 } from '@gridtokenx/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Signer } from './session.js';
import { carryOut, TransactionFailed } from './trade.js';
import { base64 } from './transaction.js';

/* What becomes of a signed transaction, where answers are lost and refused for now, as a collector's may be. */

/** `lose`: done, but without an answer. */
type Answer = 'lose' | { status: number; body: unknown };

let submits: Answer[];
let looks: Answer[];
let asked: string[];

const taken: Answer = { status: 200, body: { signature: '', last_valid_block_height: 90 } };
const state = (name: string): Answer => ({ status: 200, body: { state: name, error: null } });
const refused = (status: number, code: string): Answer => ({
  status,
  body: { error: { code, message: code, retry: 'later', details: {} } },
});

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal('location', { origin: 'http://collector.test' });
  vi.stubGlobal('fetch', async (url: URL) => {
    const submit = url.pathname === '/api/transactions/submit';
    asked.push(submit ? 'submit' : url.pathname + url.search);
    const answer = (submit ? submits : looks).shift() ?? refused(500, 'INTERNAL');
    if (answer === 'lose') throw new TypeError('fetch failed');
    return Response.json(answer.body, { status: answer.status });
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const wire = new Uint8Array([
  1,
  ...new Array(64).fill(7),
  1,
  0,
  0,
  1,
  ...new Array(32).fill(3),
  ...new Array(32).fill(4),
  0,
]);
const signature = encodeBase58(wire.subarray(1, 65));
const by: Signer = {
  address: 'w',
  name: 'w',
  signMessage: async () => new Uint8Array(64),
  signTransaction: async () => base64(wire),
};
const look = (height: number) => `/api/transactions/${signature}?last_valid_block_height=${height}`;

async function send(): Promise<string[]> {
  const told: string[] = [];
  const sent = carryOut({ transaction: '', last_valid_block_height: 50 }, by, (step, of) => {
    told.push(step);
    if (step !== 'built') expect(of).toBe(signature);
  });
  const [signed] = await Promise.all([sent, vi.advanceTimersByTimeAsync(90_000)]);
  expect(signed).toBe(signature);
  return told;
}

test('is followed until the chain has it, whatever happens to looks', async () => {
  submits = [taken];
  looks = [
    state('pending'),
    'lose',
    refused(429, 'RATE_LIMITED'),
    refused(503, 'CHAIN_UNAVAILABLE'),
    state('confirmed'),
  ];
  expect(await send()).toEqual(['signed', 'sent', 'confirmed']);
  expect(asked).toEqual(['submit', ...new Array(5).fill(look(90))]);
});

test('whose sending was not answered is followed by its signature, and sent again until it is known', async () => {
  submits = ['lose', refused(503, 'CHAIN_UNAVAILABLE'), refused(422, 'CHAIN_REFUSED')];
  submits[2] = {
    status: 422,
    body: { error: { code: 'CHAIN_REFUSED', message: 'it is there', retry: 'never', details: {} } },
  };
  looks = [state('pending'), 'lose', state('finalized')];
  expect(await send()).toEqual(['signed', 'confirmed']);
  expect(asked).toEqual(['submit', look(50), 'submit', look(50), 'submit', look(50)]);
});

test('that was not taken for now is sent again', async () => {
  submits = [refused(429, 'RATE_LIMITED'), taken];
  looks = [state('confirmed')];
  expect(await send()).toEqual(['signed', 'sent', 'confirmed']);
  expect(asked).toEqual(['submit', 'submit', look(90)]);
});

test('that is refused after it may have been sent is not sent again: the chain says how it ends', async () => {
  const no: Answer = {
    status: 422,
    body: { error: { code: 'TRANSACTION_INVALID', message: 'no', retry: 'never', details: {} } },
  };
  submits = ['lose', no, no, no];
  looks = [state('pending'), state('pending'), state('pending'), state('confirmed')];
  expect(await send()).toEqual(['signed', 'confirmed']);
  expect(asked).toEqual(['submit', look(50), 'submit', look(50), look(50), look(50)]);
});

test('that cannot be asked about is asked about after longer and longer pauses', async () => {
  submits = [taken];
  looks = [...new Array<Answer>(6).fill('lose'), state('pending'), 'lose', state('confirmed')];
  const at: number[] = [];
  const begin = Date.now();
  const answer = globalThis.fetch;
  vi.stubGlobal('fetch', (url: URL) => {
    if (url.pathname !== '/api/transactions/submit') at.push(Date.now() - begin);
    return answer(url);
  });
  expect(await send()).toEqual(['signed', 'sent', 'confirmed']);
  const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  expect(pauses).toEqual([2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 500, 2_000]);
});

test('that is refused has not been sent', async () => {
  submits = [
    { status: 422, body: { error: { code: 'CHAIN_REFUSED', message: 'no', retry: 'never', details: {} } } },
  ];
  looks = [];
  await expect(send()).rejects.toMatchObject({ code: 'CHAIN_REFUSED' });
  expect(asked).toEqual(['submit']);
});

test('that came too late says so', async () => {
  submits = ['lose', 'lose'];
  looks = [state('pending'), state('expired')];
  await expect(send()).rejects.toBeInstanceOf(TransactionFailed);
});
