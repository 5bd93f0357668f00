/**
 * Where the packed gateway lies, and whether it is what the sources say. Loaded before everything else: only node:fs, by
 * `require`, since an `import` loads its promises and their streams with it (1 MB).
 */
import { createRequire } from 'node:module';

const { statSync } = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');

/** Packages of ours that the packed gateway is made of, as folders beside `cli`. */
const PARTS = ['protocol', 'firmware-profiles', 'agent', 'cli'];

/**
 * The gateway as one file, if it is there and not older than what it is made of: after `tsc -b` alone it is, and then the
 * modules themselves run, with the same result and more memory. An installed package has no compiler's notes beside its
 * modules; its packed gateway was made with it.
 * @param dist folder `cli/dist`, as a URL that ends in a slash
 */
export function packedGateway(dist: URL): URL | undefined {
  const packed = new URL('gateway.packed.mjs', dist);
  const changedMs = (file: URL) => statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  const packedMs = changedMs(packed);
  if (packedMs === undefined) return undefined;
  const newer = PARTS.some((part) => {
    const compiledMs = changedMs(new URL(`../../${part}/dist/.tsbuildinfo`, dist));
    return compiledMs !== undefined && compiledMs > packedMs;
  });
  return newer ? undefined : packed;
}
