import { describe, expect, it } from 'vitest';
import { parseUsage, parseWritten, processUsage, writtenBytes } from './process-usage.js';

describe('processUsage', () => {
  it('takes user and system time and the resident set', () => {
    const stat = '42 (no (de) 1 2) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 7 8 20 0 11 0 100 1 2';
    const status = 'Name:\tnode\nVmHWM:\t   60000 kB\nVmRSS:\t   50000 kB\nThreads:\t11\n';
    expect(parseUsage(stat, status, 100)).toEqual({
      cpuSeconds: 2,
      endedChildrenCpuSeconds: 0.15,
      rssMb: 51.2,
      peakRssMb: 61.44,
    });
  });

  it('takes what was written to storage', () => {
    const io =
      'rchar: 9\nwchar: 8\nsyscr: 7\nsyscw: 6\nread_bytes: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 3\n';
    expect(parseWritten(io)).toBe(4096);
    expect(() => parseWritten('')).toThrow();
    if (process.platform === 'linux') expect(writtenBytes(process.pid)).toBeGreaterThanOrEqual(0);
  });

  it.runIf(process.platform === 'linux')('agrees with what Node says of itself', () => {
    const usage = processUsage(process.pid);
    const own = process.cpuUsage();
    expect(usage.cpuSeconds).toBeLessThanOrEqual((own.user + own.system) / 1e6 + 1);
    expect(usage.rssMb).toBeGreaterThan(10);
    expect(usage.peakRssMb).toBeGreaterThanOrEqual(usage.rssMb * 0.99);
  });
});
