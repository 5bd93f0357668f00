const [major = 0] = process.versions.node.split('.').map(Number);

/**
 * Options for Node with which a gateway is smallest: no optimising compiler and no code kept for it, and a nursery of one
 * megabyte. A process can set only a part of this for itself (see lean.ts), so whoever starts one should.
 *
 * The first one takes WebAssembly away. Node 22 ends without it as soon as a library asks whether there is a WebSocket, which
 * the MQTT client does; Node 20 has none, and Node 24 looks for WebAssembly later.
 */
export const LEAN_NODE_OPTIONS: readonly string[] = [
  major > 20 && major < 24 ? '--optimize-for-size' : '--lite-mode',
  '--max-semi-space-size=1',
];

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
