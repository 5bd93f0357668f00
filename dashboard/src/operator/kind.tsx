import { en } from '../text/en.js';
import { t } from '../text/index.js';

/** What an alert or a review is about; a kind that this page does not know is shown as the collector names it. */
export function kindInWords(kind: string): string {
  const key = `kind.${kind}`;
  return Object.hasOwn(en, key) ? t(key as keyof typeof en) : kind;
}

/** @param of what of it: a meter, a reading */
export function Kind({ kind, of }: { kind: string; of?: string }) {
  return (
    <span class="words narrow" title={kind}>
      {kindInWords(kind)}
      {of !== undefined && <strong> {of}</strong>}
    </span>
  );
}
