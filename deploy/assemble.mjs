// Lays out what runs of a checkout that is installed and built: our own packages and those that they need, without what
// compiles, tests or documents them. The Debian package and the container image are made of it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param {object} options
 * @param {string} options.root the checkout
 * @param {string} options.library where everything goes
 * @param {string[]} options.packages our own packages, by folder
 * @param {Set<string>} options.leftOut packages that only other commands need
 * @param {'x64' | 'arm64'} options.target the processor
 * @returns {string[]} the other packages, as paths in package-lock.json, sorted
 */
export function assemble({ root, library, packages, leftOut, target }) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const needed = new Set();
  for (const name of packages) {
    const to = join(library, name);
    mkdirSync(to, { recursive: true });
    cpSync(join(root, name, 'package.json'), join(to, 'package.json'));
    for (const folder of ['bin', 'dist', 'profiles', 'assets', 'migrations']) {
      const from = join(root, name, folder);
      if (!existsSync(from)) continue;
      cpSync(from, join(to, folder), {
        recursive: true,
        filter: (path) => !/(\.test\.(js|d\.ts)|\.map|\.d\.ts|\.tsbuildinfo)$|\/testing(\/|$)/.test(path),
      });
    }
    for (const dependency of Object.keys(lock[name].dependencies ?? {})) need(dependency, name);
    mkdirSync(join(library, 'node_modules/@gridtokenx'), { recursive: true });
    execFileSync('ln', ['-sfn', `../../${name}`, join(library, 'node_modules/@gridtokenx', name)]);
  }
  const sorted = [...needed].sort();
  for (const path of sorted) copyPackage(path);
  return sorted;

  /** Marks a package and all that it needs, as Node finds them from `from` (a path in the lock file). */
  function need(name, from) {
    if (leftOut.has(name) || name.startsWith('@gridtokenx/')) return;
    for (
      let at = from;
      ;
      at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : ''
    ) {
      const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      const found = lock[path];
      if (found) {
        if (needed.has(path)) return;
        needed.add(path);
        for (const next of Object.keys(found.dependencies ?? {})) need(next, path);
        return;
      }
      if (at === '') throw new Error(`package-lock.json has no ${name}, which ${from} needs. Run npm ci.`);
    }
  }

  /** What runs; not what compiles, tests or documents it. */
  function copyPackage(path) {
    const from = join(root, path);
    if (!existsSync(from)) throw new Error(`${path} is not installed. Run npm ci.`);
    const native = existsSync(join(from, 'binding.gyp'));
    cpSync(from, join(library, path), {
      recursive: true,
      dereference: true,
      filter: (source) => {
        const inside = source.slice(from.length);
        if (/^\/node_modules(\/|$)/.test(inside)) return false;
        if (/\.(md|markdown|map|ts|mts|cts|flow|gypi?|c|cc|cpp|h|hpp|tsbuildinfo)$/i.test(inside))
          return false;
        if (/^\/(test|tests|docs|example|examples|benchmark|benchmarks|\.github)(\/|$)/.test(inside))
          return false;
        // Where a native module is compiled from; it comes compiled.
        if (native && /^\/(src|deps|build)(\/|$)/.test(inside)) return false;
        const prebuild = /^\/prebuilds\/([^/]+?)(\.node)?(\/|$)/.exec(inside);
        if (prebuild && prebuild[1] !== `linux-${target}`) return false;
        return !/musl/.test(inside);
      },
    });
  }
}
