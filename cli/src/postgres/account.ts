import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { isRoot } from '../data-dir.js';

/** The operating-system account that PostgreSQL runs as; undefined: the one that runs gtx. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Looks up an account in the text of /etc/passwd. */
export function findAccount(passwd: string, name: string): Account | undefined {
  for (const line of passwd.split('\n')) {
    const [account, , uid, gid] = line.split(':');
    if (account === name && uid !== undefined && gid !== undefined)
      return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * PostgreSQL refuses to run as root, so root hands it to the system's account `postgres`, which is created (system
 * account, no login, no home) where there is none. Anybody else runs it as himself.
 *
 * @throws GtxError START_FAILED when the account is neither there nor can be created
 */
export function postgresAccount(): Account | undefined {
  if (!isRoot()) return undefined;
  const lookUp = (): Account | undefined => findAccount(readFileSync('/etc/passwd', 'utf8'), 'postgres');
  const present = lookUp();
  if (present !== undefined) return present;
  const reasons: string[] = [];
  for (const [file, args] of [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres']],
    // BusyBox
    ['adduser', ['-S', '-D', '-H', '-s', '/bin/false', 'postgres']],
  ] as const) {
    try {
      execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      const created = lookUp();
      if (created !== undefined) return created;
    } catch (error) {
      reasons.push((error as Error).message.split('\n')[0] ?? '');
    }
  }
  throw new GtxError(
    'START_FAILED',
    'PostgreSQL does not run as root, and no account "postgres" could be created for it',
    {
      reasons,
    },
  );
}

/**
 * Whether an account can reach a path: it may pass through every folder above it. Judged by owner, group and mode
 * alone (an access list that allows more is not seen; the answer is then "no", and the caller takes the safe way).
 */
export function canReach(path: string, account: Account): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(folder)) {
      const { uid, gid, mode } = statSync(folder);
      const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}
