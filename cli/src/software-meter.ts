import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { signMessage } from '@gridtokenx/chain';
import {
  encodeReading,
  fromReading,
  GtxError,
  type Nkwh,
  type Reading,
  SubmitReading,
  U64_MAX,
} from '@gridtokenx/protocol';
import type { Keypair } from '@solana/web3.js';
import { z } from 'zod';

/**
 * A meter made of software: it has a key and counters, and signs readings as a gateway does for a real one. Its
 * counters lie in a file, written before a reading leaves: a sequence number is never used twice.
 */
const amount = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform((text) => BigInt(text));
const MeterState = z.strictObject({
  meter_id: z.string(),
  sequence: amount,
  produced_total: amount,
  consumed_total: amount,
  surplus_total: amount,
  /** Unix seconds: the end of the last signed reading, or where the first one begins. */
  last_end: z.int().nonnegative(),
  /** Surplus total of the last reading that was accepted: `kwh_amount` counts from it. */
  accepted_surplus_total: amount,
  /** Signed and not yet answered for good. */
  pending: SubmitReading.optional(),
});
type MeterState = z.infer<typeof MeterState>;

/** Where a software meter's counters begin: at nothing, or where the chain says that they are. */
export interface MeterBase {
  readonly sequence: bigint;
  readonly producedTotal: Nkwh;
  readonly consumedTotal: Nkwh;
  readonly surplusTotal: Nkwh;
  readonly lastEnd: number;
}

/** The rise of the surplus over one reading of separate production and consumption meters: never negative. */
export const surplusOf = (production: Nkwh, consumption: Nkwh): Nkwh =>
  production > consumption ? production - consumption : 0n;

export class SoftwareMeter {
  readonly meterId: string;
  readonly #file: string;
  readonly #key: Keypair;
  readonly #wallet: string;
  #state: MeterState;

  private constructor(file: string, key: Keypair, wallet: string, state: MeterState) {
    this.meterId = state.meter_id;
    this.#file = file;
    this.#key = key;
    this.#wallet = wallet;
    this.#state = state;
  }

  /**
   * Opens the meter's counters, or begins them at `base` (asked for only when there are none).
   * @throws GtxError CONFIG_INVALID when the file is damaged
   */
  static async open(options: {
    folder: string;
    meterId: string;
    key: Keypair;
    wallet: string;
    base: () => Promise<MeterBase>;
  }): Promise<SoftwareMeter> {
    const file = join(options.folder, `${options.meterId}.json`);
    let state: MeterState;
    if (existsSync(file)) {
      const parsed = MeterState.safeParse(parseJson(readFileSync(file, 'utf8')));
      if (!parsed.success || parsed.data.meter_id !== options.meterId) {
        throw new GtxError(
          'CONFIG_INVALID',
          `${file} does not hold the counters of meter ${options.meterId}`,
          { path: file },
        );
      }
      state = parsed.data;
    } else {
      const base = await options.base();
      state = {
        meter_id: options.meterId,
        sequence: base.sequence,
        produced_total: base.producedTotal,
        consumed_total: base.consumedTotal,
        surplus_total: base.surplusTotal,
        last_end: base.lastEnd,
        accepted_surplus_total: base.surplusTotal,
      };
    }
    return new SoftwareMeter(file, options.key, options.wallet, state);
  }

  get pending(): SubmitReading | undefined {
    return this.#state.pending;
  }

  /**
   * Adds energy to the totals, signs the next reading and keeps it on disk as pending.
   * @param end Unix seconds
   * @throws GtxError VALUE_INVALID when the interval would be empty or a total would overflow; CONFLICT while
   * an earlier reading is still pending
   */
  sign(production: Nkwh, consumption: Nkwh, end: number): SubmitReading {
    const state = this.#state;
    if (state.pending !== undefined) {
      throw new GtxError(
        'CONFLICT',
        `reading ${state.pending.reading.sequence} of ${this.meterId} has not been answered yet`,
      );
    }
    if (end <= state.last_end) {
      throw new GtxError(
        'VALUE_INVALID',
        `the interval is empty: the last reading of ${this.meterId} ended at ${iso(state.last_end)}, this one would end at ${iso(end)}`,
      );
    }
    const reading: Reading = {
      flags: 0,
      sequence: state.sequence + 1n,
      intervalStart: state.last_end,
      intervalEnd: end,
      producedTotal: state.produced_total + production,
      consumedTotal: state.consumed_total + consumption,
      surplusTotal: state.surplus_total + surplusOf(production, consumption),
    };
    if (reading.producedTotal > U64_MAX || reading.consumedTotal > U64_MAX) {
      throw new GtxError('VALUE_INVALID', 'the meter’s counters would overflow');
    }
    const body = fromReading({
      meterId: this.meterId,
      wallet: this.#wallet,
      reading,
      amountNkwh: reading.surplusTotal - state.accepted_surplus_total,
      signature: signMessage(this.#key, encodeReading(reading)),
      publicKey: this.#key.publicKey.toBytes(),
    });
    this.#save({
      ...state,
      sequence: reading.sequence,
      produced_total: reading.producedTotal,
      consumed_total: reading.consumedTotal,
      surplus_total: reading.surplusTotal,
      last_end: end,
      pending: body,
    });
    return body;
  }

  /** The pending reading has been stored: the next amount counts from it. */
  accepted(): void {
    const { pending, ...rest } = this.#state;
    if (pending === undefined) return;
    this.#save({ ...rest, accepted_surplus_total: BigInt(pending.reading.surplus_total) });
  }

  /** The pending reading has been refused for good: its energy stays in the totals, and the next one carries it. */
  refused(): void {
    const { pending: _, ...rest } = this.#state;
    this.#save(rest);
  }

  /**
   * The pending reading with another amount: what the collector says is the surplus since the reading that it
   * accepted last. The amount is not signed.
   * @throws GtxError CONFLICT when nothing is pending
   */
  recount(kwhAmount: string): SubmitReading {
    const { pending } = this.#state;
    if (pending === undefined) throw new GtxError('CONFLICT', `no reading of ${this.meterId} is pending`);
    const body = { ...pending, kwh_amount: kwhAmount };
    this.#save({ ...this.#state, pending: body });
    return body;
  }

  #save(state: MeterState): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const aside = `${this.#file}.new`;
    const descriptor = openSync(aside, 'w', 0o600);
    try {
      writeSync(
        descriptor,
        `${JSON.stringify(state, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`,
      );
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(aside, this.#file);
    this.#state = state;
  }
}

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
