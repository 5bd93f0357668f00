import { GtxError } from '@gridtokenx/protocol';
import type { Logger } from 'pino';
import { nextStep, type Observation } from './outcome.js';
import { partItems, planMeter } from './plan.js';
import {
  type MeterWork,
  type OpenSettlement,
  type SettlementChain,
  type SettlementItem,
  SettlementRefused,
  type SettlementStore,
} from './ports.js';
import { classifyRefusal, type Refusal } from './refusal.js';

/** Counts for metrics and for tests; each method is called once for each such thing that happened. */
export interface SettlementObserver {
  prepared(meters: number): void;
  confirmed(meters: number): void;
  finalized(): void;
  dropped(): void;
  expired(): void;
  refused(refusal: Refusal): void;
  waiting(reason: string): void;
  outage(): void;
}

export interface EngineOptions {
  readonly store: SettlementStore;
  readonly chain: SettlementChain;
  readonly logger: Logger;
  readonly observer: SettlementObserver;
  /** Meters leased at a time. */
  readonly batchMeters: number;
  /** Waits between two looks at the chain; returns early when the engine is to stop. */
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly stopping: () => boolean;
  /** Told why the fee payer cannot pay; never throws. */
  readonly cannotPay: (reason: string) => Promise<void>;
  /** Told of a transaction that a fork took back; never throws. */
  readonly dropped: (signature: string) => Promise<void>;
}

/** How long to wait after a refusal that has nothing to do with the meters. */
const RETRY_DELAY_MS = 5_000;
const WAIT_DELAY_MS = 60_000;
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 1_000;
/** How often the same bytes are sent again while they can still land, in looks at the chain. */
const RESEND_EVERY_LOOKS = 5;

/**
 * One collector's settlement: leases meters, packs their newest readings into transactions, commits each
 * transaction's row before it is sent, and follows every row to its end. Crash-safe by construction: what is not in
 * the store was not sent, and what is in the store is followed by whoever finds it.
 */
export class SettlementEngine {
  private readonly looks = new Map<string, number>();

  constructor(private readonly options: EngineOptions) {}

  /**
   * Settles everything that is due, batch by batch, and returns when nothing is due and nothing is on its way. A
   * transaction whose outcome takes its time keeps only its own meters waiting. Settlements that an earlier run
   * (ours, or of a collector that died) left behind are followed too.
   * @throws GtxError CHAIN_UNAVAILABLE during an outage; the next run goes on where this one stopped.
   */
  async run(): Promise<void> {
    const { store, batchMeters, pause, stopping } = this.options;
    let delay = FIRST_LOOK_MS;
    while (!stopping()) {
      const open = await store.takePrepared();
      const closed = open.length > 0 ? await this.look(open) : 0;
      if (stopping()) return;
      const work = await store.lease(batchMeters);
      if (work.length > 0) await this.settleBatch(work);
      else if (open.length === 0) return;
      if (work.length > 0 || closed > 0) delay = FIRST_LOOK_MS;
      if (closed < open.length) {
        await pause(delay);
        delay = Math.min(delay * 2, LONGEST_LOOK_MS);
      }
    }
  }

  /**
   * Looks at what is applied and not final, oldest first: what has become final is closed, what a fork took back is
   * returned. Ends at the first page of which nothing is final yet.
   */
  async sweep(pageSize = 200): Promise<void> {
    while (!this.options.stopping()) {
      const page = await this.options.store.takeApplied(pageSize);
      const closed = page.length > 0 ? await this.look(page) : 0;
      if (closed === 0 || page.length < pageSize) return;
    }
  }

  private async settleBatch(work: readonly MeterWork[]): Promise<void> {
    const { store, chain } = this.options;
    const open = new Set(work.map(({ meterId }) => meterId));
    try {
      const view = await chain.inspect([...open]);
      const items: SettlementItem[] = [];
      const wallets = new Map<string, string>();
      for (const meter of work) {
        const plan = planMeter(meter, view);
        switch (plan.kind) {
          case 'settle':
            items.push(plan.item);
            if (plan.needsTokenAccount) wallets.set(plan.item.meterId, plan.item.wallet);
            break;
          case 'behind':
            await chain.catchUp(meter.meterId);
            // Rests a little, so that a history the node does not show yet is not asked for in a loop.
            await store.postpone(meter.meterId, 'BEHIND_CHAIN', RETRY_DELAY_MS);
            open.delete(meter.meterId);
            break;
          case 'nothing':
            await store.nothingToSettle(meter.meterId, plan.throughSequence);
            open.delete(meter.meterId);
            break;
          case 'wait':
            this.options.observer.waiting(plan.reason);
            await store.postpone(meter.meterId, plan.reason, plan.delayMs);
            open.delete(meter.meterId);
            break;
        }
      }
      const alone = new Set(work.filter((meter) => meter.alone).map(({ meterId }) => meterId));
      if (wallets.size > 0) {
        // A wallet without an account is left to the chain, which refuses it and is counted, but not with others.
        const without = new Set(await chain.ensureTokenAccounts([...new Set(wallets.values())]));
        for (const [meterId, wallet] of wallets) if (without.has(wallet)) alone.add(meterId);
      }
      const { together, single } = partItems(items, alone);
      const packs = [
        ...(together.length > 0 ? await chain.pack(together) : []),
        ...single.map((item) => [item]),
      ];
      for (const pack of packs) {
        if (this.options.stopping()) return;
        await this.settlePack(pack, open);
      }
    } catch (error) {
      if (error instanceof GtxError && error.code === 'CHAIN_UNAVAILABLE') this.options.observer.outage();
      throw error;
    } finally {
      // Whatever neither got a settlement row nor was judged goes back as it was.
      if (open.size > 0) await store.release([...open]);
    }
  }

  /** Removes from `open` every meter whose lease it has settled one way or the other. */
  private async settlePack(items: readonly SettlementItem[], open: Set<string>): Promise<void> {
    const { store, chain, observer, logger } = this.options;
    let prepared: Awaited<ReturnType<SettlementChain['prepare']>>;
    try {
      prepared = await chain.prepare(items);
    } catch (error) {
      if (!(error instanceof SettlementRefused)) throw error;
      const { refusal } = error;
      await this.noteFeePayer(refusal);
      if (items.length > 1 && refusal.kind !== 'retry') {
        logger.info(
          { meters: items.map((i) => i.meterId), refusal },
          'a batch is refused: one meter at a time',
        );
        for (const item of items) await this.settlePack([item], open);
        return;
      }
      for (const item of items) {
        await this.refuse(item, refusal);
        open.delete(item.meterId);
      }
      return;
    }

    // From here on the row speaks for the transaction: nothing is sent that is not written down.
    const committed = await store.prepare(prepared, items);
    for (const item of items) open.delete(item.meterId);
    if (!committed) {
      await store.release(items.map(({ meterId }) => meterId));
      return;
    }
    observer.prepared(items.length);
    logger.info(
      { signature: prepared.signature, meters: items.map(({ meterId }) => meterId) },
      'settlement committed, sending',
    );
    try {
      await chain.send(prepared.wire);
      this.looks.set(prepared.signature, 1);
    } catch (error) {
      // The row is there: whether it arrived is found out by following it, which also sends it again.
      logger.warn({ signature: prepared.signature, err: error }, 'a settlement could not be sent yet');
    }
  }

  private async refuse(item: SettlementItem, refusal: Refusal): Promise<void> {
    const { store, observer, chain } = this.options;
    switch (refusal.kind) {
      case 'wait':
        observer.waiting(refusal.name);
        return store.postpone(item.meterId, refusal.name, WAIT_DELAY_MS);
      case 'retry':
        return store.postpone(item.meterId, refusal.name, RETRY_DELAY_MS);
      case 'behind':
        await chain.catchUp(item.meterId);
        return store.postpone(item.meterId, refusal.name, RETRY_DELAY_MS);
      case 'refused':
        observer.refused(refusal);
        return store.refuse(item.meterId, item.throughSequence, refusal);
    }
  }

  private async noteFeePayer(refusal: Refusal): Promise<void> {
    if (!/InsufficientFundsForFee|AccountNotFound|InsufficientFundsForRent/.test(refusal.name)) return;
    await this.options.cannotPay(refusal.name);
  }

  /** One look at each; returns how many are not open any more. */
  private async look(settlements: readonly OpenSettlement[]): Promise<number> {
    const seen = await this.options.chain.observe(settlements, new Set());
    const unsure: OpenSettlement[] = [];
    let closed = 0;
    for (const settlement of settlements) {
      const observation = seen.get(settlement.signature);
      if (!observation) continue;
      if (nextStep(settlement, observation) === 'ask_accounts') unsure.push(settlement);
      else if (await this.act(settlement, observation)) closed += 1;
    }
    if (unsure.length > 0) {
      const signatures = new Set(unsure.map(({ signature }) => signature));
      const again = await this.options.chain.observe(unsure, signatures);
      for (const settlement of unsure) {
        const observation = again.get(settlement.signature);
        if (observation && (await this.act(settlement, observation))) closed += 1;
      }
    }
    return closed;
  }

  private async act(settlement: OpenSettlement, observation: Observation): Promise<boolean> {
    const { store, chain, observer, logger } = this.options;
    const log = { signature: settlement.signature };
    const step = nextStep(settlement, observation);
    if (step !== 'wait' && step !== 'send') this.looks.delete(settlement.signature);
    switch (step) {
      case 'wait':
      case 'ask_accounts':
        return false;
      case 'send': {
        const looks = this.looks.get(settlement.signature) ?? 0;
        this.looks.set(settlement.signature, looks + 1);
        if (settlement.wire && looks % RESEND_EVERY_LOOKS === 0) {
          await chain.send(settlement.wire).catch((error: unknown) => {
            logger.warn({ ...log, err: error }, 'a settlement could not be sent again yet');
          });
        }
        return false;
      }
      case 'apply': {
        const applied = await chain.apply(settlement.signature);
        if (applied) {
          observer.confirmed(settlement.items.length);
          logger.info({ ...log, meters: settlement.items.length }, 'settlement confirmed');
        }
        return applied;
      }
      case 'move':
        await chain.reapply(settlement.signature);
        logger.warn(log, 'a transaction landed again in another slot');
        return false;
      case 'fail': {
        const text = observation.sight.kind === 'landed' ? (observation.sight.error ?? '') : '';
        const [name = 'Unknown'] = text.split(':');
        const refusal = classifyRefusal(name, text);
        logger.warn({ ...log, refusal }, 'a settlement was executed and refused');
        if (refusal.kind === 'refused') observer.refused(refusal);
        await store.fail(settlement, refusal);
        return true;
      }
      case 'expire':
        observer.expired();
        logger.warn(log, 'a settlement expired without being executed; its readings are settled anew');
        await store.close(settlement, 'expired');
        return true;
      case 'supersede':
        for (const { meterId } of settlement.items) await chain.catchUp(meterId);
        await store.close(settlement, 'superseded');
        return true;
      case 'finalize':
        observer.finalized();
        await store.finalize(settlement);
        return true;
      case 'drop':
        observer.dropped();
        await store.drop(settlement);
        await this.options.dropped(settlement.signature);
        return true;
    }
  }
}
