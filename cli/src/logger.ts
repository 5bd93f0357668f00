import { type Logger, pino } from 'pino';

/**
 * The log of a component: JSON lines on stderr, written synchronously, so that the last line before a crash is there.
 * Level by LOG_LEVEL (default info).
 * @param component undefined for components that name themselves in their lines
 */
export function serviceLogger(component: string | undefined, env: NodeJS.ProcessEnv = process.env): Logger {
  const level = env.LOG_LEVEL ?? 'info';
  const known = level in pino.levels.values || level === 'silent';
  return pino(
    {
      level: known ? level : 'info',
      base: { ...(component === undefined ? {} : { component }), pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
