/** What model answers at an address: asks what the profiles' probes want, each question once. */
import { probeHolds } from './decode.js';
import { CERTAINTIES, type Certainty, type MeterProfile, wordCount } from './schema.js';

/** A model that a device may be. */
export interface Match {
  profile: MeterProfile;
  certainty: Certainty;
}

/**
 * Reads registers of the device that is looked at.
 * @returns its words, or undefined when it answers with an exception or not at all (it is then asked something
 *   else; throw to end the search)
 */
export type ProbeReader = (
  functionCode: 3 | 4,
  address: number,
  count: number,
) => Promise<readonly number[] | undefined>;

/**
 * The models that a device may be, the surest first. Profiles whose identification registers name them are asked
 * for first; those that can only guess are asked for only while no surer one has matched.
 * @param profiles those that come into question; SunSpec layouts are left out, they have their own discovery
 */
export async function identify(read: ProbeReader, profiles: readonly MeterProfile[]): Promise<Match[]> {
  const answers = new Map<string, readonly number[] | undefined>();
  const ask = async (functionCode: 3 | 4, address: number, count: number) => {
    const key = `${functionCode}/${address}/${count}`;
    if (!answers.has(key)) answers.set(key, await read(functionCode, address, count));
    return answers.get(key);
  };
  const matches: Match[] = [];
  for (const certainty of Object.keys(CERTAINTIES) as Certainty[]) {
    if (certainty === 'none' || matches.length > 0) break;
    for (const profile of profiles) {
      const { identification } = profile;
      if (identification.certainty !== certainty || profile.sunspec || identification.probes.length === 0)
        continue;
      let holds = true;
      for (const probe of identification.probes) {
        const count = wordCount(probe);
        const first = Number(probe.address);
        const block = probe.block ?? { address: probe.address, count };
        const start = Number(block.address);
        const answer = await ask(probe.function_code, start, block.count);
        if (answer?.length === block.count) {
          if (probeHolds(profile, probe, answer.slice(first - start, first - start + count))) continue;
        }
        holds = false;
        break;
      }
      if (holds) matches.push({ profile, certainty });
    }
  }
  return matches;
}
