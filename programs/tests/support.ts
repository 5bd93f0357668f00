/*
 * A small world for the program tests: the real virtual machine (LiteSVM) with the compiled programs under the
 * upgradeable loader. It builds transactions by hand from the IDLs, on purpose without the project's own client: a
 * mistake there must not hide one here.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import anchor, { type Idl } from '@coral-xyz/anchor';
import {
  address,
  type EncodedAccount,
  getTransactionDecoder,
  lamports,
  type MaybeEncodedAccount,
} from '@solana/kit';
import {
  AccountLayout,
  createAssociatedTokenAccountInstruction,
  getAssociatedTokenAddressSync,
  MintLayout,
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
  SYSVAR_INSTRUCTIONS_PUBKEY,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { Clock, FailedTransactionMetadata, LiteSVM, type TransactionMetadata } from 'litesvm';
import { expect } from 'vitest';
import { sign } from './ed25519.js';

const { BN, BorshCoder } = anchor;

/** Where the compiled programs and IDLs lie; `GTX_ARTIFACTS` names another folder to test a fresh build. */
export const ARTIFACTS = process.env.GTX_ARTIFACTS || fileURLToPath(new URL('../artifacts', import.meta.url));

const readIdl = (name: string): Idl => JSON.parse(readFileSync(`${ARTIFACTS}/${name}.idl.json`, 'utf8'));

/** Every program by the name that the tests use for it, and the name of its files in `ARTIFACTS`. */
const PROGRAM_FILES = {
  registry: 'registry',
  token: 'energy_token',
  trading: 'trading',
  oracle: 'oracle',
  governance: 'governance',
  certificates: 'certificates',
} as const;
export type ProgramName = keyof typeof PROGRAM_FILES;

interface Program {
  idl: Idl;
  id: PublicKey;
  coder: InstanceType<typeof BorshCoder>;
}

function loadProgram(name: ProgramName): Program {
  const idl = readIdl(PROGRAM_FILES[name]);
  return { idl, id: new PublicKey(idl.address), coder: new BorshCoder(idl) };
}

const loaded = new Map<ProgramName, Program>(
  (Object.keys(PROGRAM_FILES) as ProgramName[])
    .filter((name) => existsSync(`${ARTIFACTS}/${PROGRAM_FILES[name]}.idl.json`))
    .map((name) => [name, loadProgram(name)]),
);

/** A program's IDL, id and coder. */
export function program(name: ProgramName): Program {
  const found = loaded.get(name);
  if (!found) throw new Error(`${PROGRAM_FILES[name]} is not in ${ARTIFACTS}`);
  return found;
}

const byId = (id: string | undefined): Program | undefined =>
  [...loaded.values()].find((candidate) => candidate.id.toBase58() === id);

export const registryIdl = program('registry').idl;
export const tokenIdl = program('token').idl;
export const REGISTRY = program('registry').id;
export const TOKEN = program('token').id;
/** The programs were built for other ids than the committed ones: other derived addresses, other costs. */
export const OWN_IDS = REGISTRY.toBase58() !== 'AS6vsB8coXaS6hHU6qcD4ZfHJREejj975KgDis7rDWpK';
export const UPGRADEABLE_LOADER = new PublicKey('BPFLoaderUpgradeab1e11111111111111111111111');
export { SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID };

const find = (program: PublicKey, ...seeds: (string | Uint8Array)[]): PublicKey =>
  PublicKey.findProgramAddressSync(
    seeds.map((seed) => Buffer.from(seed as string)),
    program,
  )[0];

/** Program-derived addresses. */
export const pda = {
  config: find(REGISTRY, 'config'),
  mintAuthority: find(REGISTRY, 'mint-authority'),
  tokenConfig: find(TOKEN, 'config'),
  mint: find(TOKEN, 'mint'),
  user: (wallet: PublicKey) => find(REGISTRY, 'user', wallet.toBytes()),
  meter: (id: Uint8Array) => find(REGISTRY, 'meter', id),
  meterKey: (key: Uint8Array) => find(REGISTRY, 'meter-key', key),
  programData: (program: PublicKey) => find(UPGRADEABLE_LOADER, program.toBytes()),
  tokenAccount: (wallet: PublicKey) =>
    getAssociatedTokenAddressSync(find(TOKEN, 'mint'), wallet, true, TOKEN_2022_PROGRAM_ID),
};

/** A meter id as the programs keep it: UTF-8, zero-padded to 32 bytes. */
export function meterIdBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.set(Buffer.from(text));
  return bytes;
}

export interface Reading {
  flags: number;
  sequence: bigint;
  start: number;
  end: number;
  produced: bigint;
  consumed: bigint;
  surplus: bigint;
}

/** The 48 bytes that a meter signs. */
export function readingBytes(reading: Reading, magic = 'GTX1'): Buffer {
  const bytes = Buffer.alloc(48);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(reading.flags, 4);
  bytes.writeBigUInt64LE(reading.sequence, 8);
  bytes.writeUInt32LE(reading.start, 16);
  bytes.writeUInt32LE(reading.end, 20);
  bytes.writeBigUInt64LE(reading.produced, 24);
  bytes.writeBigUInt64LE(reading.consumed, 32);
  bytes.writeBigUInt64LE(reading.surplus, 40);
  return bytes;
}

/** The 100 bytes with which a meter key consents to an owner. */
export function consentBytes(
  network: Uint8Array,
  meterId: Uint8Array,
  owner: PublicKey,
  magic = 'GTXM',
): Buffer {
  return Buffer.concat([Buffer.from(magic, 'latin1'), network, meterId, owner.toBytes()]);
}

export interface Signed {
  key: Uint8Array;
  signature: Uint8Array;
  message: Uint8Array;
}

export function signed(key: Keypair, message: Uint8Array): Signed {
  return { key: key.publicKey.toBytes(), signature: sign(message, key.secretKey), message };
}

/** Overrides for one entry of an Ed25519 instruction, to forge it. */
export interface Offsets {
  signatureOffset: number;
  signatureInstruction: number;
  keyOffset: number;
  keyInstruction: number;
  messageOffset: number;
  messageBytes: number;
  messageInstruction: number;
}

/** An Ed25519 instruction laid out as the runtime documents it; `forge` changes an entry's offsets. */
export function ed25519(
  entries: Signed[],
  options: { count?: number; forge?: (entry: Offsets, index: number) => Partial<Offsets> } = {},
): TransactionInstruction {
  const header = Buffer.alloc(2 + 14 * entries.length);
  header[0] = options.count ?? entries.length;
  const parts: Uint8Array[] = [];
  let at = header.length;
  entries.forEach((entry, index) => {
    const honest: Offsets = {
      keyOffset: at,
      keyInstruction: 0xffff,
      signatureOffset: at + 32,
      signatureInstruction: 0xffff,
      messageOffset: at + 96,
      messageBytes: entry.message.length,
      messageInstruction: 0xffff,
    };
    const offsets = { ...honest, ...options.forge?.(honest, index) };
    const fields = [
      offsets.signatureOffset,
      offsets.signatureInstruction,
      offsets.keyOffset,
      offsets.keyInstruction,
      offsets.messageOffset,
      offsets.messageBytes,
      offsets.messageInstruction,
    ];
    fields.forEach((field, i) => {
      header.writeUInt16LE(field, 2 + 14 * index + 2 * i);
    });
    parts.push(entry.key, entry.signature, entry.message);
    at += 96 + entry.message.length;
  });
  return new TransactionInstruction({
    programId: Ed25519Program.programId,
    keys: [],
    data: Buffer.concat([header, ...parts]),
  });
}

/** Builds an instruction from the IDL. Names are those of the IDL; `accounts` must name each of its accounts. */
export function call(
  of: ProgramName,
  name: string,
  args: Record<string, unknown>,
  accounts: Record<string, PublicKey>,
  remaining: AccountMeta[] = [],
): TransactionInstruction {
  const { idl, id, coder } = program(of);
  const definition = idl.instructions.find((instruction) => instruction.name === name);
  if (!definition) throw new Error(`no instruction ${name}`);
  const unknown = new Set(Object.keys(accounts));
  const keys = definition.accounts.map((item) => {
    if ('accounts' in item) throw new Error('composite accounts are not used');
    const given = accounts[item.name];
    if (!given) throw new Error(`${name} lacks the account ${item.name}`);
    unknown.delete(item.name);
    return { pubkey: given, isSigner: item.signer === true, isWritable: item.writable === true };
  });
  if (unknown.size > 0) throw new Error(`${name} has no accounts ${[...unknown].join(', ')}`);
  const data = coder.instruction.encode(name, args);
  return new TransactionInstruction({ programId: id, keys: [...keys, ...remaining], data });
}

export interface ChainEvent {
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the fields are the IDL's, each test knows its own
  data: any;
}

export interface Result {
  ok: boolean;
  /** `Name` of a program's own error, or the runtime's, e.g. `InvalidSeeds` or `Custom(17)`; undefined when ok. */
  error: string | undefined;
  /** The instruction that failed, Ed25519 and compute budget ones counted. */
  failedAt: number | undefined;
  logs: string[];
  events: ChainEvent[];
  /** Compute units of each top-level call of our programs, in order. */
  units: number[];
  /** Compute units of each call from one of our programs to the other, in order. */
  innerUnits: number[];
  returned: Buffer;
  /** Bytes of the transaction on the wire. */
  bytes: number;
}

const RUNTIME_ERRORS: Record<number, string> = {
  1: 'InvalidArgument',
  2: 'InvalidInstructionData',
  3: 'InvalidAccountData',
  4: 'AccountDataTooSmall',
  5: 'InsufficientFunds',
  6: 'IncorrectProgramId',
  7: 'MissingRequiredSignature',
  9: 'UninitializedAccount',
  13: 'ExternalAccountDataModified',
  15: 'ReadonlyDataModified',
  19: 'NotEnoughAccountKeys',
  22: 'AccountBorrowFailed',
  31: 'MissingAccount',
  34: 'InvalidSeeds',
  37: 'PrivilegeEscalation',
  39: 'ProgramFailedToComplete',
  44: 'InvalidAccountOwner',
  47: 'IllegalOwner',
};
/** Anchor's own codes that the programs can return. */
const ANCHOR_ERRORS: Record<number, string> = {
  2000: 'ConstraintMut',
  2007: 'ConstraintExecutable',
  2012: 'ConstraintAddress',
  2040: 'ConstraintDuplicateMutableAccount',
};

function eventsIn(logs: string[]): ChainEvent[] {
  const stack: string[] = [];
  const events: ChainEvent[] = [];
  for (const line of logs) {
    const [, program, what] = /^Program (\S+) (invoke|success|failed)/.exec(line) ?? [];
    if (what === 'invoke') stack.push(program as string);
    else if (what) stack.pop();
    const data = /^Program data: (\S+)$/.exec(line)?.[1];
    if (!data) continue;
    const event = byId(stack.at(-1))?.coder.events.decode(data);
    if (event) events.push(event);
  }
  return events;
}

function unitsIn(logs: string[], wantedDepth: number): number[] {
  const units: number[] = [];
  let depth = 0;
  for (const line of logs) {
    if (/^Program \S+ invoke/.test(line)) depth++;
    const consumed = /^Program (\S+) consumed (\d+) of/.exec(line);
    if (consumed && depth === wantedDepth && byId(consumed[1])) {
      units.push(Number(consumed[2]));
    }
    if (/^Program \S+ (success|failed)/.test(line)) depth--;
  }
  return units;
}

/** A meter of the tests: its names, keys, and how far it has counted. */
export interface TestMeter {
  id: Uint8Array;
  address: PublicKey;
  key: Keypair;
  owner: Keypair;
  last: Reading;
}

export interface SendOptions {
  /** Pays the fee instead of the world's payer. */
  payer?: Keypair;
  tables?: AddressLookupTableAccount[];
}

export interface WorldOptions {
  policy?: number;
  maxRatedWatts?: number;
  /** Leaves both programs uninitialised. */
  bare?: boolean;
  /** Makes every key the same in each run: what deriving an address costs depends on the address. */
  seed?: string;
}

export const START = 1_700_000_100;
const METER_WATTS = 5_000;
/** What a meter of `METER_WATTS` may count in 15 minutes: 1.25 kWh and a tenth. */
export const ALLOWED_IN_900_S = 1_375_000_000n;

export class World {
  readonly svm = new LiteSVM();
  readonly network = new Uint8Array(randomBytes(32));
  /** Leaves transactions unsigned, for a virtual machine that does not look: who signs is what the instructions say. */
  protected unsigned = false;
  readonly #seed: string | undefined;
  #keys = 0;
  readonly payer: Keypair;
  readonly upgradeAuthority: Keypair;
  readonly registrar: Keypair;
  readonly guardian: Keypair;
  #unique = 1;
  #meters = 0;

  constructor(options: WorldOptions = {}) {
    this.#seed = options.seed;
    this.payer = this.key();
    this.upgradeAuthority = this.key();
    this.registrar = this.key();
    this.guardian = this.key();
    this.setClock(START);
    for (const wallet of [this.payer, this.upgradeAuthority]) this.fund(wallet.publicKey);
    this.deploy(REGISTRY, 'registry');
    this.deploy(TOKEN, 'energy_token');
    if (options.bare) return;
    this.must([this.initializeToken()], [this.upgradeAuthority]);
    this.must([this.initializeRegistry(options)], [this.upgradeAuthority]);
  }

  /** A new key pair: random, or the next of the world's seed. */
  key(): Keypair {
    if (this.#seed === undefined) return Keypair.generate();
    return Keypair.fromSeed(
      createHash('sha256')
        .update(`${this.#seed}/${this.#keys++}`)
        .digest(),
    );
  }

  // --- chain

  /** Puts a compiled program under the upgradeable loader, as a deployment leaves it. */
  deploy(
    id: PublicKey,
    name: string,
    authority: PublicKey | undefined = this.upgradeAuthority.publicKey,
  ): void {
    const elf = readFileSync(`${ARTIFACTS}/${name}.so`);
    const header = Buffer.alloc(45);
    header.writeUInt32LE(3, 0);
    if (authority) {
      header[12] = 1;
      header.set(authority.toBytes(), 13);
    }
    const program = Buffer.alloc(36);
    program.writeUInt32LE(2, 0);
    program.set(pda.programData(id).toBytes(), 4);
    this.setAccount(pda.programData(id), UPGRADEABLE_LOADER, Buffer.concat([header, elf]));
    this.setAccount(id, UPGRADEABLE_LOADER, program, true);
  }

  setClock(unixSeconds: number): void {
    const clock = this.svm.getClock();
    this.svm.setClock(
      new Clock(
        clock.slot + 1n,
        clock.epochStartTimestamp,
        clock.epoch,
        clock.leaderScheduleEpoch,
        BigInt(unixSeconds),
      ),
    );
  }

  now(): number {
    return Number(this.svm.getClock().unixTimestamp);
  }

  fund(wallet: PublicKey): void {
    this.svm.airdrop(address(wallet.toBase58()), lamports(100_000_000_000n));
  }

  /** An account's data, for tests that know that it is there. */
  dataOf(key: PublicKey): Buffer {
    const account = this.account(key);
    if (!account) throw new Error(`no account ${key.toBase58()}`);
    return account.data;
  }

  account(key: PublicKey): { owner: PublicKey; data: Buffer; lamports: bigint } | undefined {
    const found: MaybeEncodedAccount = this.svm.getAccount(address(key.toBase58()));
    if (!found.exists) return undefined;
    return {
      owner: new PublicKey(found.programAddress),
      data: Buffer.from(found.data),
      lamports: found.lamports,
    };
  }

  setAccount(key: PublicKey, owner: PublicKey, data: Uint8Array, executable = false): void {
    const account: EncodedAccount = {
      address: address(key.toBase58()),
      programAddress: address(owner.toBase58()),
      data: new Uint8Array(data),
      executable,
      lamports: lamports(this.svm.minimumBalanceForRentExemption(BigInt(data.length))),
      space: BigInt(data.length),
    };
    this.svm.setAccount(account);
  }

  /** The same bytes at a random address, under another owner: what a forger could bring. */
  forgedCopy(original: PublicKey, owner = SystemProgram.programId): PublicKey {
    const key = Keypair.generate().publicKey;
    this.setAccount(key, owner, this.account(original)?.data ?? Buffer.alloc(0));
    return key;
  }

  /** A lookup table of these addresses, as if it had been made some slots ago. */
  lookupTable(addresses: PublicKey[]): AddressLookupTableAccount {
    const header = Buffer.alloc(56);
    header.writeUInt32LE(1, 0);
    header.writeBigUInt64LE(2n ** 64n - 1n, 4);
    const data = Buffer.concat([header, ...addresses.map((key) => key.toBytes())]);
    const key = Keypair.generate().publicKey;
    this.setAccount(key, AddressLookupTableProgram.programId, data);
    return new AddressLookupTableAccount({ key, state: AddressLookupTableAccount.deserialize(data) });
  }

  #transaction(
    instructions: TransactionInstruction[],
    signers: Keypair[],
    { payer = this.payer, tables = [] }: SendOptions,
  ): Uint8Array {
    // A price that differs each time makes each transaction another one: twins are dropped.
    const unique = ComputeBudgetProgram.setComputeUnitPrice({ microLamports: this.#unique++ });
    const message = new TransactionMessage({
      payerKey: payer.publicKey,
      recentBlockhash: this.svm.latestBlockhash(),
      instructions: [unique, ...instructions],
    }).compileToV0Message(tables);
    const transaction = new VersionedTransaction(message);
    if (this.unsigned) return transaction.serialize();
    const needed = message.staticAccountKeys.slice(0, message.header.numRequiredSignatures);
    transaction.sign(
      [payer, ...signers].filter(
        (signer, i, all) =>
          needed.some((key) => key.equals(signer.publicKey)) &&
          all.findIndex((other) => other.publicKey.equals(signer.publicKey)) === i,
      ),
    );
    return transaction.serialize();
  }

  send(instructions: TransactionInstruction[], signers: Keypair[] = [], options: SendOptions = {}): Result {
    const wire = this.#transaction(instructions, signers, options);
    const outcome = this.svm.sendTransaction(getTransactionDecoder().decode(wire));
    const failed = outcome instanceof FailedTransactionMetadata;
    const meta: TransactionMetadata = failed ? outcome.meta() : outcome;
    const logs = meta.logs();
    return {
      ok: !failed,
      ...(failed ? describe(outcome, instructions) : { error: undefined, failedAt: undefined }),
      logs,
      events: failed ? [] : eventsIn(logs),
      units: unitsIn(logs, 1),
      innerUnits: unitsIn(logs, 2),
      returned: Buffer.from(meta.returnData().data()),
      bytes: wire.length,
    };
  }

  /** What sending would be refused with; undefined when it would succeed. Changes nothing. */
  simulate(
    instructions: TransactionInstruction[],
    signers: Keypair[],
    options: SendOptions = {},
  ): string | undefined {
    const wire = this.#transaction(instructions, signers, options);
    const outcome = this.svm.simulateTransaction(getTransactionDecoder().decode(wire));
    return outcome instanceof FailedTransactionMetadata ? describe(outcome, instructions).error : undefined;
  }

  /** Sends what has to succeed. */
  must(instructions: TransactionInstruction[], signers: Keypair[] = [], options: SendOptions = {}): Result {
    const result = this.send(instructions, signers, options);
    expect(result.error, result.logs.join('\n')).toBeUndefined();
    return result;
  }

  /** Sends what has to be refused with exactly this error, by one of our programs unless `error` is the runtime's. */
  refused(
    error: string,
    instructions: TransactionInstruction[],
    signers: Keypair[] = [],
    options: SendOptions = {},
  ): Result {
    const before = this.fingerprint();
    const result = this.send(instructions, signers, options);
    expect(result.error, result.logs.join('\n')).toBe(error);
    expect(this.fingerprint()).toBe(before);
    return result;
  }

  /** Changes when any account of our programs or of GRID changes. */
  fingerprint(): string {
    const hash = createHash('sha256');
    const ours = [...loaded.values()].map((each) => each.id);
    for (const id of [...ours, TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID]) {
      const accounts = this.svm
        .getProgramAccounts(address(id.toBase58()))
        .map(
          (account) =>
            `${account.address}:${account.lamports}:${Buffer.from(account.data).toString('base64')}`,
        );
      hash.update(accounts.sort().join('\n'));
    }
    return hash.digest('hex');
  }

  // biome-ignore lint/suspicious/noExplicitAny: the fields are the IDL's, each test knows its own
  decode(of: ProgramName, type: string, key: PublicKey): any {
    const account = this.account(key);
    if (!account) throw new Error(`no account ${key.toBase58()}`);
    return program(of).coder.accounts.decode(type, account.data);
  }

  /** Overwrites one number of an account of our programs, to reach states that would take centuries. */
  patch(key: PublicKey, offset: number, value: bigint): void {
    const account = this.account(key);
    if (!account) throw new Error(`no account ${key.toBase58()}`);
    account.data.writeBigUInt64LE(value, offset);
    this.setAccount(key, account.owner, account.data);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  config(): any {
    return this.decode('registry', 'Config', pda.config);
  }

  /** A meter's numbers, as bigint where they are u64. */
  meter(meter: TestMeter) {
    const raw = this.decode('registry', 'Meter', meter.address);
    const big = (name: string) => BigInt(raw[name].toString());
    return {
      raw,
      owner: raw.owner as PublicKey,
      publicKey: raw.public_key as PublicKey,
      tokenAccount: raw.token_account as PublicKey,
      status: raw.status as number,
      lastEnd: raw.last_end as number,
      lastSequence: big('last_sequence'),
      produced: big('produced_total'),
      consumed: big('consumed_total'),
      surplus: big('surplus_total'),
      basis: big('basis'),
      eligible: big('eligible'),
      settled: big('settled'),
      minted: big('minted'),
      held: big('held'),
      dailyMintCap: big('daily_mint_cap'),
      mintedToday: big('minted_today'),
      mintedOn: big('minted_on'),
      holds: (raw.holds as { sequence: unknown; amount: unknown }[]).map((hold) => ({
        sequence: BigInt(String(hold.sequence)),
        amount: BigInt(String(hold.amount)),
      })),
    };
  }

  /** GRID base units in a token account; 0 when it does not exist. */
  balance(tokenAccount: PublicKey): bigint {
    const account = this.account(tokenAccount);
    return account && account.data.length >= AccountLayout.span
      ? AccountLayout.decode(account.data).amount
      : 0n;
  }

  mint() {
    return MintLayout.decode(this.account(pda.mint)?.data ?? Buffer.alloc(0));
  }

  supply(): bigint {
    return this.mint().supply;
  }

  /** energy-token's counters. */
  tokenConfig(): { minted: bigint; burned: bigint; retired: bigint } {
    const raw = this.decode('token', 'Config', pda.tokenConfig);
    const big = (name: string) => BigInt(raw[name].toString());
    return { minted: big('total_minted'), burned: big('total_burned'), retired: big('total_retired') };
  }

  // --- instructions

  initializeToken(accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call(
      'token',
      'initialize',
      {},
      {
        authority: this.upgradeAuthority.publicKey,
        config: pda.tokenConfig,
        mint: pda.mint,
        program_data: pda.programData(TOKEN),
        token_program: TOKEN_2022_PROGRAM_ID,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  initializeRegistry(
    options: WorldOptions & { registrar?: PublicKey; guardian?: PublicKey } = {},
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'initialize',
      {
        network: [...this.network],
        policy: options.policy ?? 0,
        registrar: options.registrar ?? this.registrar.publicKey,
        guardian: options.guardian ?? this.guardian.publicKey,
        max_rated_watts: options.maxRatedWatts ?? 100_000,
      },
      {
        authority: this.upgradeAuthority.publicKey,
        config: pda.config,
        program_data: pda.programData(REGISTRY),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  registerUser(wallet: PublicKey, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call(
      'registry',
      'register_user',
      {},
      {
        payer: this.payer.publicKey,
        wallet,
        config: pda.config,
        user: pda.user(wallet),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  verifyUser(
    wallet: PublicKey,
    verified = true,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'verify_user',
      { verified },
      {
        registrar: this.registrar.publicKey,
        config: pda.config,
        user: pda.user(wallet),
        ...accounts,
      },
    );
  }

  /** The Ed25519 instruction with a key's consent to an owner. */
  consent(key: Keypair, meterId: Uint8Array, owner: PublicKey): TransactionInstruction {
    return ed25519([signed(key, consentBytes(this.network, meterId, owner))]);
  }

  registerMeter(
    meter: { id: Uint8Array; key: PublicKey; owner: PublicKey; watts?: number },
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'register_meter',
      { meter_id: [...meter.id], public_key: meter.key, rated_watts: meter.watts ?? METER_WATTS },
      {
        payer: this.payer.publicKey,
        owner: meter.owner,
        registrar: this.registrar.publicKey,
        config: pda.config,
        user: pda.user(meter.owner),
        meter: pda.meter(meter.id),
        meter_key: pda.meterKey(meter.key.toBytes()),
        instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  rotate(
    meter: TestMeter,
    newKey: PublicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'rotate_meter_key',
      { new_public_key: newKey },
      {
        payer: this.payer.publicKey,
        owner: meter.owner.publicKey,
        registrar: this.registrar.publicKey,
        config: pda.config,
        meter: meter.address,
        old_meter_key: pda.meterKey(meter.key.publicKey.toBytes()),
        new_meter_key: pda.meterKey(newKey.toBytes()),
        instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  transfer(
    meter: TestMeter,
    newOwner: PublicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'transfer_meter',
      {},
      {
        old_owner: meter.owner.publicKey,
        registrar: this.registrar.publicKey,
        config: pda.config,
        meter: meter.address,
        old_user: pda.user(meter.owner.publicKey),
        new_user: pda.user(newOwner),
        instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
        owner_token_account: pda.tokenAccount(meter.owner.publicKey),
        ...this.minting(),
        ...accounts,
      },
    );
  }

  minting(): Record<string, PublicKey> {
    return {
      mint_authority: pda.mintAuthority,
      token_config: pda.tokenConfig,
      grid_mint: pda.mint,
      energy_token_program: TOKEN,
      token_program: TOKEN_2022_PROGRAM_ID,
    };
  }

  setStatus(
    meter: TestMeter,
    status: number,
    authority: PublicKey = this.registrar.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'set_meter_status',
      { status },
      {
        authority,
        config: pda.config,
        meter: meter.address,
        ...accounts,
      },
    );
  }

  submit(meter: TestMeter, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call(
      'registry',
      'submit_meter_reading',
      {},
      {
        config: pda.config,
        user: pda.user(meter.owner.publicKey),
        meter: meter.address,
        instructions: SYSVAR_INSTRUCTIONS_PUBKEY,
        ...accounts,
      },
    );
  }

  /** The three accounts that a meter brings to a batch. */
  batchAccounts(meter: TestMeter): AccountMeta[] {
    return [
      { pubkey: meter.address, isSigner: false, isWritable: true },
      { pubkey: pda.user(meter.owner.publicKey), isSigner: false, isWritable: false },
      { pubkey: pda.tokenAccount(meter.owner.publicKey), isSigner: false, isWritable: true },
    ];
  }

  submitAndMint(
    meters: TestMeter[],
    accounts: Record<string, PublicKey> = {},
    remaining: AccountMeta[] = meters.flatMap((meter) => this.batchAccounts(meter)),
  ): TransactionInstruction {
    return call(
      'registry',
      'submit_and_mint',
      {},
      { config: pda.config, instructions: SYSVAR_INSTRUCTIONS_PUBKEY, ...this.minting(), ...accounts },
      remaining,
    );
  }

  settle(meter: TestMeter, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call(
      'registry',
      'settle_meter_balance',
      {},
      { config: pda.config, meter: meter.address, ...accounts },
    );
  }

  settleAndMint(meter: TestMeter, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call(
      'registry',
      'settle_and_mint_tokens',
      {},
      {
        config: pda.config,
        meter: meter.address,
        owner_token_account: pda.tokenAccount(meter.owner.publicKey),
        ...this.minting(),
        ...accounts,
      },
    );
  }

  getUnsettled(meter: TestMeter, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call('registry', 'get_unsettled_balance', {}, { meter: meter.address, ...accounts });
  }

  review(
    name: 'release_held' | 'write_off_held',
    meter: TestMeter,
    sequence: bigint,
    authority: PublicKey = this.registrar.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      name,
      { sequence: bn(sequence) },
      {
        authority,
        config: pda.config,
        meter: meter.address,
        ...accounts,
      },
    );
  }

  setPaused(
    paused: boolean,
    authority: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call('registry', 'set_paused', { paused }, { authority, config: pda.config, ...accounts });
  }

  admin(
    name: 'propose_admin' | 'set_registrar' | 'set_guardian' | 'set_limits',
    args: Record<string, unknown>,
    admin: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call('registry', name, args, { admin, config: pda.config, ...accounts });
  }

  setMeterCap(
    meter: TestMeter,
    cap: bigint,
    authority: PublicKey = this.registrar.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'registry',
      'set_meter_cap',
      { daily_mint_cap: bn(cap) },
      { authority, config: pda.config, meter: meter.address, ...accounts },
    );
  }

  /** Sets the registry's daily cap, which has to be accepted. */
  setCap(cap: bigint): void {
    this.must(
      [this.admin('set_limits', { max_rated_watts: 100_000, daily_mint_cap: bn(cap) })],
      [this.upgradeAuthority],
    );
  }

  updateMetadata(
    uri: string,
    admin: PublicKey = this.upgradeAuthority.publicKey,
    accounts: Record<string, PublicKey> = {},
  ): TransactionInstruction {
    return call(
      'token',
      'update_metadata',
      { uri },
      {
        admin,
        registry_config: pda.config,
        config: pda.tokenConfig,
        mint: pda.mint,
        token_program: TOKEN_2022_PROGRAM_ID,
        ...accounts,
      },
    );
  }

  acceptAdmin(newAdmin: PublicKey, accounts: Record<string, PublicKey> = {}): TransactionInstruction {
    return call('registry', 'accept_admin', {}, { new_admin: newAdmin, config: pda.config, ...accounts });
  }

  // --- stories

  /** A funded wallet, registered, and verified unless told otherwise, with a GRID account unless told otherwise. */
  user(options: { verified?: boolean; tokenAccount?: boolean } = {}): Keypair {
    const wallet = this.key();
    this.fund(wallet.publicKey);
    this.must([this.registerUser(wallet.publicKey)], [wallet]);
    if (options.verified !== false) this.must([this.verifyUser(wallet.publicKey)], [this.registrar]);
    if (options.tokenAccount !== false) this.createTokenAccount(wallet.publicKey);
    return wallet;
  }

  createTokenAccount(wallet: PublicKey): PublicKey {
    const account = pda.tokenAccount(wallet);
    this.must([
      createAssociatedTokenAccountInstruction(
        this.payer.publicKey,
        account,
        wallet,
        pda.mint,
        TOKEN_2022_PROGRAM_ID,
      ),
    ]);
    return account;
  }

  /** A registered meter of a verified user. */
  newMeter(options: { owner?: Keypair; watts?: number; id?: string } = {}): TestMeter {
    const owner = options.owner ?? this.user();
    const key = this.key();
    const id = meterIdBytes(options.id ?? `METER-${++this.#meters}`);
    this.must(
      [
        this.consent(key, id, owner.publicKey),
        this.registerMeter({
          id,
          key: key.publicKey,
          owner: owner.publicKey,
          ...(options.watts ? { watts: options.watts } : {}),
        }),
      ],
      [owner, this.registrar],
    );
    return {
      id,
      address: pda.meter(id),
      key,
      owner,
      last: { flags: 0, sequence: 0n, start: 0, end: this.now(), produced: 0n, consumed: 0n, surplus: 0n },
    };
  }

  /** The meter's next reading: `produced` and `consumed` in nkWh since the last one. Moves the chain's clock along. */
  next(meter: TestMeter, change: Partial<Reading> & { made?: bigint; used?: bigint } = {}): Reading {
    const { made = 1_000_000_000n, used = 250_000_000n, ...fields } = change;
    const { last } = meter;
    const reading: Reading = {
      flags: 0,
      sequence: last.sequence + 1n,
      start: last.end,
      end: last.end + 900,
      produced: last.produced + made,
      consumed: last.consumed + used,
      surplus: last.surplus + (made > used ? made - used : 0n),
      ...fields,
    };
    if (this.now() < reading.end) this.setClock(reading.end);
    return reading;
  }

  /** A lookup table with everything that a batch of these meters names. */
  batchTable(meters: TestMeter[]): AddressLookupTableAccount {
    const { keys } = this.submitAndMint(meters);
    return this.lookupTable(
      [...new Set(keys.map(({ pubkey }) => pubkey.toBase58()))].map((key) => new PublicKey(key)),
    );
  }

  /** Ed25519 instruction and submission of one reading, signed by the meter. */
  reading(meter: TestMeter, reading: Reading): TransactionInstruction[] {
    return [ed25519([signed(meter.key, readingBytes(reading))]), this.submit(meter)];
  }

  /** Submits the meter's next reading, which has to be accepted. */
  accept(meter: TestMeter, change: Parameters<World['next']>[1] = {}): Result {
    const reading = this.next(meter, change);
    const result = this.must(this.reading(meter, reading));
    meter.last = reading;
    return result;
  }

  /** Submits next readings of several meters and mints. */
  batch(meters: TestMeter[], change: Parameters<World['next']>[1] = {}): TransactionInstruction[] {
    const readings = meters.map((meter) => this.next(meter, change));
    return [
      ed25519(meters.map((meter, i) => signed(meter.key, readingBytes(readings[i] as Reading)))),
      this.submitAndMint(meters),
    ];
  }
}

function describe(
  outcome: FailedTransactionMetadata,
  instructions: TransactionInstruction[],
): { error: string; failedAt: number | undefined } {
  const error = outcome.err();
  if (typeof error !== 'object' || !('err' in error))
    return { error: outcome.toString(), failedAt: undefined };
  // One compute budget instruction stands before those of the test.
  const failedAt = error.index - 1;
  const inner = error.err();
  if (typeof inner === 'number') return { error: RUNTIME_ERRORS[inner] ?? `Runtime(${inner})`, failedAt };
  if (!('code' in inner)) return { error: inner.toString(), failedAt };
  const failing = /^Program (\S+) failed/.exec(
    outcome
      .meta()
      .logs()
      .find((line) => /^Program \S+ failed/.test(line)) ?? '',
  )?.[1];
  const idl = byId(failing)?.idl;
  const name =
    idl?.errors?.find(({ code }) => code === inner.code)?.name ??
    (idl ? ANCHOR_ERRORS[inner.code] : undefined);
  const top = instructions[failedAt]?.programId.toBase58();
  const where = failing && failing !== top && failing === TOKEN.toBase58() ? 'energy_token:' : '';
  return { error: name ? `${where}${name}` : `Custom(${inner.code})`, failedAt };
}

/** anchor's coder wants u64 arguments as BN. */
export function bn(value: bigint): unknown {
  return new BN(value.toString());
}

/** How each account of an instruction is expected to be refused; the name of the error for each kind of mistake. */
export interface WrongAccount {
  /** Another address, that signs where a signature is wanted. */
  other?: string;
  /** The same bytes at another address, owned by another program. */
  copy?: string;
  /** The same bytes at another address, owned by the right program: no instruction can bring such an account about. */
  twin?: string;
  /** Without its signature. */
  unsigned?: string;
  /** Not writable. */
  readonly?: string;
}

/**
 * Replaces each account of the last instruction in turn, in each way that can go wrong, and expects exactly the named
 * error. `expected` has to name every account of the instruction in the IDL, so that none is forgotten; `accepted` in
 * place of an error says that it is no mistake: anybody may pay.
 */
export function refusesWrongAccounts(
  world: World,
  of: ProgramName,
  name: string,
  instructions: TransactionInstruction[],
  signers: Keypair[],
  expected: Record<string, WrongAccount>,
): void {
  const definition = program(of).idl.instructions.find((instruction) => instruction.name === name);
  const items = definition?.accounts ?? [];
  const target = instructions.at(-1) as TransactionInstruction;
  // Somebody else pays the fee: a fee payer is a writable signer, whatever the instruction says.
  const feePayer = Keypair.generate();
  world.fund(feePayer.publicKey);
  const actual: Record<string, WrongAccount> = {};
  items.forEach((item, index) => {
    const meta = target.keys[index] as AccountMeta;
    const outcomes: WrongAccount = {};
    const attempt = (kind: keyof WrongAccount, change: Partial<AccountMeta>, extra: Keypair[] = []) => {
      const keys = target.keys.map((key, i) => (i === index ? { ...key, ...change } : key));
      const altered = new TransactionInstruction({ ...target, keys });
      const error = world.simulate(
        [...instructions.slice(0, -1), altered],
        [world.payer, ...signers, ...extra],
        { payer: feePayer },
      );
      outcomes[kind] = error ?? 'accepted';
    };
    const stranger = Keypair.generate();
    world.fund(stranger.publicKey);
    attempt('other', { pubkey: stranger.publicKey }, [stranger]);
    if (!meta.isSigner && (world.account(meta.pubkey)?.data.length ?? 0) > 0 && !isProgram(meta.pubkey)) {
      attempt('copy', { pubkey: world.forgedCopy(meta.pubkey) });
      if (item.name.endsWith('config')) {
        attempt('twin', { pubkey: world.forgedCopy(meta.pubkey, world.account(meta.pubkey)?.owner) });
      }
    }
    if (meta.isSigner) attempt('unsigned', { isSigner: false });
    if (meta.isWritable) attempt('readonly', { isWritable: false });
    actual[item.name] = outcomes;
  });
  expect(actual).toEqual(expected);
}

function isProgram(key: PublicKey): boolean {
  return [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, SystemProgram.programId, SYSVAR_INSTRUCTIONS_PUBKEY]
    .concat([...loaded.values()].map(({ id }) => id))
    .some((id) => id.equals(key));
}
