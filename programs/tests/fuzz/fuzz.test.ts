/*
 * Random sequences of all instructions of all programs by several users, with the invariants checked after every transaction.
 *   GTX_FUZZ_SEED=<seed>        repeats: `<number>` all sequences, `<number>/<sequence>` one of them
 *   GTX_FUZZ_ONLY=3,17,44       only these steps of it
 *   GTX_FUZZ_INSTRUCTIONS=20000 how many instructions at least
 *   GTX_FUZZ_MINUTES=10         or for how long
 *   GTX_FUZZ_LOG=<file>         one line of JSON for each sequence, for `npm run fuzz`
 */
import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { everyInstruction, type Failure, run, shorten, type Tally } from './engine.js';

const STEPS = 1_500;
const minutes = Number(process.env.GTX_FUZZ_MINUTES ?? 0);
const wanted = Number(process.env.GTX_FUZZ_INSTRUCTIONS ?? 20_000);
const given = process.env.GTX_FUZZ_SEED ?? `${Date.now() % 2 ** 31}`;
const only = process.env.GTX_FUZZ_ONLY
  ? new Set(process.env.GTX_FUZZ_ONLY.split(',').map(Number))
  : undefined;
const log = (entry: Record<string, unknown>) => {
  if (process.env.GTX_FUZZ_LOG) appendFileSync(process.env.GTX_FUZZ_LOG, `${JSON.stringify(entry)}\n`);
};

/** The table of what was accepted and refused, by instruction. */
export function table(tally: Tally): string {
  const rows = [...tally].sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, { accepted, refused }]) => {
      const share = Math.round((100 * accepted) / (accepted + refused));
      return `${name.padEnd(width)} ${`${accepted}`.padStart(6)} accepted ${`${refused}`.padStart(6)} refused ${`${share}`.padStart(4)} %`;
    })
    .join('\n');
}

const report = ({ seed, shortest, detail, history }: Failure): string =>
  [
    detail,
    '',
    `to repeat: GTX_FUZZ_SEED=${seed}${shortest ? ` GTX_FUZZ_ONLY=${shortest.join(',')}` : ''} npx vitest run programs/tests/fuzz`,
    '',
    ...history.slice(-30),
  ].join('\n');

describe('random sequences of all instructions', () => {
  it(
    'break no invariant',
    () => {
      console.log(`GTX_FUZZ_SEED=${given}`);
      const until = minutes > 0 ? Date.now() + minutes * 60_000 : undefined;
      const single = given.includes('/');
      const tally: Tally = new Map();
      const refusals = new Map<string, number>();
      let [instructions, accepted, steps] = [0, 0, 0];
      // Those that only set things up are tried again, and refused.
      const setsUp = /\.(initialize|create_market)$/;
      const never = () =>
        everyInstruction().filter((name) => !setsUp.test(name) && (tally.get(name)?.accepted ?? 0) === 0);
      // Long ones are worth something only when each instruction is accepted in them: a rare one makes them longer.
      const goesOn = (sequence: number) => {
        if (single) return sequence < 1;
        if (until) return Date.now() < until;
        return instructions < wanted || (wanted >= 20_000 && instructions < 5 * wanted && never().length > 0);
      };
      for (let sequence = 0; goesOn(sequence); sequence++) {
        const outcome = run(single ? given : `${given}/${sequence}`, STEPS, only);
        instructions += outcome.instructions;
        accepted += outcome.accepted;
        steps += outcome.steps;
        for (const [name, sums] of outcome.tally) {
          const all = tally.get(name) ?? { accepted: 0, refused: 0 };
          tally.set(name, { accepted: all.accepted + sums.accepted, refused: all.refused + sums.refused });
        }
        for (const [why, count] of outcome.refusals) refusals.set(why, (refusals.get(why) ?? 0) + count);
        const failure = outcome.failure && (only ? outcome.failure : shorten(outcome.failure));
        log({ sequence, steps, instructions, accepted, ...(failure ? { failure: report(failure) } : {}) });
        if (failure) throw new Error(report(failure));
      }
      console.log(
        `${instructions} instructions in ${steps} steps, ${Math.round((100 * accepted) / instructions)} % accepted\n${table(tally)}`,
      );
      log({
        done: true,
        seed: given,
        instructions,
        accepted,
        tally: Object.fromEntries(tally),
        refusals: Object.fromEntries(refusals),
      });
      if (process.env.GTX_FUZZ_REFUSALS)
        console.log(
          [...refusals]
            .sort(([, a], [, b]) => b - a)
            .map(([why, count]) => `${count} ${why}`)
            .join('\n'),
        );
      if (single) return;
      expect(instructions).toBeGreaterThanOrEqual(until ? 1 : wanted);
      // Half is accepted, and every instruction is among it.
      expect(accepted / instructions).toBeGreaterThan(0.5);
      if (instructions >= 20_000) expect(never()).toEqual([]);
    },
    Math.max(600_000, minutes * 60_000 + 600_000),
  );
});
