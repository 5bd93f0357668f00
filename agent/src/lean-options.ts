/**
 * Options for Node with which a gateway is smallest: no optimising compiler and no code kept for it, and a nursery of one
 * megabyte. A process can set only a part of this for itself (see lean.ts), so whoever starts one should.
 *
 * The first one takes WebAssembly away. Node 22 ends without it as soon as a library asks whether there is a WebSocket, which
 * the MQTT client does; Node 20 has none, and Node 24 looks for WebAssembly later.
 */
export const LEAN_NODE_OPTIONS: readonly string[] = leanNodeOptions(process.versions.node);

/** The same for another Node than the one that runs this. @param version as in `24.21.0` */
export function leanNodeOptions(version: string): readonly string[] {
  const [major = 0] = version.split('.').map(Number);
  return [major > 20 && major < 24 ? '--optimize-for-size' : '--lite-mode', '--max-semi-space-size=1'];
}

/**
 * What goes with them into the environment. glibc gives each thread that allocates an arena of its own; those of Node's helper
 * threads hold next to nothing, in memory that is then missing.
 */
export const LEAN_NODE_ENV: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };

/** The words of a `gtx` command line from its command on; options may stand before it. */
function commandWords(args: readonly string[]): readonly string[] {
  for (let at = 0; at < args.length; at++) {
    const one = args[at] as string;
    if (!one.startsWith('-')) return args.slice(at);
    // `--data-dir x` has a value of its own, `--data-dir=x` and `--json` have none that follows.
    if (one === '--data-dir') at++;
  }
  return [];
}

/**
 * Whether a `gtx` command line is one of a gateway's.
 * @param args after `gtx`
 */
export const isGatewayCommand = (args: readonly string[]): boolean => commandWords(args)[0] === 'agent';

/**
 * Whether it runs a gateway, for years.
 * @param args after `gtx`
 */
export function isGatewayRun(args: readonly string[]): boolean {
  const [group, command] = commandWords(args);
  return group === 'agent' && command === 'run';
}
