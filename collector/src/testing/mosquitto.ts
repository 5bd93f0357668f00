import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** A real Mosquitto with a given configuration, for tests. */
export interface TestMosquitto {
  /** What it has logged. */
  readonly log: () => string;
  /** Reads passwords, access rules and certificates again. */
  reload(): void;
  stop(): Promise<void>;
}

/** Where it is not installed its tests are left out, except in continuous integration. */
export const mosquittoWanted = (): boolean =>
  process.env.CI !== undefined || spawnSync('mosquitto', ['-h'], { stdio: 'ignore' }).error === undefined;

/** Whom Mosquitto runs as when root starts it. */
export function mosquittoUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('mosquitto:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined) throw new Error('there is no user mosquitto; apt-get install mosquitto');
  return { uid: Number(uid), gid: Number(gid) };
}

/** Starts it and waits until it takes connections on the port. */
export async function startMosquitto(configFile: string, port: number): Promise<TestMosquitto> {
  let log = '';
  let child: ChildProcess;
  try {
    child = spawn('mosquitto', ['-c', configFile, '-v'], { stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
  } catch (error) {
    throw new Error('Mosquitto does not start; apt-get install mosquitto', { cause: error });
  }
  child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const gone = once(child, 'exit');
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  while (!(await takesConnections(port))) {
    if (ended()) throw new Error(`Mosquitto ended:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    log: () => log,
    reload: () => void child.kill('SIGHUP'),
    async stop() {
      if (!ended()) child.kill('SIGTERM');
      await gone;
    },
  };
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
