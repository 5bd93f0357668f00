/**
 * Tells systemd how a service is (sd_notify(3)): READY=1 when it works, WATCHDOG=1 while it is healthy, STOPPING=1
 * when it goes. Node has no datagram sockets of the UNIX family, so `systemd-notify(1)` carries the messages; a unit
 * that uses this needs `NotifyAccess=all`. Without NOTIFY_SOCKET, not under systemd, nothing is done.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Notifier {
  /** The service works. From now on the watchdog is answered while `healthy()` is true. */
  ready(healthy: () => boolean | Promise<boolean>): Promise<void>;
  /** The service has been asked to stop. */
  stopping(): Promise<void>;
}

/** How often the watchdog wants an answer, in ms: half of what is allowed, as sd_watchdog_enabled(3) advises. */
export function watchdogIntervalMs(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const allowed = Number(env.WATCHDOG_USEC);
  if (!Number.isSafeInteger(allowed) || allowed <= 0) return undefined;
  if (env.WATCHDOG_PID !== undefined && Number(env.WATCHDOG_PID) !== pid) return undefined;
  return Math.max(1, Math.floor(allowed / 2000));
}

/**
 * @param warn is told of a message that could not be delivered; the service goes on, and systemd decides by its own
 *   time limits
 */
export function systemdNotifier(
  env: NodeJS.ProcessEnv,
  warn: (message: string) => void,
  pid: number = process.pid,
): Notifier {
  if (env.NOTIFY_SOCKET === undefined || env.NOTIFY_SOCKET === '') {
    return { ready: async () => {}, stopping: async () => {} };
  }
  const send = async (...messages: string[]): Promise<void> => {
    try {
      await run('systemd-notify', messages, { env });
    } catch (error) {
      warn(`systemd was not told ${messages.join(' ')}: ${(error as Error).message}`);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    async ready(healthy) {
      await send('READY=1', `MAINPID=${pid}`);
      const every = watchdogIntervalMs(env, pid);
      if (every === undefined) return;
      let asking = false;
      timer = setInterval(async () => {
        if (asking) return;
        asking = true;
        try {
          if (await healthy()) await send('WATCHDOG=1');
          else warn('not healthy: the watchdog gets no answer and will restart the service');
        } catch (error) {
          warn(`the watchdog gets no answer: ${(error as Error).message}`);
        } finally {
          asking = false;
        }
      }, every);
      timer.unref();
    },
    async stopping() {
      clearInterval(timer);
      await send('STOPPING=1');
    },
  };
}
