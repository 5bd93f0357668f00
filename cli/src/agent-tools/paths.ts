import { join } from 'node:path';
import { isRoot, resolveDataDir } from '../data-dir.js';

/** Where the gateway's package has its configuration; for other users it lies in their data folder. */
export const SYSTEM_CONFIG = '/etc/gridtokenx/agent.yaml';

/** The configuration that a command means without `--config`. */
export function defaultConfigPath(dataDirFlag: string | undefined, env: NodeJS.ProcessEnv): string {
  if (isRoot() && dataDirFlag === undefined && !env.GTX_DATA_DIR) return SYSTEM_CONFIG;
  return join(resolveDataDir(dataDirFlag, env), 'agent.yaml');
}
