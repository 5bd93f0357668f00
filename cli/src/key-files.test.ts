import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readKeypairFile } from '@gridtokenx/chain';
import { expect, it } from 'vitest';

const KEYS = 200;

it('gives every process the same key, also when several make it at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-keys-'));
  const compiled = new URL('../dist/key-files.js', import.meta.url).href;
  const go = join(folder, 'go');
  // Each looks without a pause, so that all begin together.
  const script = `import { existsSync } from 'node:fs';
    import { ensureKey } from ${JSON.stringify(compiled)};
    console.log('ready');
    while (!existsSync(${JSON.stringify(go)}));
    const keys = [];
    for (let at = 0; at < ${KEYS}; at++) {
      const { keypair, created } = ensureKey(${JSON.stringify(folder)} + '/keys/' + at + '.json');
      keys.push([keypair.publicKey.toBase58(), created]);
    }
    console.log(JSON.stringify(keys));`;
  const children: ChildProcess[] = [];
  try {
    const told = Array.from({ length: 3 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return async () => (await lines.next()).value as string | undefined;
    });
    for (const next of told) expect(await next()).toBe('ready');
    writeFileSync(go, '');
    const seen: [string, boolean][][] = [];
    for (const next of told) seen.push(JSON.parse((await next()) ?? '[]'));
    for (let at = 0; at < KEYS; at++) {
      const kept = readKeypairFile(join(folder, 'keys', `${at}.json`)).publicKey.toBase58();
      expect(seen.map((keys) => keys[at]?.[0])).toEqual([kept, kept, kept]);
      expect(seen.filter((keys) => keys[at]?.[1])).toHaveLength(1);
    }
    // Nothing is left of those that came second.
    expect(readdirSync(join(folder, 'keys'))).toHaveLength(KEYS);
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
});
