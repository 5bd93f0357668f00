import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/protocol/testing/port';

const VERSIONS = '/usr/lib/postgresql';

/** The newest PostgreSQL of the system (Debian's packages), with its client programs, which the embedded one has not. */
function findBinaries(): string | undefined {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((one) => join(VERSIONS, one, 'bin'));
  return folders.find((one) => existsSync(join(one, 'initdb')) && existsSync(join(one, 'pg_dump')));
}

export const systemPostgresInstalled = (): boolean => findBinaries() !== undefined;

function binaries(): string {
  const found = findBinaries();
  if (found === undefined) throw new Error('there is no PostgreSQL; apt-get install postgresql');
  return found;
}

/** A server of the system's PostgreSQL in a folder of its own. */
export class SystemPostgres {
  private readonly folder = mkdtempSync(join(tmpdir(), 'gtx-system-pg-'));
  private readonly cluster = join(this.folder, 'cluster');
  private port = 0;
  private readonly password = 'test';

  async start(): Promise<void> {
    this.port = await freePort();
    const passwordFile = join(this.folder, 'password');
    writeFileSync(passwordFile, this.password);
    const { uid, gid } = this.account;
    chownSync(this.folder, uid, gid);
    chmodSync(this.folder, 0o711);
    chownSync(passwordFile, uid, gid);
    this.run(
      'initdb',
      '-D',
      this.cluster,
      '-U',
      'postgres',
      '--auth=scram-sha-256',
      '--pwfile',
      passwordFile,
    );
    const flags = `-c listen_addresses=127.0.0.1 -c port=${this.port} -c unix_socket_directories=${this.folder} -c max_connections=60`;
    this.run(
      'pg_ctl',
      '-D',
      this.cluster,
      '-l',
      join(this.folder, 'log'),
      '-w',
      '-t',
      '120',
      '-o',
      flags,
      'start',
    );
  }

  url(database: string): string {
    return `postgres://postgres:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  /** The folder with `psql`, `pg_dump` and the others, for a command line's PATH. */
  get path(): string {
    return binaries();
  }

  stop(): void {
    if (existsSync(join(this.cluster, 'postmaster.pid')))
      this.run('pg_ctl', '-D', this.cluster, '-m', 'fast', '-w', 'stop');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** PostgreSQL does not run as root. */
  private get account(): { uid: number; gid: number } {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    if (uid !== 0) return { uid, gid };
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.startsWith('postgres:'));
    const fields = line?.split(':') ?? [];
    return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }

  private run(program: string, ...args: string[]): void {
    // pg_ctl's server keeps what it inherits open: no pipes.
    execFileSync(join(binaries(), program), args, { ...this.account, stdio: 'ignore', cwd: this.folder });
  }
}
