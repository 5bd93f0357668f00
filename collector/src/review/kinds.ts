import type { AlertKind } from '../alerts/kinds.js';

/** What an operator can do with an open review. */
export type ReviewAction = 'retry' | 'accept' | 'dismiss' | 'prepare';

export type ReviewStatus = 'open' | 'released' | 'written_off' | 'dismissed' | 'retried' | 'resolved';

interface KindEntry {
  /** What waits for a person, as a sentence. */
  readonly meaning: string;
  /** What each action does; an action that is not named is not offered. */
  readonly actions: Partial<Record<ReviewAction, string>>;
  /** How the review ends by accept and dismiss. */
  readonly accepted?: ReviewStatus;
  readonly dismissed?: ReviewStatus;
  /** The alert that goes with it; its key is the review's subject unless it is the meter. */
  readonly alert: { readonly kind: AlertKind; readonly key: 'subject' | 'meter' };
}

function define<const T extends Record<string, KindEntry>>(entries: T): T {
  return entries;
}

/** Every kind of review. docs/runbook.md has an entry for each, and a test compares the two. */
export const REVIEW_KINDS = define({
  held_amount: {
    meaning: 'A reading is above the collector’s limit; nothing of its meter settles until this is decided.',
    actions: {
      accept: 'The reading is settled like any other.',
      dismiss: 'The reading is not settled by itself; the next one carries its energy to the chain.',
    },
    accepted: 'released',
    dismissed: 'written_off',
    alert: { kind: 'reading_held', key: 'subject' },
  },
  energy_held: {
    meaning: 'The registry holds back energy above what the meter’s rated power allows.',
    actions: {
      prepare: 'Makes the transaction that releases it or writes it off, for the registrar or admin to sign.',
    },
    alert: { kind: 'energy_held', key: 'subject' },
  },
  settlement_failed: {
    meaning: 'The chain refused a meter’s reading or mint ten times; its meter settles nothing more.',
    actions: {
      retry: 'It is tried again, up to ten times.',
      dismiss: 'It is not tried again by itself; the meter’s next reading carries its energy.',
    },
    dismissed: 'dismissed',
    alert: { kind: 'settlement_failed', key: 'meter' },
  },
  match_failed: {
    meaning: 'The chain refused a match of two orders ten times.',
    actions: {
      retry: 'The two orders are matched again when they still cross.',
      dismiss: 'The two orders are not matched with each other any more.',
    },
    dismissed: 'dismissed',
    alert: { kind: 'match_failed', key: 'subject' },
  },
  audit_difference: {
    meaning: 'Chain, database and wallets disagree.',
    actions: {
      retry: 'It is looked at again; if it still differs, it comes back.',
      dismiss: 'It is known and left as it is.',
    },
    dismissed: 'dismissed',
    alert: { kind: 'audit_difference', key: 'subject' },
  },
  implausible_production: {
    meaning: 'A meter says that it produced what its place, its time or its neighbours make unlikely.',
    actions: {
      accept: 'It is plausible after all.',
      dismiss: 'It is wrong, and what was to be done about the meter has been done.',
    },
    accepted: 'released',
    dismissed: 'dismissed',
    alert: { kind: 'implausible_production', key: 'subject' },
  },
});

export type ReviewKind = keyof typeof REVIEW_KINDS;

/** The actions that a review of this kind offers while it is open. */
export function actionsOf(kind: string): ReviewAction[] {
  const entry: KindEntry | undefined = REVIEW_KINDS[kind as ReviewKind];
  return Object.keys(entry?.actions ?? {}) as ReviewAction[];
}

/** The kind's entry. Reviews of a kind that this version does not know offer nothing. */
export function kindEntry(kind: string): KindEntry | undefined {
  return REVIEW_KINDS[kind as ReviewKind];
}
