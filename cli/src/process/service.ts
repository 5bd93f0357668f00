import { systemdNotifier } from './notify.js';

/** What a component's process does around the component itself: say that it is ready, stop when asked to. */
export interface RunningService {
  /** Goes into the ready line: URLs and ports, in snake_case. No secrets: the line is logged. */
  readonly info: Record<string, unknown>;
  stop(): Promise<void>;
  /** Rejects when the component has died by itself, so that the process ends and can be started again. */
  readonly failed?: Promise<never>;
  /** Whether it does its work, for systemd's watchdog. Without it, a process that runs its timers is healthy. */
  healthy?(): boolean | Promise<boolean>;
}

export interface ReadyLine {
  readonly ready: true;
  readonly component: string;
  readonly pid: number;
  readonly [key: string]: unknown;
}

/** Environment variable by which a supervisor says that its child's stdin is its lifeline. */
export const SUPERVISED = 'GTX_SUPERVISED';

/**
 * Runs one component in the foreground until SIGTERM or SIGINT, until it fails, or, under a supervisor, until stdin
 * closes: a supervisor that was killed cannot stop its children, but the operating system closes its pipes.
 * Prints the ready line on stdout once the component has started.
 *
 * @returns the process's exit code
 */
export async function runService(
  component: string,
  start: () => Promise<RunningService>,
  options: {
    stopTimeoutMs?: number;
    print?: (line: string) => void;
    env?: NodeJS.ProcessEnv;
    warn?: (message: string) => void;
  } = {},
): Promise<number> {
  const print = options.print ?? ((line) => process.stdout.write(`${line}\n`));
  const env = options.env ?? process.env;
  const systemd = systemdNotifier(env, options.warn ?? ((message) => process.stderr.write(`${message}\n`)));
  let requestStop: (reason: string) => void = () => {};
  const stopRequested = new Promise<string>((resolve) => {
    requestStop = resolve;
  });
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    // Whoever asks twice does not want to wait.
    if (signals > 1) process.exit(1);
    requestStop(signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  // A reader that went away is no reason to die in the middle of a write elsewhere.
  process.stdout.on('error', () => {});
  if (env[SUPERVISED] === '1') {
    process.stdin.on('end', () => requestStop('the supervisor is gone'));
    process.stdin.on('error', () => requestStop('the supervisor is gone'));
    process.stdin.resume();
  }
  try {
    const service = await start();
    const line: ReadyLine = { ready: true, component, pid: process.pid, ...service.info };
    print(JSON.stringify(line));
    let failure: unknown;
    const failed = service.failed?.catch((error: unknown) => {
      failure = error;
    });
    await systemd.ready(() => service.healthy?.() ?? true);
    await Promise.race([stopRequested, ...(failed === undefined ? [] : [failed])]);
    await systemd.stopping();
    await stopWithin(service, options.stopTimeoutMs ?? 20_000);
    if (failure !== undefined) throw failure;
    return 0;
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
    if (env[SUPERVISED] === '1') process.stdin.pause();
  }
}

async function stopWithin(service: RunningService, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not stop within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([service.stop(), late]);
  } finally {
    clearTimeout(timer);
  }
}
