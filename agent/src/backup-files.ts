/** The files that a configuration names, beside the meters' keys: a new SD card needs them too. */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { parse } from 'yaml';
import type { AgentConfig } from './config.js';
import { writeSecretFile } from './create-key.js';

/** One file of a backup: which setting names it, and its content in base64. */
export interface BackupFile {
  /** `mqtt.ca_file`, or of a profile the place in `profile_dir` and its name there: `profile_dir.0/acme-one.json`. */
  setting: string;
  content: string;
}

/** Certificates may be read by everybody; what is secret only by the owner. */
const SECRET = new Set(['mqtt.key_file', 'mqtt.password_file', 'home_assistant.password_file']);
const MOST_BYTES = 1024 * 1024;

/** Settings that name one file, and where it is. */
function namedFiles(config: AgentConfig): [string, string][] {
  const { mqtt, home_assistant: home } = config;
  const all: [string, string | undefined][] = [
    ['mqtt.ca_file', mqtt.ca_file],
    ['mqtt.cert_file', mqtt.cert_file],
    ['mqtt.key_file', mqtt.key_file],
    ['mqtt.password_file', mqtt.password_file],
    ['collector_ca_file', config.collector_ca_file],
    ['home_assistant.ca_file', home?.ca_file],
    ['home_assistant.password_file', home?.password_file],
  ];
  return all.filter((one): one is [string, string] => one[1] !== undefined);
}

/**
 * Reads every file that the configuration names.
 * @throws GtxError CONFIG_INVALID for one that cannot be read
 */
export function gatherFiles(config: AgentConfig, configText: string, folder: string): BackupFile[] {
  const profiles = profilePlaces(configText, folder).flatMap((place, index): [string, string][] => {
    if (!statSync(place, { throwIfNoEntry: false })?.isDirectory()) return [[`profile_dir.${index}`, place]];
    const names = readdirSync(place).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => [`profile_dir.${index}/${name}`, join(place, name)]);
  });
  return [...namedFiles(config), ...profiles].map(([setting, path]) => {
    try {
      const content = readFileSync(path);
      if (content.length > MOST_BYTES) throw new Error('it is larger than 1 MiB');
      return { setting, content: content.toString('base64') };
    } catch (error) {
      throw new GtxError('CONFIG_INVALID', `${setting}: cannot read ${path}: ${(error as Error).message}`);
    }
  });
}

/**
 * Puts a backup's profiles where its configuration wants them, before that can be checked: it names them.
 * @returns files that are new; one that is there already stays as it is
 */
export function placeProfiles(files: readonly BackupFile[], configText: string, folder: string): string[] {
  return profilesOf(files, configText, folder).flatMap(placed);
}

/** Puts a backup's certificates, keys and passwords where the configuration wants them. @returns as `placeProfiles` */
export function placeFilesOf(config: AgentConfig, files: readonly BackupFile[]): string[] {
  return othersOf(config, files).flatMap(placed);
}

/**
 * Files of a backup that are where the configuration wants them, with just this content: by this run or by one before.
 * @param configText the configuration as it is written
 */
export function restoredFiles(
  config: AgentConfig,
  files: readonly BackupFile[],
  configText: string,
  folder: string,
): string[] {
  return [...profilesOf(files, configText, folder), ...othersOf(config, files)]
    .filter(
      ({ path, content }) => existsSync(path) && readFileSync(path).equals(Buffer.from(content, 'base64')),
    )
    .map(({ path }) => path);
}

/** A file of a backup and where it belongs. */
interface Placement {
  path: string;
  content: string;
  secret: boolean;
}

function profilesOf(files: readonly BackupFile[], configText: string, folder: string): Placement[] {
  const places = profilePlaces(configText, folder);
  return files.flatMap(({ setting, content }) => {
    const [, index, name] = /^profile_dir\.(\d+)(?:\/([^/]+))?$/.exec(setting) ?? [];
    const place = places[Number(index)];
    if (index === undefined || place === undefined) return [];
    return [{ path: name === undefined ? place : join(place, name), content, secret: false }];
  });
}

function othersOf(config: AgentConfig, files: readonly BackupFile[]): Placement[] {
  const paths = new Map(namedFiles(config));
  return files.flatMap(({ setting, content }) => {
    const path = paths.get(setting);
    return path === undefined ? [] : [{ path, content, secret: SECRET.has(setting) }];
  });
}

function placed({ path, content, secret }: Placement): string[] {
  if (existsSync(path)) return [];
  writeSecretFile(path, Buffer.from(content, 'base64'));
  if (!secret) chmodSync(path, 0o644);
  return [path];
}

/** `profile_dir` of a configuration that may not be valid yet, absolute. */
function profilePlaces(configText: string, folder: string): string[] {
  const written: unknown = (parse(configText) as { profile_dir?: unknown } | null)?.profile_dir;
  const places: unknown[] = written === undefined ? [] : [written].flat();
  return places.filter((one): one is string => typeof one === 'string').map((one) => resolve(folder, one));
}

/** The folder that a configuration's relative paths start from. */
export const folderOf = (configFile: string): string => dirname(resolve(configFile));
