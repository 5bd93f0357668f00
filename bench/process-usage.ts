import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says about a process (proc(5)). Linux only. */
export interface ProcessUsage {
  /** User and system time since its start. */
  cpuSeconds: number;
  /** The same of its children that have ended. */
  endedChildrenCpuSeconds: number;
  /** Resident set: now, and the highest so far. */
  rssMb: number;
  peakRssMb: number;
}

let ticks: number | undefined;

/** Reads /proc/PID/stat and /proc/PID/status. Nothing is subtracted: the whole process counts. */
export function processUsage(pid: number): ProcessUsage {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return parseUsage(
    readFileSync(`/proc/${pid}/stat`, 'utf8'),
    readFileSync(`/proc/${pid}/status`, 'utf8'),
    ticks,
  );
}

/**
 * Bytes that a process has caused to be written to storage (/proc/PID/io, `write_bytes`): whole pages, counted when they
 * are dirtied. What the file system writes for itself comes on top.
 */
export function writtenBytes(pid: number): number {
  return parseWritten(readFileSync(`/proc/${pid}/io`, 'utf8'));
}

/** The same from the file's text. */
export function parseWritten(io: string): number {
  const match = /^write_bytes: (\d+)$/m.exec(io);
  if (match === null) throw new Error('/proc/PID/io has no write_bytes');
  return Number(match[1]);
}

/**
 * Processor seconds of a process and its children, those that run and those that have ended: PostgreSQL has one for
 * each connection.
 */
export function familyCpuSeconds(pid: number): number {
  const { cpuSeconds, endedChildrenCpuSeconds } = processUsage(pid);
  let sum = cpuSeconds + endedChildrenCpuSeconds;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      if (Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]) === pid) sum += processUsage(Number(name)).cpuSeconds;
    } catch (error) {
      // It ended while we looked.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return sum;
}

/** The same from the texts of the two files. MB are 10^6 bytes. */
export function parseUsage(stat: string, status: string, ticksPerSecond: number): ProcessUsage {
  // The second field is the name in brackets and may hold anything. Fields 14 to 17: utime, stime, cutime, cstime.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kilobytes = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status);
    if (match === null) throw new Error(`/proc/PID/status has no ${name}`);
    return (Number(match[1]) * 1024) / 1e6;
  };
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    endedChildrenCpuSeconds: (Number(fields[13]) + Number(fields[14])) / ticksPerSecond,
    rssMb: kilobytes('VmRSS'),
    peakRssMb: kilobytes('VmHWM'),
  };
}
