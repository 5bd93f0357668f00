import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { z } from 'zod';
import { identityOf, isAlive, type ProcessIdentity } from './identity.js';

const LockFile = z.object({ pid: z.int().positive(), startedAt: z.string().min(1) });

function readHolder(path: string): ProcessIdentity | undefined | 'absent' {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
    throw error;
  }
  try {
    return LockFile.parse(JSON.parse(text));
  } catch {
    // A lock is linked into place complete, so an unreadable one is damage and belongs to nobody alive.
    return undefined;
  }
}

/**
 * Takes the single-instance lock of a data folder. A lock whose holder is gone (kill -9, power cut, its process
 * number given to somebody else since) is taken over. The file appears complete (written aside, then hard-linked),
 * so nobody ever reads half a lock.
 *
 * @returns a function that releases the lock
 * @throws GtxError DATA_DIR_IN_USE while another live process holds it
 */
export function takeLock(path: string): () => void {
  const self = identityOf(process.pid);
  if (self === undefined) throw new GtxError('INTERNAL', 'cannot read the start time of this process');
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(self)}\n`, { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(aside, path);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder === 'absent') continue;
      if (holder !== undefined && isAlive(holder)) {
        throw new GtxError(
          'DATA_DIR_IN_USE',
          `another gtx up (process ${holder.pid}) is using this data folder`,
          {
            pid: holder.pid,
            lock_file: path,
          },
        );
      }
      takeAside(path, holder);
    }
  } finally {
    rmSync(aside, { force: true });
  }
  return () => {
    const holder = readHolder(path);
    if (holder !== 'absent' && holder?.pid === self.pid && holder.startedAt === self.startedAt)
      rmSync(path, { force: true });
  };
}

/**
 * Moves a dead holder's lock away. Between reading and moving, another starter may have done the same and put its
 * own lock there; then that one was moved, and goes back.
 */
function takeAside(path: string, dead: ProcessIdentity | undefined): void {
  const grave = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, grave);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readHolder(grave);
  const wasTheDeadOne =
    moved === undefined ||
    (moved !== 'absent' && moved.pid === dead?.pid && moved.startedAt === dead.startedAt);
  if (!wasTheDeadOne) {
    try {
      linkSync(grave, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  rmSync(grave, { force: true });
}
