import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where each thing lies below the data folder. Nothing is written anywhere else. */
export interface DataLayout {
  readonly root: string;
  /** Secrets, mode 0700; every file in it 0600. */
  readonly keys: string;
  readonly logs: string;
  readonly postgres: string;
  readonly localnet: string;
  readonly agent: string;
  /** Counters of the meters that `gtx submit-reading` plays. */
  readonly softwareMeters: string;
  /** What wallets have asked of the market and not been answered. */
  readonly market: string;
  readonly lockFile: string;
  /** What runs at the moment: pids, URLs; mode 0600, because it holds the database password. */
  readonly runFile: string;
  /** Port numbers taken last time, so that URLs stay the same over restarts. */
  readonly portsFile: string;
}

/** True where the process runs as root (never on Windows). */
export const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * The data folder to use: `--data-dir`, else `GTX_DATA_DIR`, else `~/.gridtokenx`; for root `/var/lib/gridtokenx`,
 * because root's home is closed to the unprivileged user that PostgreSQL must run as.
 */
export function resolveDataDir(flag: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const chosen = flag ?? (env.GTX_DATA_DIR || undefined);
  if (chosen !== undefined) return resolve(chosen);
  return isRoot() ? '/var/lib/gridtokenx' : join(homedir(), '.gridtokenx');
}

export function dataLayout(root: string): DataLayout {
  return {
    root,
    keys: join(root, 'keys'),
    logs: join(root, 'logs'),
    postgres: join(root, 'postgres'),
    localnet: join(root, 'localnet'),
    agent: join(root, 'agent'),
    softwareMeters: join(root, 'software-meters'),
    market: join(root, 'market'),
    lockFile: join(root, 'up.lock'),
    runFile: join(root, 'up.json'),
    portsFile: join(root, 'ports.json'),
  };
}

/**
 * Creates the data folder and its private subfolders. As root the folder itself is 0711 (others may pass through
 * to PostgreSQL's own folder, and see nothing), otherwise 0700.
 */
export function prepareDataDir(layout: DataLayout): void {
  const rootMode = isRoot() ? 0o711 : 0o700;
  const fresh = !existsSync(layout.root);
  mkdirSync(layout.root, { recursive: true, mode: rootMode });
  const owner = statSync(layout.root).uid;
  if (fresh || (isRoot() && owner === 0 && (statSync(layout.root).mode & 0o001) === 0)) {
    chmodSync(layout.root, rootMode);
  }
  for (const folder of [layout.keys, layout.logs, layout.localnet, layout.agent, layout.softwareMeters]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  chmodSync(layout.keys, 0o700);
}
