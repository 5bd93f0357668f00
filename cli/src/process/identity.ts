import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: when the process started, in the operating system's own words. */
  readonly startedAt: string;
}

/** What a file says, or undefined when there is none (any more): also one below /proc whose process ends meanwhile. */
export function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * When a process started, or undefined when there is none with that number (a zombie counts as gone: it holds no
 * files and runs no code). Linux: /proc/PID/stat field 22 with the boot id; elsewhere `ps`.
 */
export function processStartedAt(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (process.platform === 'linux') {
    const stat = readOrUndefined(`/proc/${pid}/stat`);
    if (stat === undefined) return undefined;
    // The second field is the program's name in parentheses and may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const boot = readOrUndefined('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
    return `${boot}:${fields[19]}`;
  }
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    if (text === '' || text.startsWith('Z')) return undefined;
    return text.slice(text.indexOf(' ') + 1).trim();
  } catch {
    // ps exits with 1 when there is no such process.
    return undefined;
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startedAt = processStartedAt(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True while exactly this process (not a later one with its number) is alive. */
export const isAlive = (identity: ProcessIdentity): boolean =>
  processStartedAt(identity.pid) === identity.startedAt;

/** Resolves to true when the process is gone, or to false after `timeoutMs`. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

/** Stops a process: SIGTERM, and SIGKILL when it has not gone after `graceMs`. */
export async function terminate(identity: ProcessIdentity, graceMs: number): Promise<void> {
  for (const [signal, wait] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    signalTo(identity, signal);
    if (await waitForExit(identity, wait)) return;
  }
}

/** Sends a signal to exactly this process; nothing happens when it has gone. */
export function signalTo(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    // It has gone since.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
