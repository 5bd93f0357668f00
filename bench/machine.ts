import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** Where and when the figures were measured. */
export interface Machine {
  date: string;
  node: string;
  system: string;
  cores: number;
  cpu: string;
  memory_gb: number;
  /** Load of the last minute before the measurement: above 0.3 or so, others were working too. */
  load_before: number;
  /** File system of the data folder. */
  file_system: string;
}

export function describeMachine(dataDir: string): Machine {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    system: `${platform()} ${release()} ${arch()}`,
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    memory_gb: Math.round(totalmem() / 1e9),
    load_before: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    file_system: fileSystemOf(dataDir),
  };
}

function fileSystemOf(path: string): string {
  if (platform() !== 'linux') return 'unknown';
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point]) => point !== undefined && `${path}/`.startsWith(point === '/' ? '/' : `${point}/`));
  mounts.sort((a, b) => (a[1] as string).length - (b[1] as string).length);
  return mounts.at(-1)?.[2] ?? 'unknown';
}
