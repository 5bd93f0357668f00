/** Brings a backup's files back: the configuration where there is none, what it names, and the keys. */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type AgentConfig, installerTools, loadAgentConfig, parseAgentConfig } from '@gridtokenx/agent';
import { isRoot } from '../data-dir.js';
import { lookUpUser, SERVICE_USER } from './identity.js';

type Backup = Awaited<ReturnType<Awaited<ReturnType<typeof installerTools>>['loadBackup']>>;

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
 * checked before the first file is written. As root, the files belong to the service's user.
 * @throws GtxError CONFIG_INVALID; KEY_FILE_EXISTS when another key is in a place of the backup's
 */
export async function placeFiles(path: string, backup: Backup, env: NodeJS.ProcessEnv): Promise<PlacedFiles> {
  const { folderOf, placeFilesOf, placeKeys, placeProfiles, writeSecretFile } = await installerTools();
  const file = resolve(path);
  const missing = !existsSync(file);
  // A configuration that names a profile of the user's own can only be checked where that is.
  const others = missing ? placeProfiles(backup.files, backup.config, folderOf(file)) : [];
  const config = missing ? parseAgentConfig(backup.config, file, env) : loadAgentConfig(file, env);
  const user = isRoot() ? lookUpUser(SERVICE_USER) : undefined;
  const folders = [config.data_dir, ...config.meters.map(({ key_file }) => dirname(key_file))];
  const made = [...new Set(folders)].filter((folder) => !existsSync(folder));
  const keys = placeKeys(config, backup);
  for (const folder of made) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (user) chownSync(folder, user.uid, user.gid);
  }
  others.push(...placeFilesOf(config, backup.files));
  if (user) for (const one of [...keys, ...others]) chownSync(one, user.uid, user.gid);
  if (missing) {
    writeSecretFile(file, backup.config);
    // The service reads it, root changes it.
    if (user) {
      chownSync(file, 0, user.gid);
      chmodSync(file, 0o640);
    }
  }
  return { config, configWritten: missing, keys, others };
}
