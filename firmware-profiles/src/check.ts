/** What an author of a profile wants to know: faults with their place, and what is right but could be better. */
import { rolloverNkwh } from './decode.js';
import { ProfileError, type ProfileIssue } from './error.js';
import { type Fixture, fixtureFaults, fixtureGaps, fixtureSchema } from './fixture.js';
import { JsonTextError, parseJsonText } from './json-text.js';
import { loadProfileFile, parseText, readText } from './load.js';
import type { MeterProfile, Quantity } from './schema.js';

/** The outcome of a check. */
export interface ProfileCheck {
  file: string;
  /** Undefined when the file is no profile. */
  profile?: MeterProfile;
  /** What is wrong; empty when the profile can be used. */
  issues: ProfileIssue[];
  /** What is not wrong but weak. */
  advice: string[];
}

/**
 * Checks one profile file and, where given, what it makes of a fixture.
 * @param fixtureFile raw registers and the values that they must decode to
 */
export function checkProfileFile(file: string, fixtureFile?: string): ProfileCheck {
  let profile: MeterProfile;
  try {
    profile = loadProfileFile(file);
  } catch (error) {
    return { file, issues: issuesOf(error, file), advice: [] };
  }
  const advice = adviceFor(profile);
  if (fixtureFile === undefined) {
    advice.push(
      'no fixture was given: nothing proves yet that the registers decode to what the document says',
    );
    return { file, profile, issues: [], advice };
  }
  let fixture: Fixture;
  let text: string;
  try {
    text = readText(fixtureFile);
    fixture = parseText(fixtureSchema, text, fixtureFile);
  } catch (error) {
    return { file, profile, issues: issuesOf(error, fixtureFile), advice };
  }
  const positions = parseJsonText(text);
  const issues = fixtureFaults(profile, fixture).map((issue) => ({
    ...issue,
    file: fixtureFile,
    ...positions.positionOf(issue.path.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key))),
  }));
  advice.push(...fixtureGaps(profile, fixture).map((gap) => `the fixture has ${gap}`));
  return { file, profile, issues, advice };
}

function issuesOf(error: unknown, file: string): ProfileIssue[] {
  if (error instanceof JsonTextError) return [{ file, ...error.position, path: '', message: error.message }];
  if (!(error instanceof ProfileError)) throw error;
  return error.issues.length > 0 ? [...error.issues] : [{ file, path: '', message: error.message }];
}

function adviceFor(profile: MeterProfile): string[] {
  const advice: string[] = [];
  const { modbus, identification, verified, roles, registers } = profile;
  if (verified === 'one-transcription') {
    advice.push('the registers come from one transcription: compare them with the manufacturer’s document');
  }
  if (modbus.min_gap_ms === 0)
    advice.push('min_gap_ms is 0: many meters need a pause before the next request');
  if (identification.certainty === 'none') advice.push('a scan cannot find this device: it has no probes');
  const counted = new Set<Quantity>(
    Object.values(roles).flatMap((role) =>
      [role?.produced, role?.consumed].filter((one) => one !== undefined),
    ),
  );
  for (const quantity of counted) {
    const register = registers[quantity];
    if (register === undefined) continue;
    if (register.type === 'float32') {
      advice.push(`${quantity} is a float32: above 16,384 (in its unit, ${register.unit}) its steps grow`);
    } else if (rolloverNkwh(profile, quantity) === undefined) {
      advice.push(
        `${quantity}: it is not known where the register starts again from 0; name it in rollover_at`,
      );
    }
    if (quantity === 'energy_total') {
      advice.push(
        `${quantity} counts both directions: the role is right only where nothing flows the other way`,
      );
    }
  }
  return advice;
}
