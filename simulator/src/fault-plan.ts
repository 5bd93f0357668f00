/** When faults happen: by schedule or by chance, the same for the same seed. Pure but for its memory. */
import { z } from 'zod';
import { Fault, LineFault, ONE_SHOT } from './faults.js';
import { seededRandom } from './model/noise.js';

const elapsed = z.number().min(0).max(31_536_000);

/** One line of a scenario's `faults`. */
export const faultRuleSchema = z
  .strictObject({
    unit: z
      .int()
      .min(1)
      .max(247)
      .optional()
      .describe('Which meter; without it the whole line, that is whoever is asked'),
    fault: z.union([Fault, LineFault]).describe('What happens, see the table of faults'),
    at_seconds: elapsed.optional().describe('When, in seconds of real time since the start'),
    for_seconds: elapsed.optional().describe('How long; until the end when left out'),
    every_seconds: z.number().min(1).max(31_536_000).optional().describe('Again and again, so far apart'),
    chance: z.number().gt(0).max(1).optional().describe('Probability at each request, instead of a schedule'),
    after_seconds: elapsed.optional().describe('Chance only from then on'),
    until_seconds: elapsed.optional().describe('Chance only until then'),
  })
  .superRefine((rule, context) => {
    const fail = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if ((rule.at_seconds === undefined) === (rule.chance === undefined)) {
      fail('at_seconds', 'give either at_seconds (a schedule) or chance');
    }
    if (rule.fault.type === 'cut' && rule.unit !== undefined) fail('unit', 'a cut concerns the whole line');
    if (rule.for_seconds !== undefined && ONE_SHOT.includes(rule.fault.type)) {
      fail('for_seconds', `${rule.fault.type} happens once`);
    }
    if (rule.chance !== undefined && (rule.for_seconds ?? rule.every_seconds) !== undefined) {
      fail('chance', 'for_seconds and every_seconds belong to a schedule');
    }
    if (rule.at_seconds !== undefined && (rule.after_seconds ?? rule.until_seconds) !== undefined) {
      fail('at_seconds', 'after_seconds and until_seconds belong to chance');
    }
    if ('times' in rule.fault && (rule.fault.times ?? rule.fault.seconds) !== undefined) {
      fail('fault', 'times and seconds are for faults that are set by hand; a rule says for_seconds');
    }
    if (
      rule.every_seconds !== undefined &&
      rule.for_seconds !== undefined &&
      rule.for_seconds > rule.every_seconds
    ) {
      fail('for_seconds', 'is longer than every_seconds');
    }
  });
export type FaultRule = z.infer<typeof faultRuleSchema>;
export type FaultRuleInput = z.input<typeof faultRuleSchema>;
export const FaultRules = z.array(faultRuleSchema).max(500);

/** A fault that happens once, at a moment of the past. */
export interface OneShot {
  rule: number;
  unit: number | undefined;
  fault: Extract<Fault | LineFault, { type: 'brown-out' | 'exchange' | 'cut' }>;
  atMs: number;
}

type Lasting = Exclude<Fault, { type: 'brown-out' | 'exchange' }>;

function isOneShot(fault: Fault | LineFault): fault is OneShot['fault'] {
  return ONE_SHOT.includes(fault.type);
}

export class FaultPlan {
  readonly #rules: readonly FaultRule[];
  readonly #startMs: number;
  readonly #random: (() => number)[];
  /** How often each scheduled one-shot has happened. */
  readonly #happened: number[];

  constructor(rules: readonly FaultRule[], seed: string, startMs: number) {
    this.#rules = rules;
    this.#startMs = startMs;
    this.#random = rules.map((_, index) => seededRandom(`${seed}/fault-${index}`));
    this.#happened = rules.map(() => 0);
  }

  /** Scheduled faults that happen once and whose time has come since the last look, in the order of their times. */
  due(nowMs: number): OneShot[] {
    const due: OneShot[] = [];
    for (const [index, rule] of this.#rules.entries()) {
      if (rule.at_seconds === undefined || !isOneShot(rule.fault)) continue;
      for (;;) {
        const count = this.#happened[index] as number;
        if (count > 0 && rule.every_seconds === undefined) break;
        const atMs = this.#startMs + (rule.at_seconds + count * (rule.every_seconds ?? 0)) * 1000;
        if (atMs > nowMs) break;
        this.#happened[index] = count + 1;
        due.push({ rule: index, unit: rule.unit, fault: rule.fault, atMs });
      }
    }
    return due.sort((a, b) => a.atMs - b.atMs);
  }

  /** When the next scheduled fault of the line itself is due, if there is one. */
  nextCutMs(): number | undefined {
    let next: number | undefined;
    for (const [index, rule] of this.#rules.entries()) {
      if (rule.at_seconds === undefined || rule.fault.type !== 'cut') continue;
      const count = this.#happened[index] as number;
      if (count > 0 && rule.every_seconds === undefined) continue;
      const atMs = this.#startMs + (rule.at_seconds + count * (rule.every_seconds ?? 0)) * 1000;
      if (next === undefined || atMs < next) next = atMs;
    }
    return next;
  }

  /** What befalls a request to a unit now; chance is drawn once for each request. */
  atRequest(unit: number, nowMs: number): { lasting: { rule: number; fault: Lasting }[]; once: OneShot[] } {
    const lasting: { rule: number; fault: Lasting }[] = [];
    const once: OneShot[] = [];
    const since = (nowMs - this.#startMs) / 1000;
    for (const [index, rule] of this.#rules.entries()) {
      if (rule.unit !== undefined && rule.unit !== unit) continue;
      const { fault } = rule;
      if (rule.chance !== undefined) {
        // Drawn also outside of the window, so that the window does not change what follows.
        const hit = (this.#random[index] as () => number)() < rule.chance;
        if (!hit || since < (rule.after_seconds ?? 0) || since >= (rule.until_seconds ?? Infinity)) continue;
        if (isOneShot(fault)) once.push({ rule: index, unit, fault, atMs: nowMs });
        else lasting.push({ rule: index, fault });
      } else if (!isOneShot(fault) && this.#open(rule, since)) lasting.push({ rule: index, fault });
    }
    return { lasting, once };
  }

  /** True while a scheduled, lasting fault holds. */
  #open(rule: FaultRule, since: number): boolean {
    const from = since - (rule.at_seconds ?? 0);
    if (from < 0) return false;
    const within = rule.every_seconds === undefined ? from : from % rule.every_seconds;
    return within < (rule.for_seconds ?? Infinity);
  }
}
