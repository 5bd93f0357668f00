import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packedGateway } from './packed-gateway.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-packed-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('which gateway runs', () => {
  const PACKED_AT = 1_800_000_000;
  const put = (path: string, seconds: number) => {
    const file = join(folder, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, '');
    utimesSync(file, seconds, seconds);
  };
  const chosen = () => packedGateway(pathToFileURL(join(folder, 'cli/dist/')))?.pathname;
  const packed = () => pathToFileURL(join(folder, 'cli/dist/gateway.packed.mjs')).pathname;

  it('is the packed one, unless something it is made of was compiled later', () => {
    put('cli/dist/gateway.packed.mjs', PACKED_AT);
    for (const part of ['protocol', 'firmware-profiles', 'agent', 'cli']) {
      put(`${part}/dist/.tsbuildinfo`, PACKED_AT - 1);
    }
    expect(chosen()).toBe(packed());
    put('protocol/dist/.tsbuildinfo', PACKED_AT + 1);
    expect(chosen()).toBeUndefined();
  });

  it('is the packed one in an installed package, where nothing is compiled', () => {
    put('cli/dist/gateway.packed.mjs', PACKED_AT);
    expect(chosen()).toBe(packed());
  });

  it('is made of its modules where nothing was packed', () => {
    put('cli/dist/main.js', PACKED_AT);
    expect(chosen()).toBeUndefined();
  });
});

describe('the packed gateway', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const run = (script: string, args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', cwd: folder });

  it('says what the whole program says: help, a wrong option, a configuration with a mistake, profiles', () => {
    const pack = run(join(root, 'scripts/pack-gateway.mjs'), []);
    expect(pack.status, pack.stderr).toBe(0);
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, 'data_dir: .\nmeters:\n  - devices: [{ profile: nobody-has-this, role: grid }]\n', {
      mode: 0o600,
    });
    for (const args of [['--help'], ['--wrong'], ['--config', config], ['--config', '/nowhere.yaml']]) {
      const [one, whole] = [join(root, 'cli/dist/gateway.packed.mjs'), join(root, 'cli/dist/main.js')].map(
        (script) => run(script, ['agent', 'run', ...args]),
      );
      expect({ args, ...pick(one) }).toEqual({ args, ...pick(whole) });
    }
  });
});

const pick = (result: ReturnType<typeof spawnSync> | undefined) => ({
  status: result?.status,
  stdout: String(result?.stdout),
  // Times differ.
  stderr: String(result?.stderr).replaceAll(/"time":"[^"]*"|"pid":\d+/g, ''),
});
