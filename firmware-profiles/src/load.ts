import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { ProfileError, type ProfileIssue } from './error.js';
import { JsonTextError, parseJsonText } from './json-text.js';
import { type MeterProfile, profileSchema } from './schema.js';

/** Where the profiles are that come with this package. */
export const PROFILE_FOLDER = fileURLToPath(new URL('../profiles/', import.meta.url));

/** A folder may hold the schema (for editors) and fixtures beside its profiles. */
const NO_PROFILE = /^profile\.schema\.json$|\.fixture\.json$/;

/**
 * The profiles that come with this package, and those of the user's own folders and files, which add to them or
 * take the place of one with the same id.
 */
export class ProfileLibrary {
  private readonly files = new Map<string, { file: string; own: boolean }>();
  private readonly loaded = new Map<string, MeterProfile>();

  /**
   * @param extra folders (their `*.json`, but for `profile.schema.json` and `*.fixture.json`) or single files; later
   *   ones go before earlier ones. A profile's file bears its id as name.
   * @throws ProfileError PROFILE_INVALID when a folder or file cannot be read
   */
  constructor(extra: readonly string[] = []) {
    for (const [index, place] of [PROFILE_FOLDER, ...extra].entries()) {
      for (const file of filesOf(place)) this.files.set(basename(file, '.json'), { file, own: index > 0 });
    }
  }

  /** Ids, sorted. */
  list(): string[] {
    return [...this.files.keys()].sort();
  }

  has(id: string): boolean {
    return this.files.has(id);
  }

  /** Where a profile comes from: its file, and whether that is one of the user's own. */
  origin(id: string): { file: string; own: boolean } | undefined {
    return this.files.get(id);
  }

  /**
   * A profile, validated. Read once.
   * @throws ProfileError PROFILE_INVALID when there is none with this id, or its file is not right; `issues` names
   *   line and column
   */
  load(id: string): MeterProfile {
    const place = this.files.get(id);
    if (place === undefined) {
      throw new ProfileError(
        'PROFILE_INVALID',
        `no meter profile "${id}"; there are: ${this.list().join(', ')}`,
      );
    }
    const profile = this.loaded.get(id) ?? loadProfileFile(place.file);
    this.loaded.set(id, profile);
    return profile;
  }
}

let bundled: ProfileLibrary | undefined;

/** Ids of the profiles, sorted. @param extra as for `ProfileLibrary` */
export function listProfiles(extra: readonly string[] = []): string[] {
  return libraryOf(extra).list();
}

/**
 * A profile, validated.
 * @param extra the user's own folders and files, as for `ProfileLibrary`
 * @throws ProfileError PROFILE_INVALID when there is none with this id, or its file does not match the schema
 */
export function loadProfile(id: string, extra: readonly string[] = []): MeterProfile {
  return structuredClone(libraryOf(extra).load(id));
}

function libraryOf(extra: readonly string[]): ProfileLibrary {
  if (extra.length > 0) return new ProfileLibrary(extra);
  bundled ??= new ProfileLibrary();
  return bundled;
}

/**
 * The profile in a file, which must bear its id as name.
 * @throws ProfileError PROFILE_INVALID; the message has a line `file:line:column: setting: what is wrong` for each
 *   fault, `issues` the same as data
 */
export function loadProfileFile(file: string): MeterProfile {
  const text = readText(file);
  const profile = parseProfileText(text, file);
  const name = basename(file, '.json');
  if (profile.id !== name) {
    const place = parseJsonText(text).positionOf(['id']);
    throw invalid([
      { file, ...place, path: 'id', message: `is "${profile.id}", but the file is called ${name}.json` },
    ]);
  }
  return profile;
}

/** A profile from a text. @param file names it in errors. @throws ProfileError as `loadProfileFile` */
export function parseProfileText(text: string, file: string): MeterProfile {
  return parseText(profileSchema, text, file);
}

/** Validates a profile from elsewhere. @throws ProfileError PROFILE_INVALID naming what is wrong */
export function parseProfile(value: unknown): MeterProfile {
  const result = profileSchema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(flatten);
  throw new ProfileError(
    'PROFILE_INVALID',
    `meter profile: ${issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ')}`,
    { issues: issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message })) },
  );
}

/** @throws ProfileError PROFILE_INVALID when it cannot be read */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ProfileError('PROFILE_INVALID', `cannot read ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Text to value by a schema. @throws ProfileError PROFILE_INVALID with line and column of each fault */
export function parseText<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  file: string,
): z.output<Schema> {
  let json: ReturnType<typeof parseJsonText>;
  try {
    json = parseJsonText(text);
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    throw invalid([{ file, ...error.position, path: '', message: error.message }]);
  }
  const result = schema.safeParse(json.value);
  if (result.success) return result.data;
  throw invalid(
    result.error.issues
      .flatMap(flatten)
      .map(({ path, message }) => ({
        file,
        ...json.positionOf(path),
        path: path.map(String).join('.'),
        message,
      }))
      .sort((a, b) => a.line - b.line || a.column - b.column),
  );
}

/** An issue of zod's as one of ours: unknown keys each by itself, and what was expected in plain words. */
function flatten(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such setting' }));
  }
  const { path } = issue;
  if (issue.code === 'invalid_type' && issue.input === undefined) return [{ path, message: 'is missing' }];
  return [{ path, message: issue.message }];
}

function invalid(issues: ProfileIssue[]): ProfileError {
  const text = issues.map(
    ({ file, line, column, path, message }) =>
      `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`,
  );
  return new ProfileError('PROFILE_INVALID', text.join('\n'), { issues });
}

/** The profile files of a folder, or a single file. */
function filesOf(place: string): string[] {
  try {
    if (!statSync(place).isDirectory()) return [place];
    return readdirSync(place)
      .filter((name) => name.endsWith('.json') && !NO_PROFILE.test(name))
      .sort()
      .map((name) => join(place, name));
  } catch (error) {
    throw new ProfileError(
      'PROFILE_INVALID',
      `cannot read profiles from ${place}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
