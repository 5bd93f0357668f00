/**
 * A model of a chain with forks, lost transactions and outages, of a database whose operations are atomic, and of
 * collectors that die between any two operations. Used by the property tests of the engine only.
 */
import { GtxError } from '@gridtokenx/protocol';
import type { Observation, SettlementState } from '../outcome.js';
import { chunk } from '../plan.js';
import {
  type ChainView,
  type MeterWork,
  type OpenSettlement,
  type PreparedTransaction,
  type SettlementChain,
  type SettlementItem,
  SettlementRefused,
  type SettlementStore,
} from '../ports.js';
import { classifyRefusal, MAX_ATTEMPTS, type Refusal } from '../refusal.js';

const VALID_BLOCKS = 6;
const LEASE_TICKS = 10;

export interface ModelReading {
  sequence: bigint;
  total: bigint;
  signature: string | undefined;
  review: boolean;
}

interface ModelMeter {
  readings: ModelReading[];
  attempts: number;
  alone: boolean;
  leasedBy: string | undefined;
  leaseUntil: number;
  nextAttempt: number;
  /** The owner's token account is broken: the chain refuses every mint to it. */
  broken: boolean;
}

interface ModelTransaction {
  signature: string;
  items: readonly SettlementItem[];
  lastValid: number;
  /** Set when it is in a block of the current fork. */
  landed: { height: number; error?: string } | undefined;
  sent: boolean;
  external: boolean;
}

interface ModelRow {
  id: string;
  signature: string;
  state: SettlementState;
  collector: string;
  leaseUntil: number;
  lastValid: number;
  items: readonly SettlementItem[];
}

export class ModelWorld {
  height = 10;
  tick = 0;
  readonly meters = new Map<string, ModelMeter>();
  readonly transactions = new Map<string, ModelTransaction>();
  readonly rows = new Map<string, ModelRow>();
  /** Transactions whose effects are in the database: TRUE once final. */
  readonly applied = new Map<string, boolean>();
  /** Blocks above this height may still be forked away; kept at least one behind the tip. */
  finalizedHeight = 8;
  private next = 1;
  private outage = false;
  /** The same all the time: whoever fails together once fails together until they are parted. */
  private readonly packSize: number;

  constructor(private readonly random: () => number) {
    this.packSize = 1 + Math.floor(random() * 5);
  }

  addMeter(id: string, broken: boolean): void {
    this.meters.set(id, {
      readings: [],
      attempts: 0,
      alone: false,
      leasedBy: undefined,
      leaseUntil: 0,
      nextAttempt: 0,
      broken,
    });
  }

  addReading(id: string, amount: bigint): void {
    const meter = this.meter(id);
    const last = meter.readings.at(-1);
    meter.readings.push({
      sequence: (last?.sequence ?? 0n) + 1n,
      total: (last?.total ?? 0n) + amount,
      signature: undefined,
      review: false,
    });
  }

  meter(id: string): ModelMeter {
    const meter = this.meters.get(id);
    if (!meter) throw new Error(`no meter ${id}`);
    return meter;
  }

  /** The chain's account of a meter: what the landed transactions up to `height` made of it. */
  account(id: string, upTo = Number.POSITIVE_INFINITY): { lastSequence: bigint; minted: bigint } {
    let lastSequence = 0n;
    let minted = 0n;
    for (const { item } of this.executed(id, upTo)) {
      lastSequence = item.throughSequence;
      minted = this.totalAt(id, item.throughSequence);
    }
    return { lastSequence, minted };
  }

  /** Successful transactions of a meter on the current fork, in order of execution. */
  executed(id: string, upTo = Number.POSITIVE_INFINITY): { signature: string; item: SettlementItem }[] {
    const found: { signature: string; item: SettlementItem; height: number }[] = [];
    for (const { signature, items, landed } of this.transactions.values()) {
      if (!landed || landed.error !== undefined || landed.height > upTo) continue;
      for (const item of items)
        if (item.meterId === id) found.push({ signature, item, height: landed.height });
    }
    return found.sort((a, b) => Number(a.item.throughSequence - b.item.throughSequence));
  }

  totalAt(id: string, sequence: bigint): bigint {
    return this.meter(id).readings.find((reading) => reading.sequence === sequence)?.total ?? 0n;
  }

  /** Somebody else submits the newest reading straight to the chain. */
  submitDirectly(id: string): void {
    const meter = this.meter(id);
    const newest = meter.readings.at(-1);
    const { lastSequence } = this.account(id);
    if (!newest || meter.broken || newest.sequence <= lastSequence) return;
    const item = itemOf(id, lastSequence, newest.sequence);
    const signature = `external-${this.next++}`;
    this.transactions.set(signature, {
      signature,
      items: [item],
      lastValid: this.height,
      landed: { height: this.height },
      sent: true,
      external: true,
    });
  }

  /** A block passes: some of what was sent lands; leases grow older. */
  advance(): void {
    this.tick += 1;
    this.height += 1;
    this.finalizedHeight = Math.max(this.finalizedHeight, this.height - 4);
    for (const transaction of this.transactions.values()) {
      if (!transaction.sent || transaction.landed || this.height > transaction.lastValid) continue;
      if (this.random() < 0.5) this.execute(transaction);
    }
  }

  /** The tip is replaced: whatever landed above the finalized height is gone; it may land again or not. */
  fork(): void {
    for (const transaction of this.transactions.values()) {
      if (transaction.landed && transaction.landed.height > this.finalizedHeight) {
        transaction.landed = undefined;
        if (this.random() < 0.5) transaction.sent = false;
        // Somebody else's transaction that went with the fork is not sent again.
        if (transaction.external) transaction.sent = false;
      }
    }
  }

  setOutage(outage: boolean): void {
    this.outage = outage;
  }

  private execute(transaction: ModelTransaction): void {
    const error = this.refusalOf(transaction.items);
    transaction.landed = { height: this.height, ...(error === undefined ? {} : { error }) };
  }

  private refusalOf(items: readonly SettlementItem[]): string | undefined {
    for (const item of items) {
      if (item.throughSequence <= this.account(item.meterId).lastSequence) return 'StaleSequence';
      if (this.meter(item.meterId).broken) return 'AccountFrozen';
    }
    return undefined;
  }

  private reachable(): void {
    if (this.outage) throw new GtxError('CHAIN_UNAVAILABLE');
  }

  /** Brings the readings of a meter in line with what has been executed, as the mirror does. */
  private reconcile(id: string): void {
    for (const { signature, item } of this.executed(id)) {
      this.confirm(signature);
      for (const reading of this.meter(id).readings) {
        if (reading.sequence <= item.throughSequence) reading.signature ??= signature;
      }
    }
  }

  private confirm(signature: string): void {
    if (!this.applied.has(signature)) this.applied.set(signature, false);
    for (const row of this.rows.values()) {
      if (row.signature !== signature || row.state === 'confirmed' || row.state === 'finalized') continue;
      row.state = 'confirmed';
      for (const { meterId } of row.items) {
        const meter = this.meter(meterId);
        meter.attempts = 0;
        meter.alone = false;
      }
    }
  }

  /** What the mirror does beside: it lists what is on the chain and applies it. */
  mirrorPoll(): void {
    for (const id of this.meters.keys()) this.reconcile(id);
  }

  chainFor(): SettlementChain {
    const world = this;
    return {
      async inspect(ids): Promise<ChainView> {
        world.reachable();
        return {
          paused: false,
          meters: new Map(
            ids.map((id) => {
              const { lastSequence, minted } = world.account(id);
              return [
                id,
                {
                  owner: id,
                  ownerVerified: true,
                  publicKey: 'key',
                  status: 'active' as const,
                  lastSequence,
                  surplusTotal: minted,
                  eligible: minted,
                  minted,
                  tokenAccount: id,
                  tokenAccountState: 'ready' as const,
                  mintableNkwh: 2n ** 64n - 1n,
                  nextDayMs: 3_600_000,
                },
              ];
            }),
          ),
        };
      },
      async ensureTokenAccounts() {
        world.reachable();
        return [];
      },
      async pack(items) {
        world.reachable();
        return chunk(items, world.packSize);
      },
      async prepare(items): Promise<PreparedTransaction> {
        world.reachable();
        // A simulation sees what it sees now; half of the time the account breaks only later.
        const error = world.refusalOf(items);
        if (error !== undefined && world.random() < 0.5)
          throw new SettlementRefused(classifyRefusal(error, error));
        const signature = `ours-${world.next++}`;
        const lastValid = world.height + VALID_BLOCKS;
        world.transactions.set(signature, {
          signature,
          items,
          lastValid,
          landed: undefined,
          sent: false,
          external: false,
        });
        return {
          signature,
          wire: new TextEncoder().encode(signature),
          blockhash: 'hash',
          lastValidBlockHeight: lastValid,
        };
      },
      async send(wire) {
        world.reachable();
        const signature = new TextDecoder().decode(wire);
        const transaction = world.transactions.get(signature);
        if (!transaction) throw new Error(`unknown transaction ${signature}`);
        const row = [...world.rows.values()].find((candidate) => candidate.signature === signature);
        if (!row) throw new Error(`INVARIANT: ${signature} is sent without a committed row`);
        if (world.random() < 0.2) return; // lost on the way
        transaction.sent = true;
      },
      async observe(settlements, withAccounts) {
        world.reachable();
        const seen = new Map<string, Observation>();
        for (const settlement of settlements) {
          const landed = world.transactions.get(settlement.signature)?.landed;
          const commitment = !landed
            ? undefined
            : landed.height <= world.finalizedHeight
              ? ('finalized' as const)
              : landed.height < world.height
                ? ('confirmed' as const)
                : ('processed' as const);
          const covers = settlement.items.every(
            ({ meterId, throughSequence }) => world.account(meterId).lastSequence >= throughSequence,
          );
          seen.set(settlement.signature, {
            sight:
              landed && commitment
                ? {
                    kind: 'landed',
                    commitment,
                    slot: landed.height,
                    ...(landed.error === undefined ? {} : { error: landed.error }),
                  }
                : { kind: 'absent' },
            confirmedHeight: world.height - 1,
            finalizedHeight: world.finalizedHeight,
            consistent: world.random() < 0.9,
            chainHolds: withAccounts.has(settlement.signature) ? (covers ? 'another' : 'nothing') : undefined,
          });
        }
        return seen;
      },
      async apply(signature) {
        world.reachable();
        const transaction = world.transactions.get(signature);
        if (!transaction?.landed || transaction.landed.error !== undefined) return false;
        world.confirm(signature);
        for (const { meterId } of transaction.items) world.reconcile(meterId);
        return true;
      },
      async reapply() {
        // Here a row always knows the height at which its transaction is.
        world.reachable();
      },
      async catchUp(meterId) {
        world.reachable();
        world.reconcile(meterId);
      },
    };
  }

  storeFor(collector: string): SettlementStore {
    const world = this;
    const free = (id: string) => {
      const meter = world.meter(id);
      meter.leasedBy = undefined;
    };
    const followed = (signature: string, state: SettlementState): OpenSettlement => {
      const transaction = world.transactions.get(signature);
      if (!transaction) throw new Error(`unknown transaction ${signature}`);
      return {
        signature,
        state,
        wire: transaction.external ? undefined : new TextEncoder().encode(signature),
        lastValidBlockHeight: transaction.lastValid,
        slot: transaction.landed?.height,
        items: transaction.items.map(({ meterId, throughSequence, kind }) => ({
          meterId,
          throughSequence,
          kind,
        })),
      };
    };
    const rowOf = (signature: string) => [...world.rows.values()].find((row) => row.signature === signature);
    const busy = (id: string) =>
      [...world.rows.values()].some(
        (row) => row.state === 'prepared' && row.items.some(({ meterId }) => meterId === id),
      );
    const refuse = (id: string, sequence: bigint) => {
      const meter = world.meter(id);
      meter.attempts += 1;
      meter.nextAttempt = world.tick + 1;
      if (meter.attempts >= MAX_ATTEMPTS) {
        const reading = meter.readings.find((candidate) => candidate.sequence === sequence);
        if (reading) reading.review = true;
      }
      free(id);
    };
    return {
      async lease(limit) {
        const work: MeterWork[] = [];
        for (const [id, meter] of world.meters) {
          if (work.length >= limit) break;
          const newest = meter.readings.at(-1);
          if (!newest || newest.signature !== undefined || meter.readings.some((reading) => reading.review))
            continue;
          if (meter.leasedBy !== undefined && meter.leaseUntil > world.tick) continue;
          if (meter.nextAttempt > world.tick || busy(id)) continue;
          meter.leasedBy = collector;
          meter.leaseUntil = world.tick + LEASE_TICKS;
          work.push({
            meterId: id,
            wallet: id,
            reading: {
              sequence: newest.sequence,
              surplusTotal: newest.total,
              message: new Uint8Array(48),
              signature: new Uint8Array(64),
              publicKey: 'key',
            },
            attempts: meter.attempts,
            alone: meter.alone,
          });
        }
        return work;
      },
      async release(ids) {
        for (const id of ids) if (world.meter(id).leasedBy === collector) free(id);
      },
      async postpone(id) {
        world.meter(id).nextAttempt = world.tick + 1;
        free(id);
      },
      async refuse(id, sequence) {
        refuse(id, sequence);
      },
      async nothingToSettle(id, through) {
        for (const reading of world.meter(id).readings) {
          if (reading.sequence <= through) reading.signature ??= 'nothing';
        }
        free(id);
      },
      async prepare(transaction, items) {
        if (items.some(({ meterId }) => busy(meterId))) return false;
        for (const item of items) {
          for (const row of world.rows.values()) {
            if (!row.items.some(({ meterId }) => meterId === item.meterId)) continue;
            const earlier = world.transactions.get(row.signature);
            if (
              earlier &&
              !earlier.landed &&
              row.state === 'expired' &&
              world.height - 1 <= earlier.lastValid
            ) {
              throw new Error(
                `INVARIANT: ${item.meterId} is signed again before ${row.signature} has expired`,
              );
            }
          }
        }
        const id = String(world.rows.size + 1);
        world.rows.set(id, {
          id,
          signature: transaction.signature,
          state: 'prepared',
          collector,
          leaseUntil: world.tick + LEASE_TICKS,
          lastValid: transaction.lastValidBlockHeight,
          items,
        });
        for (const { meterId } of items) free(meterId);
        return true;
      },
      async takePrepared() {
        const taken: OpenSettlement[] = [];
        for (const row of world.rows.values()) {
          if (row.state !== 'prepared') continue;
          if (row.collector !== collector && row.leaseUntil > world.tick) continue;
          row.collector = collector;
          row.leaseUntil = world.tick + LEASE_TICKS;
          taken.push(followed(row.signature, 'prepared'));
        }
        return taken;
      },
      async takeApplied(limit) {
        return [...world.applied]
          .filter(([, final]) => !final)
          .slice(0, limit)
          .map(([signature]) => followed(signature, 'confirmed'));
      },
      async fail(settlement, refusal: Refusal) {
        const row = rowOf(settlement.signature);
        if (row?.state !== 'prepared') return;
        row.state = 'failed';
        for (const { meterId, throughSequence } of settlement.items) {
          if (refusal.kind === 'refused' && settlement.items.length === 1) refuse(meterId, throughSequence);
          else if (settlement.items.length > 1) world.meter(meterId).alone = true;
        }
      },
      async close(settlement, state) {
        const row = rowOf(settlement.signature);
        if (row?.state === 'prepared') row.state = state;
      },
      async finalize(settlement) {
        const row = rowOf(settlement.signature);
        if (row) row.state = 'finalized';
        if (world.applied.has(settlement.signature)) world.applied.set(settlement.signature, true);
      },
      async drop(settlement) {
        if (!world.applied.delete(settlement.signature)) return;
        const row = rowOf(settlement.signature);
        if (row) row.state = 'dropped';
        for (const { meterId } of settlement.items) {
          for (const reading of world.meter(meterId).readings) {
            if (reading.signature === settlement.signature) reading.signature = undefined;
          }
          world.reconcile(meterId);
        }
      },
    };
  }
}

function itemOf(meterId: string, afterSequence: bigint, throughSequence: bigint): SettlementItem {
  return {
    meterId,
    wallet: meterId,
    kind: 'submit',
    afterSequence,
    throughSequence,
    expectedNkwh: 0n,
    reading: undefined,
  };
}
