// One scenario of requests, played against a real validator (to record what it answers) and against localnet (to
// compare). Raw JSON-RPC, so that shapes are seen as they are on the wire; @solana/web3.js only builds transactions.
import { createHash } from 'node:crypto';
import {
  createAssociatedTokenAccountIdempotentInstruction,
  createBurnInstruction,
  createCloseAccountInstruction,
  createEnableCpiGuardInstruction,
  createEnableRequiredMemoTransfersInstruction,
  createInitializeMetadataPointerInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  createReallocateInstruction,
  createSyncNativeInstruction,
  createTransferCheckedInstruction,
  createTransferInstruction,
  ExtensionType,
  getAssociatedTokenAddressSync,
  getMintLen,
  MINT_SIZE,
  NATIVE_MINT,
  TOKEN_2022_PROGRAM_ID,
  TOKEN_PROGRAM_ID,
} from '@solana/spl-token';
import {
  type AccountMeta,
  AddressLookupTableAccount,
  AddressLookupTableProgram,
  ComputeBudgetProgram,
  Ed25519Program,
  Keypair,
  PublicKey,
  SystemProgram,
  Transaction,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import bs58 from 'bs58';
import { WebSocket } from 'ws';

/** One exchange: what was asked and, with what differs from run to run replaced, what came back. */
export interface Exchange {
  name: string;
  method: string;
  response: unknown;
}

const MEMO = new PublicKey('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
const SOL = 1_000_000_000;

function keypair(name: string): Keypair {
  return Keypair.fromSeed(createHash('sha256').update(`localnet conformance ${name}`).digest());
}

/** Values that differ from run to run, by the name of the member that holds them. */
const VOLATILE = new Set([
  'slot',
  'lastValidBlockHeight',
  'blockTime',
  'absoluteSlot',
  'blockHeight',
  'slotIndex',
  'transactionCount',
  'transactionIndex',
  'confirmations',
  'feature-set',
  'subscription',
  'parent',
  'root',
  'contextSlot',
  'lastExtendedSlot',
  'deactivationSlot',
]);

interface Volatile {
  text: string;
  name: string;
}

/** Replaces what differs from run to run by a name for it, and keeps whether it was there and of what type. */
export function normalise(value: unknown, known: Volatile[], member = ''): unknown {
  if (typeof value === 'string') {
    let text = value;
    for (const { text: volatile, name } of known) text = text.split(volatile).join(`<${name}>`);
    if (VOLATILE.has(member)) return '<string>';
    // Words of serde and of the wire decoder, which are another implementation's here.
    return text
      .replace(/^Invalid params: .*/s, 'Invalid params: <reason>')
      .replace(/^(failed to deserialize [^ ]+): .*/s, '$1: <reason>')
      .replace(/^(invalid base(?:58|64) encoding): .*/s, '$1: <reason>');
  }
  if (typeof value === 'number' && VOLATILE.has(member)) return '<number>';
  if (Array.isArray(value)) return value.map((entry) => normalise(entry, known, member));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, entry]) => [key, normalise(entry, known, key)]),
    );
  }
  return value;
}

type Rpc = { result?: unknown; error?: { code: number; message: string } };

class Player {
  readonly exchanges: Exchange[] = [];
  readonly known: Volatile[] = [];
  readonly #url: string;
  #id = 0;

  constructor(url: string) {
    this.#url = url;
  }

  volatile(text: string, name: string): void {
    this.known.push({ text, name });
  }

  async post(body: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: response.status, text: await response.text() };
  }

  async raw(method: string, params: unknown[]): Promise<Rpc> {
    const { text } = await this.post(JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params }));
    return JSON.parse(text) as Rpc;
  }

  async result<T>(method: string, params: unknown[]): Promise<T> {
    const response = await this.raw(method, params);
    if (response.error) throw new Error(`${method}: ${JSON.stringify(response.error)}`);
    return response.result as T;
  }

  /** Asks and records. */
  async ask(name: string, method: string, params: unknown[]): Promise<Rpc> {
    const response = await this.raw(method, params);
    const { result, error } = response;
    this.record(name, method, error ? { error } : { result });
    return response;
  }

  record(name: string, method: string, response: unknown): void {
    this.exchanges.push({ name, method, response: normalise(response, this.known) });
  }

  async blockhash(): Promise<string> {
    const { value } = await this.result<{ value: { blockhash: string } }>('getLatestBlockhash', [
      { commitment: 'confirmed' },
    ]);
    this.volatile(value.blockhash, 'blockhash');
    return value.blockhash;
  }

  async until<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const value = await attempt();
      if (value !== undefined) return value;
      if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  confirmed(signature: string, level: 'confirmed' | 'finalized' = 'confirmed'): Promise<unknown> {
    return this.until(`${signature} to be ${level}`, async () => {
      const { value } = await this.result<{ value: ({ confirmationStatus: string } | null)[] }>(
        'getSignatureStatuses',
        [[signature]],
      );
      const status = value[0]?.confirmationStatus;
      return status === 'finalized' || status === level ? true : undefined;
    });
  }

  async legacy(instructions: TransactionInstruction[], signers: Keypair[]): Promise<Transaction> {
    const transaction = new Transaction({
      recentBlockhash: await this.blockhash(),
      feePayer: first(signers).publicKey,
    });
    transaction.add(...instructions);
    transaction.sign(...signers);
    return transaction;
  }

  /** Sends without recording and waits until it is confirmed. */
  async send(name: string, instructions: TransactionInstruction[], signers: Keypair[]): Promise<string> {
    const transaction = await this.legacy(instructions, signers);
    return this.sendWire(name, transaction.serialize());
  }

  async sendWire(name: string, wire: Uint8Array, options: object = {}): Promise<string> {
    const signature = await this.result<string>('sendTransaction', [
      Buffer.from(wire).toString('base64'),
      { encoding: 'base64', preflightCommitment: 'confirmed', ...options },
    ]);
    this.volatile(signature, `signature ${name}`);
    await this.confirmed(signature);
    return signature;
  }
}

function first<T>(list: T[]): T {
  const [item] = list;
  if (item === undefined) throw new RangeError('empty list');
  return item;
}

function base64(transaction: Transaction | VersionedTransaction): string {
  const wire =
    transaction instanceof Transaction
      ? transaction.serialize({ requireAllSignatures: false, verifySignatures: false })
      : transaction.serialize();
  return Buffer.from(wire).toString('base64');
}

/** Collects the messages of one WebSocket and hands out those that fit. */
class Listener {
  readonly #socket: WebSocket;
  readonly #messages: Record<string, unknown>[] = [];

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#messages.push(JSON.parse(data.toString())));
  }

  static async open(url: string): Promise<Listener> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return new Listener(socket);
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async take(
    what: string,
    fits: (message: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const index = this.#messages.findIndex(fits);
      if (index >= 0) return first(this.#messages.splice(index, 1));
      if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  close(): void {
    this.#socket.close();
  }
}

async function nodeAndErrors(play: Player): Promise<void> {
  await play.ask('health', 'getHealth', []);
  await play.ask('version', 'getVersion', []);
  const genesis = await play.result<string>('getGenesisHash', []);
  play.volatile(genesis, 'genesis hash');
  await play.ask('genesis hash', 'getGenesisHash', []);
  for (const method of ['getSlot', 'getBlockHeight', 'getEpochInfo']) {
    const response = await play.raw(method, [{ commitment: 'confirmed' }]);
    play.record(method, method, {
      result: typeof response.result === 'number' ? '<number>' : normalise(response.result, play.known),
    });
  }
  await play.ask('slot that is too high', 'getSlot', [{ minContextSlot: 1_000_000_000 }]);
  await play.blockhash();
  const latest = await play.raw('getLatestBlockhash', [{ commitment: 'confirmed' }]);
  play.volatile((latest.result as { value: { blockhash: string } }).value.blockhash, 'blockhash');
  play.record('latest blockhash', 'getLatestBlockhash', { result: latest.result });
  await play.ask('blockhash is valid', 'isBlockhashValid', [
    await play.blockhash(),
    { commitment: 'confirmed' },
  ]);
  await play.ask('unknown blockhash is not valid', 'isBlockhashValid', [
    keypair('no blockhash').publicKey.toBase58(),
    { commitment: 'confirmed' },
  ]);
  await play.ask('blockhash of a wrong size', 'isBlockhashValid', ['abc']);
  await play.ask('blockhash outside base58', 'isBlockhashValid', ['0OIl']);
  await play.ask('time of a future slot', 'getBlockTime', [123_456_789_012]);
  await play.ask('time of nothing', 'getBlockTime', []);
  for (const length of [0, 82, 165, 1000]) {
    await play.ask(`rent exemption of ${length} bytes`, 'getMinimumBalanceForRentExemption', [length]);
  }
  await play.ask('rent exemption of too much', 'getMinimumBalanceForRentExemption', [10 * 1024 * 1024 + 1]);
  await play.ask('rent exemption of a negative length', 'getMinimumBalanceForRentExemption', [-1]);
  await play.ask('rent exemption of a text', 'getMinimumBalanceForRentExemption', ['x']);

  await play.ask('unknown method', 'getMoon', []);
  await play.ask('missing parameter', 'getBalance', []);
  await play.ask('too many parameters', 'getBalance', [keypair('alice').publicKey.toBase58(), {}, 1, 2]);
  await play.ask('address of a wrong type', 'getBalance', [5]);
  await play.ask('address of a wrong size', 'getBalance', ['abc']);
  await play.ask('address outside base58', 'getBalance', ['0OIl0OIl0OIl0OIl0OIl0OIl0OIl0OIl']);
  await play.ask('address far too long', 'getBalance', ['1'.repeat(100)]);
  await play.ask('unknown commitment', 'getBalance', [
    keypair('nobody').publicKey.toBase58(),
    { commitment: 'soon' },
  ]);
  await play.ask('config of a wrong type', 'getBalance', [
    keypair('nobody').publicKey.toBase58(),
    'confirmed',
  ]);
  await play.ask('too many parameters where one is optional', 'getSlot', [1, 2, 3]);
  await play.ask('too many parameters where none is optional', 'getBlockTime', [0, 1]);
  await play.ask('config that is null', 'getBalance', [keypair('nobody').publicKey.toBase58(), null]);

  const http = async (name: string, body: string, headers: Record<string, string> = {}) => {
    const { status, text } = await play.post(body, headers);
    let answer: unknown = text.trim();
    try {
      answer = JSON.parse(text);
    } catch {
      // plain text stays text
    }
    play.record(name, 'HTTP', { status, answer });
  };
  await http('not JSON', '{"jsonrpc":');
  await http('a number', '5');
  await http('an empty object', '{}');
  await http('no version', '{"id":1,"method":"getHealth"}');
  await http('version 1', '{"jsonrpc":"1.0","id":1,"method":"getHealth"}');
  await http('an object as id', '{"jsonrpc":"2.0","id":{},"method":"getHealth"}');
  await http('a number as method', '{"jsonrpc":"2.0","id":1,"method":5}');
  await http('a number as parameters', '{"jsonrpc":"2.0","id":1,"method":"getHealth","params":5}');
  await http(
    'named parameters',
    '{"jsonrpc":"2.0","id":1,"method":"getSlot","params":{"commitment":"confirmed"}}',
  );
  await http(
    'batch with an entry without method',
    '[{"jsonrpc":"2.0","id":1,"method":"getHealth"},{"id":3}]',
  );
  await http('no method', '{"jsonrpc":"2.0","id":1}');
  await http('a text as id', '{"jsonrpc":"2.0","id":"one","method":"getHealth"}');
  await http('null as id', '{"jsonrpc":"2.0","id":null,"method":"getHealth"}');
  await http('no id', '{"jsonrpc":"2.0","method":"getHealth"}');
  await http('no parameters', '{"jsonrpc":"2.0","id":1,"method":"getHealth"}');
  await http('empty batch', '[]');
  await http(
    'batch',
    '[{"jsonrpc":"2.0","id":1,"method":"getHealth"},{"jsonrpc":"2.0","id":2,"method":"getMoon"},5]',
  );
  await http('other content type', '{"jsonrpc":"2.0","id":1,"method":"getHealth"}', {
    'content-type': 'text/plain',
  });
  await http('content type with charset', '{"jsonrpc":"2.0","id":1,"method":"getHealth"}', {
    'content-type': 'application/json; charset=utf-8',
  });
  const large = await play.post(`{"jsonrpc":"2.0","id":1,"method":"getHealth","x":"${'x'.repeat(60_000)}"}`);
  play.record('body too large', 'HTTP', { status: large.status });
}

async function transfers(play: Player): Promise<void> {
  const alice = keypair('alice');
  const bob = keypair('bob');
  const carol = keypair('carol');
  const airdrop = await play.result<string>('requestAirdrop', [alice.publicKey.toBase58(), 100 * SOL]);
  await play.confirmed(airdrop);
  const fees = await play.result<unknown[]>('getRecentPrioritizationFees', []);
  play.record('prioritization fees', 'getRecentPrioritizationFees', { result: fees.slice(0, 1) });
  await play.ask('prioritization fees of a wrong address', 'getRecentPrioritizationFees', [['abc']]);
  await play.ask('airdrop of a fraction', 'requestAirdrop', [alice.publicKey.toBase58(), 1.5]);
  await play.ask('airdrop to a wrong address', 'requestAirdrop', ['abc', 1]);

  const address = alice.publicKey.toBase58();
  await play.ask('balance', 'getBalance', [address, { commitment: 'confirmed' }]);
  await play.ask('balance before it is final', 'getBalance', [address]);
  for (const encoding of ['base58', 'base64', 'jsonParsed', 'binary', 'bogus']) {
    await play.ask(`wallet as ${encoding}`, 'getAccountInfo', [
      address,
      { encoding, commitment: 'confirmed' },
    ]);
  }
  await play.ask('wallet without encoding', 'getAccountInfo', [address, { commitment: 'confirmed' }]);
  await play.ask('account that is not there', 'getAccountInfo', [
    bob.publicKey.toBase58(),
    { encoding: 'base64' },
  ]);
  const rent = 'SysvarRent111111111111111111111111111111111';
  await play.ask('rent sysvar', 'getAccountInfo', [rent, { encoding: 'base64', commitment: 'confirmed' }]);

  const transfer = (lamports: number, from = alice, to = bob) =>
    SystemProgram.transfer({ fromPubkey: from.publicKey, toPubkey: to.publicKey, lamports });
  const toBob = await play.legacy([transfer(2 * SOL)], [alice]);
  const wire = base64(toBob);
  const options = { encoding: 'base64', preflightCommitment: 'confirmed' };
  const sent = await play.result<string>('sendTransaction', [wire, options]);
  play.volatile(sent, 'signature transfer');
  play.record('send a transfer', 'sendTransaction', { result: sent });
  await play.confirmed(sent);
  await play.ask('send it again', 'sendTransaction', [wire, options]);
  await play.ask('send it again without preflight', 'sendTransaction', [
    wire,
    { ...options, skipPreflight: true },
  ]);
  const inBase58 = await play.legacy([transfer(SOL, alice, carol)], [alice]);
  const sent58 = await play.result<string>('sendTransaction', [
    bs58.encode(inBase58.serialize()),
    { preflightCommitment: 'confirmed' },
  ]);
  play.volatile(sent58, 'signature base58');
  await play.confirmed(sent58);

  const status = await play.raw('getSignatureStatuses', [[sent, bs58.encode(Buffer.alloc(64, 7))]]);
  // Confirmed or just final already: both are right here.
  play.record('statuses', 'getSignatureStatuses', {
    result: JSON.parse(JSON.stringify(status.result).replace('"finalized"', '"confirmed"')),
  });
  await play.ask('status of a wrong signature', 'getSignatureStatuses', [['abc']]);
  await play.ask('too many statuses', 'getSignatureStatuses', [Array(257).fill(sent)]);
  await play.ask('statuses of nothing', 'getSignatureStatuses', [[]]);

  const confirmed = { commitment: 'confirmed' };
  await play.ask('transaction', 'getTransaction', [sent, confirmed]);
  for (const encoding of ['json', 'base58', 'base64']) {
    const response = await play.raw('getTransaction', [
      sent,
      { ...confirmed, encoding, maxSupportedTransactionVersion: 0 },
    ]);
    const encoded = response.result as { transaction: unknown };
    // The bytes hold a blockhash and a signature.
    if (Array.isArray(encoded.transaction)) encoded.transaction[0] = typeof encoded.transaction[0];
    play.record(`transaction as ${encoding}`, 'getTransaction', { result: encoded });
  }
  await play.ask('transaction before it is final', 'getTransaction', [sent58]);
  await play.ask('transaction that is only processed', 'getTransaction', [sent, { commitment: 'processed' }]);
  await play.ask('transaction that is not there', 'getTransaction', [
    bs58.encode(Buffer.alloc(64, 7)),
    confirmed,
  ]);
  await play.ask('transaction of a wrong signature', 'getTransaction', ['abc', confirmed]);

  // Refusals before anything runs.
  const refused = async (name: string, transaction: Transaction, more: object = {}) => {
    const signature = transaction.signature ? bs58.encode(transaction.signature) : undefined;
    if (signature) play.volatile(signature, `signature ${name}`);
    return play.ask(name, 'sendTransaction', [base64(transaction), { ...options, ...more }]);
  };
  const stale = new Transaction({
    recentBlockhash: keypair('no blockhash').publicKey.toBase58(),
    feePayer: alice.publicKey,
  }).add(transfer(1));
  stale.sign(alice);
  await refused('unknown blockhash', stale);
  await refused('unknown blockhash without preflight', stale, { skipPreflight: true });
  const forged = await play.legacy([transfer(SOL)], [alice]);
  const forgedBytes = first(forged.signatures).signature as Buffer;
  forgedBytes[5] = forgedBytes[5] === 1 ? 2 : 1;
  await refused('forged signature', forged);
  await refused('more than there is', await play.legacy([transfer(1000 * SOL)], [alice]));
  await refused(
    'payer that is not there',
    await play.legacy([transfer(1, keypair('nobody'))], [keypair('nobody')]),
  );
  await refused(
    'too little left for rent',
    await play.legacy([transfer(1, alice, keypair('dust'))], [alice]),
  );
  // Different data each time, so that no two transactions are alike.
  const callTo = (who: Keypair, mark: number) =>
    new TransactionInstruction({ programId: who.publicKey, keys: [], data: Buffer.from([mark]) });
  const ghost = (mark: number) => callTo(keypair('ghost'), mark);
  await refused('program that is not there', await play.legacy([ghost(1)], [alice]));
  await refused('program that is a wallet', await play.legacy([callTo(bob, 1)], [alice]));
  await refused(
    'compute limit asked for twice',
    await play.legacy(
      [
        ComputeBudgetProgram.setComputeUnitLimit({ units: 1 }),
        ComputeBudgetProgram.setComputeUnitLimit({ units: 2 }),
        transfer(1),
      ],
      [alice],
    ),
  );
  await refused(
    'a heap of a wrong size',
    await play.legacy([ComputeBudgetProgram.requestHeapFrame({ bytes: 33_000 }), transfer(1)], [alice]),
  );
  await refused(
    'an unknown compute budget instruction',
    await play.legacy(
      [
        new TransactionInstruction({
          programId: ComputeBudgetProgram.programId,
          keys: [],
          data: Buffer.from([9]),
        }),
        transfer(1),
      ],
      [alice],
    ),
  );
  const unsigned = new Transaction({ recentBlockhash: await play.blockhash(), feePayer: alice.publicKey });
  await refused('no signature', unsigned.add(transfer(1)));
  await refused(
    'too little compute',
    await play.legacy([ComputeBudgetProgram.setComputeUnitLimit({ units: 100 }), transfer(1)], [alice]),
  );
  await play.ask('not base64', 'sendTransaction', ['!!!!', options]);
  await play.ask('not base58', 'sendTransaction', ['0OIl', {}]);
  await play.ask('not a transaction', 'sendTransaction', [Buffer.from('hello').toString('base64'), options]);
  await play.ask('an empty transaction', 'sendTransaction', ['', options]);
  await play.ask('a transaction that is too large', 'sendTransaction', ['A'.repeat(2000), options]);
  await play.ask('unsupported encoding', 'sendTransaction', [wire, { encoding: 'jsonParsed' }]);
  await play.ask('slot that is too high for sending', 'sendTransaction', [
    wire,
    { ...options, minContextSlot: 1_000_000_000 },
  ]);

  // Failures that are kept, with their fee.
  const kept = async (name: string, transaction: Transaction) => {
    const signature = await play.sendWire(name, transaction.serialize(), { skipPreflight: true });
    const found = await play.raw('getSignatureStatuses', [[signature]]);
    play.record(`status: ${name}`, 'getSignatureStatuses', {
      result: JSON.parse(JSON.stringify(found.result).replace('"finalized"', '"confirmed"')),
    });
    await play.ask(`transaction: ${name}`, 'getTransaction', [
      signature,
      { ...confirmed, maxSupportedTransactionVersion: 0 },
    ]);
    await play.ask(`balance after: ${name}`, 'getBalance', [address, confirmed]);
  };
  await kept('failed transfer', await play.legacy([transfer(1001 * SOL)], [alice]));
  await kept('failed for a missing program', await play.legacy([ghost(2)], [alice]));
  await kept('failed for a program that is a wallet', await play.legacy([callTo(bob, 2)], [alice]));
  await kept('failed for rent', await play.legacy([transfer(2, alice, keypair('dust'))], [alice]));

  // Fees.
  const message = async (...instructions: TransactionInstruction[]) => {
    const transaction = new Transaction({
      recentBlockhash: await play.blockhash(),
      feePayer: alice.publicKey,
    });
    return transaction
      .add(...instructions)
      .compileMessage()
      .serialize()
      .toString('base64');
  };
  const signed = Ed25519Program.createInstructionWithPrivateKey({
    privateKey: bob.secretKey,
    message: Buffer.from('hello'),
  });
  await play.ask('fee of a transfer', 'getFeeForMessage', [await message(transfer(1)), confirmed]);
  await play.ask('fee with a price', 'getFeeForMessage', [
    await message(
      ComputeBudgetProgram.setComputeUnitLimit({ units: 123_457 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 777_777 }),
      transfer(1),
    ),
    confirmed,
  ]);
  await play.ask('fee with a price and no limit', 'getFeeForMessage', [
    await message(
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000_000 }),
      transfer(1),
      ghost(3),
    ),
    confirmed,
  ]);
  await play.ask('fee with an Ed25519 signature', 'getFeeForMessage', [
    await message(signed, transfer(1)),
    confirmed,
  ]);
  await play.ask('fee of an unknown blockhash', 'getFeeForMessage', [
    stale.compileMessage().serialize().toString('base64'),
    confirmed,
  ]);
  await play.ask('fee of no message', 'getFeeForMessage', ['AQID', confirmed]);

  // Ed25519 precompile.
  const good = await play.send('ed25519', [signed], [alice]);
  await play.ask('Ed25519 instruction', 'getTransaction', [
    good,
    { ...confirmed, maxSupportedTransactionVersion: 0 },
  ]);
  const bad = new TransactionInstruction({ ...signed, data: Buffer.from(signed.data) });
  bad.data[bad.data.length - 1] = 0;
  await refused('Ed25519 instruction with another message', await play.legacy([bad], [alice]));

  // Memo, priority fee, history.
  const memo = new TransactionInstruction({ programId: MEMO, keys: [], data: Buffer.from('grün') });
  const noted = await play.send(
    'memo',
    [
      ComputeBudgetProgram.setComputeUnitLimit({ units: 50_000 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 20_000 }),
      memo,
      memo,
    ],
    [alice],
  );
  await play.ask('memo', 'getTransaction', [noted, { ...confirmed, maxSupportedTransactionVersion: 0 }]);
  const history = async (name: string, who: Keypair, more: object) => {
    const response = await play.raw('getSignaturesForAddress', [
      who.publicKey.toBase58(),
      { ...confirmed, ...more },
    ]);
    play.record(name, 'getSignaturesForAddress', {
      ...(response.error ? { error: response.error } : {}),
      ...(response.result
        ? { result: JSON.parse(JSON.stringify(response.result).replaceAll('"finalized"', '"confirmed"')) }
        : {}),
    });
  };
  await history('history', alice, { limit: 2 });
  await history('history of the receiver', carol, {});
  await history('history before', alice, { before: noted, limit: 1 });
  await history('history until', alice, { until: good });
  await history('history of nobody', keypair('nobody'), {});
  await history('history before an unknown one', alice, { before: bs58.encode(Buffer.alloc(64, 7)) });
  await history('history until an unknown one', alice, { until: bs58.encode(Buffer.alloc(64, 7)) });
  await history('history of zero', alice, { limit: 0 });
  await history('history of too many', alice, { limit: 1001 });
  await play.ask('history that is only processed', 'getSignaturesForAddress', [
    address,
    { commitment: 'processed' },
  ]);

  // Simulation.
  const simulate = async (name: string, transaction: Transaction, config: object) => {
    const response = await play.raw('simulateTransaction', [
      base64(transaction),
      { encoding: 'base64', commitment: 'confirmed', ...config },
    ]);
    const replaced = (response.result as { value?: { replacementBlockhash?: { blockhash: string } | null } })
      ?.value?.replacementBlockhash?.blockhash;
    if (replaced) play.volatile(replaced, 'blockhash');
    play.record(
      name,
      'simulateTransaction',
      response.error ? { error: response.error } : { result: response.result },
    );
  };
  await simulate('simulate', await play.legacy([transfer(SOL)], [alice]), {});
  await simulate('simulate with addresses', await play.legacy([transfer(SOL)], [alice]), {
    accounts: { encoding: 'base64', addresses: [address, keypair('nobody').publicKey.toBase58()] },
  });
  await simulate('simulate with too many addresses', await play.legacy([transfer(SOL)], [alice]), {
    accounts: { encoding: 'base64', addresses: Array(4).fill(address) },
  });
  await simulate('simulate with base58 accounts', await play.legacy([transfer(SOL)], [alice]), {
    accounts: { encoding: 'base58', addresses: [address] },
  });
  await simulate('simulate a failure', await play.legacy([transfer(1002 * SOL)], [alice]), {});
  await simulate('simulate a failure with addresses', await play.legacy([transfer(1003 * SOL)], [alice]), {
    accounts: { addresses: [address] },
  });
  await simulate('simulate a forged signature', forged, {});
  await simulate('simulate a forged signature with a check', forged, { sigVerify: true });
  await simulate('simulate an unknown blockhash', stale, {});
  await simulate('simulate with a new blockhash', stale, { replaceRecentBlockhash: true });
  await simulate('simulate with a new blockhash and a check', stale, {
    replaceRecentBlockhash: true,
    sigVerify: true,
  });
  await simulate('simulate a missing program', await play.legacy([ghost(4)], [alice]), {});
  await simulate('simulate what is done', toBob, {});
}

async function tokens(play: Player): Promise<void> {
  const alice = keypair('alice');
  const bob = keypair('bob');
  const mint = keypair('mint');
  const confirmed = { commitment: 'confirmed' };
  const lamports = await play.result<number>('getMinimumBalanceForRentExemption', [MINT_SIZE]);
  const aliceTokens = getAssociatedTokenAddressSync(mint.publicKey, alice.publicKey);
  const bobTokens = getAssociatedTokenAddressSync(mint.publicKey, bob.publicKey);
  await play.send(
    'create mint',
    [
      SystemProgram.createAccount({
        fromPubkey: alice.publicKey,
        newAccountPubkey: mint.publicKey,
        space: MINT_SIZE,
        lamports,
        programId: TOKEN_PROGRAM_ID,
      }),
      createInitializeMint2Instruction(mint.publicKey, 9, alice.publicKey, null),
    ],
    [alice, mint],
  );
  const minted = await play.send(
    'mint',
    [
      createAssociatedTokenAccountIdempotentInstruction(
        alice.publicKey,
        aliceTokens,
        alice.publicKey,
        mint.publicKey,
      ),
      createMintToInstruction(mint.publicKey, aliceTokens, alice.publicKey, 12_345_678_900n),
    ],
    [alice],
  );
  const moved = await play.send(
    'move tokens',
    [
      createAssociatedTokenAccountIdempotentInstruction(
        alice.publicKey,
        bobTokens,
        bob.publicKey,
        mint.publicKey,
      ),
      createTransferCheckedInstruction(
        aliceTokens,
        mint.publicKey,
        bobTokens,
        alice.publicKey,
        2_345_678_900n,
        9,
      ),
    ],
    [alice],
  );
  // The logs and compute units of these depend on the token program's build; shapes are compared, see the test.
  await play.ask('token mint transaction', 'getTransaction', [
    minted,
    { ...confirmed, maxSupportedTransactionVersion: 0 },
  ]);
  await play.ask('token transfer transaction', 'getTransaction', [
    moved,
    { ...confirmed, maxSupportedTransactionVersion: 0 },
  ]);
  const account = (name: string, address: PublicKey, config: object) =>
    play.ask(name, 'getAccountInfo', [address.toBase58(), { ...confirmed, ...config }]);
  await account('mint parsed', mint.publicKey, { encoding: 'jsonParsed' });
  await account('mint in base64', mint.publicKey, { encoding: 'base64' });
  await account('mint in base58', mint.publicKey, { encoding: 'base58' });
  await account('token account parsed', aliceTokens, { encoding: 'jsonParsed' });
  await account('token account in base58 is too large', aliceTokens, { encoding: 'base58' });
  await account('token account sliced', aliceTokens, {
    encoding: 'base58',
    dataSlice: { offset: 64, length: 8 },
  });
  await account('token account sliced past its end', aliceTokens, {
    encoding: 'base64',
    dataSlice: { offset: 160, length: 100 },
  });
  await account('token account with a wrong slice', aliceTokens, {
    encoding: 'base64',
    dataSlice: { offset: -1 },
  });
  await play.ask('several accounts', 'getMultipleAccounts', [
    [aliceTokens.toBase58(), keypair('nobody').publicKey.toBase58(), mint.publicKey.toBase58()],
    { ...confirmed, encoding: 'jsonParsed' },
  ]);
  await play.ask('several accounts without encoding', 'getMultipleAccounts', [
    [mint.publicKey.toBase58()],
    confirmed,
  ]);
  await play.ask('too many accounts', 'getMultipleAccounts', [Array(101).fill(mint.publicKey.toBase58())]);
  await play.ask('several accounts with a wrong address', 'getMultipleAccounts', [['abc']]);

  const ask = (name: string, method: string, address: PublicKey) =>
    play.ask(name, method, [address.toBase58(), confirmed]);
  await ask('token balance', 'getTokenAccountBalance', bobTokens);
  await ask('token balance of a wallet', 'getTokenAccountBalance', bob.publicKey);
  await ask('token balance of a mint', 'getTokenAccountBalance', mint.publicKey);
  await ask('token balance of nothing', 'getTokenAccountBalance', keypair('nobody').publicKey);
  await ask('token supply', 'getTokenSupply', mint.publicKey);
  await ask('token supply of a wallet', 'getTokenSupply', bob.publicKey);
  await ask('token supply of a token account', 'getTokenSupply', bobTokens);
  await ask('token supply of nothing', 'getTokenSupply', keypair('nobody').publicKey);

  const owned = (name: string, filter: object, config: object) =>
    play.ask(name, 'getTokenAccountsByOwner', [
      alice.publicKey.toBase58(),
      filter,
      { ...confirmed, ...config },
    ]);
  await owned('token accounts by mint', { mint: mint.publicKey.toBase58() }, { encoding: 'jsonParsed' });
  await owned(
    'token accounts by program',
    { programId: TOKEN_PROGRAM_ID.toBase58() },
    { encoding: 'base64' },
  );
  await owned('token accounts without encoding', { mint: mint.publicKey.toBase58() }, {});
  await owned('token accounts of an unknown mint', { mint: keypair('nobody').publicKey.toBase58() }, {});
  await owned('token accounts of a wallet as mint', { mint: bob.publicKey.toBase58() }, {});
  await owned('token accounts of another program', { programId: SystemProgram.programId.toBase58() }, {});
  await owned('token accounts without filter', {}, {});

  const program = (name: string, config: object) =>
    play.ask(name, 'getProgramAccounts', [TOKEN_PROGRAM_ID.toBase58(), { ...confirmed, ...config }]);
  const ofMint = { memcmp: { offset: 0, bytes: mint.publicKey.toBase58() } };
  await program('program accounts', { filters: [{ dataSize: 165 }, ofMint], encoding: 'base64' });
  await program('program accounts parsed', { filters: [{ dataSize: 165 }, ofMint], encoding: 'jsonParsed' });
  await program('program accounts sliced with context', {
    filters: [
      { dataSize: 165 },
      { memcmp: { offset: 32, bytes: bob.publicKey.toBuffer().toString('base64'), encoding: 'base64' } },
    ],
    encoding: 'base64',
    dataSlice: { offset: 64, length: 8 },
    withContext: true,
  });
  await program('program accounts that are none', { filters: [{ dataSize: 3 }], encoding: 'base64' });
  await program('program accounts with too many filters', { filters: Array(5).fill({ dataSize: 165 }) });
  await program('program accounts with a filter outside base58', {
    filters: [{ memcmp: { offset: 0, bytes: '0OIl' } }],
  });
  await program('program accounts with a filter too long', {
    filters: [{ memcmp: { offset: 0, bytes: bs58.encode(Buffer.alloc(129, 1)) } }],
  });
  await program('program accounts with an unknown filter', { filters: [{ color: 'green' }] });

  // Wrapped SOL, and closing.
  const wrapped = getAssociatedTokenAddressSync(NATIVE_MINT, alice.publicKey);
  await play.send(
    'wrap',
    [
      createAssociatedTokenAccountIdempotentInstruction(
        alice.publicKey,
        wrapped,
        alice.publicKey,
        NATIVE_MINT,
      ),
      SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: wrapped, lamports: SOL }),
      createSyncNativeInstruction(wrapped),
    ],
    [alice],
  );
  await account('wrapped SOL', wrapped, { encoding: 'jsonParsed' });
  await play.send(
    'unwrap',
    [createCloseAccountInstruction(wrapped, alice.publicKey, alice.publicKey)],
    [alice],
  );
  await account('closed account', wrapped, { encoding: 'base64' });
  await ask('balance of a closed account', 'getBalance', wrapped);

  const overdraw = await play.legacy(
    [createTransferCheckedInstruction(bobTokens, mint.publicKey, aliceTokens, bob.publicKey, 10n ** 15n, 9)],
    [bob],
  );
  const response = await play.raw('sendTransaction', [
    base64(overdraw),
    { encoding: 'base64', preflightCommitment: 'confirmed' },
  ]);
  play.record('more tokens than there are', 'sendTransaction', { error: response.error });
}

/** An instruction of spl-token-metadata-interface: the hash of its name, its fields in Borsh. */
function metadataInstruction(
  name: 'initialize_account' | 'updating_field',
  keys: { pubkey: PublicKey; isSigner: boolean; isWritable: boolean }[],
  fields: (Uint8Array | string)[],
): TransactionInstruction {
  const hash = createHash('sha256').update(`spl_token_metadata_interface:${name}`).digest();
  const encoded = fields.map((field) => {
    if (typeof field !== 'string') return field;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(field));
    return Buffer.concat([length, Buffer.from(field)]);
  });
  return new TransactionInstruction({
    programId: TOKEN_2022_PROGRAM_ID,
    keys,
    data: Buffer.concat([hash.subarray(0, 8), ...encoded]),
  });
}

/** A mint that carries its own metadata, as GRID does, and accounts with extensions. */
async function token2022(play: Player): Promise<void> {
  const alice = keypair('alice');
  const bob = keypair('bob');
  const mint = keypair('mint with metadata');
  const programId = TOKEN_2022_PROGRAM_ID;
  const confirmed = { commitment: 'confirmed' };
  const space = getMintLen([ExtensionType.MetadataPointer]);
  const lamports = await play.result<number>('getMinimumBalanceForRentExemption', [space + 200]);
  const ata = (owner: PublicKey) => getAssociatedTokenAddressSync(mint.publicKey, owner, false, programId);
  const [aliceTokens, bobTokens] = [ata(alice.publicKey), ata(bob.publicKey)];
  const open = (account: PublicKey, owner: PublicKey) =>
    createAssociatedTokenAccountIdempotentInstruction(
      alice.publicKey,
      account,
      owner,
      mint.publicKey,
      programId,
    );
  const [ofMint, ofAlice] = [mint, alice].map(({ publicKey }) => ({
    pubkey: publicKey,
    isSigner: false,
    isWritable: false,
  })) as [AccountMeta, AccountMeta];
  const written = { ...ofMint, isWritable: true };
  const signing = { ...ofAlice, isSigner: true };
  await play.send(
    'create mint with metadata',
    [
      SystemProgram.createAccount({
        fromPubkey: alice.publicKey,
        newAccountPubkey: mint.publicKey,
        space,
        lamports,
        programId,
      }),
      createInitializeMetadataPointerInstruction(
        mint.publicKey,
        PublicKey.default,
        mint.publicKey,
        programId,
      ),
      createInitializeMint2Instruction(mint.publicKey, 9, alice.publicKey, null, programId),
      metadataInstruction('initialize_account', [written, ofAlice, ofMint, signing], ['GRID', 'GRID', '']),
      // Field 3: one of its own name.
      metadataInstruction('updating_field', [written, signing], [Buffer.of(3), 'unit', '1 kWh']),
    ],
    [alice, mint],
  );
  const minted = await play.send(
    'mint with metadata',
    [
      open(aliceTokens, alice.publicKey),
      open(bobTokens, bob.publicKey),
      createMintToInstruction(mint.publicKey, aliceTokens, alice.publicKey, 15_300_000_000n, [], programId),
      createTransferInstruction(aliceTokens, bobTokens, alice.publicKey, 300_000_000n, [], programId),
      createBurnInstruction(aliceTokens, mint.publicKey, alice.publicKey, 1n, [], programId),
    ],
    [alice],
  );
  // Of this one the build of Token-2022 shows in the logs: see the test.
  await play.ask('Token-2022 transaction', 'getTransaction', [
    minted,
    { ...confirmed, maxSupportedTransactionVersion: 0 },
  ]);
  const account = (name: string, address: PublicKey, config: object) =>
    play.ask(name, 'getAccountInfo', [address.toBase58(), { ...confirmed, ...config }]);
  await account('mint with metadata parsed', mint.publicKey, { encoding: 'jsonParsed' });
  await account('mint with metadata in base64', mint.publicKey, { encoding: 'base64' });
  await account('Token-2022 account parsed', aliceTokens, { encoding: 'jsonParsed' });
  await account('Token-2022 account in base64', aliceTokens, { encoding: 'base64' });
  const ask = (name: string, method: string, address: PublicKey) =>
    play.ask(name, method, [address.toBase58(), confirmed]);
  await ask('Token-2022 balance', 'getTokenAccountBalance', bobTokens);
  await ask('Token-2022 balance of a mint', 'getTokenAccountBalance', mint.publicKey);
  await ask('Token-2022 supply', 'getTokenSupply', mint.publicKey);
  await ask('Token-2022 supply of a token account', 'getTokenSupply', bobTokens);
  for (const [name, filter] of [
    ['by mint', { mint: mint.publicKey.toBase58() }],
    ['by program', { programId: programId.toBase58() }],
  ] as const) {
    for (const encoding of ['jsonParsed', 'base64']) {
      await play.ask(`Token-2022 accounts ${name}, ${encoding}`, 'getTokenAccountsByOwner', [
        alice.publicKey.toBase58(),
        filter,
        { ...confirmed, encoding },
      ]);
    }
  }
  const filter = { memcmp: { offset: 0, bytes: mint.publicKey.toBase58() } };
  await play.ask('Token-2022 program accounts', 'getProgramAccounts', [
    programId.toBase58(),
    { ...confirmed, filters: [{ dataSize: 170 }, filter], encoding: 'jsonParsed' },
  ]);
  await play.send(
    'more extensions',
    [
      createReallocateInstruction(
        bobTokens,
        alice.publicKey,
        [ExtensionType.MemoTransfer, ExtensionType.CpiGuard],
        bob.publicKey,
        [],
        programId,
      ),
      createEnableRequiredMemoTransfersInstruction(bobTokens, bob.publicKey, [], programId),
      createEnableCpiGuardInstruction(bobTokens, bob.publicKey, [], programId),
    ],
    [alice, bob],
  );
  await account('Token-2022 account with more extensions', bobTokens, { encoding: 'jsonParsed' });
}

async function lookupTables(play: Player): Promise<void> {
  const alice = keypair('alice');
  const bob = keypair('bob');
  const confirmed = { commitment: 'confirmed' };
  // A slot that is certainly behind the one that executes.
  const recentSlot = await play.result<number>('getSlot', [{ commitment: 'finalized' }]);
  const [create, table] = AddressLookupTableProgram.createLookupTable({
    authority: alice.publicKey,
    payer: alice.publicKey,
    recentSlot,
  });
  play.volatile(table.toBase58(), 'table');
  const addresses = [bob.publicKey, keypair('loaded').publicKey];
  await play.send(
    'create table',
    [
      create,
      AddressLookupTableProgram.extendLookupTable({
        payer: alice.publicKey,
        authority: alice.publicKey,
        lookupTable: table,
        addresses,
      }),
    ],
    [alice],
  );
  await play.ask('lookup table parsed', 'getAccountInfo', [
    table.toBase58(),
    { ...confirmed, encoding: 'jsonParsed' },
  ]);
  const extended = await play.result<number>('getSlot', [confirmed]);
  await play.until('the slot after the extension', async () =>
    (await play.result<number>('getSlot', [confirmed])) > extended + 1 ? true : undefined,
  );
  const state = {
    deactivationSlot: 0xffff_ffff_ffff_ffffn,
    lastExtendedSlot: 0,
    lastExtendedSlotStartIndex: 0,
    authority: alice.publicKey,
    addresses,
  };
  const versioned = async (key: PublicKey, lamports: number, tables = true) => {
    const message = new TransactionMessage({
      payerKey: alice.publicKey,
      recentBlockhash: await play.blockhash(),
      instructions: [
        SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports }),
        SystemProgram.transfer({
          fromPubkey: alice.publicKey,
          toPubkey: keypair('loaded').publicKey,
          lamports: 2 * SOL,
        }),
      ],
    }).compileToV0Message(tables ? [new AddressLookupTableAccount({ key, state })] : []);
    const transaction = new VersionedTransaction(message);
    transaction.sign([alice]);
    return transaction;
  };
  const signature = await play.sendWire('v0', (await versioned(table, 5_000)).serialize());
  await play.ask('v0 transaction without a version', 'getTransaction', [signature, confirmed]);
  await play.ask('v0 transaction', 'getTransaction', [
    signature,
    { ...confirmed, maxSupportedTransactionVersion: 0 },
  ]);
  const options = { encoding: 'base64', preflightCommitment: 'confirmed' };
  await play.ask('table that is not there', 'sendTransaction', [
    base64(await versioned(keypair('no table').publicKey, 1)),
    options,
  ]);
  await play.ask('table that is a wallet', 'sendTransaction', [
    base64(await versioned(bob.publicKey, 1)),
    options,
  ]);
  const outside = await versioned(table, 1);
  const [lookup] = outside.message.addressTableLookups;
  if (lookup) lookup.writableIndexes[0] = 9;
  outside.sign([alice]);
  await play.ask('index outside the table', 'sendTransaction', [base64(outside), options]);
  const simulated = await play.raw('simulateTransaction', [
    base64(await versioned(table, 6_000)),
    { encoding: 'base64', ...confirmed },
  ]);
  play.record('simulate with a table', 'simulateTransaction', { result: simulated.result });
}

async function subscriptions(play: Player, wsUrl: string): Promise<void> {
  const alice = keypair('alice');
  const bob = keypair('bob');
  const mint = keypair('mint');
  const aliceTokens = getAssociatedTokenAddressSync(mint.publicKey, alice.publicKey);
  const bobTokens = getAssociatedTokenAddressSync(mint.publicKey, bob.publicKey);
  const socket = await Listener.open(wsUrl);
  let id = 0;
  const call = async (method: string, params: unknown[]): Promise<Rpc> => {
    const request = ++id;
    socket.send({ jsonrpc: '2.0', id: request, method, params });
    return (await socket.take(`${method}'s answer`, (message) => message.id === request)) as Rpc;
  };
  const subscribe = async (name: string, method: string, params: unknown[]): Promise<number> => {
    const response = await call(method, params);
    play.record(`subscribe: ${name}`, method, {
      result: typeof response.result === 'number' ? '<number>' : response,
    });
    return response.result as number;
  };
  const refused = async (name: string, method: string, params: unknown[]) => {
    const response = await call(method, params);
    play.record(name, method, response.error ? { error: response.error } : { result: response.result });
  };
  const notification = async (name: string, subscription: number, count = 1) => {
    for (let i = 0; i < count; i++) {
      const message = await socket.take(
        `notification: ${name}`,
        (entry) => (entry.params as { subscription?: number } | undefined)?.subscription === subscription,
      );
      play.record(`notification: ${name}`, 'WebSocket', message);
    }
  };
  const confirmed = { commitment: 'confirmed' };
  await refused('subscribe to a wrong address', 'accountSubscribe', ['abc']);
  await refused('subscribe to a wrong signature', 'signatureSubscribe', ['abc']);
  await refused('subscribe to logs of two addresses', 'logsSubscribe', [
    { mentions: [alice.publicKey.toBase58(), bob.publicKey.toBase58()] },
  ]);
  await refused('subscribe to logs of something else', 'logsSubscribe', ['some']);
  await refused('subscribe to too many filters', 'programSubscribe', [
    TOKEN_PROGRAM_ID.toBase58(),
    { filters: Array(5).fill({ dataSize: 1 }) },
  ]);
  await refused('unknown subscription method', 'moonSubscribe', []);
  await refused('an HTTP method', 'getSlot', []);
  await refused('unsubscribe what is not there', 'accountUnsubscribe', [123_456]);

  const slot = await subscribe('slot', 'slotSubscribe', []);
  await notification('slot', slot);
  await refused('unsubscribe slot', 'slotUnsubscribe', [slot]);
  await refused('unsubscribe slot again', 'slotUnsubscribe', [slot]);

  const parsed = await subscribe('account', 'accountSubscribe', [
    bobTokens.toBase58(),
    { ...confirmed, encoding: 'jsonParsed' },
  ]);
  const wallet = await subscribe('wallet', 'accountSubscribe', [
    alice.publicKey.toBase58(),
    { ...confirmed, encoding: 'base64' },
  ]);
  const program = await subscribe('program', 'programSubscribe', [
    TOKEN_PROGRAM_ID.toBase58(),
    {
      ...confirmed,
      encoding: 'jsonParsed',
      filters: [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: bob.publicKey.toBase58() } }],
    },
  ]);
  const logs = await subscribe('logs', 'logsSubscribe', [
    { mentions: [alice.publicKey.toBase58()] },
    confirmed,
  ]);
  const move = await play.legacy(
    [createTransferCheckedInstruction(aliceTokens, mint.publicKey, bobTokens, alice.publicKey, 1_000n, 9)],
    [alice],
  );
  const moveSignature = bs58.encode(move.signature as Buffer);
  play.volatile(moveSignature, 'signature move');
  const signature = await subscribe('signature', 'signatureSubscribe', [moveSignature, confirmed]);
  await play.sendWire('move', move.serialize());
  await notification('account', parsed);
  await notification('wallet', wallet);
  await notification('program', program);
  await notification('logs', logs);
  await notification('signature', signature);
  await refused('unsubscribe signature after its end', 'signatureUnsubscribe', [signature]);

  const late = await subscribe('signature of the past', 'signatureSubscribe', [moveSignature, confirmed]);
  await notification('signature of the past', late);

  const failing = await play.legacy(
    [SystemProgram.transfer({ fromPubkey: alice.publicKey, toPubkey: bob.publicKey, lamports: 5000 * SOL })],
    [alice],
  );
  const failingSignature = bs58.encode(failing.signature as Buffer);
  const fails = await subscribe('signature of a failure', 'signatureSubscribe', [
    failingSignature,
    confirmed,
  ]);
  await play.sendWire('failing', failing.serialize(), { skipPreflight: true });
  await notification('signature of a failure', fails);
  await notification('logs of a failure', logs);
  await refused('unsubscribe account', 'accountUnsubscribe', [parsed]);
  await refused('unsubscribe program', 'programUnsubscribe', [program]);
  await refused('unsubscribe logs', 'logsUnsubscribe', [logs]);
  socket.close();
}

/**
 * Plays the scenario on a chain that has not seen it before.
 * @param wsUrl WebSocket URL of the same node
 */
export async function playScenario(rpcUrl: string, wsUrl: string): Promise<Exchange[]> {
  const play = new Player(rpcUrl);
  // The first slots of a chain are special: slot 0's blockhash is the genesis hash.
  await play.until('the first slots', async () =>
    (await play.result<number>('getSlot', [{ commitment: 'confirmed' }])) > 2 ? true : undefined,
  );
  await nodeAndErrors(play);
  await transfers(play);
  await tokens(play);
  await token2022(play);
  await lookupTables(play);
  await subscriptions(play, wsUrl);
  return play.exchanges;
}
