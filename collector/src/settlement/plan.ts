import type { ChainView, MeterWork, SettlementItem } from './ports.js';

/** What is to be done about one leased meter, given the chain's view of it. */
export type MeterPlan =
  | { readonly kind: 'settle'; readonly item: SettlementItem; readonly needsTokenAccount: boolean }
  /** The chain already has this reading or a later one: find out how and write it down. */
  | { readonly kind: 'behind' }
  /** Accepting the reading would mint nothing. */
  | { readonly kind: 'nothing'; readonly throughSequence: bigint }
  /** A condition outside must change first; not an attempt. */
  | { readonly kind: 'wait'; readonly reason: string; readonly delayMs: number };

/** How long a meter rests whose obstacle only people can remove; an event of the chain wakes it earlier. */
const LONG_WAIT_MS = 300_000;
const SHORT_WAIT_MS = 15_000;

/** Decides what to do about one meter. Pure. */
export function planMeter(work: MeterWork, chain: ChainView): MeterPlan {
  if (chain.paused) return { kind: 'wait', reason: 'PAUSED', delayMs: LONG_WAIT_MS };
  const meter = chain.meters.get(work.meterId);
  if (!meter) return { kind: 'wait', reason: 'METER_NOT_ON_CHAIN', delayMs: LONG_WAIT_MS };
  const needsTokenAccount = meter.tokenAccountState === 'missing';
  const { reading } = work;

  if (!reading || reading.sequence <= meter.lastSequence) {
    const due = meter.eligible - meter.minted;
    if (due === 0n) return { kind: 'behind' };
    // Nothing is lost: it stays settled and unminted, and is due again tomorrow (or once the cap is raised).
    if (meter.mintableNkwh === 0n) {
      return { kind: 'wait', reason: 'DAILY_MINT_CAP', delayMs: Math.min(meter.nextDayMs, LONG_WAIT_MS) };
    }
    return {
      kind: 'settle',
      needsTokenAccount,
      item: {
        meterId: work.meterId,
        wallet: meter.owner,
        kind: 'mint',
        afterSequence: meter.lastSequence,
        throughSequence: meter.lastSequence,
        expectedNkwh: due < meter.mintableNkwh ? due : meter.mintableNkwh,
        reading: undefined,
      },
    };
  }

  if (meter.status === 'suspended') return { kind: 'wait', reason: 'METER_SUSPENDED', delayMs: LONG_WAIT_MS };
  if (!meter.ownerVerified) return { kind: 'wait', reason: 'USER_NOT_VERIFIED', delayMs: LONG_WAIT_MS };
  // Signed by a key that has been replaced: the first reading of the new key covers its energy.
  if (reading.publicKey !== meter.publicKey)
    return { kind: 'wait', reason: 'KEY_ROTATED', delayMs: SHORT_WAIT_MS };
  // Against the account as it is now: the database's picture may be of a fork that is gone.
  const waitingNkwh = reading.surplusTotal - meter.surplusTotal;
  // A new base must reach the chain even with nothing to mint; otherwise an unchanged surplus is not worth a fee.
  if (meter.status === 'active' && waitingNkwh <= 0n && meter.eligible === meter.minted) {
    return { kind: 'nothing', throughSequence: reading.sequence };
  }
  return {
    kind: 'settle',
    needsTokenAccount,
    item: {
      meterId: work.meterId,
      wallet: meter.owner,
      kind: 'submit',
      afterSequence: meter.lastSequence,
      throughSequence: reading.sequence,
      expectedNkwh: waitingNkwh > 0n ? waitingNkwh : 0n,
      reading,
    },
  };
}

/** Parts items into those that share a transaction and those that go alone: mints, and whatever failed together. */
export function partItems(
  items: readonly SettlementItem[],
  alone: ReadonlySet<string>,
): { together: SettlementItem[]; single: SettlementItem[] } {
  const together: SettlementItem[] = [];
  const single: SettlementItem[] = [];
  for (const item of items) (item.kind === 'mint' || alone.has(item.meterId) ? single : together).push(item);
  return { together, single };
}

/** Cuts a list into pieces of at most `size`, in order. */
export function chunk<T>(list: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < list.length; start += size) chunks.push(list.slice(start, start + size));
  return chunks;
}
