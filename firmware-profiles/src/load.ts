import { readdirSync, readFileSync } from 'node:fs';
import { ProfileError } from './error.js';
import { type MeterProfile, profileSchema } from './schema.js';

const FOLDER = new URL('../profiles/', import.meta.url);

/** Ids of the profiles that come with this package, sorted. */
export function listProfiles(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json') && name !== 'profile.schema.json')
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/**
 * A profile that comes with this package, validated.
 * @throws ProfileError PROFILE_INVALID when there is none with this id, or its file does not match the schema
 */
export function loadProfile(id: string): MeterProfile {
  if (!listProfiles().includes(id)) {
    throw new ProfileError(
      'PROFILE_INVALID',
      `no meter profile "${id}"; there are: ${listProfiles().join(', ')}`,
    );
  }
  const file = new URL(`${id}.json`, FOLDER);
  const profile = parseProfile(JSON.parse(readFileSync(file, 'utf8')));
  if (profile.id !== id) throw new ProfileError('PROFILE_INVALID', `${id}.json calls itself ${profile.id}`);
  return profile;
}

/** Validates a profile from elsewhere. @throws ProfileError PROFILE_INVALID naming what is wrong */
export function parseProfile(value: unknown): MeterProfile {
  const result = profileSchema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`);
  throw new ProfileError('PROFILE_INVALID', `meter profile: ${issues.join('; ')}`);
}
