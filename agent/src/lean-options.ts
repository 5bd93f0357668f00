/**
 * Options for Node with which a gateway is smallest: no optimising compiler and no code kept for it, and a nursery of one
 * megabyte. A process can set only a part of this for itself (see lean.ts), so whoever starts one should.
 */
export const LEAN_NODE_OPTIONS: readonly string[] = ['--lite-mode', '--max-semi-space-size=1'];

/**
 * Whether a `gtx` command line runs a gateway.
 * @param args after `gtx`; options may stand before the command
 */
export function isGatewayCommand(args: readonly string[]): boolean {
  for (let at = 0; at < args.length; at++) {
    const one = args[at] as string;
    if (one === 'agent') return true;
    // `--data-dir x` has a value of its own, `--data-dir=x` and `--json` have none that follows.
    if (one === '--data-dir') at++;
    else if (!one.startsWith('-')) return false;
  }
  return false;
}
