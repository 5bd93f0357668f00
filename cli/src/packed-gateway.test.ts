import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LEAN_NODE_ENV, LEAN_NODE_OPTIONS } from '@gridtokenx/agent';
import { encodeBase58 } from '@gridtokenx/protocol';
import { startSimulator } from '@gridtokenx/simulator';
import pino from 'pino';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
  const packed = join(root, 'cli/dist/gateway.packed.mjs');
  const run = (script: string, args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', cwd: folder });
  const left: (() => unknown)[] = [];
  beforeAll(() => {
    const script = join(root, 'scripts/pack-gateway.mjs');
    const pack = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(pack.status, pack.stderr).toBe(0);
  });
  afterEach(async () => {
    for (const end of left.splice(0).reverse()) await end();
  });

  it('says what the whole program says: help, a wrong option, a configuration with a mistake, profiles', () => {
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, 'data_dir: .\nmeters:\n  - devices: [{ profile: nobody-has-this, role: grid }]\n', {
      mode: 0o600,
    });
    for (const args of [['--help'], ['--wrong'], ['--config', config], ['--config', '/nowhere.yaml']]) {
      const [one, whole] = [packed, join(root, 'cli/dist/main.js')].map((script) =>
        run(script, ['agent', 'run', ...args]),
      );
      expect({ args, ...pick(one) }).toEqual({ args, ...pick(whole) });
    }
  });

  /** Writes a key as Solana's tools do. @returns the public key, base58 */
  function makeKey(file: string): string {
    const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const bytes = [d, x].flatMap((part) => [...Buffer.from(part, 'base64url')]);
    writeFileSync(file, JSON.stringify(bytes), { mode: 0o600 });
    return encodeBase58(Uint8Array.from(bytes.slice(32)));
  }

  /** Starts a gateway with a folder of its own, as a package does. Stopped after the test. */
  function start(
    name: string,
    ports: number[],
    settings: object,
    env: Record<string, string> = {},
    nodeOptions: string[] = [],
  ) {
    const home = join(folder, name);
    mkdirSync(home, { mode: 0o700 });
    const wallet = makeKey(join(home, 'collector.json'));
    const meters = ports.map((port, index) => {
      const keyFile = join(home, `${index}.json`);
      makeKey(keyFile);
      const connection = { type: 'tcp', host: '127.0.0.1', port };
      const device = { role: 'grid', profile: 'eastron-sdm630', unit: 1, connection };
      return { id: `M-${index}`, key_file: keyFile, wallet, mode: 'bidirectional', devices: [device] };
    });
    const config = {
      data_dir: home,
      sample_seconds: 1,
      collector_key: wallet,
      http: { port: 0 },
      clock: { ntp: 'off' },
      meters,
      ...settings,
    };
    const file = join(home, 'agent.yaml');
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    const child = spawn(
      process.execPath,
      [...LEAN_NODE_OPTIONS, ...nodeOptions, packed, 'agent', 'run', '--config', file],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH, ...LEAN_NODE_ENV, ...env },
      },
    );
    let log = '';
    child.stderr.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    left.push(() => ended(child));
    return { child, log: () => log };
  }

  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** A port that answers nothing, and the first bytes that somebody says to it. */
  async function listener(): Promise<{ port: number; said: Promise<Buffer> }> {
    const server: Server = createServer();
    const said = new Promise<Buffer>((resolve) => {
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('data', resolve);
        left.push(() => socket.destroy());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    left.push(() => server.close());
    return { port: (server.address() as AddressInfo).port, said };
  }

  it('loads what it seldom needs when that is asked for: TLS, WebSocket, SOCKS', async () => {
    const [meter, tls, https, websocket, socks] = await Promise.all(Array.from({ length: 5 }, listener));
    const ports = [meter?.port ?? 0];
    const logs = [
      start('tls', ports, {
        mqtt: { url: `mqtts://127.0.0.1:${tls?.port}` },
        collector_url: `https://127.0.0.1:${https?.port}`,
      }),
      start('websocket', ports, { mqtt: { url: `ws://127.0.0.1:${websocket?.port}/mqtt` } }),
      start(
        'socks',
        ports,
        { mqtt: { url: 'mqtt://127.0.0.1:1883' } },
        { MQTTJS_SOCKS_PROXY: `socks5://127.0.0.1:${socks?.port}` },
      ),
    ];
    const first = async (from: typeof tls, gateway: (typeof logs)[number] | undefined) => {
      const gone = once(gateway?.child as ChildProcess, 'exit').then(() => {
        throw new Error(`the gateway ended: ${gateway?.log()}`);
      });
      const bytes = await Promise.race([from?.said as Promise<Buffer>, gone]);
      gone.catch(() => undefined);
      return bytes;
    };
    // RFC 8446, 5.1: a record of a handshake.
    expect((await first(tls, logs[0]))[0]).toBe(22);
    expect((await first(https, logs[0]))[0]).toBe(22);
    expect(String(await first(websocket, logs[1]))).toMatch(
      /^GET \/mqtt HTTP\/1\.1[\s\S]*Sec-WebSocket-Protocol: mqtt/,
    );
    // RFC 1928, 3: the version.
    expect((await first(socks, logs[2]))[0]).toBe(5);
  });

  // Node 22 cannot be made as small (see lean-options.ts), and only Linux says it so.
  const small = process.platform === 'linux' && !process.version.startsWith('v22.');
  it.runIf(small)(
    'reads four meters each second in less than 70 MB, without what it does not use',
    async () => {
      const logger = pino({ level: 'silent' });
      const ports: number[] = [];
      for (let index = 0; index < 4; index++) {
        const { connection, stop } = await startSimulator(
          { transport: { type: 'tcp', host: '127.0.0.1', port: 0 }, units: [{ unit: 1 }] },
          { logger },
        );
        left.push(stop);
        if (connection.type !== 'tcp') throw new Error('no port');
        ports.push(connection.port);
      }
      const broker = await listener();
      const listing = join(folder, 'modules.json');
      const probe = join(folder, 'probe.cjs');
      writeFileSync(
        probe,
        `process.on('SIGUSR2', () => {
        const fs = require('fs');
        fs.writeFileSync(${JSON.stringify(`${listing}.new`)}, JSON.stringify(process.moduleLoadList));
        fs.renameSync(${JSON.stringify(`${listing}.new`)}, ${JSON.stringify(listing)});
      });`,
      );
      const settings = { mqtt: { url: `mqtt://127.0.0.1:${broker.port}` } };
      const { child, log } = start('small', ports, settings, {}, ['--require', probe]);
      const line = once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line');
      const gone = once(child, 'exit').then(() => {
        throw new Error(`the gateway ended: ${log()}`);
      });
      const [text] = (await Promise.race([line, gone])) as [string];
      gone.catch(() => undefined);
      const { http_url: url } = JSON.parse(text) as { http_url: string };
      const status = async () =>
        (await (await fetch(`${url}/api/status`)).json()) as { meters: { healthy: boolean }[] };
      await expect
        .poll(async () => (await status()).meters.map(({ healthy }) => healthy), {
          timeout: 120_000,
          interval: 200,
        })
        .toEqual([true, true, true, true]);
      const [, kilobytes] =
        /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      expect((Number(kilobytes) * 1024) / 1e6).toBeLessThan(70);
      // Each is a megabyte or more, with what comes along, and is loaded by nothing more than a look at the wrong property.
      child.kill('SIGUSR2');
      await expect.poll(() => existsSync(listing), { timeout: 60_000, interval: 50 }).toBe(true);
      const modules = JSON.parse(readFileSync(listing, 'utf8')) as string[];
      const unused =
        /^NativeModule (internal\/deps\/undici\/undici|http2|tls|https|zlib|worker_threads|perf_hooks|fs\/promises)$/;
      expect(modules.filter((module) => unused.test(module))).toEqual([]);
      expect(modules).toContain('NativeModule http');
    },
  );
});

const pick = (result: ReturnType<typeof spawnSync> | undefined) => ({
  status: result?.status,
  stdout: String(result?.stdout),
  // Times differ.
  stderr: String(result?.stderr).replaceAll(/"time":"[^"]*"|"pid":\d+/g, ''),
});
