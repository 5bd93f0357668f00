/*
 * Runs random sequences of instructions on the real virtual machine and checks the ledger after each transaction. Every step
 * has a random stream of its own, made from the seed and the step's number: a step does the same kind of thing whether or not
 * others are left out, which is how a failing sequence is made short.
 */
import type { AddressLookupTableAccount, PublicKey, TransactionInstruction } from '@solana/web3.js';
import { type ProgramName, program, type Result } from '../support.js';
import { learn, nameOf } from './accounts.js';
import { actions } from './actions.js';
import { type Executed, Ledger, present, type Shadow, type SignedReading, Violation } from './ledger.js';
import { Random } from './random.js';
import { FuzzWorld, keyNamed } from './world.js';

/** Something to try. */
export interface Attempt {
  instructions: TransactionInstruction[];
  readings?: SignedReading[];
  direct?: Executed['direct'];
  burnedDirectly?: bigint;
  /** It must be refused: an attack. */
  attack?: string;
  /** It must be accepted: something that nobody may be kept from. */
  certain?: string;
  /** Cannot be combined with others or altered. */
  alone?: boolean;
  done?: (result: Result) => void;
}

export interface Action {
  /** What it is about, for the weights. */
  name: string;
  weight: number;
  attempt: (stage: Stage, random: Random) => Attempt | undefined;
}

export type Tally = Map<string, { accepted: number; refused: number }>;
export interface Failure {
  seed: string;
  step: number;
  rule: string;
  detail: string;
  /** What the steps up to the failure were. */
  history: string[];
  /** The steps that are enough for it, when it was made short. */
  shortest?: number[];
}
export interface Outcome {
  steps: number;
  instructions: number;
  accepted: number;
  tally: Tally;
  refusals: Map<string, number>;
  failure?: Failure;
}

const FULL_READ_EVERY = 200;

/** One world and its ledger. */
export class Stage {
  readonly world: FuzzWorld;
  readonly ledger: Ledger;
  readonly tally: Tally = new Map();
  readonly refusals = new Map<string, number>();
  readonly history: string[] = [];
  instructions = 0;
  accepted = 0;

  constructor(seed: string) {
    this.world = new FuzzWorld(seed);
    this.ledger = new Ledger(this.world, this.world.grx.publicKey);
    for (const name of present) learn(name);
    this.ledger.readAll(programIds(), true);
  }

  count(of: string, ok: boolean): void {
    const sums = this.tally.get(of) ?? { accepted: 0, refused: 0 };
    this.tally.set(of, sums);
    if (ok) sums.accepted++;
    else sums.refused++;
  }

  /** Counts an instruction that another program called. */
  countInner(instruction: TransactionInstruction): void {
    const name = nameOfInstruction(instruction);
    if (name) this.count(name, true);
  }

  /** Tries something, and checks everything. */
  try(label: string, attempt: Attempt): void {
    const { world, ledger } = this;
    const { instructions } = attempt;
    const writable = new Set<string>();
    const signers = new Set<string>();
    for (const { keys } of instructions)
      for (const meta of keys) {
        if (meta.isWritable) writable.add(nameOf(meta.pubkey));
        if (meta.isSigner) signers.add(nameOf(meta.pubkey));
      }
    signers.add(nameOf(world.payer.publicKey));
    const before = new Map<string, Shadow | undefined>();
    for (const name of writable) before.set(name, ledger.get(name));
    let result: Result;
    try {
      result = world.send(instructions, [], { tables: this.#tables(instructions) });
    } catch (error) {
      // Two attempts together may be longer than a transaction can be.
      if (error instanceof RangeError && error.message.includes('overruns')) return;
      throw error;
    }
    const named = instructions.flatMap((each) => nameOfInstruction(each) ?? []);
    this.instructions += named.length;
    if (result.ok) this.accepted += named.length;
    for (const name of named) this.count(name, result.ok);
    for (const { name } of result.events)
      if (name === 'ProductionMinted') this.count('token.mint_from_production', true);
    this.history.push(`${label}: ${named.join(' + ') || 'token programs'}: ${result.error ?? 'accepted'}`);
    if (!result.ok) {
      const why = `${named.at(-1) ?? 'token programs'}: ${result.error}`;
      this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
      if (attempt.certain) throw new Violation(attempt.certain, `${result.error}\n${result.logs.join('\n')}`);
      // A bump that the caller names may give an address on the curve: that it is the order's is the runtime's to check.
      const refusedBump =
        result.error === 'ProgramFailedToComplete' &&
        result.logs.at(-1)?.includes('failed: Could not create program address with signer seeds');
      if (
        !refusedBump &&
        /InvariantViolated|ProgramFailedToComplete|ArithmeticOverflow/.test(result.error ?? '')
      )
        throw new Violation(
          'programs refuse before their own checks have to',
          `${why}\n${result.logs.join('\n')}`,
        );
      return;
    }
    if (attempt.attack) throw new Violation(attempt.attack, this.history.at(-1) as string);
    for (const name of writable) ledger.refresh(name);
    const executed: Executed = {
      instructions,
      result,
      signers,
      readings: attempt.readings ?? [],
      before,
      direct: attempt.direct ?? new Map(),
      burnedDirectly: attempt.burnedDirectly ?? 0n,
    };
    attempt.done?.(result);
    ledger.followEvents(executed);
    ledger.authorised(executed);
    ledger.books();
    world.follow(this, result, before);
  }

  /** A lookup table for what does not fit otherwise. */
  #tables(instructions: TransactionInstruction[]): AddressLookupTableAccount[] {
    const metas = instructions.flatMap(({ keys }) => keys);
    const names = new Set(metas.filter(({ isSigner }) => !isSigner).map(({ pubkey }) => nameOf(pubkey)));
    const bytes =
      34 * names.size + instructions.reduce((sum, { data, keys }) => sum + data.length + keys.length + 40, 0);
    return bytes > 500 ? [this.world.lookupTable([...names].map(keyNamed))] : [];
  }

  /** One step: an attempt as it is, altered, or two in one transaction. */
  step(number: number, seed: string): void {
    const random = new Random(`${seed}/${number}`);
    // What there is no occasion for now gives way to something else.
    let action = random.weighted(actions);
    let attempt = action.attempt(this, random);
    for (let i = 0; i < 5 && !attempt; i++) {
      action = random.weighted(actions);
      attempt = action.attempt(this, random);
    }
    if (!attempt) return;
    const label = `${number} ${action.name}`;
    if (!attempt.alone && random.chance(9)) {
      const altered = this.altered(attempt, random);
      if (altered) this.try(`${label}, altered`, altered);
      return;
    }
    if (!attempt.alone && random.chance(5)) {
      const other = random.weighted(actions);
      const second = other.attempt(this, random);
      if (second && !second.alone && !second.attack && !attempt.attack) {
        this.try(`${label}, then ${other.name}`, merged(attempt, second));
        return;
      }
    }
    this.try(label, attempt);
  }

  /** The last instruction with one account exchanged, or without a signature, or not writable. */
  altered(attempt: Attempt, random: Random): Attempt | undefined {
    const last = attempt.instructions.at(-1);
    if (!last) return undefined;
    const index = random.below(Math.max(1, last.keys.length));
    const meta = last.keys[index];
    if (!meta) return undefined;
    const change = random.below(10);
    // No program's address can sign.
    const signing = [...this.world.wallets, this.world.eve, this.world.upgradeAuthority].map(
      ({ publicKey }) => publicKey,
    );
    const other = random.pick(meta.isSigner ? signing : this.world.pool(this.ledger));
    const altered =
      change < 7 && other
        ? { ...meta, pubkey: other }
        : change < 9
          ? { ...meta, isSigner: false }
          : { ...meta, isWritable: false };
    const keys = last.keys.map((each, i) => (i === index ? altered : each));
    // With other accounts an attack may be none.
    const { certain: _certain, attack: _attack, ...rest } = attempt;
    return {
      ...rest,
      instructions: [
        ...attempt.instructions.slice(0, -1),
        Object.assign(Object.create(Object.getPrototypeOf(last)), last, { keys }),
      ],
    };
  }
}

function merged(first: Attempt, second: Attempt): Attempt {
  const direct = new Map(first.direct ?? []);
  for (const [wallet, { grid, grx }] of second.direct ?? []) {
    const sum = direct.get(wallet) ?? { grid: 0n, grx: 0n };
    direct.set(wallet, { grid: sum.grid + grid, grx: sum.grx + grx });
  }
  return {
    instructions: [...first.instructions, ...second.instructions],
    readings: [...(first.readings ?? []), ...(second.readings ?? [])],
    direct,
    burnedDirectly: (first.burnedDirectly ?? 0n) + (second.burnedDirectly ?? 0n),
    done: (result) => {
      first.done?.(result);
      second.done?.(result);
    },
  };
}

export const programIds = (): PublicKey[] => present.map((name) => program(name).id);

const instructionNames = new Map<string, string>();
/** `program.instruction` of one of ours; undefined for others. */
function nameOfInstruction({ programId, data }: TransactionInstruction): string | undefined {
  if (instructionNames.size === 0)
    for (const name of present)
      for (const each of program(name).idl.instructions)
        instructionNames.set(
          `${nameOf(program(name).id)}/${Buffer.from(each.discriminator).toString('latin1')}`,
          `${name}.${each.name}`,
        );
  for (const length of [8, 1]) {
    const found = instructionNames.get(`${nameOf(programId)}/${data.toString('latin1', 0, length)}`);
    if (found) return found;
  }
  return undefined;
}

/** Every instruction of every program, as the tally names them. */
export const everyInstruction = (): string[] =>
  present.flatMap((name: ProgramName) =>
    program(name).idl.instructions.map((each) => `${name}.${each.name}`),
  );

/** Runs a sequence, or only these steps of it. */
export function run(seed: string, steps: number, only?: ReadonlySet<number>): Outcome {
  const stage = new Stage(seed);
  let failure: Failure | undefined;
  let done = 0;
  for (let number = 0; number < steps && !failure; number++) {
    if (only && !only.has(number)) continue;
    done++;
    try {
      stage.step(number, seed);
      if (done % FULL_READ_EVERY === 0) stage.ledger.readAll(programIds());
    } catch (error) {
      if (!(error instanceof Violation)) {
        throw new Error(
          `GTX_FUZZ_SEED=${seed}, step ${number}, after\n${stage.history.slice(-5).join('\n')}`,
          { cause: error },
        );
      }
      failure = { seed, step: number, rule: error.rule, detail: error.message, history: stage.history };
    }
  }
  if (!failure) stage.ledger.readAll(programIds());
  const { instructions, accepted, tally, refusals } = stage;
  return { steps: done, instructions, accepted, tally, refusals, ...(failure ? { failure } : {}) };
}

/** The fewest steps found, within some attempts, that break the same rule. */
export function shorten(failure: Failure, attempts = 150, seconds = 60): Failure {
  const until = Date.now() + seconds * 1_000;
  let steps = Array.from({ length: failure.step + 1 }, (_, i) => i);
  let best = failure;
  let left = attempts;
  const fails = (candidate: number[]): Failure | undefined => {
    left = Date.now() < until ? left - 1 : 0;
    try {
      const { failure: found } = run(failure.seed, failure.step + 1, new Set(candidate));
      return found?.rule === failure.rule ? found : undefined;
    } catch {
      // Left-out steps may have been what others rely on: not the failure that is looked for.
      return undefined;
    }
  };
  for (let size = Math.ceil(steps.length / 2); size >= 1 && left > 0; ) {
    let removed = false;
    for (let at = 0; at < steps.length && left > 0; ) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      const found = candidate.length > 0 ? fails(candidate) : undefined;
      if (found) {
        steps = candidate.filter((number) => number <= found.step);
        best = found;
        removed = true;
      } else at += size;
    }
    if (size === 1 && !removed) break;
    size = removed && size > 1 ? Math.min(size, Math.ceil(steps.length / 2)) : Math.floor(size / 2);
    if (size === 0) break;
  }
  return { ...best, shortest: steps };
}
