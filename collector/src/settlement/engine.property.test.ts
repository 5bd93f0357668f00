import fc from 'fast-check';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { SettlementEngine } from './engine.js';
import type { SettlementChain, SettlementStore } from './ports.js';
import { MAX_ATTEMPTS } from './refusal.js';
import { ModelWorld } from './testing/model.js';

const logger = pino({ level: 'silent' });
const observer = {
  prepared() {},
  confirmed() {},
  finalized() {},
  dropped() {},
  expired() {},
  refused() {},
  waiting() {},
  outage() {},
};

/** mulberry32: a small seeded generator, so that a failing run can be repeated from fast-check's seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Runs waiting calls one at a time, in random order; a killed collector's calls never return. */
class Scheduler {
  private waiting: { owner: string; go: () => void }[] = [];
  readonly dead = new Set<string>();

  constructor(private readonly random: () => number) {}

  /** Every operation of a collector is two turns: dying in the first loses the operation, in the second its answer. */
  wrap<T extends object>(owner: string, target: T): T {
    const turn = () => new Promise<void>((go) => this.waiting.push({ owner, go }));
    return new Proxy(target, {
      get: (object, name) => {
        const method = Reflect.get(object, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          await turn();
          let answer: { value: unknown } | { error: unknown };
          try {
            answer = { value: await method.apply(object, args) };
          } catch (error) {
            answer = { error };
          }
          await turn();
          if ('error' in answer) throw answer.error;
          return answer.value;
        };
      },
    });
  }

  pause(owner: string): Promise<void> {
    return new Promise((go) => this.waiting.push({ owner, go }));
  }

  async step(): Promise<boolean> {
    this.waiting = this.waiting.filter(({ owner }) => !this.dead.has(owner));
    const index = Math.floor(this.random() * this.waiting.length);
    const [chosen] = this.waiting.splice(index, 1);
    if (!chosen) return false;
    chosen.go();
    // The chosen collector runs until its next turn: a few microtasks deep at most.
    for (let i = 0; i < 30; i++) await Promise.resolve();
    return true;
  }
}

interface Collector {
  name: string;
  done: boolean;
}

async function play(seed: number, meters: number, steps: number) {
  const random = generator(seed);
  const world = new ModelWorld(random);
  const scheduler = new Scheduler(random);
  for (let i = 0; i < meters; i++) world.addMeter(`m${i}`, random() < 0.1);
  const collectors: Collector[] = [];
  const failures: unknown[] = [];
  let born = 0;

  const spawn = (sweepToo: boolean) => {
    const name = `c${born++}`;
    const collector: Collector = { name, done: false };
    const engine = new SettlementEngine({
      store: scheduler.wrap<SettlementStore>(name, world.storeFor(name)),
      chain: scheduler.wrap<SettlementChain>(name, world.chainFor()),
      logger,
      observer,
      batchMeters: 1 + Math.floor(random() * 8),
      pause: () => scheduler.pause(name),
      stopping: () => false,
      cannotPay: async () => {},
      dropped: async () => {},
    });
    const work = async () => {
      await engine.run();
      if (sweepToo) await engine.sweep();
    };
    work()
      .catch((error: unknown) => {
        if (!/CHAIN_UNAVAILABLE/.test(String((error as { code?: string }).code))) failures.push(error);
      })
      .finally(() => {
        collector.done = true;
      });
    collectors.push(collector);
  };

  for (let i = 0; i < steps; i++) {
    const dice = random();
    const alive = collectors.filter(({ name, done }) => !done && !scheduler.dead.has(name));
    if (dice < 0.12)
      world.addReading(`m${Math.floor(random() * meters)}`, BigInt(1 + Math.floor(random() * 9)));
    else if (dice < 0.24) world.advance();
    else if (dice < 0.26) world.fork();
    else if (dice < 0.28) world.submitDirectly(`m${Math.floor(random() * meters)}`);
    else if (dice < 0.29) world.setOutage(true);
    else if (dice < 0.33) world.setOutage(false);
    else if (dice < 0.36 && alive.length > 0)
      scheduler.dead.add(alive[Math.floor(random() * alive.length)]?.name ?? '');
    else if (alive.length < 2 && dice < 0.5) spawn(random() < 0.5);
    else await scheduler.step();
    if (failures.length > 0) break;
  }

  // Calm: no more faults. Whoever is left dies too, and one fresh collector has to bring everything to its end.
  world.setOutage(false);
  for (const { name } of collectors) scheduler.dead.add(name);
  for (let round = 0; round < 400 && failures.length === 0; round++) {
    spawn(true);
    const current = collectors.at(-1);
    for (let i = 0; i < 3000 && current && !current.done; i++) {
      if (!(await scheduler.step()) || random() < 0.3) world.advance();
    }
    world.advance();
    world.mirrorPoll();
    const open =
      [...world.rows.values()].some(({ state }) => state === 'prepared' || state === 'confirmed') ||
      [...world.applied.values()].some((final) => !final);
    const left = [...world.meters.values()].some(
      ({ readings }) => readings.some((r) => r.signature === undefined) && !readings.some((r) => r.review),
    );
    if (!open && !left) break;
  }
  return { world, failures };
}

describe('SettlementEngine against a model of chain and database', () => {
  it('never mints twice and never loses a reading, whatever dies, forks, is lost or fails, at any point', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 12 }), async (seed, meters) => {
        const { world, failures } = await play(seed, meters, 600);
        expect(failures).toEqual([]);
        for (const row of world.rows.values()) expect(['prepared', 'confirmed']).not.toContain(row.state);
        for (const [id, meter] of world.meters) {
          const newest = meter.readings.at(-1);
          if (!newest) continue;
          const account = world.account(id);
          if (meter.broken) {
            expect(account.minted).toBe(0n);
            expect(meter.attempts).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
            expect(meter.readings.some(({ review }) => review)).toBe(true);
            continue;
          }
          // Everything measured is minted, and by the chain's counter exactly once.
          expect(account.minted).toBe(newest.total);
          // Every reading names the first transaction on the surviving fork that carried its energy.
          const executed = world.executed(id);
          for (const reading of meter.readings) {
            const carrier = executed.find(({ item }) => item.throughSequence >= reading.sequence);
            expect(reading.signature).toBe(carrier?.signature);
          }
        }
      }),
      { numRuns: Number(process.env.GTX_PROPERTY_RUNS ?? 150), verbose: 1 },
    );
  });
});
