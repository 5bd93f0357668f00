import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runTogether } from '../testing/together.js';

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
  try {
    await runTogether(3, script, async (runners) => {
      for (const { nextLine } of runners) expect(await nextLine()).toBe('ready');
      for (const { tell } of runners) tell('go');
      const copy = join(copies, 'postgresql-1.2');
      for (const { nextLine } of runners) expect(await nextLine()).toBe(join(copy, 'bin', 'postgres'));
      expect(readdirSync(copies)).toEqual(['postgresql-1.2']);
      expect(readdirSync(join(copy, 'share'))).toHaveLength(1_000);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
