import { factNames, NOTICE_FACTS, type NoticeKind } from '@gridtokenx/protocol';
import { ALERT_KINDS } from '../alerts/kinds.js';
import { REVIEW_KINDS } from './kinds.js';

/** The table of facts in docs/alerts.md. */
export function factsReference(): string {
  const rows = (Object.keys(NOTICE_FACTS) as NoticeKind[]).map((kind) => {
    const of = [Object.hasOwn(REVIEW_KINDS, kind) && 'review', Object.hasOwn(ALERT_KINDS, kind) && 'alert'];
    const facts = factNames(kind).map((name) => `\`${name}\``);
    return `| \`${kind}\` | ${of.filter(Boolean).join(', ')} | ${facts.join(', ')} |`;
  });
  return ['| kind | of a | facts |', '|---|---|---|', ...rows].join('\n');
}
