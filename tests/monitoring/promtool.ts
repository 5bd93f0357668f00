import { execFileSync, spawnSync } from 'node:child_process';

/** False: no promtool here, the tests are skipped. With `CI` set that is a failure. */
export function hasPromtool(): boolean {
  const { error } = spawnSync('promtool', ['--version'], { stdio: 'ignore' });
  if (error === undefined) return true;
  if (process.env.CI) throw new Error('promtool is missing: apt-get install prometheus');
  console.warn('skipped: the checks of metrics, rules and panels need promtool (apt-get install prometheus)');
  return false;
}

/** Runs promtool. @returns its exit code and everything that it said */
export function promtool(args: readonly string[], input = ''): { code: number | null; said: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  if (error) throw error;
  return { code: status, said: `${stdout}${stderr}` };
}

/** promtool's version, as `promtool --version` tells it in its first line. */
export const promtoolVersion = (): string =>
  execFileSync('promtool', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
