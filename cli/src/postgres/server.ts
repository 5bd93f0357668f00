import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import pg from 'pg';
import type { Logger } from 'pino';
import {
  identityOf,
  type ProcessIdentity,
  readOrUndefined,
  signalTo,
  waitForExit,
} from '../process/identity.js';
import { isPortFree } from '../process/ports.js';
import { type Account, canReach, postgresAccount } from './account.js';
import { packagedBinaries, reachableBinaries } from './binaries.js';

export interface PostgresOptions {
  /** Folder for the cluster; created when absent. */
  readonly dataDir: string;
  readonly passwordFile: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Chooses one that is free, where any will do; by default the system does. */
  readonly choosePort?: () => Promise<number>;
  readonly logger: Logger;
}

export interface RunningPostgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly serverPid: number;
  readonly clusterDir: string;
  stop(): Promise<void>;
  readonly failed: Promise<never>;
}

const HOST = '127.0.0.1';
const USER = 'gridtokenx';
/** So many chosen ports may be taken by somebody else before PostgreSQL has them. */
const PORT_ATTEMPTS = 5;
const DATABASE = 'gridtokenx';
/** Where root's PostgreSQL lies when its account cannot enter the chosen data folder. */
const REACHABLE_ROOT = '/var/lib/gridtokenx';

/**
 * What makes a commit a promise: it is on the disk when it is answered. Stated rather than left to defaults, so that
 * no environment or later version changes it unseen.
 */
const DURABLE = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' };

/**
 * Runs PostgreSQL in the foreground: makes the cluster at the first start, stops a server that an earlier,
 * killed run left behind on the same folder, starts one, creates the database.
 *
 * @throws GtxError START_FAILED
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { logger } = options;
  const account = postgresAccount();
  const home = clusterHome(options.dataDir, account);
  const binaries = reachableBinaries(await packagedBinaries(), account, REACHABLE_ROOT);
  const clusterDir = join(home, `cluster-${binaries.version.split('.')[0]}`);
  const password = readOrMakePassword(options.passwordFile);

  if (!existsSync(clusterDir)) {
    logger.info({ folder: clusterDir, version: binaries.version }, 'creating the database cluster');
    await initialise(binaries.initdb, clusterDir, password, account);
  }
  await stopLeftover(clusterDir, logger);

  const launchOn = (port: number) =>
    launch({ binary: binaries.postgres, clusterDir, password, port, account, logger });
  if (options.port !== 0) return launchOn(options.port);
  // PostgreSQL takes no "any port": one is chosen and handed over, and until PostgreSQL has it, it may become the port of
  // anybody's outgoing connection.
  for (let attempt = 1; ; attempt++) {
    const port = await (options.choosePort ?? freePort)();
    try {
      return await launchOn(port);
    } catch (error) {
      // Ours has ended: whoever has the port now is somebody else.
      if (attempt === PORT_ATTEMPTS || (await isPortFree(port))) throw error;
      logger.warn({ port }, 'the chosen port was taken by somebody else meanwhile; choosing another');
    }
  }
}

/**
 * Starts the server on a cluster and creates the database. When that fails, the server has ended.
 * @throws GtxError START_FAILED
 */
async function launch(given: {
  readonly binary: string;
  readonly clusterDir: string;
  readonly password: string;
  readonly port: number;
  readonly account: Account | undefined;
  readonly logger: Logger;
}): Promise<RunningPostgres> {
  const { binary, clusterDir, password, port, account, logger } = given;
  const settings = {
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    max_connections: '60',
    shared_buffers: '64MB',
    jit: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...DURABLE,
  };
  const server = spawn(
    binary,
    ['-D', clusterDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // Its log goes where ours goes, by the descriptor itself: it must survive us being killed.
    { stdio: ['ignore', 2, 2], cwd: clusterDir, env: environment(), ...(account ?? {}) },
  );
  let ended: string | undefined;
  const exit = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      ended ??= how;
      resolve(ended);
    };
    server.once('error', (error) => end(error.message));
    server.once('exit', (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const stop = async (): Promise<void> => {
    if (ended !== undefined) return;
    // "Fast" shutdown: open connections are ended, everything is written, the cluster is left consistent.
    server.kill('SIGINT');
    const timer = setTimeout(() => {
      logger.warn('PostgreSQL does not stop; ending it at once (it recovers from its log at the next start)');
      server.kill('SIGQUIT');
    }, 15_000);
    await exit;
    clearTimeout(timer);
  };
  try {
    await untilReady({ host: HOST, port, user: USER, password, database: 'postgres' }, () => ended);
    await createDatabase({ host: HOST, port, user: USER, password, database: 'postgres' });
  } catch (error) {
    await stop();
    throw error;
  }
  let stopping = false;
  const failed = exit.then((how) => {
    if (stopping) return new Promise<never>(() => {});
    throw new GtxError('START_FAILED', `PostgreSQL ended by itself with ${how}`, { exit: how });
  });
  // Whoever runs us awaits it; a crash before that must not be an unhandled rejection.
  failed.catch(() => {});
  return {
    host: HOST,
    port,
    user: USER,
    database: DATABASE,
    serverPid: server.pid ?? 0,
    clusterDir,
    failed,
    stop: () => {
      stopping = true;
      return stop();
    },
  };
}

/** The connection URL of an embedded server; its password is read from the private file. */
export function postgresUrl(
  server: { host: string; port: number; user: string; database: string },
  password: string,
): string {
  const { host, port, user, database } = server;
  return `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
}

/**
 * The folder for the cluster. Normally the one asked for. Where that lies behind a folder closed to PostgreSQL's
 * account (as root, below /root or a private temporary folder), a folder of its own below /var/lib/gridtokenx,
 * whose name is kept in the data folder: with the data folder gone, it is never taken up again by another.
 */
function clusterHome(dataDir: string, account: Account | undefined): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  if (account === undefined) return dataDir;
  const pointer = join(dataDir, 'location');
  let home = dataDir;
  if (existsSync(pointer)) {
    home = readFileSync(pointer, 'utf8').trim();
  } else if (!canReach(join(dataDir, 'x'), account)) {
    home = join(REACHABLE_ROOT, `postgres-${randomBytes(6).toString('hex')}`);
    writeDurably(pointer, `${home}\n`, 0o600);
  }
  mkdirSync(home, { recursive: true, mode: 0o711 });
  chmodSync(home, 0o711);
  if (home !== dataDir) chmodSync(dirname(home), 0o711);
  return home;
}

function readOrMakePassword(file: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeDurably(file, `${randomBytes(24).toString('base64url')}\n`, 0o600);
  }
  return readFileSync(file, 'utf8').trim();
}

function writeDurably(file: string, text: string, mode: number): void {
  const unfinished = `${file}.${process.pid}.new`;
  const descriptor = openSync(unfinished, 'wx', mode);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(unfinished, file);
}

/** Makes the cluster aside and moves it into place, so that a kill in the middle leaves nothing half made. */
async function initialise(
  initdb: string,
  clusterDir: string,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const unfinished = `${clusterDir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  const passwordFile = `${unfinished}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (account !== undefined) {
      chownSync(unfinished, account.uid, account.gid);
      chownSync(passwordFile, account.uid, account.gid);
    }
    const output: string[] = [];
    const child = spawn(
      initdb,
      [
        `--pgdata=${unfinished}`,
        '--auth=scram-sha-256',
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--no-locale',
        '--data-checksums',
        '--no-instructions',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: unfinished, env: environment(), ...(account ?? {}) },
    );
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString('utf8')));
    const how = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) =>
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`),
      );
    });
    if (how !== 'exit code 0') {
      throw new GtxError(
        'START_FAILED',
        `the database cluster could not be created: initdb ended with ${how}`,
        {
          output: output.join('').trimEnd().split('\n').slice(-12),
        },
      );
    }
    renameSync(unfinished, clusterDir);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** A clean environment: the PG* variables of the user's own PostgreSQL are not ours to follow. */
function environment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' };
  if (process.env.PATH !== undefined) env.PATH = process.env.PATH;
  return env;
}

/**
 * When the process that ran PostgreSQL was killed, the server itself lives on and holds the cluster. It is asked to
 * stop, having been recognised by its process number *and* its command line: the number alone may be anybody's.
 */
async function stopLeftover(clusterDir: string, logger: Logger): Promise<void> {
  // It may be stopping already, and take the file with it.
  const noted = readOrUndefined(join(clusterDir, 'postmaster.pid'));
  if (noted === undefined) return;
  const pid = Number(noted.split('\n')[0]);
  const identity = Number.isSafeInteger(pid) && pid > 0 ? identityOf(pid) : undefined;
  if (identity === undefined || !commandLine(identity).includes(clusterDir)) return;
  logger.warn({ pid }, 'an earlier run left PostgreSQL behind; stopping it');
  for (const [signal, waitMs] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    signalTo(identity, signal);
    if (await waitForExit(identity, waitMs)) return;
  }
  throw new GtxError('START_FAILED', `PostgreSQL of an earlier run (process ${pid}) does not stop`, { pid });
}

function commandLine({ pid }: ProcessIdentity): string {
  if (process.platform === 'linux')
    return (readOrUndefined(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ');
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/**
 * Waits until a server lets in. Tries again while nobody listens, it is starting up, or it does not get to an answer.
 * @param ended how the server has ended, once it has
 * @throws GtxError START_FAILED when it has ended, refuses for another reason, or after 120 s
 */
export async function untilReady(target: pg.ClientConfig, ended: () => string | undefined): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const how = ended();
    if (how !== undefined)
      throw new GtxError('START_FAILED', `PostgreSQL ended with ${how} while starting`, { exit: how });
    const client = new pg.Client({ connectionTimeoutMillis: 5_000, ...target });
    // An error after the attempt has been given up belongs to nobody.
    client.on('error', () => {});
    try {
      await client.connect();
      return;
    } catch (error) {
      // 57P03: still starting up or recovering. Without any code: no answer in time, or a connection that was closed without one.
      const code = (error as { code?: string }).code;
      if (code !== undefined && code !== 'ECONNREFUSED' && code !== '57P03' && code !== 'ECONNRESET') {
        throw new GtxError('START_FAILED', `PostgreSQL does not let us in: ${(error as Error).message}`, {
          sqlstate: code,
        });
      }
      if (Date.now() > deadline)
        throw new GtxError(
          'START_FAILED',
          `PostgreSQL was not ready within 120 s: ${(error as Error).message}`,
          {},
        );
    } finally {
      await client.end().catch(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function createDatabase(target: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(target);
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}
