import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeypairFile } from '@gridtokenx/chain';
import { expect, it } from 'vitest';
import { runTogether } from './testing/together.js';

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
  try {
    await runTogether(3, script, async (runners) => {
      for (const { nextLine } of runners) expect(await nextLine()).toBe('ready');
      writeFileSync(go, '');
      const seen: [string, boolean][][] = [];
      for (const { nextLine } of runners) seen.push(JSON.parse((await nextLine()) ?? '[]'));
      for (let at = 0; at < KEYS; at++) {
        const kept = readKeypairFile(join(folder, 'keys', `${at}.json`)).publicKey.toBase58();
        expect(seen.map((keys) => keys[at]?.[0])).toEqual([kept, kept, kept]);
        expect(seen.filter((keys) => keys[at]?.[1])).toHaveLength(1);
      }
      // Nothing is left of those that came second.
      expect(readdirSync(join(folder, 'keys'))).toHaveLength(KEYS);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
