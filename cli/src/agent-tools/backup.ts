/** Brings a backup's files back: the configuration where there is none, what it names, and the keys. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type AgentConfig, installerTools, loadAgentConfig, parseAgentConfig } from '@gridtokenx/agent';
import { isRoot } from '../data-dir.js';
import { lookUpUser, SERVICE_USER } from './identity.js';

type Backup = Awaited<ReturnType<Awaited<ReturnType<typeof installerTools>>['loadBackup']>>;

type Owner = NonNullable<ReturnType<typeof lookUpUser>>;

export interface PlacedFiles {
  config: AgentConfig;
  /** The configuration came from the backup. */
  configWritten: boolean;
  /** Key files that are new. */
  keys: string[];
  /** Certificates, passwords and profiles that are new. */
  others: string[];
}

/**
 * Writes what is missing, nothing over what is there; run again, it goes on where it was interrupted. Everything is
 * checked before the first file is written.
 * @param user whom the files are to belong to; default: as root, the service's user
 * @throws GtxError CONFIG_INVALID; KEY_FILE_EXISTS when another key is in a place of the backup's
 */
export async function placeFiles(
  path: string,
  backup: Backup,
  env: NodeJS.ProcessEnv,
  user: Owner | undefined = isRoot() ? lookUpUser(SERVICE_USER) : undefined,
): Promise<PlacedFiles> {
  const { folderOf, placeFilesOf, placeKeys, placeProfiles, restoredFiles, writeSecretFile } =
    await installerTools();
  const file = resolve(path);
  const missing = !existsSync(file);
  // A configuration that names a profile of the user's own can only be checked where that is.
  const others = missing ? placeProfiles(backup.files, backup.config, folderOf(file)) : [];
  const config = missing ? parseAgentConfig(backup.config, file, env) : loadAgentConfig(file, env);
  const keys = placeKeys(config, backup);
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  others.push(...placeFilesOf(config, backup.files));
  if (missing) writeSecretFile(file, backup.config);
  const text = readFileSync(file, 'utf8');
  const restored = [
    ...config.meters.map(({ key_file }) => key_file),
    ...restoredFiles(config, backup.files, text, folderOf(file)),
  ];
  removeHalfWritten([...restored, file]);
  if (user) {
    for (const one of [...keys, ...others]) chownSync(one, user.uid, user.gid);
    giveFiles(restored, user);
    // The service reads it, root changes it.
    if (text === backup.config && isRootsAlone(file)) {
      chownSync(file, 0, user.gid);
      chmodSync(file, 0o640);
    }
    giveFolders(config.data_dir, [...restored, file], file, user);
  }
  return { config, configWritten: missing, keys, others };
}

/** Root's, and closed to everybody else: as files and folders are made here before they are given away. */
function isRootsAlone(path: string): boolean {
  const { uid, mode } = statSync(path);
  return uid === 0 && (mode & 0o077) === 0;
}

/** A run that was interrupted may have left them to root, where the service could not read them. */
function giveFiles(files: readonly string[], user: Owner): void {
  for (const one of files) if (isRootsAlone(one)) chownSync(one, user.uid, user.gid);
}

/** What an interruption has left of files while they were written: `writeSecretFile` writes them aside first. */
function removeHalfWritten(files: readonly string[]): void {
  for (const one of files) {
    const folder = dirname(one);
    for (const name of readdirSync(folder)) {
      const aside = join(folder, name);
      if (aside.startsWith(`${one}.`) && /^\.\d+\.new$/.test(aside.slice(one.length))) rmSync(aside);
    }
  }
}

/**
 * Gives the folders of the restored files to the service, also those that an interrupted run has made. Only such as are
 * root's alone and hold nothing else: a folder that was there for other things is never given away, nor is root's home, which a new
 * machine may have left empty.
 * @param configFile its folder stays root's, and the service may look into it
 */
function giveFolders(dataDir: string, files: readonly string[], configFile: string, user: Owner): void {
  const ours = new Set(files);
  const folders = new Set<string>();
  const home = resolve(homedir());
  for (const innermost of [dataDir, ...files.map((file) => dirname(file))]) {
    for (let one = innermost; one !== dirname(one); one = dirname(one)) folders.add(one);
  }
  // The deepest first: a folder is ours when all in it is.
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) {
    // What lies above it is not ours alone then either.
    if (folder === home) continue;
    if (!isRootsAlone(folder) || !readdirSync(folder).every((name) => ours.has(join(folder, name)))) continue;
    ours.add(folder);
    if (folder === dirname(configFile) && folder !== dataDir) {
      chownSync(folder, 0, user.gid);
      chmodSync(folder, 0o750);
    } else chownSync(folder, user.uid, user.gid);
  }
}
