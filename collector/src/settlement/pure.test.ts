import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOpen, nextStep, type Observation, type SettlementState, type Step } from './outcome.js';
import { chunk, partItems, planMeter } from './plan.js';
import { PUBLIC_CLUSTERS, settlementPolicy, yearlyFeeLamports } from './policy.js';
import type { MeterOnChain, MeterWork, SettlementItem } from './ports.js';
import { classifyRefusal, MAX_ATTEMPTS, retryDelayMs } from './refusal.js';

const STATES: SettlementState[] = [
  'prepared',
  'confirmed',
  'finalized',
  'failed',
  'expired',
  'superseded',
  'dropped',
];

const observations: fc.Arbitrary<Observation> = fc.record({
  sight: fc.oneof(
    fc.constant({ kind: 'absent' as const }),
    fc
      .record({
        commitment: fc.constantFrom('processed' as const, 'confirmed' as const, 'finalized' as const),
        slot: fc.nat(1000),
        failed: fc.boolean(),
      })
      .map(({ commitment, slot, failed }) => ({
        kind: 'landed' as const,
        commitment,
        slot,
        ...(failed ? { error: 'UserNotVerified' } : {}),
      })),
  ),
  confirmedHeight: fc.nat(20),
  finalizedHeight: fc.nat(20),
  consistent: fc.boolean(),
  chainHolds: fc.constantFrom('this' as const, 'another' as const, 'nothing' as const, undefined),
});

describe('nextStep', () => {
  const seen: Observation = {
    sight: { kind: 'absent' },
    confirmedHeight: 10,
    finalizedHeight: 8,
    consistent: true,
    chainHolds: undefined,
  };
  const landed = (commitment: 'processed' | 'confirmed' | 'finalized', error?: string) => ({
    kind: 'landed' as const,
    commitment,
    slot: 5,
    ...(error === undefined ? {} : { error }),
  });
  it.each<[string, SettlementState, number, Partial<Observation>, Step]>([
    ['not there, may still land', 'prepared', 10, {}, 'send'],
    ['not there, its last block just passed, accounts not asked', 'prepared', 9, {}, 'ask_accounts'],
    ['not there, too old', 'prepared', 9, { chainHolds: 'nothing' }, 'expire'],
    ['not there, too old, settled by another', 'prepared', 9, { chainHolds: 'another' }, 'supersede'],
    ['status forgotten, history knows', 'prepared', 9, { chainHolds: 'this' }, 'apply'],
    ['not there, by a node that lags', 'prepared', 9, { consistent: false, chainHolds: 'nothing' }, 'wait'],
    ['processed only', 'prepared', 9, { sight: landed('processed') }, 'wait'],
    ['processed only, failed', 'prepared', 9, { sight: landed('processed', 'x') }, 'wait'],
    ['confirmed', 'prepared', 9, { sight: landed('confirmed') }, 'apply'],
    ['finalized at once', 'prepared', 9, { sight: landed('finalized') }, 'apply'],
    ['executed and refused', 'prepared', 20, { sight: landed('confirmed', 'x') }, 'fail'],
    ['applied, still only confirmed', 'confirmed', 9, { sight: landed('confirmed') }, 'wait'],
    ['applied, final', 'confirmed', 9, { sight: landed('finalized') }, 'finalize'],
    [
      'applied on one fork, refused on the other',
      'confirmed',
      9,
      { sight: landed('finalized', 'x') },
      'drop',
    ],
    ['applied, gone, may land again', 'confirmed', 10, {}, 'send'],
    ['applied, gone, finality not past it', 'confirmed', 9, { chainHolds: 'nothing' }, 'wait'],
    ['applied, gone for good', 'confirmed', 7, { chainHolds: 'nothing' }, 'drop'],
    ['applied, gone, another took its place', 'confirmed', 7, { chainHolds: 'another' }, 'drop'],
    ['applied, only its status forgotten', 'confirmed', 7, { chainHolds: 'this' }, 'finalize'],
    ['applied, gone, accounts not asked', 'confirmed', 7, {}, 'ask_accounts'],
  ])('%s: %s', (_name, state, lastValidBlockHeight, changes, step) => {
    expect(nextStep({ state, lastValidBlockHeight }, { ...seen, ...changes })).toBe(step);
  });

  it('writes a transaction down anew that is final in another slot than it was seen in', () => {
    const row = { state: 'confirmed', lastValidBlockHeight: 9 } as const;
    const final = { ...seen, sight: landed('finalized') };
    const { slot } = final.sight;
    expect(nextStep({ ...row, slot }, final)).toBe('finalize');
    expect(nextStep({ ...row, slot: slot + 1 }, final)).toBe('move');
    expect(nextStep({ ...row, slot: slot + 1 }, { ...seen, sight: landed('confirmed') })).toBe('wait');
  });

  it('gives up on a transaction only when it cannot land any more and nothing holds its energy', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STATES),
        fc.nat(20),
        observations,
        (state, lastValidBlockHeight, observation) => {
          const step = nextStep({ state, lastValidBlockHeight }, observation);
          const { sight, confirmedHeight, finalizedHeight, consistent, chainHolds } = observation;
          if (step === 'expire' || step === 'supersede') {
            expect(sight.kind).toBe('absent');
            expect(confirmedHeight).toBeGreaterThan(lastValidBlockHeight);
            expect(consistent).toBe(true);
            expect(chainHolds).toBe(step === 'expire' ? 'nothing' : 'another');
          }
          if (step === 'apply' || step === 'finalize') {
            expect(sight.kind === 'landed' ? sight.error === undefined : chainHolds === 'this').toBe(true);
          }
          if (step === 'drop' && sight.kind === 'absent') {
            expect(finalizedHeight).toBeGreaterThan(lastValidBlockHeight);
            expect(chainHolds).not.toBe('this');
          }
          // Nothing is sent that is not open or that could only land too late.
          if (step === 'send') {
            expect(['prepared', 'confirmed']).toContain(state);
            expect(confirmedHeight).toBeLessThanOrEqual(lastValidBlockHeight);
          }
          if (!isOpen(state) && state !== 'confirmed') expect(step).toBe('wait');
        },
      ),
    );
  });
});

describe('planMeter', () => {
  const meter: MeterOnChain = {
    owner: 'owner',
    ownerVerified: true,
    publicKey: 'key',
    status: 'active',
    lastSequence: 4n,
    surplusTotal: 100n,
    eligible: 100n,
    minted: 100n,
    tokenAccount: 'account',
    tokenAccountState: 'ready',
    mintableNkwh: 2n ** 64n - 1n,
    nextDayMs: 3_600_000,
  };
  const work: MeterWork = {
    meterId: 'm',
    wallet: 'owner',
    reading: {
      sequence: 7n,
      surplusTotal: 130n,
      message: new Uint8Array(48),
      signature: new Uint8Array(64),
      publicKey: 'key',
    },
    attempts: 0,
    alone: false,
  };
  const plan = (changes: Partial<MeterOnChain>, paused = false, what: MeterWork = work) =>
    planMeter(what, { paused, meters: new Map([['m', { ...meter, ...changes }]]) });

  it('submits the newest reading for what the chain does not have yet', () => {
    expect(plan({})).toMatchObject({
      kind: 'settle',
      needsTokenAccount: false,
      item: { kind: 'submit', wallet: 'owner', afterSequence: 4n, throughSequence: 7n, expectedNkwh: 30n },
    });
    expect(plan({ tokenAccountState: 'missing' })).toMatchObject({ needsTokenAccount: true });
    // The owner by the chain counts, not the one that the database remembers.
    expect(plan({ owner: 'new owner' })).toMatchObject({ item: { wallet: 'new owner' } });
  });

  it.each<[string, Partial<MeterOnChain>, string]>([
    ['a suspended meter', { status: 'suspended' }, 'METER_SUSPENDED'],
    ['an unverified owner', { ownerVerified: false }, 'USER_NOT_VERIFIED'],
    ['a replaced key', { publicKey: 'other' }, 'KEY_ROTATED'],
  ])('waits for %s', (_name, changes, reason) => {
    expect(plan(changes)).toMatchObject({ kind: 'wait', reason });
  });

  it('mints what the daily cap lets through, and waits for the next day when it is used up', () => {
    const nothingNew: MeterWork = { ...work, reading: undefined };
    const due = { eligible: 150n };
    expect(plan(due, false, nothingNew)).toMatchObject({ item: { kind: 'mint', expectedNkwh: 50n } });
    expect(plan({ ...due, mintableNkwh: 20n }, false, nothingNew)).toMatchObject({
      item: { kind: 'mint', expectedNkwh: 20n },
    });
    const used = { ...due, mintableNkwh: 0n };
    expect(plan({ ...used, nextDayMs: 4_000 }, false, nothingNew)).toEqual({
      kind: 'wait',
      reason: 'DAILY_MINT_CAP',
      delayMs: 4_000,
    });
    // A cap may be raised any time: it looks again now and then.
    expect(plan(used, false, nothingNew)).toMatchObject({ delayMs: 300_000 });
    // Readings go on all the same: only the mint is put off.
    expect(plan(used)).toMatchObject({ kind: 'settle', item: { kind: 'submit' } });
  });

  it('waits while the registry is paused, and for a meter that the chain does not know', () => {
    expect(plan({}, true)).toMatchObject({ kind: 'wait', reason: 'PAUSED' });
    expect(planMeter(work, { paused: false, meters: new Map() })).toMatchObject({
      reason: 'METER_NOT_ON_CHAIN',
    });
  });

  it('sends nothing for nothing, except a new base and an older mint that is due', () => {
    expect(plan({ surplusTotal: 130n })).toEqual({ kind: 'nothing', throughSequence: 7n });
    expect(plan({ surplusTotal: 130n, status: 'rebase' })).toMatchObject({ kind: 'settle' });
    expect(plan({ surplusTotal: 130n, eligible: 101n })).toMatchObject({ kind: 'settle' });
  });

  it('looks again when the chain is further than the database, and mints what is counted', () => {
    expect(plan({ lastSequence: 7n })).toEqual({ kind: 'behind' });
    expect(plan({ lastSequence: 9n, eligible: 140n })).toMatchObject({
      kind: 'settle',
      item: { kind: 'mint', throughSequence: 9n, expectedNkwh: 40n, reading: undefined },
    });
    expect(plan({ eligible: 140n }, false, { ...work, reading: undefined })).toMatchObject({
      item: { kind: 'mint' },
    });
  });
});

describe('packing', () => {
  const item = (meterId: string, kind: 'submit' | 'mint' = 'submit'): SettlementItem => ({
    meterId,
    wallet: 'w',
    kind,
    afterSequence: 0n,
    throughSequence: 1n,
    expectedNkwh: 1n,
    reading: undefined,
  });

  it('puts every item into exactly one part, mints and the marked ones alone', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(50), { maxLength: 50 }),
        fc.func(fc.boolean()),
        fc.func(fc.boolean()),
        (ids, isMint, isAlone) => {
          const items = ids.map((id) => item(`m${id}`, isMint(id) ? 'mint' : 'submit'));
          const alone = new Set(ids.filter((id) => isAlone(id)).map((id) => `m${id}`));
          const { together, single } = partItems(items, alone);
          expect([...together, ...single].map(({ meterId }) => meterId).sort()).toEqual(
            items.map(({ meterId }) => meterId).sort(),
          );
          for (const { meterId, kind } of together)
            expect(kind === 'submit' && !alone.has(meterId)).toBe(true);
          const packs = chunk(together, 5);
          expect(packs.flat()).toEqual(together);
          for (const pack of packs) expect(pack.length).toBeLessThanOrEqual(5);
        },
      ),
    );
  });
});

describe('settlementPolicy', () => {
  const [mainnet = ''] = Object.keys(PUBLIC_CLUSTERS);

  it('settles everything with every run on a private chain, daily or above 10 kWh on a public cluster', () => {
    expect(settlementPolicy({}, 'a localnet')).toEqual({
      mode: 'interval',
      intervalSeconds: 60,
      minimumNkwh: 0n,
      maxWaitSeconds: 86_400,
    });
    expect(settlementPolicy({}, mainnet).minimumNkwh).toBe(10_000_000_000n);
  });

  it('obeys the operator: real time settles every amount anywhere, and a set amount counts', () => {
    expect(settlementPolicy({ mode: 'realtime' }, mainnet).minimumNkwh).toBe(0n);
    expect(settlementPolicy({ minimumNkwh: 5n, maxWaitSeconds: 60 }, mainnet)).toMatchObject({
      minimumNkwh: 5n,
      maxWaitSeconds: 60,
    });
  });

  it('counts a signature for each meter and each transaction', () => {
    // 5 meters a day in one transaction: 6 signatures of 5,000 lamports, 365 days.
    expect(yearlyFeeLamports({ meters: 5, settlementsPerDay: 1, metersPerTransaction: 5 })).toBe(10_950_000n);
    expect(yearlyFeeLamports({ meters: 1, settlementsPerDay: 96, metersPerTransaction: 1 })).toBe(
      350_400_000n,
    );
  });
});

describe('classifyRefusal', () => {
  it.each([
    ['UserNotVerified', 'wait'],
    ['Paused', 'wait'],
    ['SequenceNotHigher', 'behind'],
    ['NoUnsettledBalance', 'behind'],
    ['BlockhashNotFound', 'retry'],
    ['AccountNotFound', 'retry'],
    ['TokenAccountUnusable', 'refused'],
    ['TotalsDecreased', 'refused'],
    ['Custom', 'refused'],
  ])('%s: %s', (name, kind) => {
    expect(classifyRefusal(name, 'text')).toEqual({ kind, name, message: 'text' });
  });

  it('knows only errors that the programs have', async () => {
    const { registryIdl } = await import('@gridtokenx/chain');
    const names = new Set((registryIdl.errors ?? []).map(({ name }) => name));
    const ours = [
      'Paused',
      'UserNotVerified',
      'MeterSuspended',
      'EndInFuture',
      'SequenceNotHigher',
      'EndNotLater',
      'NoUnsettledBalance',
      'KeyMismatch',
    ];
    for (const name of ours) {
      expect(names).toContain(name);
      expect(classifyRefusal(name, '').kind).not.toBe('refused');
    }
  });

  it('waits longer after each refusal, over half an hour in all and never over a quarter of an hour', () => {
    let total = 0;
    for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
      const delay = retryDelayMs(attempt);
      expect(delay).toBeGreaterThanOrEqual(retryDelayMs(attempt - 1));
      expect(delay).toBeLessThanOrEqual(900_000);
      total += delay;
    }
    expect(total).toBeGreaterThan(1_800_000);
    expect(retryDelayMs(10_000)).toBe(900_000);
  });
});
