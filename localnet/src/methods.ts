// The JSON-RPC methods over HTTP: each with a schema for its positional parameters and a handler.
// Names, defaults, limits and messages are those of agave's rpc/src/rpc.rs (4.2).
import { z } from 'zod';
import { isTokenProgram, NATIVE_MINT, TOKEN_PROGRAM } from './addresses.js';
import { type Commitment, FINALITY_SLOTS, LookupError, MAX_BLOCKHASH_AGE, SLOTS_PER_EPOCH } from './bank.js';
import { decodeBase58 } from './base58.js';
import type { Chain } from './chain.js';
import {
  type AccountEncoding,
  encodeAccount,
  encodeInner,
  encodeTransaction,
  parseErr,
  statusOf,
} from './encode.js';
import type { Faucet } from './faucet.js';
import { computeBudgetError, feeFor } from './fees.js';
import type { StoredAccount } from './journal.js';
import type { Json } from './json.js';
import {
  blockNotAvailable,
  filterTransactionNotFound,
  internalError,
  invalidParams,
  invalidRequest,
  methodNotFound,
  minContextSlotNotReached,
  nodeUnhealthy,
  preflightFailure,
  RpcError,
} from './rpc-error.js';
import { decimalsOf, decodeMint, decodeTokenAccount, TOKEN_ACCOUNT_LENGTH, uiTokenAmount } from './token.js';
import { describe } from './transaction-error.js';
import {
  DeserializeError,
  PACKET_DATA_SIZE,
  type ParsedTransaction,
  parseMessage,
  parseTransaction,
  SanitizeError,
  withBlockhash,
} from './wire.js';

/** The release of Solana's runtime whose answers localnet gives. */
export const SOLANA_VERSION = '4.2.0';
/** `feature-set` of that release, as its getVersion reports it. */
export const FEATURE_SET = 565_236_538;

const MAX_BASE58_TRANSACTION = 1683;
const MAX_BASE64_TRANSACTION = 1644;
const MAX_MULTIPLE_ACCOUNTS = 100;
const MAX_SIGNATURE_STATUSES = 256;
const MAX_SIGNATURES_FOR_ADDRESS = 1000;
const MAX_FILTERS = 4;
const MAX_FILTER_BYTES = 128;
const MAX_LOCKS = 128;
const MAX_PERMITTED_DATA_LENGTH = 10 * 1024 * 1024;
/** Without `searchTransactionHistory`, statuses go back this far (agave: the status cache). */
const STATUS_CACHE_SLOTS = 300;

const u64 = z.union([z.number().int().nonnegative(), z.bigint().nonnegative()]);
const commitment = z.enum(['processed', 'confirmed', 'finalized']);
// An unknown commitment counts as none: a node's parser ignores it too (serde's flattened Option).
const lenientCommitment = commitment.nullish().catch(undefined);
const contextFields = {
  commitment: lenientCommitment,
  minContextSlot: z.number().int().nonnegative().nullish(),
};
const contextConfig = z.looseObject(contextFields).nullish();
const commitmentConfig = z.looseObject({ commitment: lenientCommitment }).nullish();
const accountEncoding = z.enum(['binary', 'base58', 'base64', 'base64+zstd', 'jsonParsed']);
const dataSlice = z.object({
  offset: z.number().int().nonnegative(),
  length: z.number().int().nonnegative(),
});
const accountFields = {
  ...contextFields,
  encoding: accountEncoding.nullish(),
  dataSlice: dataSlice.nullish(),
};
const accountConfig = z.looseObject(accountFields).nullish();
const transactionEncoding = z.enum(['binary', 'base58', 'base64', 'json', 'jsonParsed']);
const filter = z.union([
  z.object({ dataSize: z.number().int().nonnegative() }),
  z.object({
    memcmp: z.looseObject({
      offset: z.number().int().nonnegative(),
      bytes: z.union([z.string(), z.array(z.number().int().min(0).max(255))]),
      encoding: z.enum(['base58', 'base64', 'bytes']).nullish(),
    }),
  }),
  z.literal('tokenAccountState'),
]);
export const programConfig = z
  .looseObject({
    ...accountFields,
    filters: z.array(filter).nullish(),
    withContext: z.boolean().nullish(),
    sortResults: z.boolean().nullish(),
  })
  .nullish();
export { accountConfig, commitmentConfig, lenientCommitment };

type ContextConfig = z.infer<typeof contextConfig>;
type AccountConfig = z.infer<typeof accountConfig>;
type Filter = z.infer<typeof filter>;

/** Decodes a 32-byte address; the words of the errors are those of `Pubkey::from_str`. */
export function verifyKey(text: string): string {
  // 44 characters are the longest base58 form of 32 bytes.
  if (text.length > 44) throw invalidParams('Invalid param: WrongSize');
  const bytes = decodeBase58(text);
  if (!bytes) throw invalidParams('Invalid param: Invalid');
  if (bytes.length !== 32) throw invalidParams('Invalid param: WrongSize');
  return text;
}

/** Decodes a 64-byte signature. */
export function verifySignature(text: string): string {
  if (text.length > 88) throw invalidParams('Invalid param: WrongSize');
  const bytes = decodeBase58(text);
  if (!bytes) throw invalidParams('Invalid param: Invalid');
  if (bytes.length !== 64) throw invalidParams('Invalid param: WrongSize');
  return text;
}

/** bs58's name for a text with a character outside its alphabet. */
function invalidCharacter(text: string): string {
  const index = [...text].findIndex((character) => !decodeBase58(character));
  return `InvalidCharacter { character: '${[...text][index]}', index: ${index} }`;
}

export interface AccountFilter {
  dataSize: number | undefined;
  matches: (data: Uint8Array) => boolean;
}

/** Turns `filters` of getProgramAccounts and programSubscribe into a test. At most four, of 128 bytes each. */
export function compileFilters(filters: Filter[]): AccountFilter {
  if (filters.length > MAX_FILTERS) throw invalidParams(`Too many filters provided; max ${MAX_FILTERS}`);
  let dataSize: number | undefined;
  const tests: ((data: Uint8Array) => boolean)[] = [];
  for (const item of filters) {
    if (item === 'tokenAccountState') {
      tests.push((data) => decodeTokenAccount(data) !== undefined);
    } else if ('dataSize' in item) {
      const size = item.dataSize;
      dataSize = size;
      tests.push((data) => data.length === size);
    } else {
      const { offset, bytes, encoding } = item.memcmp;
      let wanted: Uint8Array | undefined;
      if (Array.isArray(bytes)) wanted = Uint8Array.from(bytes);
      else if (encoding === 'base64') wanted = Buffer.from(bytes, 'base64');
      else wanted = bytes.length > 175 ? new Uint8Array(MAX_FILTER_BYTES + 1) : decodeBase58(bytes);
      if (!wanted) {
        throw invalidParams(`Invalid param: Base58DecodeError(${invalidCharacter(String(bytes))})`);
      }
      if (wanted.length > MAX_FILTER_BYTES) throw invalidParams('Invalid param: DataTooLarge');
      const expected = wanted;
      tests.push(
        (data) =>
          offset + expected.length <= data.length &&
          Buffer.compare(data.subarray(offset, offset + expected.length), expected) === 0,
      );
    }
  }
  return { dataSize, matches: (data) => tests.every((test) => test(data)) };
}

function supportedEncoding(
  encoding: z.infer<typeof accountEncoding> | null | undefined,
): AccountEncoding | undefined {
  if (encoding === 'base64+zstd')
    throw invalidParams('base64+zstd encoding is not offered by localnet; use base64');
  return encoding ?? undefined;
}

interface Method {
  params: z.ZodType;
  /** How many parameters there must and may be. */
  least: number;
  most: number;
  handle: (params: never) => Json | Promise<Json>;
}

function method<T extends z.ZodTuple>(
  params: T,
  handle: (params: z.infer<T>) => Json | Promise<Json>,
): Method {
  const items = params.def.items as readonly z.ZodType[];
  const least = items.filter((item) => !item.safeParse(undefined).success).length;
  return { params, least, most: items.length, handle };
}

/** The number of parameters, with the words of the JSON-RPC library that nodes use. */
function checkCount({ least, most }: Method, params: unknown): void {
  if (!Array.isArray(params)) throw invalidParams('`params` should be an array');
  const count = params.length;
  if (most === 0 && count > 0) {
    throw new RpcError(-32602, 'Invalid parameters: No parameters were expected', `Got: ${count}`);
  }
  if (least === most) {
    if (count < most)
      throw invalidParams(`Invalid params: invalid length ${count}, expected a tuple of size ${most}.`);
    if (count > most)
      throw invalidParams(`Invalid params: invalid length ${count}, expected fewer elements in array.`);
  }
  if (count < least) throw invalidParams(`\`params\` should have at least ${least} argument(s)`);
  if (count > most) {
    const message = `Invalid parameters: Expected from ${least} to ${most} parameters.`;
    throw new RpcError(-32602, message, `"Got: ${count}"`);
  }
}

export class Methods {
  readonly #chain: Chain;
  readonly #faucet: Faucet;
  readonly #genesisHash: string;
  readonly #methods: Map<string, Method>;

  constructor(chain: Chain, faucet: Faucet, genesisHash: string) {
    this.#chain = chain;
    this.#faucet = faucet;
    this.#genesisHash = genesisHash;
    this.#methods = new Map(Object.entries(this.#table()));
  }

  get genesisHash(): string {
    return this.#genesisHash;
  }

  has(name: string): boolean {
    return this.#methods.has(name);
  }

  get names(): string[] {
    return [...this.#methods.keys()];
  }

  /**
   * Calls a method.
   * @throws {RpcError} for everything that a client did wrong or the node cannot do
   */
  async call(name: string, params: unknown): Promise<Json> {
    const found = this.#methods.get(name);
    if (!found) throw methodNotFound();
    if (name !== 'getHealth' && name !== 'getVersion') {
      if (!this.#chain.readable) throw nodeUnhealthy();
      if (this.#chain.unhealthy === undefined) this.#chain.advance();
    }
    checkCount(found, params ?? []);
    const parsed = found.params.safeParse(params ?? []);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const at = issue && issue.path.length > 0 ? ` at params.${issue.path.join('.')}` : '';
      throw invalidParams(`Invalid params: ${issue?.message ?? 'wrong type'}${at}.`);
    }
    try {
      return await found.handle(parsed.data as never);
    } catch (error) {
      if (error instanceof LookupError) {
        throw invalidParams(`invalid transaction: ${describe(error.error)}`);
      }
      throw error;
    }
  }

  get #bank() {
    return this.#chain.bank;
  }

  /** The slot of the commitment (default: finalized), after the check of `minContextSlot`. */
  #context(config: ContextConfig): { commitment: Commitment; slot: number } {
    const level = config?.commitment ?? 'finalized';
    const slot = this.#bank.slotAt(level);
    if (config?.minContextSlot != null && slot < config.minContextSlot) throw minContextSlotNotReached(slot);
    return { commitment: level, slot };
  }

  #respond(slot: number, value: Json): Json {
    return { context: { apiVersion: SOLANA_VERSION, slot }, value };
  }

  #accountData(level: Commitment): (address: string) => Uint8Array | undefined {
    return (address) => this.#bank.account(address, level)?.data;
  }

  #encode(
    account: StoredAccount | undefined,
    config: AccountConfig,
    fallback: AccountEncoding,
    level: Commitment,
  ): Json {
    if (!account) return null;
    const encoding = supportedEncoding(config?.encoding) ?? fallback;
    return encodeAccount(account, encoding, config?.dataSlice ?? undefined, this.#accountData(level));
  }

  #keyed(
    accounts: Iterable<[string, StoredAccount]>,
    config: AccountConfig,
    level: Commitment,
    tokens: boolean,
  ): Json[] {
    const encoding = supportedEncoding(config?.encoding) ?? 'binary';
    const result: Json[] = [];
    for (const [pubkey, account] of accounts) {
      const encoded = encodeAccount(
        account,
        encoding,
        config?.dataSlice ?? undefined,
        this.#accountData(level),
      );
      // A node leaves token accounts out that it cannot parse.
      if (tokens && encoding === 'jsonParsed' && Array.isArray(encoded.data)) continue;
      result.push({ pubkey, account: encoded });
    }
    return result;
  }

  #decodeTransaction(text: string, encoding: string | null | undefined, type: string): Uint8Array {
    const chosen = encoding ?? 'base58';
    if (chosen !== 'base58' && chosen !== 'base64' && chosen !== 'binary') {
      throw invalidParams(`unsupported encoding: ${chosen}. Supported encodings: base58, base64`);
    }
    const base64 = chosen === 'base64';
    const limit = base64 ? MAX_BASE64_TRANSACTION : MAX_BASE58_TRANSACTION;
    if (text.length > limit) {
      throw invalidParams(
        `${base64 ? 'base64' : 'base58'} encoded ${type} too large: ${text.length} bytes ` +
          `(max: encoded/raw ${limit}/${PACKET_DATA_SIZE})`,
      );
    }
    let bytes: Uint8Array | undefined;
    if (base64) {
      const decoded = Buffer.from(text, 'base64');
      if (decoded.toString('base64') !== text) throw invalidParams('invalid base64 encoding: InvalidByte');
      bytes = decoded;
    } else {
      bytes = decodeBase58(text);
      if (!bytes) throw invalidParams(`invalid base58 encoding: ${invalidCharacter(text)}`);
    }
    if (bytes.length > PACKET_DATA_SIZE) {
      throw invalidParams(
        `decoded ${type} too large: ${bytes.length} bytes (max: ${PACKET_DATA_SIZE} bytes)`,
      );
    }
    return bytes;
  }

  #parseTransaction(text: string, encoding: string | null | undefined): ParsedTransaction {
    const type = 'solana_transaction::versioned::VersionedTransaction';
    const bytes = this.#decodeTransaction(text, encoding, type);
    try {
      const transaction = parseTransaction(bytes);
      const budget = computeBudgetError(transaction.message);
      if (budget?.malformed) throw invalidParams(`invalid transaction: ${describe(budget.error)}`);
      return transaction;
    } catch (error) {
      if (error instanceof DeserializeError)
        throw invalidParams(`failed to deserialize ${type}: ${error.message}`);
      if (error instanceof SanitizeError) {
        throw invalidParams('invalid transaction: Transaction failed to sanitize accounts offsets correctly');
      }
      throw error;
    }
  }

  async #send(text: string, config: SendConfig): Promise<Json> {
    const transaction = this.#parseTransaction(text, config?.encoding);
    const skipPreflight = config?.skipPreflight ?? false;
    this.#context({
      commitment: skipPreflight ? 'processed' : (config?.preflightCommitment ?? 'finalized'),
      minContextSlot: config?.minContextSlot,
    });
    // A node refuses unusable lookup tables here, whatever skipPreflight says.
    this.#bank.resolveLookups(transaction.message);
    if (this.#chain.unhealthy !== undefined) throw nodeUnhealthy();
    if (!skipPreflight) {
      const refusal = this.#bank.refusal(transaction, transaction.message.recentBlockhash);
      const simulation = refusal
        ? this.#bank.refusedSimulation(transaction, refusal)
        : this.#bank.simulate(transaction, transaction.wire, true);
      if (simulation.err !== null) {
        throw preflightFailure(`Transaction simulation failed: ${describe(simulation.err)}`, {
          accounts: null,
          err: simulation.err,
          fee: simulation.fee ?? null,
          innerInstructions: null,
          loadedAccountsDataSize: simulation.loadedAccountsDataSize,
          loadedAddresses: null,
          logs: simulation.logs,
          postBalances: null,
          postTokenBalances: null,
          preBalances: null,
          preTokenBalances: null,
          replacementBlockhash: null,
          returnData: returnDataJson(simulation.returnData),
          unitsConsumed: simulation.unitsConsumed,
        });
      }
    }
    await this.#chain.submit(transaction);
    return transaction.signature;
  }

  #simulateTransaction(text: string, config: SimulateConfig): Json {
    const transaction = this.#parseTransaction(text, config?.encoding);
    const { slot } = this.#context(config);
    const verify = config?.sigVerify ?? false;
    let wire = transaction.wire;
    let blockhash = transaction.message.recentBlockhash;
    let replacement: Json = null;
    if (config?.replaceRecentBlockhash) {
      if (verify) throw invalidParams('sigVerify may not be used with replaceRecentBlockhash');
      const current = this.#bank.clock.slot;
      blockhash = this.#bank.blockhash(current);
      wire = withBlockhash(transaction, decodeBase58(blockhash) as Uint8Array);
      replacement = { blockhash, lastValidBlockHeight: current + MAX_BLOCKHASH_AGE };
    }
    const refusal = this.#bank.refusal(transaction, blockhash);
    const simulation = refusal
      ? this.#bank.refusedSimulation(transaction, refusal)
      : this.#bank.simulate(transaction, wire, verify);

    const { writable, readonly } = simulation.loadedAddresses;
    const addresses = [...transaction.message.accountKeys, ...writable, ...readonly];
    let accounts: Json = null;
    if (config?.accounts) {
      const encoding = supportedEncoding(config.accounts.encoding) ?? 'base64';
      if (encoding === 'base58' || encoding === 'binary')
        throw invalidParams('base58 encoding not supported');
      if (config.accounts.addresses.length > addresses.length) {
        throw invalidParams(`Too many accounts provided; max ${addresses.length}`);
      }
      accounts = config.accounts.addresses.map((address) => {
        if (simulation.err !== null) return null;
        verifyKey(address);
        const account = simulation.accounts.get(address) ?? this.#bank.account(address);
        const dataOf = (key: string) => (simulation.accounts.get(key) ?? this.#bank.account(key))?.data;
        return account ? encodeAccount(account, encoding, undefined, dataOf) : null;
      });
    }
    return this.#respond(slot, {
      accounts,
      err: simulation.err,
      fee: simulation.fee ?? null,
      innerInstructions: config?.innerInstructions
        ? encodeInner(simulation.innerInstructions, addresses, true)
        : null,
      loadedAccountsDataSize: simulation.loadedAccountsDataSize,
      loadedAddresses: { ...simulation.loadedAddresses },
      logs: simulation.logs,
      postBalances: simulation.postBalances ?? null,
      postTokenBalances: simulation.postTokenBalances ?? null,
      preBalances: simulation.preBalances ?? null,
      preTokenBalances: simulation.preTokenBalances ?? null,
      replacementBlockhash: replacement,
      returnData: returnDataJson(simulation.returnData),
      unitsConsumed: simulation.unitsConsumed,
    });
  }

  #statusOf(signature: string, searchHistory: boolean): Json {
    const found = this.#chain.journal.transactionStatus(signature);
    if (!found) return null;
    const { slot: current, root } = { slot: this.#bank.clock.slot, root: this.#bank.root };
    if (!searchHistory && found.slot < current - STATUS_CACHE_SLOTS) return null;
    const err = parseErr(found.err);
    const final = found.slot <= root;
    return {
      slot: found.slot,
      confirmations: final ? null : Math.min(current - found.slot, FINALITY_SLOTS - 1),
      status: statusOf(err),
      err,
      confirmationStatus: final ? 'finalized' : 'confirmed',
    };
  }

  async #airdrop(address: string, lamports: bigint, blockhash: string | undefined): Promise<Json> {
    verifyKey(address);
    // Equal requests within one slot would make equal transactions: an older blockhash, still valid, tells them apart.
    const newest = this.#bank.clock.slot;
    let transaction: ParsedTransaction | undefined;
    for (let slot = newest; slot >= Math.max(0, newest - MAX_BLOCKHASH_AGE + 1); slot--) {
      const hash = blockhash ?? this.#bank.blockhash(slot);
      const candidate = parseTransaction(this.#faucet.transfer(address, lamports, hash));
      if (
        !this.#airdrops.has(candidate.signature) &&
        !this.#chain.journal.hasTransaction(candidate.signature)
      ) {
        transaction = candidate;
        break;
      }
      if (blockhash !== undefined) break;
    }
    if (!transaction) throw internalError('Internal error');
    const { signature } = transaction;
    this.#airdrops.add(signature);
    try {
      const outcome = await this.#chain.submit(transaction);
      if (!outcome.landed || outcome.transaction.err !== null) throw internalError('Internal error');
    } finally {
      this.#airdrops.delete(signature);
    }
    return signature;
  }

  /** Signatures of airdrops that wait for their commit. */
  readonly #airdrops = new Set<string>();

  #blockTime(slot: number): Json {
    if (slot > this.#bank.clock.slot) throw blockNotAvailable(slot);
    return this.#bank.clock.unixTimestamp(slot);
  }

  #tokenProgramAndMint(
    wanted: { mint: string } | { programId: string },
    level: Commitment,
  ): { program: string; mint: string | undefined } {
    if ('mint' in wanted) {
      const mint = verifyKey(wanted.mint);
      if (mint === NATIVE_MINT) return { program: TOKEN_PROGRAM, mint };
      const account = this.#bank.account(mint, level);
      if (!account) throw invalidParams('Invalid param: could not find mint');
      if (!decodeMint(account.data)) throw invalidParams('Invalid param: Token mint could not be unpacked');
      if (!isTokenProgram(account.owner)) throw invalidParams('Invalid param: not a Token mint');
      return { program: account.owner, mint };
    }
    const program = verifyKey(wanted.programId);
    if (!isTokenProgram(program)) throw invalidParams('Invalid param: unrecognized Token program id');
    return { program, mint: undefined };
  }

  #table(): Record<string, Method> {
    const chain = this.#chain;
    const text = z.string();
    return {
      getHealth: method(z.tuple([]), () => {
        if (chain.unhealthy !== undefined) throw nodeUnhealthy();
        return 'ok';
      }),
      getVersion: method(z.tuple([]), () => ({ 'feature-set': FEATURE_SET, 'solana-core': SOLANA_VERSION })),
      getGenesisHash: method(z.tuple([]), () => this.#genesisHash),
      getSlot: method(z.tuple([contextConfig.optional()]), ([config]) => this.#context(config).slot),
      getBlockHeight: method(z.tuple([contextConfig.optional()]), ([config]) => this.#context(config).slot),
      getEpochInfo: method(z.tuple([contextConfig.optional()]), ([config]) => {
        const { slot } = this.#context(config);
        return {
          absoluteSlot: slot,
          blockHeight: slot,
          epoch: Math.floor(slot / SLOTS_PER_EPOCH),
          slotIndex: slot % SLOTS_PER_EPOCH,
          slotsInEpoch: SLOTS_PER_EPOCH,
          transactionCount: this.#bank.transactionCount,
        };
      }),
      getBlockTime: method(z.tuple([z.number().int().nonnegative()]), ([slot]) => this.#blockTime(slot)),
      getLatestBlockhash: method(z.tuple([contextConfig.optional()]), ([config]) => {
        const { slot } = this.#context(config);
        return this.#respond(slot, {
          blockhash: this.#bank.blockhash(slot),
          lastValidBlockHeight: slot + MAX_BLOCKHASH_AGE,
        });
      }),
      isBlockhashValid: method(z.tuple([text, contextConfig.optional()]), ([blockhash, config]) => {
        const bytes = blockhash.length > 44 ? new Uint8Array() : decodeBase58(blockhash);
        if (!bytes) throw invalidParams('Invalid');
        if (bytes.length !== 32) throw invalidParams('WrongSize');
        const { slot } = this.#context(config);
        return this.#respond(slot, this.#bank.isBlockhashValid(blockhash));
      }),
      getBalance: method(z.tuple([text, contextConfig.optional()]), ([address, config]) => {
        verifyKey(address);
        const { slot, commitment: level } = this.#context(config);
        return this.#respond(slot, this.#bank.account(address, level)?.lamports ?? 0n);
      }),
      getAccountInfo: method(z.tuple([text, accountConfig.optional()]), ([address, config]) => {
        verifyKey(address);
        const { slot, commitment: level } = this.#context(config);
        return this.#respond(slot, this.#encode(this.#bank.account(address, level), config, 'binary', level));
      }),
      getMultipleAccounts: method(
        z.tuple([z.array(text), accountConfig.optional()]),
        ([addresses, config]) => {
          if (addresses.length > MAX_MULTIPLE_ACCOUNTS) {
            throw invalidParams(`Too many inputs provided; max ${MAX_MULTIPLE_ACCOUNTS}`);
          }
          addresses.forEach(verifyKey);
          const { slot, commitment: level } = this.#context(config);
          const accounts = addresses.map((address) =>
            this.#encode(this.#bank.account(address, level), config, 'base64', level),
          );
          return this.#respond(slot, accounts);
        },
      ),
      getProgramAccounts: method(z.tuple([text, programConfig.optional()]), ([program, config]) => {
        verifyKey(program);
        const { dataSize, matches } = compileFilters(config?.filters ?? []);
        const { slot, commitment: level } = this.#context(config);
        const found = [...this.#bank.ownedBy(program, level, dataSize)].filter(([, account]) =>
          matches(account.data),
        );
        const accounts = this.#keyed(sortByAddress(found), config, level, isTokenProgram(program));
        return config?.withContext ? this.#respond(slot, accounts) : accounts;
      }),
      getTokenAccountBalance: method(z.tuple([text, commitmentConfig.optional()]), ([address, config]) => {
        verifyKey(address);
        const { slot, commitment: level } = this.#context(config);
        const account = this.#bank.account(address, level);
        if (!account) throw invalidParams('Invalid param: could not find account');
        const token = isTokenProgram(account.owner) ? decodeTokenAccount(account.data) : undefined;
        if (!token) throw invalidParams('Invalid param: not a Token account');
        const decimals = decimalsOf(token.mint, this.#accountData(level));
        if (decimals === undefined) throw invalidParams('Invalid param: could not find mint');
        return this.#respond(slot, uiTokenAmount(token.amount, decimals));
      }),
      getTokenSupply: method(z.tuple([text, commitmentConfig.optional()]), ([address, config]) => {
        verifyKey(address);
        const { slot, commitment: level } = this.#context(config);
        const account = this.#bank.account(address, level);
        if (!account) throw invalidParams('Invalid param: could not find account');
        if (!isTokenProgram(account.owner)) throw invalidParams('Invalid param: not a Token mint');
        const mint = decodeMint(account.data);
        if (!mint) throw invalidParams('Invalid param: mint could not be unpacked');
        return this.#respond(slot, uiTokenAmount(mint.supply, mint.decimals));
      }),
      getTokenAccountsByOwner: method(
        z.tuple([
          text,
          z.union([z.looseObject({ mint: text }), z.looseObject({ programId: text })]),
          accountConfig.optional(),
        ]),
        ([owner, wanted, config]) => {
          verifyKey(owner);
          const { slot, commitment: level } = this.#context(config);
          const { program, mint } = this.#tokenProgramAndMint(wanted, level);
          const size = program === TOKEN_PROGRAM ? TOKEN_ACCOUNT_LENGTH : undefined;
          const ownerBytes = decodeBase58(owner) as Uint8Array;
          const mintBytes = mint === undefined ? undefined : (decodeBase58(mint) as Uint8Array);
          // The cheap comparison of bytes first: there may be many token accounts, and few of this owner.
          const found = [...this.#bank.ownedBy(program, level, size)].filter(
            ([, { data }]) =>
              Buffer.compare(data.subarray(32, 64), ownerBytes) === 0 &&
              (mintBytes === undefined || Buffer.compare(data.subarray(0, 32), mintBytes) === 0) &&
              decodeTokenAccount(data) !== undefined,
          );
          return this.#respond(slot, this.#keyed(sortByAddress(found), config, level, true));
        },
      ),
      getMinimumBalanceForRentExemption: method(z.tuple([u64, commitmentConfig.optional()]), ([length]) => {
        if (length > MAX_PERMITTED_DATA_LENGTH) throw invalidRequest('Invalid request');
        return this.#bank.minimumBalance(Number(length));
      }),
      getFeeForMessage: method(z.tuple([text, contextConfig.optional()]), ([encoded, config]) => {
        const type = 'solana_message::versions::VersionedMessage';
        const bytes = this.#decodeTransaction(encoded, 'base64', type);
        const { slot } = this.#context(config);
        try {
          const message = parseMessage(bytes);
          this.#bank.resolveLookups(message);
          return this.#respond(
            slot,
            this.#bank.isBlockhashValid(message.recentBlockhash) ? feeFor(message) : null,
          );
        } catch (error) {
          if (error instanceof DeserializeError) {
            throw invalidParams(`failed to deserialize ${type}: ${error.message}`);
          }
          if (error instanceof SanitizeError)
            throw invalidParams(`invalid transaction message: ${error.message}`);
          if (error instanceof LookupError) {
            throw invalidParams(`invalid transaction message: ${describe(error.error)}`);
          }
          throw error;
        }
      }),
      sendTransaction: method(z.tuple([text, sendConfig.optional()]), ([encoded, config]) =>
        this.#send(encoded, config),
      ),
      simulateTransaction: method(z.tuple([text, simulateConfig.optional()]), ([encoded, config]) =>
        this.#simulateTransaction(encoded, config),
      ),
      getSignatureStatuses: method(
        z.tuple([
          z.array(text),
          z.looseObject({ searchTransactionHistory: z.boolean() }).nullish().optional(),
        ]),
        ([signatures, config]) => {
          if (signatures.length > MAX_SIGNATURE_STATUSES) {
            throw invalidParams(`Too many inputs provided; max ${MAX_SIGNATURE_STATUSES}`);
          }
          signatures.forEach(verifySignature);
          const search = config?.searchTransactionHistory ?? false;
          return this.#respond(
            this.#bank.clock.slot,
            signatures.map((signature) => this.#statusOf(signature, search)),
          );
        },
      ),
      getSignaturesForAddress: method(
        z.tuple([
          text,
          z
            .looseObject({
              ...contextFields,
              before: text.nullish(),
              until: text.nullish(),
              limit: z.number().int().nonnegative().nullish(),
            })
            .nullish()
            .optional(),
        ]),
        ([address, config]) => {
          verifyKey(address);
          if (config?.before != null) verifySignature(config.before);
          if (config?.until != null) verifySignature(config.until);
          const limit = config?.limit ?? MAX_SIGNATURES_FOR_ADDRESS;
          if (limit === 0 || limit > MAX_SIGNATURES_FOR_ADDRESS) {
            throw invalidParams(`Invalid limit; max ${MAX_SIGNATURES_FOR_ADDRESS}`);
          }
          atLeastConfirmed(config?.commitment);
          const { slot } = this.#context(config);
          const { infos, missing } = this.#chain.journal.signaturesFor(address, {
            highestSlot: slot,
            before: config?.before ?? undefined,
            until: config?.until ?? undefined,
            limit,
          });
          if (missing !== undefined) throw filterTransactionNotFound(missing);
          const root = this.#bank.root;
          return infos.map((info) => ({
            signature: info.signature,
            slot: info.slot,
            err: parseErr(info.err),
            memo: info.memo,
            blockTime: info.blockTime,
            confirmationStatus: info.slot <= root ? 'finalized' : 'confirmed',
            transactionIndex: info.indexInSlot,
          }));
        },
      ),
      getTransaction: method(
        z.tuple([
          text,
          z
            .union([
              transactionEncoding,
              z.looseObject({
                commitment: lenientCommitment,
                encoding: transactionEncoding.nullish(),
                maxSupportedTransactionVersion: z.number().int().min(0).max(255).nullish(),
              }),
            ])
            .nullish()
            .optional(),
        ]),
        ([signature, given]) => {
          verifySignature(signature);
          const config = typeof given === 'string' ? { encoding: given } : given;
          atLeastConfirmed(config?.commitment);
          const row = chain.journal.getTransaction(signature);
          if (!row || row.slot > this.#bank.slotAt(config?.commitment ?? 'finalized')) return null;
          return encodeTransaction(
            row,
            config?.encoding ?? 'json',
            config?.maxSupportedTransactionVersion ?? undefined,
          );
        },
      ),
      requestAirdrop: method(
        z.tuple([
          text,
          u64,
          z
            .looseObject({ commitment: lenientCommitment, recentBlockhash: text.nullish() })
            .nullish()
            .optional(),
        ]),
        ([address, lamports, config]) => {
          const blockhash = config?.recentBlockhash ?? undefined;
          if (blockhash !== undefined) verifyKey(blockhash);
          return this.#airdrop(address, BigInt(lamports), blockhash);
        },
      ),
      getRecentPrioritizationFees: method(z.tuple([z.array(text).nullish().optional()]), ([addresses]) => {
        const wanted = addresses ?? [];
        if (wanted.length > MAX_LOCKS) throw invalidParams(`Too many inputs provided; max ${MAX_LOCKS}`);
        wanted.forEach(verifyKey);
        const paid = new Map(chain.prioritizationFees.map((fee) => [fee.slot, fee]));
        const newest = this.#bank.clock.slot;
        const fees: Json[] = [];
        for (let slot = Math.max(0, newest - MAX_BLOCKHASH_AGE + 1); slot <= newest; slot++) {
          let prioritizationFee = paid.get(slot)?.lowest ?? 0n;
          for (const address of wanted) {
            const fee = paid.get(slot)?.byAccount.get(address);
            if (fee !== undefined && fee > prioritizationFee) prioritizationFee = fee;
          }
          fees.push({ slot, prioritizationFee });
        }
        return fees;
      }),
    };
  }
}

const sendConfig = z
  .looseObject({
    skipPreflight: z.boolean().optional(),
    preflightCommitment: commitment.nullish(),
    encoding: z.string().nullish(),
    maxRetries: z.number().int().nonnegative().nullish(),
    minContextSlot: z.number().int().nonnegative().nullish(),
  })
  .nullish();
type SendConfig = z.infer<typeof sendConfig>;

const simulateConfig = z
  .looseObject({
    ...contextFields,
    sigVerify: z.boolean().optional(),
    replaceRecentBlockhash: z.boolean().optional(),
    encoding: z.string().nullish(),
    innerInstructions: z.boolean().optional(),
    accounts: z
      .looseObject({ encoding: accountEncoding.nullish(), addresses: z.array(z.string()) })
      .nullish(),
  })
  .nullish();
type SimulateConfig = z.infer<typeof simulateConfig>;

/** In the order of the addresses' bytes, as a node returns them. */
function sortByAddress(accounts: [string, StoredAccount][]): [string, StoredAccount][] {
  return accounts
    .map((entry) => ({ entry, key: decodeBase58(entry[0]) as Uint8Array }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ entry }) => entry);
}

function returnDataJson(returned: { programId: string; data: string } | undefined): Json {
  return returned ? { programId: returned.programId, data: [returned.data, 'base64'] } : null;
}

function atLeastConfirmed(level: Commitment | null | undefined): void {
  if (level === 'processed') throw invalidParams('Method does not support commitment below `confirmed`');
}
