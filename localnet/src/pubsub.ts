// Subscriptions over WebSocket (agave: rpc/src/rpc_pubsub.rs, rpc_subscriptions.rs).
import { z } from 'zod';
import { isTokenProgram, SYSTEM_PROGRAM } from './addresses.js';
import { type Commitment, type LandedTransaction, RENT_EXEMPT_EPOCH, type SlotRecord } from './bank.js';
import { decodeBase58 } from './base58.js';
import type { Chain, ChainListener } from './chain.js';
import { type AccountEncoding, encodeAccount, parseErr } from './encode.js';
import type { StoredAccount } from './journal.js';
import type { Json } from './json.js';
import {
  accountConfig,
  commitmentConfig,
  compileFilters,
  lenientCommitment,
  programConfig,
} from './methods.js';
import { internalError, invalidParams, methodNotFound, RpcError } from './rpc-error.js';
import type { TransactionError } from './transaction-error.js';

/** Sends one message to the subscriber's connection. */
export type Send = (message: Json) => void;

/** Subscriptions that one connection may hold. */
const MAX_SUBSCRIPTIONS = 10_000;

type Kind =
  | { type: 'account'; address: string; encoding: AccountEncoding; commitment: Commitment }
  | {
      type: 'program';
      program: string;
      encoding: AccountEncoding;
      matches: (data: Uint8Array) => boolean;
      commitment: Commitment;
    }
  | { type: 'logs'; mentions: string | undefined; commitment: Commitment }
  | { type: 'signature'; signature: string; received: boolean; commitment: Commitment }
  | { type: 'slot' };

interface Subscription {
  id: number;
  kind: Kind;
  send: Send;
  connection: Connection;
}

/** One WebSocket connection's subscriptions. */
export interface Connection {
  subscriptions: Set<number>;
  send: Send;
}

const text = z.string();
const encodings: readonly AccountEncoding[] = ['binary', 'base58', 'base64', 'jsonParsed'];

function key(value: string, thing: string, length: number): string {
  const bytes = value.length > 2 * length ? undefined : decodeBase58(value);
  if (bytes?.length !== length) throw invalidParams(`Invalid Request: Invalid ${thing} provided`);
  return value;
}

function encodingOf(given: string | null | undefined): AccountEncoding {
  const encoding = given ?? 'binary';
  const known = encodings.find((name) => name === encoding);
  if (!known) throw invalidParams(`${encoding} encoding is not offered by localnet; use base64`);
  return known;
}

export class PubSub implements ChainListener {
  readonly #chain: Chain;
  readonly #subscriptions = new Map<number, Subscription>();
  #nextId = 0;

  constructor(chain: Chain) {
    this.#chain = chain;
    chain.listen(this);
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  connect(send: Send): Connection {
    return { subscriptions: new Set(), send };
  }

  disconnect(connection: Connection): void {
    for (const id of connection.subscriptions) this.#subscriptions.delete(id);
    connection.subscriptions.clear();
  }

  /**
   * Handles a request of a connection. What has to follow the response (a notification about a signature that is
   * already on the chain) is returned as `after`.
   * @throws {RpcError}
   */
  call(connection: Connection, method: string, params: unknown): { result: Json; after?: () => void } {
    const match = /^(account|program|logs|signature|slot)(Subscribe|Unsubscribe)$/.exec(method);
    if (!match) throw methodNotFound();
    if (match[2] === 'Unsubscribe') {
      const [id] = parse(z.tuple([z.number().int().nonnegative()]), params);
      if (!connection.subscriptions.delete(id)) throw invalidParams('Invalid subscription id.');
      this.#subscriptions.delete(id);
      return { result: true };
    }
    const kind = this.#kind(match[1] as Kind['type'], params);
    if (connection.subscriptions.size >= MAX_SUBSCRIPTIONS) {
      throw internalError('Internal Error: Subscription refused. Node subscription limit reached');
    }
    const id = this.#nextId++;
    const subscription: Subscription = { id, kind, send: connection.send, connection };
    this.#subscriptions.set(id, subscription);
    connection.subscriptions.add(id);
    if (kind.type === 'signature') {
      return { result: id, after: () => this.#signatureAlreadyThere(subscription, kind) };
    }
    return { result: id };
  }

  onSlot(from: number, to: number, root: number): void {
    const slots = [...this.#subscriptions.values()].filter(({ kind }) => kind.type === 'slot');
    if (slots.length === 0) return;
    // After a jump of the clock only the newest slot exists.
    const first = to - from > 100 ? to : from + 1;
    for (let slot = first; slot <= to; slot++) {
      const parent = slot === first ? from : slot - 1;
      for (const subscription of slots) {
        this.#notify(subscription, 'slotNotification', {
          parent,
          root: Math.max(0, root - (to - slot)),
          slot,
        });
      }
    }
  }

  onCommitted(transactions: LandedTransaction[]): void {
    const slot = transactions[0]?.slot ?? 0;
    const posts = new Map<string, StoredAccount | undefined>();
    for (const transaction of transactions) {
      for (const change of transaction.changes) posts.set(change.address, change.post);
    }
    this.#publish(slot, posts, transactions, (commitment) => commitment !== 'finalized');
  }

  onFinalized(records: SlotRecord[]): void {
    for (const record of records) {
      this.#publish(
        record.slot,
        record.post,
        record.transactions,
        (commitment) => commitment === 'finalized',
      );
    }
  }

  #publish(
    slot: number,
    accounts: Map<string, StoredAccount | undefined>,
    transactions: LandedTransaction[],
    concerns: (commitment: Commitment) => boolean,
  ): void {
    if (this.#subscriptions.size === 0) return;
    const bySignature = new Map<string, TransactionError>();
    for (const transaction of transactions) bySignature.set(transaction.signature, transaction.err);
    for (const subscription of [...this.#subscriptions.values()]) {
      const { kind } = subscription;
      if (kind.type === 'slot') continue;
      if (!concerns(kind.commitment)) {
        // Also those who wait for finality may ask to be told that the node has their transaction.
        const waiting = kind.type === 'signature' && kind.received && kind.commitment === 'finalized';
        if (waiting && bySignature.has(kind.signature)) this.#notifyReceived(subscription, slot);
        continue;
      }
      switch (kind.type) {
        case 'account':
          if (accounts.has(kind.address)) {
            const value = this.#encode(accounts.get(kind.address), kind.encoding, kind.commitment);
            this.#notify(subscription, 'accountNotification', { context: { slot }, value });
          }
          break;
        case 'program':
          for (const [pubkey, account] of accounts) {
            if (account?.owner !== kind.program || !kind.matches(account.data)) continue;
            const encoded = this.#encode(account, kind.encoding, kind.commitment);
            if (
              kind.encoding === 'jsonParsed' &&
              isTokenProgram(kind.program) &&
              Array.isArray(encoded.data)
            ) {
              continue;
            }
            this.#notify(subscription, 'programNotification', {
              context: { slot },
              value: { pubkey, account: encoded },
            });
          }
          break;
        case 'logs':
          for (const transaction of transactions) {
            if (kind.mentions !== undefined && !transaction.addresses.includes(kind.mentions)) continue;
            this.#notify(subscription, 'logsNotification', {
              context: { slot },
              value: { signature: transaction.signature, err: transaction.err, logs: transaction.logs },
            });
          }
          break;
        case 'signature': {
          const err = bySignature.get(kind.signature);
          if (err === undefined) break;
          if (kind.received) this.#notifyReceived(subscription, slot);
          this.#signatureDone(subscription, slot, err);
          break;
        }
      }
    }
  }

  #notifyReceived(subscription: Subscription, slot: number): void {
    this.#notify(subscription, 'signatureNotification', { context: { slot }, value: 'receivedSignature' });
  }

  #signatureAlreadyThere(subscription: Subscription, kind: Extract<Kind, { type: 'signature' }>): void {
    const found = this.#chain.journal.transactionStatus(kind.signature);
    if (!found || found.slot > this.#chain.bank.slotAt(kind.commitment)) return;
    this.#signatureDone(subscription, this.#chain.bank.slotAt(kind.commitment), parseErr(found.err));
  }

  /** A signature subscription ends with its notification. */
  #signatureDone(subscription: Subscription, slot: number, err: TransactionError): void {
    this.#notify(subscription, 'signatureNotification', { context: { slot }, value: { err } });
    subscription.connection.subscriptions.delete(subscription.id);
    this.#subscriptions.delete(subscription.id);
  }

  #encode(
    account: StoredAccount | undefined,
    encoding: AccountEncoding,
    commitment: Commitment,
  ): { [key: string]: Json } {
    // A closed account is announced as an empty one.
    const shown = account ?? {
      lamports: 0n,
      owner: SYSTEM_PROGRAM,
      executable: false,
      data: new Uint8Array(),
    };
    try {
      return encodeAccount(
        shown,
        encoding,
        undefined,
        (address) => this.#chain.bank.account(address, commitment)?.data,
      );
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const tooLarge = 'error: data too large for bs58 encoding';
      return {
        lamports: shown.lamports,
        data: encoding === 'binary' ? tooLarge : [tooLarge, 'base58'],
        owner: shown.owner,
        executable: shown.executable,
        rentEpoch: RENT_EXEMPT_EPOCH,
        space: shown.data.length,
      };
    }
  }

  #kind(type: Kind['type'], params: unknown): Kind {
    switch (type) {
      case 'account': {
        const [address, config] = parse(z.tuple([text, accountConfig.optional()]), params);
        return {
          type,
          address: key(address, 'pubkey', 32),
          encoding: encodingOf(config?.encoding),
          commitment: config?.commitment ?? 'finalized',
        };
      }
      case 'program': {
        const [program, config] = parse(z.tuple([text, programConfig.optional()]), params);
        return {
          type,
          matches: subscriptionFilters(config?.filters ?? []),
          program: key(program, 'pubkey', 32),
          encoding: encodingOf(config?.encoding),
          commitment: config?.commitment ?? 'finalized',
        };
      }
      case 'logs': {
        const filter = z.union([z.enum(['all', 'allWithVotes']), z.object({ mentions: z.array(text) })]);
        const [wanted, config] = parse(z.tuple([filter, commitmentConfig.optional()]), params);
        let mentions: string | undefined;
        if (typeof wanted === 'object') {
          const [only] = wanted.mentions;
          if (wanted.mentions.length !== 1 || only === undefined) {
            throw invalidParams('Invalid Request: Only 1 address supported');
          }
          mentions = key(only, 'mentions', 32);
        }
        return { type, mentions, commitment: config?.commitment ?? 'finalized' };
      }
      case 'signature': {
        const config = z
          .looseObject({
            commitment: lenientCommitment,
            enableReceivedNotification: z.boolean().nullish(),
          })
          .nullish();
        const [signature, given] = parse(z.tuple([text, config.optional()]), params);
        return {
          type,
          signature: key(signature, 'signature', 64),
          received: given?.enableReceivedNotification ?? false,
          commitment: given?.commitment ?? 'finalized',
        };
      }
      case 'slot':
        parse(z.tuple([]), params);
        return { type };
    }
  }

  #notify(subscription: Subscription, method: string, result: Json): void {
    subscription.send({ jsonrpc: '2.0', method, params: { result, subscription: subscription.id } });
  }
}

/** A node wraps the filters' own error once more here. */
function subscriptionFilters(filters: Parameters<typeof compileFilters>[0]): (data: Uint8Array) => boolean {
  try {
    return compileFilters(filters).matches;
  } catch (error) {
    if (error instanceof RpcError) throw invalidParams(`Invalid params: ${error.message}`);
    throw error;
  }
}

function parse<T extends z.ZodType>(schema: T, params: unknown): z.infer<T> {
  const parsed = schema.safeParse(params ?? []);
  if (parsed.success) return parsed.data;
  throw invalidParams(`Invalid params: ${parsed.error.issues[0]?.message ?? 'wrong type'}.`);
}
