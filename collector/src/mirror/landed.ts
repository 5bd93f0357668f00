import {
  type ChainEvent,
  certificates,
  describeFailure,
  ED25519_PROGRAM_ID,
  energyToken,
  eventsOf,
  governance,
  oracle,
  readEd25519Instruction,
  registry,
  trading,
} from '@gridtokenx/chain';
import {
  decodeBase58,
  decodeReading,
  encodeBase58,
  encodeReading,
  READING_BYTES,
  type Reading,
} from '@gridtokenx/protocol';
import { PublicKey, type VersionedTransactionResponse } from '@solana/web3.js';
import type { LandedBalance } from './balances.js';
import { addressesIn, subjectOf } from './projections.js';
import { lostTradingEvents, RECOVERABLE_TRADING } from './trading-recovery.js';

/** submit_meter_reading: config, user, meter, instructions. */
const METER_OF_SUBMIT = 2;
/** submit_and_mint: behind its own accounts meter, user and token account for each signature. */
const ACCOUNTS_PER_METER = 3;

/** A reading that the registry accepted, with what the transaction says about it. Energies in nkWh. */
export interface AcceptedReading {
  readonly meterId: string;
  /** Address of the meter's account, base58. */
  readonly meter: string;
  /** The key it was signed with, base58. */
  readonly publicKey: string;
  readonly reading: Reading;
  readonly message: Uint8Array;
  /** Base58; from the Ed25519 instruction of the same transaction. */
  readonly signature: string;
  readonly counted: bigint;
  readonly held: bigint;
}

export interface LandedEvent {
  readonly index: number;
  readonly programId: string;
  readonly name: ChainEvent['name'];
  /** Address of the meter's account, where the event names one. */
  readonly meter: string | undefined;
  /** Every address that the event names, base58. */
  readonly accounts: readonly string[];
  /** The account whose state the event is about; see `chain_events.subject`. */
  readonly subject: string | undefined;
  /** The event's fields as JSON: integers of 64 bits as decimal strings, keys in base58, bytes in hex. */
  readonly json: Record<string, unknown>;
  readonly event: ChainEvent;
}

/**
 * A reading that a successful transaction handed to the registry, so that it was accepted, though its event is lost:
 * what of it counted is for the account to tell.
 */
export interface UnloggedReading {
  /** Address of the meter's account, base58. */
  readonly meter: string;
  readonly publicKey: string;
  readonly reading: Reading;
  readonly message: Uint8Array;
  readonly signature: string;
  /** Whether the instruction also mints. */
  readonly mints: boolean;
}

/** One executed transaction of the programs, taken apart. */
export interface LandedTransaction {
  readonly signature: string;
  readonly slot: number;
  /** Its index in its block; undefined when the node does not tell (before Agave 3). */
  readonly txIndex: number | undefined;
  /** Unix seconds by the cluster's clock. */
  readonly blockTime: number | undefined;
  /** Set when it was executed and refused: then it had no effects. */
  readonly error: string | undefined;
  readonly events: readonly LandedEvent[];
  readonly accepted: readonly AcceptedReading[];
  /** What the token accounts that it touched held afterwards. */
  readonly balances: readonly LandedBalance[];
  /** What a truncated transaction tells without its log; undefined when nothing is missing. */
  readonly recovery: Recovery | undefined;
}

/** What is known of a transaction whose log is cut off. Its mints are among the events: their calls tell them. */
export interface Recovery {
  /** Accepted readings without their event. */
  readonly readings: readonly UnloggedReading[];
  /** Every account that it wrote, base58: what happened to them may not be among the events. */
  readonly written: readonly string[];
  /** Instructions whose events cannot be made good from anything else in the transaction. */
  readonly lost: readonly string[];
}

/**
 * Takes a transaction apart as `getTransaction` gives it: its events, and for every reading that the registry
 * accepted the signed bytes from the Ed25519 instruction before it.
 */
export function readLanded(signature: string, response: VersionedTransactionResponse): LandedTransaction {
  const { meta, slot, blockTime, transaction } = response;
  const { message } = transaction;
  const keys = message.getAccountKeys(
    meta?.loadedAddresses ? { accountKeysFromLookups: meta.loadedAddresses } : undefined,
  );
  const nameOf = (index: number) => keys.get(index)?.toBase58() ?? '';
  const written: string[] = [];
  for (let index = 0; index < keys.length; index++)
    if (message.isAccountWritable(index)) written.push(nameOf(index));
  // web3.js does not know the field, and keeps it.
  const { transactionIndex } = response as { transactionIndex?: unknown };
  const txIndex = typeof transactionIndex === 'number' ? transactionIndex : undefined;
  const common = { signature, slot, txIndex, blockTime: blockTime ?? undefined, written };

  const err: unknown = meta?.err;
  if (err !== null && err !== undefined) {
    const programIds = message.compiledInstructions.map(({ programIdIndex }) => nameOf(programIdIndex));
    const failure = describeFailure(err, meta?.logMessages ?? [], programIds);
    return {
      ...common,
      error: `${failure.reason}: ${failure.message}`,
      events: [],
      accepted: [],
      balances: [],
      recovery: undefined,
    };
  }

  const decoded = eventsOf(meta);
  const events = decoded.events.map(landedEvent);

  // Signed messages by key and content: the instruction that was verified, wherever it stands.
  const signatures = new Map<string, string>();
  const submitted: UnloggedReading[] = [];
  for (const [index, { programIdIndex, data }] of message.compiledInstructions.entries()) {
    if (nameOf(programIdIndex) !== ED25519_PROGRAM_ID.toBase58()) continue;
    const next = message.compiledInstructions[index + 1];
    const call =
      next && nameOf(next.programIdIndex) === registry.programId.toBase58()
        ? registry.decodeInstruction(next.data)
        : undefined;
    for (const [position, entry] of (readEd25519Instruction(data, index) ?? []).entries()) {
      if (entry.message.length !== READING_BYTES) continue;
      const publicKey = encodeBase58(entry.publicKey);
      const signed = encodeBase58(entry.signature);
      signatures.set(keyOf(publicKey, entry.message), signed);
      const account = call && meterPosition(call.name, call.accountCount, position);
      const meter = account === undefined ? undefined : next?.accountKeyIndexes[account];
      if (!call || meter === undefined) continue;
      submitted.push({
        meter: nameOf(meter),
        publicKey,
        reading: decodeReading(entry.message),
        message: entry.message,
        signature: signed,
        mints: call.name === 'submit_and_mint',
      });
    }
  }
  if (decoded.truncated)
    events.push(...lostMints(response, nameOf, events), ...lostTradingEvents(response, nameOf, events));

  const accepted: AcceptedReading[] = [];
  for (const { event } of events) {
    if (event.name !== 'MeterReadingSubmitted') continue;
    const { data } = event;
    const reading: Reading = {
      flags: data.flags,
      sequence: data.sequence,
      intervalStart: data.intervalStart,
      intervalEnd: data.intervalEnd,
      producedTotal: data.producedTotal,
      consumedTotal: data.consumedTotal,
      surplusTotal: data.surplusTotal,
    };
    const bytes = encodeReading(reading);
    const publicKey = data.publicKey.toBase58();
    const signed = signatures.get(keyOf(publicKey, bytes));
    accepted.push({
      meterId: data.meterId,
      meter: data.meter.toBase58(),
      publicKey,
      reading,
      message: bytes,
      // The registry lets nothing pass without it; an instruction that cannot be read (called from another
      // program, offsets into elsewhere) leaves it empty, which the audit shows.
      signature: signed ?? '',
      counted: data.counted,
      held: data.held,
    });
  }
  return {
    ...common,
    error: undefined,
    events,
    accepted,
    balances: balancesOf(response, nameOf),
    recovery: decoded.truncated ? recover(response, nameOf, keys.length, accepted, submitted) : undefined,
  };
}

/** An event with what the database keeps beside it. */
export function landedEvent(event: ChainEvent): LandedEvent {
  const json = toJson(event.data) as Record<string, unknown>;
  return {
    index: event.index,
    programId: event.programId,
    name: event.name,
    meter: typeof json.meter === 'string' ? json.meter : undefined,
    accounts: addressesIn(event.data),
    subject: subjectOf(event.name, json),
    json,
    event,
  };
}

/** Token accounts after the transaction; one that it closed holds nothing. */
function balancesOf(
  { meta }: VersionedTransactionResponse,
  nameOf: (index: number) => string,
): LandedBalance[] {
  const found = new Map<number, LandedBalance>();
  const put = (
    entries: NonNullable<NonNullable<VersionedTransactionResponse['meta']>['postTokenBalances']>,
    amountOf: (text: string) => bigint,
  ) => {
    for (const entry of entries) {
      const { accountIndex, mint, owner, uiTokenAmount } = entry;
      const { programId } = entry as { programId?: string };
      if (owner === undefined || programId === undefined) continue;
      const amount = amountOf(uiTokenAmount.amount);
      found.set(accountIndex, {
        tokenAccount: nameOf(accountIndex),
        owner,
        mint,
        tokenProgram: programId,
        amount,
      });
    }
  };
  put(meta?.preTokenBalances ?? [], () => 0n);
  put(meta?.postTokenBalances ?? [], BigInt);
  return [...found.values()];
}

/** Calls whose events tell nothing that instructions and accounts do not tell too. */
const RECOVERABLE: ReadonlySet<string> = new Set([
  'submit_meter_reading',
  'submit_and_mint',
  'settle_meter_balance',
  'settle_and_mint_tokens',
  'get_unsettled_balance',
  'register_user',
  'get_price',
]);

/** Programs whose cut-off events are looked for in their calls; energy-token's mints are, by themselves. */
const CODECS: ReadonlyMap<string, { decodeInstruction(data: Uint8Array): { name: string } | undefined }> =
  new Map(
    [registry, trading, oracle, certificates, governance].map((codec) => [codec.programId.toBase58(), codec]),
  );

function recover(
  { transaction: { message }, meta }: VersionedTransactionResponse,
  nameOf: (index: number) => string,
  accounts: number,
  accepted: readonly AcceptedReading[],
  submitted: readonly UnloggedReading[],
): Recovery {
  const written: string[] = [];
  for (let index = 0; index < accounts; index++) {
    if (message.isAccountWritable(index)) written.push(nameOf(index));
  }
  const calls = [
    ...message.compiledInstructions.map(({ programIdIndex, data }) => ({ programIdIndex, data })),
    ...(meta?.innerInstructions ?? []).flatMap(({ instructions }) =>
      instructions.map(({ programIdIndex, data }) => ({ programIdIndex, data: innerData(data) })),
    ),
  ];
  const lost = new Set<string>();
  for (const { programIdIndex, data } of calls) {
    const codec = CODECS.get(nameOf(programIdIndex));
    if (!codec) continue;
    const name: string = codec.decodeInstruction(data)?.name ?? 'unknown';
    if (!RECOVERABLE.has(name) && !RECOVERABLE_TRADING.has(name)) lost.add(name);
  }
  const logged = new Set(accepted.map(({ meter, reading }) => `${meter}/${reading.sequence}`));
  return {
    readings: submitted.filter(({ meter, reading }) => !logged.has(`${meter}/${reading.sequence}`)),
    written,
    lost: [...lost],
  };
}

/** energy-token's mint_from_production: mint authority, config, mint, destination, token program. */
const DESTINATION_OF_MINT = 3;
/** Indexes of events that were read from calls: above any that a transaction can log. */
const FIRST_RECOVERED_INDEX = 10_000;

/** Mints whose event is cut off. The call from the registry, which is on record, names meter and amount. */
function lostMints(
  { meta }: VersionedTransactionResponse,
  nameOf: (index: number) => string,
  events: readonly LandedEvent[],
): LandedEvent[] {
  const logged = new Map<string, number>();
  for (const { event, meter } of events) {
    if (event.name === 'ProductionMinted' && meter) logged.set(meter, (logged.get(meter) ?? 0) + 1);
  }
  const found: LandedEvent[] = [];
  const programId = energyToken.programId.toBase58();
  for (const { instructions } of meta?.innerInstructions ?? []) {
    for (const { programIdIndex, accounts, data } of instructions) {
      if (nameOf(programIdIndex) !== programId) continue;
      const call = energyToken.decodeInstruction(innerData(data));
      if (call?.name !== 'mint_from_production') continue;
      const { meter: address, amount } = call.args as { meter: PublicKey; amount: bigint };
      const meter = address.toBase58();
      const known = logged.get(meter) ?? 0;
      if (known > 0) {
        logged.set(meter, known - 1);
        continue;
      }
      const index = FIRST_RECOVERED_INDEX + found.length;
      const ownerTokenAccount = new PublicKey(nameOf(accounts[DESTINATION_OF_MINT] ?? 0));
      found.push({
        index,
        programId,
        name: 'ProductionMinted',
        meter,
        accounts: [meter, ownerTokenAccount.toBase58()],
        subject: undefined,
        json: {
          meter,
          ownerTokenAccount: ownerTokenAccount.toBase58(),
          amount: amount.toString(),
          recovered: true,
        },
        event: {
          name: 'ProductionMinted',
          programId,
          index,
          data: { meter: address, ownerTokenAccount, amount, totalMinted: 0n },
        },
      });
    }
  }
  return found;
}

/** Inner instructions come with their data in base58. */
export function innerData(data: string): Uint8Array {
  return data === '' ? new Uint8Array() : decodeBase58(data);
}

/** Which of an instruction's accounts is the meter of signature `position`. */
function meterPosition(name: string, accountCount: number, position: number): number | undefined {
  if (name === 'submit_meter_reading') return position === 0 ? METER_OF_SUBMIT : undefined;
  return name === 'submit_and_mint' ? accountCount + ACCOUNTS_PER_METER * position : undefined;
}

function keyOf(publicKey: string, message: Uint8Array): string {
  return `${publicKey}:${Buffer.from(message).toString('hex')}`;
}

/** Integers of 64 bits become decimal strings, public keys base58, other bytes hex. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object' && value !== null) {
    if ('toBase58' in value && typeof value.toBase58 === 'function') return value.toBase58();
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
  }
  return value;
}
