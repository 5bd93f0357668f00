/**
 * Notices a register that stands still while power flows. Such a meter answers well formed, believable and
 * wrong. Pure.
 */
import type { Quantity } from '@gridtokenx/firmware-profiles';

/** Power below this proves nothing: meters have a starting current, under which they need not count. */
const LEAST_WATTS = 50;
/** So much energy must have flowed past the register before it is called frozen, in Wh. */
const MISSING_WH = 50;
/** A longer time between two samples is a gap, and its power unknown. */
const LONGEST_STEP_MS = 300_000;

export class FrozenWatch {
  private register: bigint | undefined;
  private missingWh = 0;
  private lastMs: number | undefined;

  /** @param stepWh step of the register at a value, in Wh: a coarse one stands still for long and is not frozen */
  constructor(
    private readonly quantity: Quantity,
    private readonly stepWh: (register: bigint) => number = () => 0,
  ) {}

  /**
   * @param powerWatts positive is import
   * @returns true while the register is taken for frozen
   */
  observe(register: bigint, powerWatts: number | undefined, atMs: number): boolean {
    const elapsedMs =
      this.lastMs === undefined ? 0 : Math.min(Math.max(0, atMs - this.lastMs), LONGEST_STEP_MS);
    this.lastMs = atMs;
    if (register !== this.register) {
      this.register = register;
      this.missingWh = 0;
      return false;
    }
    const watts = this.towards(powerWatts ?? 0);
    if (watts >= LEAST_WATTS) this.missingWh += (watts * elapsedMs) / 3_600_000;
    return this.missingWh > MISSING_WH + 2 * this.stepWh(register);
  }

  /** Power as this register should count it. */
  private towards(powerWatts: number): number {
    if (this.quantity === 'energy_import') return Math.max(0, powerWatts);
    if (this.quantity === 'energy_export' || this.quantity === 'energy_generated') {
      return Math.max(0, -powerWatts);
    }
    return Math.abs(powerWatts);
  }
}
