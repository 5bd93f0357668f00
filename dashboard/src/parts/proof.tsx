import { useEffect, useState } from 'preact/hooks';
import { isSignedByMeter } from '../proof.js';
import { t } from '../text/index.js';
import type { Reading } from '../types.js';

/** The checks before: each takes milliseconds, and a key or click between two of them is not to wait for all. */
let checked: Promise<unknown> = Promise.resolve();

/** What the page itself found out about a reading's signature. */
export function Proof({ reading }: { reading: Reading }) {
  const [valid, setValid] = useState<boolean>();
  useEffect(() => {
    let shown = true;
    checked = checked.then(async () => {
      if (!shown) return;
      const outcome = await isSignedByMeter(reading);
      if (shown) setValid(outcome);
    });
    return () => {
      shown = false;
    };
  }, [reading]);
  if (valid === undefined) return <span class="quiet">…</span>;
  return (
    <span class={valid ? 'tag good' : 'tag bad'} title={t(valid ? 'proof.why' : 'proof.no.why')}>
      {t(valid ? 'proof.yes' : 'proof.no')}
    </span>
  );
}
