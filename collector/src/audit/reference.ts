import { isRepairable } from '../reconcile/repair.js';
import { DIFFERENCES, type Difference, type DifferenceKind } from './differences.js';

/** The table of differences in docs/audit.md. */
export function differencesReference(): string {
  const rows = Object.entries(DIFFERENCES).map(
    ([kind, action]) => `| \`${kind}\` | ${canBeRepaired(kind as DifferenceKind) ? 'yes' : ''} | ${action} |`,
  );
  return ['| kind | repair | what it means, and what to do |', '|---|---|---|', ...rows].join('\n');
}

function canBeRepaired(kind: DifferenceKind): boolean {
  const about: Difference = {
    kind,
    account: 'account',
    signature: 'signature',
    wallet: 'wallet',
    quarter: 'quarter',
    expected: '',
    actual: '',
    action: '',
  };
  return isRepairable(about);
}
