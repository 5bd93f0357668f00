/** Powers through a meter at one moment, in whole milliwatts so that energy is an exact integer. */
export interface Flow {
  /** What is given: sun, wind, a battery that discharges. */
  producedMilliwatts: number;
  /** What is drawn: loads, a battery that charges. */
  consumedMilliwatts: number;
}

/** A named part of a site and its power now; both are 0 or more. */
export interface PartFlow extends Flow {
  name: string;
  kind: 'production' | 'consumption' | 'storage';
}

/** Sum over the parts that `names` lists, or over all. */
export function sumFlows(parts: readonly PartFlow[], names?: readonly string[]): Flow {
  let producedMilliwatts = 0;
  let consumedMilliwatts = 0;
  for (const part of parts) {
    if (names !== undefined && !names.includes(part.name)) continue;
    producedMilliwatts += part.producedMilliwatts;
    consumedMilliwatts += part.consumedMilliwatts;
  }
  return { producedMilliwatts, consumedMilliwatts };
}
