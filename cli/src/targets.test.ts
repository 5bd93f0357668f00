import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRoot, resolveDataDir } from './data-dir.js';
import { identityOf } from './process/identity.js';
import { withoutPassword } from './run-file.js';
import { resolveTargets } from './targets.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-targets-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (supervisor: unknown) =>
  JSON.stringify({
    version: 1,
    supervisor,
    startedAt: '2026-01-01T00:00:00Z',
    dataDir: folder,
    components: [
      {
        name: 'localnet',
        state: 'running',
        urls: { rpc: 'http://127.0.0.1:1001', ws: 'ws://127.0.0.1:1002' },
        restarts: 0,
      },
      {
        name: 'postgres',
        state: 'running',
        urls: { database: 'postgresql://u:p@127.0.0.1:1003/d' },
        restarts: 0,
      },
    ],
  });

describe('what a command talks to', () => {
  it('is the flag, else the environment, else what runs, else the usual port', () => {
    expect(resolveTargets(folder, {})).toMatchObject({
      rpcUrl: 'http://127.0.0.1:8899',
      httpUrl: 'http://127.0.0.1:8080',
      mqttUrl: 'mqtt://127.0.0.1:1883',
      databaseUrl: undefined,
      wsUrl: undefined,
      run: undefined,
    });
    writeFileSync(join(folder, 'up.json'), run(identityOf(process.pid)));
    expect(resolveTargets(folder, {})).toMatchObject({
      rpcUrl: 'http://127.0.0.1:1001',
      wsUrl: 'ws://127.0.0.1:1002',
      databaseUrl: 'postgresql://u:p@127.0.0.1:1003/d',
    });
    expect(resolveTargets(folder, { SOLANA_RPC_URL: 'http://chain:1' }).rpcUrl).toBe('http://chain:1');
    const flagged = resolveTargets(folder, { SOLANA_RPC_URL: 'http://chain:1' }, { rpc: 'https://chain:2' });
    // The WebSocket of what runs here is not that of another chain.
    expect(flagged).toMatchObject({ rpcUrl: 'https://chain:2', wsUrl: undefined });
  });

  it('is not what a killed run left in its file', () => {
    writeFileSync(join(folder, 'up.json'), run({ pid: process.pid, startedAt: 'earlier' }));
    expect(resolveTargets(folder, {}).rpcUrl).toBe('http://127.0.0.1:8899');
  });

  it('refuses addresses of the wrong kind', () => {
    for (const [env, flags] of [
      [{ SOLANA_RPC_URL: 'chain' }, {}],
      [{ DATABASE_URL: 'mysql://x' }, {}],
      [{}, { mqtt: 'http://x' }],
      [{}, { url: 'ftp://x' }],
    ] as const) {
      expect(() => resolveTargets(folder, env, flags)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
    }
  });
});

describe('the data folder', () => {
  it('is the flag, else the environment, else the usual one', () => {
    expect(resolveDataDir('/a', { GTX_DATA_DIR: '/b' })).toBe('/a');
    expect(resolveDataDir(undefined, { GTX_DATA_DIR: '/b' })).toBe('/b');
    const usual = resolveDataDir(undefined, {});
    if (isRoot()) expect(usual).toBe('/var/lib/gridtokenx');
    else expect(usual).toMatch(/\.gridtokenx$/);
  });
});

describe('a URL for people', () => {
  it('shows no password', () => {
    expect(withoutPassword('postgresql://u:secret@h:1/d')).toBe('postgresql://u:***@h:1/d');
    expect(withoutPassword('http://h:1/')).toBe('http://h:1/');
    expect(withoutPassword('serial:/dev/tty')).toBe('serial:/dev/tty');
  });
});
