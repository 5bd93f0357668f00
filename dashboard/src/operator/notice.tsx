import { noticeOf } from '@gridtokenx/protocol';
import { amount } from '../format.js';
import { en } from '../text/en.js';
import { t } from '../text/index.js';

/**
 * What an alert or a review says, in the reader's language.
 * @param facts its details, with what else it knows of itself
 * @returns undefined where this page does not know what it says
 */
export function noticeInWords(kind: string, facts: Readonly<Record<string, unknown>>): string | undefined {
  const notice = noticeOf(kind, facts);
  const key = `notice.${notice?.name}`;
  if (notice === undefined || !Object.hasOwn(en, key)) return undefined;
  const { amount_kwh, ...others } = notice.facts;
  const values = { ...others, ...(amount_kwh !== undefined && { amount_kwh: amount(String(amount_kwh)) }) };
  return t(key as keyof typeof en, values);
}

/** @param original the collector's own sentence, which may say more: shown where there is no other, else on pointing at it */
export function Notice({
  kind,
  facts,
  original,
}: {
  kind: string;
  facts: Readonly<Record<string, unknown>>;
  original: string;
}) {
  const text = noticeInWords(kind, facts);
  if (text === undefined)
    return (
      <span class="words" lang="en">
        {original}
      </span>
    );
  return (
    <span class="words" title={original}>
      {text}
    </span>
  );
}
