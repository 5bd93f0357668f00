/** Who has a serial port open, as far as the system tells. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

const PSEUDO_TERMINAL_MAKERS = ['/dev/ptmx', '/dev/pts/ptmx'] as const;

export interface PortHolder {
  pid: number;
  command: string;
}

/**
 * The other process that has a device open (proc(5)); undefined when there is none, or none that this user may look
 * into: root sees all, others only their own.
 */
export function portHolder(path: string): PortHolder | undefined {
  let device: string;
  let processes: string[];
  try {
    device = realpathSync(path);
    processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // No such device, or a system without /proc: opening it will tell.
    return undefined;
  }
  for (const pid of processes) {
    if (Number(pid) === process.pid) continue;
    let descriptors: string[];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      // Ended meanwhile, or another user's.
      continue;
    }
    const open = new Set<string>();
    for (const descriptor of descriptors) {
      try {
        open.add(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
      } catch {
        // Closed meanwhile.
      }
    }
    // Who has the other end of a pseudo-terminal is the line, not one who uses it.
    if (!open.has(device) || PSEUDO_TERMINAL_MAKERS.some((one) => open.has(one))) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return { pid: Number(pid), command };
    } catch {
      // Ended meanwhile, and let it go.
    }
  }
  return undefined;
}
