import {
  buildSettlement,
  chainTime,
  ensureTokenAccounts,
  fetchConfig,
  GRID_TOKEN_PROGRAM_ID,
  gridMintAddress,
  instructions,
  maxMetersPerTransaction,
  meterAddress,
  mintAllowance,
  prepareTransaction,
  recentPriorityFee,
  type SettlementReading,
  SettlementTables,
  sendPrepared,
  settlementComputeUnits,
  simulate,
  toChainError,
} from '@gridtokenx/chain';
import { decodeBase58, GtxError } from '@gridtokenx/protocol';
import {
  type AddressLookupTableAccount,
  type Connection,
  type Keypair,
  PublicKey,
  type SignatureStatus,
} from '@solana/web3.js';
import type pg from 'pg';
import type { Logger } from 'pino';
import { fetchSnapshot, statusOf } from '../mirror/accounts.js';
import { readLanded } from '../mirror/landed.js';
import type { ChainMirror } from '../mirror/mirror.js';
import { MIRRORED_PROGRAMS } from '../mirror/programs.js';
import type { Observation, SignatureSight } from './outcome.js';
import { chunk } from './plan.js';
import {
  type ChainView,
  type MeterOnChain,
  type OpenSettlement,
  type PreparedTransaction,
  type SettlementChain,
  type SettlementItem,
  SettlementRefused,
} from './ports.js';
import { classifyRefusal } from './refusal.js';

export interface RpcSettlementChainOptions {
  readonly connection: Connection;
  readonly feePayer: Keypair;
  readonly pool: pg.Pool;
  readonly mirror: Pick<ChainMirror, 'apply' | 'reapply' | 'catchUpMeter'>;
  readonly logger: Logger;
  /** Highest priority fee in micro-lamports per compute unit; 0: none. */
  readonly maxPriorityMicroLamports: number;
  /** Told of a refusal that the fee payer, and no meter, is to blame for. */
  readonly onRefusedPayment: (message: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** getSignatureStatuses takes at most this many. */
const STATUSES_PER_REQUEST = 256;
const ACCOUNTS_PER_REQUEST = 100;
const HISTORY_PAGE = 1000;
/** Pages of history read to find out what became of one transaction. */
const HISTORY_PAGES = 10;
/** A single transaction needs no lookup table; from here on one pays. */
const TABLE_FROM_METERS = 2;
/** SPL token account: mint, owner, amount, delegate option and key, then the state byte. */
const TOKEN_ACCOUNT_OWNER_OFFSET = 32;
const TOKEN_ACCOUNT_STATE_OFFSET = 108;
const TOKEN_ACCOUNT_FROZEN = 2;

/** The settlement's side of the chain, over JSON-RPC. */
export class RpcSettlementChain implements SettlementChain {
  private tables: SettlementTables | undefined;
  private readonly tablesOf = new WeakMap<readonly SettlementItem[], readonly AddressLookupTableAccount[]>();

  constructor(private readonly options: RpcSettlementChainOptions) {}

  async inspect(meterIds: readonly string[]): Promise<ChainView> {
    const { connection } = this.options;
    const config = await fetchConfig(connection);
    if (!config) {
      throw new GtxError(
        'CHAIN_UNAVAILABLE',
        'the registry is not initialised on this chain: run gtx chain init',
      );
    }
    const snapshot = await fetchSnapshot(
      connection,
      meterIds.map((meterId) => meterAddress(meterId).toBase58()),
    );
    const accounts = [...snapshot.meters.values()];
    const tokenAccounts = new Map<string, MeterOnChain['tokenAccountState']>();
    const addresses = [...new Set(accounts.map(({ tokenAccount }) => tokenAccount.toBase58()))];
    const owners = new Map(accounts.map(({ tokenAccount, owner }) => [tokenAccount.toBase58(), owner]));
    for (const some of chunk(addresses, ACCOUNTS_PER_REQUEST)) {
      try {
        const infos = await connection.getMultipleAccountsInfo(
          some.map((address) => new PublicKey(address)),
          'confirmed',
        );
        some.forEach((address, index) => {
          const info = infos[index];
          const owner = owners.get(address);
          tokenAccounts.set(address, tokenAccountState(info?.owner, info?.data, owner));
        });
      } catch (error) {
        throw toChainError(error);
      }
    }
    // The clock that the programs go by; without caps nothing depends on it.
    const capped = config.dailyMintCap > 0n || accounts.some(({ dailyMintCap }) => dailyMintCap > 0n);
    const now = capped ? await chainTime(connection) : 0n;
    return {
      paused: Boolean(config.paused),
      meters: new Map(
        accounts.map((meter) => [
          meter.meterId,
          {
            ...allowanceOf(meter, config, now),
            owner: meter.owner.toBase58(),
            ownerVerified: Boolean(snapshot.users.get(meter.owner.toBase58())?.verified),
            publicKey: meter.publicKey.toBase58(),
            status: statusOf(meter.status),
            lastSequence: meter.lastSequence,
            surplusTotal: meter.surplusTotal,
            eligible: meter.eligible,
            minted: meter.minted,
            tokenAccount: meter.tokenAccount.toBase58(),
            tokenAccountState: tokenAccounts.get(meter.tokenAccount.toBase58()) ?? 'missing',
          },
        ]),
      ),
    };
  }

  async ensureTokenAccounts(wallets: readonly string[]): Promise<readonly string[]> {
    const { connection, feePayer, pool, logger, signal, onRefusedPayment } = this.options;
    const { rows } = await pool.query<{ wallet_address: string }>(
      'SELECT wallet_address FROM token_accounts WHERE wallet_address = ANY($1::text[])',
      [wallets],
    );
    const result = await ensureTokenAccounts(
      connection,
      feePayer,
      wallets.map((wallet) => new PublicKey(wallet)),
      {
        paidBefore: new Set(rows.map(({ wallet_address }) => wallet_address)),
        expiryCommitment: 'confirmed',
        signal,
      },
    );
    if (result.created.length > 0) {
      await pool.query(
        `INSERT INTO token_accounts (wallet_address) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING`,
        [result.created],
      );
      logger.info({ wallets: result.created }, 'GRID token accounts created');
    }
    for (const wallet of result.closed) {
      logger.warn(
        { wallet },
        'a wallet’s GRID account was paid for once and closed since; its owner has to open it',
      );
    }
    for (const { wallet, error } of result.refused) {
      logger.warn({ wallet, err: error }, 'a wallet’s GRID account cannot be created');
      const reason = String(error.details?.reason ?? '');
      if (isPayment(reason)) await onRefusedPayment(reason);
    }
    return [...result.closed, ...result.refused.map(({ wallet }) => wallet)];
  }

  async pack(items: readonly SettlementItem[]): Promise<SettlementItem[][]> {
    if (items.length < TABLE_FROM_METERS) return items.map((item) => [item]);
    const readings = items.map((item) => Object.assign(readingOf(item), { item }));
    const tables = await this.loadTables();
    try {
      await tables.ensure(readings);
    } catch (error) {
      if (!(error instanceof GtxError) || error.code === 'CHAIN_UNAVAILABLE') throw error;
      // Tables only save fees: without one each meter goes alone.
      this.options.logger.warn({ err: error }, 'a lookup table cannot be made');
      const reason = String(error.details?.reason ?? '');
      if (isPayment(reason)) await this.options.onRefusedPayment(reason);
    }
    return tables.pack(readings).map(({ readings: some, lookupTables }) => {
      const pack = some.map(({ item }) => item);
      this.tablesOf.set(pack, lookupTables);
      return pack;
    });
  }

  async prepare(items: readonly SettlementItem[]): Promise<PreparedTransaction> {
    const { connection, feePayer } = this.options;
    const [first] = items;
    if (!first || items.length > maxMetersPerTransaction) {
      throw new RangeError(`a settlement takes 1 to ${maxMetersPerTransaction} meters, not ${items.length}`);
    }
    const lookupTables = this.tablesOf.get(items) ?? [];
    const fee = await this.priorityFee(items);
    let prepared: Awaited<ReturnType<typeof prepareTransaction>>;
    try {
      prepared =
        first.kind === 'mint'
          ? await prepareTransaction(connection, {
              payer: feePayer,
              instructions: [
                instructions.settleAndMintTokens({
                  meterId: first.meterId,
                  owner: new PublicKey(first.wallet),
                }),
              ],
              computeUnitLimit: settlementComputeUnits(1),
              ...fee,
            })
          : await buildSettlement(connection, {
              feePayer,
              readings: items.map(readingOf),
              lookupTables,
              ...fee,
            });
    } catch (error) {
      throw asRefusal(error);
    }
    const { failure } = await simulate(connection, prepared.transaction);
    if (failure) throw new SettlementRefused(classifyRefusal(failure.reason, failure.message));
    return {
      signature: prepared.signature,
      wire: prepared.wire,
      blockhash: prepared.blockhash,
      lastValidBlockHeight: prepared.lastValidBlockHeight,
    };
  }

  async send(wire: Uint8Array): Promise<void> {
    // Simulated before it was written down; a second time would only refuse what has landed meanwhile.
    await sendPrepared(this.options.connection, { wire, signature: '' }, { skipPreflight: true });
  }

  async observe(
    settlements: readonly OpenSettlement[],
    withAccounts: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, Observation>> {
    const { connection } = this.options;
    const seen = new Map<string, Observation>();
    try {
      // The heights come first: see Observation.
      const confirmed = await connection.getEpochInfo('confirmed');
      const finalized = await connection.getEpochInfo('finalized');
      for (const some of chunk(settlements, STATUSES_PER_REQUEST)) {
        const { context, value } = await connection.getSignatureStatuses(
          some.map(({ signature }) => signature),
          { searchTransactionHistory: true },
        );
        for (const [index, settlement] of some.entries()) {
          seen.set(settlement.signature, {
            sight: await this.sightOf(settlement.signature, value[index] ?? null),
            confirmedHeight: confirmed.blockHeight ?? 0,
            finalizedHeight: finalized.blockHeight ?? 0,
            consistent: context.slot >= confirmed.absoluteSlot,
            chainHolds: withAccounts.has(settlement.signature)
              ? await this.chainHolds(settlement)
              : undefined,
          });
        }
      }
    } catch (error) {
      throw toChainError(error);
    }
    return seen;
  }

  async apply(signature: string): Promise<boolean> {
    return this.options.mirror.apply(signature);
  }

  async reapply(signature: string): Promise<void> {
    await this.options.mirror.reapply([signature]);
  }

  async catchUp(meterId: string): Promise<void> {
    await this.options.mirror.catchUpMeter(meterId);
  }

  private async sightOf(signature: string, status: SignatureStatus | null): Promise<SignatureSight> {
    if (!status) return { kind: 'absent' };
    const { slot, err, confirmationStatus, confirmations } = status;
    // `confirmations: null` means rooted; old nodes give no confirmationStatus.
    const commitment = confirmationStatus ?? (confirmations === null ? 'finalized' : 'processed');
    if (err === null || commitment === 'processed') return { kind: 'landed', commitment, slot };
    // The status has only a number; the transaction's logs tell whose it is.
    const response = await this.options.connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    const error = response ? readLanded(signature, response).error : undefined;
    return { kind: 'landed', commitment, slot, error: error ?? `Unknown: ${JSON.stringify(err)}` };
  }

  /** What the meters' accounts and history say about the energy of a transaction without a status. */
  private async chainHolds(settlement: OpenSettlement): Promise<'this' | 'another' | 'nothing'> {
    const { meters } = await this.inspect(settlement.items.map(({ meterId }) => meterId));
    const covered = settlement.items.every(({ meterId, kind, throughSequence }) => {
      const meter = meters.get(meterId);
      if (!meter) return false;
      if (kind === 'submit') return meter.lastSequence >= throughSequence;
      // A mint takes all there is, or all that the day allows: the history tells which transaction did.
      return meter.eligible === meter.minted || meter.mintableNkwh === 0n;
    });
    if (!covered) return 'nothing';
    const [item] = settlement.items;
    // One that settles nothing is of any of the programs.
    const addresses = item ? [meterAddress(item.meterId)] : MIRRORED_PROGRAMS;
    let history: 'yes' | 'no' | 'unknown' = 'no';
    for (const address of addresses) {
      const answer = await this.historyHas(address, settlement.signature, settlement.slot);
      if (answer !== 'no') history = answer;
      if (answer === 'yes') break;
    }
    if (history === 'yes') return 'this';
    if (history === 'no') return item ? 'another' : 'nothing';
    // The node's history does not reach back. One that was seen executed is believed; one that was not, is not.
    return settlement.slot === undefined ? 'another' : 'this';
  }

  private async historyHas(
    address: PublicKey,
    signature: string,
    slot: number | undefined,
  ): Promise<'yes' | 'no' | 'unknown'> {
    let before: string | undefined;
    for (let pages = 0; pages < HISTORY_PAGES; pages++) {
      const page = await this.options.connection.getSignaturesForAddress(
        address,
        { limit: HISTORY_PAGE, ...(before === undefined ? {} : { before }) },
        'confirmed',
      );
      if (page.some((entry) => entry.signature === signature)) return 'yes';
      const last = page.at(-1);
      if (!last) return 'unknown';
      if (slot !== undefined && last.slot < slot) return 'no';
      if (page.length < HISTORY_PAGE) return 'unknown';
      before = last.signature;
    }
    return 'unknown';
  }

  /** The tables of this fee payer, as the database knows them and the chain has them. */
  private async loadTables(): Promise<SettlementTables> {
    if (this.tables) return this.tables;
    const { connection, feePayer, pool, signal } = this.options;
    const authority = feePayer.publicKey.toBase58();
    const { rows } = await pool.query<{ address: string }>(
      `SELECT address FROM lookup_tables WHERE authority = $1 AND purpose = 'settlement' ORDER BY created_at`,
      [authority],
    );
    const tables = new SettlementTables({
      connection,
      authority: feePayer,
      addresses: rows.map(({ address }) => address),
      onCreated: async (address) => {
        await pool.query(
          'INSERT INTO lookup_tables (address, authority) VALUES ($1, $2) ON CONFLICT DO NOTHING',
          [address, authority],
        );
      },
      signal,
    });
    await tables.load();
    this.tables = tables;
    return tables;
  }

  private async priorityFee(items: readonly SettlementItem[]): Promise<{ microLamportsPerCu?: number }> {
    const { connection, maxPriorityMicroLamports } = this.options;
    if (maxPriorityMicroLamports <= 0) return {};
    const fee = await recentPriorityFee(
      connection,
      [gridMintAddress(), ...items.map(({ meterId }) => meterAddress(meterId))],
      { percentile: 75, max: maxPriorityMicroLamports },
    );
    return fee > 0 ? { microLamportsPerCu: fee } : {};
  }
}

function readingOf(item: SettlementItem): SettlementReading {
  const { reading, meterId, wallet } = item;
  if (!reading) throw new RangeError(`the settlement of ${meterId} has no reading`);
  return {
    meterId,
    owner: new PublicKey(wallet),
    publicKey: decodeBase58(reading.publicKey),
    signature: reading.signature,
    message: reading.message,
  };
}

/** What may still be minted of a meter today, and how long today lasts, by the chain's clock. */
function allowanceOf(
  meter: Parameters<typeof mintAllowance>[0],
  config: Parameters<typeof mintAllowance>[1],
  now: bigint,
): Pick<MeterOnChain, 'mintableNkwh' | 'nextDayMs'> {
  const { leftNkwh, nextDay } = mintAllowance(meter, config, now);
  return { mintableNkwh: leftNkwh, nextDayMs: Number(nextDay - now) * 1000 };
}

function tokenAccountState(
  program: PublicKey | undefined,
  data: Buffer | undefined,
  owner: PublicKey | undefined,
): MeterOnChain['tokenAccountState'] {
  // Lamports that somebody sent to the address make an account of the system program, which can still become one.
  if (!program || program.equals(PublicKey.default)) return 'missing';
  if (!program.equals(GRID_TOKEN_PROGRAM_ID) || !data || data.length <= TOKEN_ACCOUNT_STATE_OFFSET)
    return 'unusable';
  if (data[TOKEN_ACCOUNT_STATE_OFFSET] === TOKEN_ACCOUNT_FROZEN) return 'frozen';
  const holder = data.subarray(TOKEN_ACCOUNT_OWNER_OFFSET, TOKEN_ACCOUNT_OWNER_OFFSET + 32);
  return owner && Buffer.from(owner.toBytes()).equals(holder) ? 'ready' : 'unusable';
}

function isPayment(reason: string): boolean {
  return /InsufficientFunds|AccountNotFound/.test(reason);
}

/** What the chain refuses while a transaction is built (it does not fit) is a refusal like any other. */
function asRefusal(error: unknown): unknown {
  if (error instanceof GtxError && error.code === 'CHAIN_REFUSED') {
    return new SettlementRefused(classifyRefusal(String(error.details?.reason ?? 'Unknown'), error.message));
  }
  return error;
}
