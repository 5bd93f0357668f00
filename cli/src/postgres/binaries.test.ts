import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';

it('makes one copy of programs that cannot be reached, also for several processes at once', async () => {
  // Mode 0700: no other account comes in here.
  const folder = mkdtempSync(join(tmpdir(), 'gtx-binaries-'));
  const native = join(folder, 'native');
  for (const name of ['bin', 'lib', 'share']) mkdirSync(join(native, name), { recursive: true });
  for (const name of ['initdb', 'postgres']) writeFileSync(join(native, 'bin', name), name);
  // So many that each still copies when the others begin.
  for (let index = 0; index < 1_000; index++) writeFileSync(join(native, 'share', `${index}`), '');
  const copies = join(folder, 'copies');
  const compiled = new URL('../../dist/postgres/binaries.js', import.meta.url).href;
  const binaries = {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    version: '1.2',
  };
  const script = `import { reachableBinaries } from ${JSON.stringify(compiled)};
    console.log('ready');
    process.stdin.once('data', () => {
      const nobody = { uid: 65534, gid: 65534 };
      console.log(reachableBinaries(${JSON.stringify(binaries)}, nobody, ${JSON.stringify(copies)}).postgres);
      process.exit(0);
    });`;
  const children: ChildProcess[] = [];
  try {
    const told = Array.from({ length: 3 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      children.push(child);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return { child, next: async () => (await lines.next()).value as string | undefined };
    });
    for (const { next } of told) expect(await next()).toBe('ready');
    for (const { child } of told) child.stdin.write('go');
    const copy = join(copies, 'postgresql-1.2');
    for (const { next } of told) expect(await next()).toBe(join(copy, 'bin', 'postgres'));
    expect(readdirSync(copies)).toEqual(['postgresql-1.2']);
    expect(readdirSync(join(copy, 'share'))).toHaveLength(1_000);
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
});
