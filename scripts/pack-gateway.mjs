#!/usr/bin/env node
// Packs what `gtx agent run` loads, some 350 modules, into one file without comments and without what is never used:
// cli/dist/gateway.packed.mjs. A gateway keeps the text of its modules in memory for as long as it runs; packed it
// needs 6 MB less and starts with half the processor time. Needs the compiled checkout (`tsc -b`).
//   node scripts/pack-gateway.mjs
import { readFileSync, renameSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
// The bundler that builds the page, too (vite's, in vite's version).
import esbuild from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'cli/dist');
const packed = join(dist, 'gateway.packed.mjs');
const written = `${packed}.new`;

/** Our modules find their files (profiles, package.json, native modules) from where they lie, and so must the packed ones. */
const ownPlaces = {
  name: 'own-places',
  setup(build) {
    build.onLoad({ filter: /\.js$/ }, ({ path }) => {
      const inside = relative(root, path);
      if (!/^[a-z-]+\/dist\//.test(inside.replaceAll(sep, '/'))) return undefined;
      const place = relative(dist, path).replaceAll(sep, '/');
      const source = readFileSync(path, 'utf8');
      return {
        contents: source.replaceAll(
          'import.meta.url',
          `new URL(${JSON.stringify(place)}, import.meta.url).href`,
        ),
      };
    });
  },
};

/** Of zod's messages in fifty languages it uses the English ones, which zod takes from their own file. */
const oneLanguage = {
  name: 'one-language',
  setup(build) {
    build.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: 'export {};',
    }));
  },
};

await esbuild.build({
  entryPoints: [join(dist, 'gateway.js')],
  outfile: written,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.11',
  // Names stay: they are in logs and stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Compiled modules, and what is loaded only where there is a serial line.
  external: ['better-sqlite3', 'better-sqlite3-node20', 'serialport', 'bufferutil', 'utf-8-validate'],
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  plugins: [ownPlaces, oneLanguage],
  logLevel: 'warning',
});
// At once, so that a gateway that starts meanwhile finds the old one or the new one.
renameSync(written, packed);
