import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { z } from 'zod';

const Identity = z.object({ pid: z.int().positive(), startedAt: z.string() });

export const RunningComponent = z.object({
  name: z.string(),
  state: z.enum(['starting', 'running', 'waiting-to-restart', 'stopping', 'stopped', 'external']),
  process: Identity.optional(),
  /** Names of what it offers (`rpc`, `http`, ...) to where. */
  urls: z.record(z.string(), z.string()),
  dataDir: z.string().optional(),
  logFile: z.string().optional(),
  restarts: z.int().nonnegative(),
  /** Other processes below it, such as PostgreSQL's own. */
  otherPids: z.array(z.int().positive()).default([]),
});
export type RunningComponent = z.infer<typeof RunningComponent>;

/** What a running `gtx up` tells other `gtx` commands. Holds the database password, hence mode 0600. */
export const RunFile = z.object({
  version: z.literal(1),
  supervisor: Identity,
  /** Where the supervisor tells of its components: `/healthz`, `/metrics`. */
  supervisorUrl: z.string().optional(),
  startedAt: z.string(),
  dataDir: z.string(),
  components: z.array(RunningComponent),
  meterId: z.string().optional(),
});
export type RunFile = z.infer<typeof RunFile>;

/** The run file, or undefined when there is none or it is damaged (it only describes; nothing is lost with it). */
export function readRunFile(path: string): RunFile | undefined {
  if (!existsSync(path)) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return RunFile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Replaces the run file in one step. */
export function writeRunFile(path: string, run: RunFile): void {
  const aside = `${path}.${process.pid}.new`;
  const descriptor = openSync(aside, 'w', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(run, null, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(aside, path);
}

export const removeRunFile = (path: string): void => rmSync(path, { force: true });

/** A URL for people: without its password. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.href;
}
