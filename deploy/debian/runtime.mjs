#!/usr/bin/env node
// The Node that the Debian package carries: brought once from the package registry, checked against the digest in
// runtime.json, kept in the cache folder.
//   node deploy/debian/runtime.mjs FOLDER      unpacks this machine's into FOLDER and prints the path of `node`
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Version and digests. */
export const runtime = JSON.parse(readFileSync(new URL('runtime.json', import.meta.url), 'utf8'));

/** Debian's name of a processor, by Node's. */
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };
/** @returns {string | undefined} Debian's name of this machine's processor, if there is a package for it */
export const thisArchitecture = () => ARCHITECTURES[process.arch];
/** @returns {string | undefined} Node's name of one that Debian calls `arch` */
export const nodesName = (arch) =>
  Object.keys(ARCHITECTURES).find((target) => ARCHITECTURES[target] === arch);

function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.error?.code === 'ENOENT') throw new Error(`${command} is not installed.`);
  if (result.status !== 0)
    throw new Error(
      `${command} ${args.join(' ')} failed:\n${result.stdout ?? ''}${result.stderr ?? result.error?.message ?? ''}`,
    );
  return result.stdout;
}

/**
 * Unpacks the runtime for `arch` (amd64, arm64) into `folder`; its program is `bin/node` in there.
 * @throws Error when it cannot be had, or is not the one that runtime.json names
 */
export function unpackRuntime(arch, folder) {
  const { integrity } = runtime.architectures[arch];
  const cache = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'gridtokenx/node',
    `${runtime.version}-${arch}`,
  );
  const archive = join(cache, 'node.tgz');
  const digest = (file) => `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (!existsSync(archive) || digest(archive) !== integrity) {
    rmSync(cache, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    const spec = `node-linux-${nodesName(arch)}@${runtime.version}`;
    const [{ filename }] = JSON.parse(
      run('npm', ['pack', spec, '--json', '--silent', '--pack-destination', cache]),
    );
    const got = digest(join(cache, filename));
    if (got !== integrity)
      throw new Error(`${spec} has ${got}, deploy/debian/runtime.json says ${integrity}`);
    renameSync(join(cache, filename), archive);
  }
  mkdirSync(folder, { recursive: true });
  run('tar', ['-xzf', archive, '-C', folder, '--strip-components=1', '--no-same-owner']);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  const arch = thisArchitecture();
  if (folder === undefined || arch === undefined) {
    process.stderr.write('Usage: node deploy/debian/runtime.mjs FOLDER, on x64 or arm64\n');
    process.exit(2);
  }
  unpackRuntime(arch, folder);
  process.stdout.write(`${resolve(folder, 'bin/node')}\n`);
}
