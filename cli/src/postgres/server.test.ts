import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '@gridtokenx/protocol/testing/port';
import pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRoot } from '../data-dir.js';
import { identityOf, isAlive, type ProcessIdentity } from '../process/identity.js';
import { until } from '../testing/wait.js';
import { canReach, findAccount } from './account.js';
import {
  type PostgresOptions,
  postgresUrl,
  type RunningPostgres,
  startPostgres,
  untilReady,
} from './server.js';

let folder: string;
let running: RunningPostgres | undefined;
beforeEach(() => {
  // Mode 0700: as root, PostgreSQL's account cannot come in here, which is the harder case.
  folder = mkdtempSync(join(tmpdir(), 'gtx-postgres-'));
});
afterEach(async () => {
  await running?.stop();
  if (running !== undefined && !running.clusterDir.startsWith(folder))
    rmSync(dirname(running.clusterDir), { recursive: true });
  running = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const start = async (more: Partial<PostgresOptions> = {}): Promise<RunningPostgres> => {
  running = await startPostgres({
    dataDir: join(folder, 'postgres'),
    passwordFile: join(folder, 'keys', 'postgres-password'),
    port: 0,
    logger: pino({ level: 'silent' }),
    ...more,
  });
  return running;
};
async function query<T extends pg.QueryResultRow>(server: RunningPostgres, sql: string): Promise<T[]> {
  const password = readFileSync(join(folder, 'keys', 'postgres-password'), 'utf8').trim();
  const client = new pg.Client({ connectionString: postgresUrl(server, password) });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  it('is durable, private and keeps its data over stop and kill', async () => {
    const first = await start();
    for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums']) {
      expect(await query(first, `SHOW ${setting}`), setting).toEqual([{ [setting]: 'on' }]);
    }
    expect(await query(first, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(statSync(join(folder, 'keys', 'postgres-password')).mode & 0o777).toBe(0o600);
    expect(statSync(first.clusterDir).mode & 0o777).toBe(0o700);
    await expect(
      new pg.Client({
        host: '127.0.0.1',
        port: first.port,
        user: 'gridtokenx',
        password: 'guess',
        database: 'postgres',
      }).connect(),
    ).rejects.toMatchObject({ code: '28P01' });
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();

    const second = await start();
    expect(second.clusterDir).toBe(first.clusterDir);
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    // A crash is reported, and the next start recovers.
    const crash = expect(second.failed).rejects.toMatchObject({ code: 'START_FAILED' });
    process.kill(second.serverPid, 'SIGKILL');
    await crash;
    const third = await until('the dead server’s shared memory is free', () =>
      start().catch(() => false as const),
    );
    expect(await query(third, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('takes another port when somebody else got the chosen one first, and says so when that goes on', async () => {
    const somebody = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(somebody, 'listening');
    try {
      const { port: taken } = somebody.address() as AddressInfo;
      let chosen = 0;
      const always = async () => {
        chosen += 1;
        return taken;
      };
      await expect(start({ choosePort: always })).rejects.toMatchObject({ code: 'START_FAILED' });
      expect(chosen).toBe(5);
      // One that the user has named is not changed.
      await expect(start({ port: taken, choosePort: always })).rejects.toMatchObject({
        code: 'START_FAILED',
      });
      expect(chosen).toBe(5);
      const free = await freePort();
      const ports = [taken, free];
      const server = await start({ choosePort: async () => ports.shift() ?? 0 });
      expect(server.port).toBe(free);
      expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      somebody.close();
    }
  });

  it('is waited for while it takes connections and does not get to an answer', async () => {
    const server = await start();
    const password = readFileSync(join(folder, 'keys', 'postgres-password'), 'utf8').trim();
    // Silent, then closed without a word, as by one that is stopped or ends its children; then let through.
    const sockets: Socket[] = [];
    const line = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      if (sockets.length === 1) return;
      if (sockets.length === 2) socket.end();
      else socket.pipe(connect(server.port, server.host).on('error', () => {})).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(line, 'listening');
    try {
      const { user, host } = server;
      const { port } = line.address() as AddressInfo;
      const target = { host, port, user, password, database: 'postgres', connectionTimeoutMillis: 500 };
      await untilReady(target, () => undefined);
      expect(sockets.length).toBeGreaterThanOrEqual(3);
      await expect(untilReady({ ...target, password: 'guess' }, () => undefined)).rejects.toMatchObject({
        code: 'START_FAILED',
        details: { sqlstate: '28P01' },
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      line.close();
    }
  });

  it('stops the server that a killed run left behind', async () => {
    const first = await start();
    const left = identityOf(first.serverPid) as ProcessIdentity;
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS answer');
    const second = await start();
    expect(isAlive(left)).toBe(false);
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 1 }]);
  });

  it.runIf(isRoot())(
    'finds itself a place when its account cannot enter the data folder, and keeps to it',
    async () => {
      const first = await start();
      expect(first.clusterDir.startsWith(folder)).toBe(false);
      expect(readFileSync(join(folder, 'postgres', 'location'), 'utf8').trim()).toBe(
        dirname(first.clusterDir),
      );
      await first.stop();
      expect((await start()).clusterDir).toBe(first.clusterDir);
    },
  );
});

describe('the account for PostgreSQL', () => {
  it('is found by its exact name', () => {
    const passwd =
      'root:x:0:0::/root:/bin/sh\npostgresql:x:7:8::/:/bin/false\npostgres:x:101:104:PostgreSQL,,,:/var/lib:/bin/sh\n';
    expect(findAccount(passwd, 'postgres')).toEqual({ uid: 101, gid: 104 });
    expect(findAccount('root:x:0:0::/root:/bin/sh\n', 'postgres')).toBeUndefined();
  });

  it('reaches a path only through open folders', () => {
    const nobody = { uid: 65_534, gid: 65_534 };
    expect(existsSync(folder)).toBe(true);
    expect(canReach(join(folder, 'x'), nobody)).toBe(false);
    expect(canReach(join(folder, 'x'), { uid: process.getuid?.() ?? 0, gid: 1 })).toBe(true);
    expect(canReach(folder, nobody)).toBe(true);
  });
});
