import { expect, it } from 'vitest';
import { World, pda } from './support.js';
it('smoke', () => {
  const w = new World();
  const m = w.newMeter();
  const r = w.accept(m);
  console.log(r.units, r.bytes, r.events.map(e => [e.name, JSON.stringify(e.data)]), r.logs);
  const s = w.must([w.settleAndMint(m)]);
  console.log(s.units, s.bytes, s.logs);
  const ms = [m, w.newMeter(), w.newMeter(), w.newMeter({owner: m.owner}), w.newMeter()];
  for (let n = 1; n <= 3; n++) { const b = w.must(w.batch(ms.slice(1, n+1))); console.log(n, b.units, b.bytes); for (const x of ms.slice(1,n+1)) x.last = w.next(x); }
  expect(w.balance(pda.tokenAccount(m.owner.publicKey))).toBe(750000000n);
});
