/** A battery that follows surplus. Pure but for its state of charge, in whole microjoules (1 mW x 1 ms). */
import type { Part } from '../site-schema.js';

/** 1 kWh = 3.6e12 microjoules. */
const MICROJOULES_PER_KWH = 3.6e12;

export class Battery {
  readonly capacityMicrojoules: number;
  /** Energy in it. */
  storedMicrojoules: number;
  readonly #chargeMilliwatts: number;
  readonly #dischargeMilliwatts: number;
  /** Of one way: both ways together are the given efficiency. */
  readonly #efficiency: number;

  constructor(config: Extract<Part, { type: 'battery' }>) {
    this.capacityMicrojoules = Math.round(config.capacity_kwh * MICROJOULES_PER_KWH);
    this.storedMicrojoules = Math.round(this.capacityMicrojoules * config.charged);
    this.#chargeMilliwatts = Math.round(config.charge_watts * 1000);
    this.#dischargeMilliwatts = Math.round(config.discharge_watts * 1000);
    this.#efficiency = Math.sqrt(config.efficiency);
  }

  /** 0 to 1. */
  get charged(): number {
    return this.storedMicrojoules / this.capacityMicrojoules;
  }

  /**
   * Power for a step: positive while charging.
   * @param surplusMilliwatts production minus consumption of the site without the battery
   * @param stepMs length of the step, in which the battery must neither overflow nor run dry
   */
  power(surplusMilliwatts: number, stepMs: number): number {
    if (surplusMilliwatts > 0) {
      const room = this.capacityMicrojoules - this.storedMicrojoules;
      const most = Math.floor(room / (this.#efficiency * stepMs));
      return Math.min(surplusMilliwatts, this.#chargeMilliwatts, most);
    }
    const most = Math.floor((this.storedMicrojoules * this.#efficiency) / stepMs);
    const wanted = Math.min(-surplusMilliwatts, this.#dischargeMilliwatts, most);
    return wanted === 0 ? 0 : -wanted;
  }

  /** Power has flowed for a time. */
  flow(milliwatts: number, durationMs: number): void {
    const energy = milliwatts * durationMs;
    const change =
      milliwatts > 0 ? Math.floor(energy * this.#efficiency) : Math.floor(energy / this.#efficiency);
    this.storedMicrojoules = Math.min(this.capacityMicrojoules, Math.max(0, this.storedMicrojoules + change));
  }
}
