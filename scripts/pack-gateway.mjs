#!/usr/bin/env node
// Packs what `gtx agent run` loads, some 350 modules, into one file without comments and without what is never used:
// cli/dist/gateway.packed.mjs. A gateway keeps the text of its modules in memory for as long as it runs, and what V8 makes of
// them: packed it needs more than 10 MB less and starts with half the processor time. Needs the compiled checkout (`tsc -b`).
//   node scripts/pack-gateway.mjs
import { readFileSync, renameSync } from 'node:fs';
import { builtinModules } from 'node:module';
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
        contents: source
          .replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`)
          // The same object. Of this form the bundler knows which of its functions nobody calls.
          .replaceAll("import { z } from 'zod';", "import * as z from 'zod';")
          .replaceAll(/^import \{([^}]*)\} from '(node:[^']+)';$/gm, byRequire),
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

/** A module of ours of which nothing is used does nothing by being there. */
const ownUnused = {
  name: 'own-unused',
  setup(build) {
    build.onResolve(
      { filter: /^(\.|@gridtokenx\/)/ },
      async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (pluginData === ownUnused) return undefined;
        const found = await build.resolve(path, { kind, resolveDir, importer, pluginData: ownUnused });
        const inside = relative(root, found.path).replaceAll(sep, '/');
        return /^[a-z-]+\/dist\//.test(inside) ? { ...found, sideEffects: false } : found;
      },
    );
  },
};

/**
 * Node's own modules by `require`, in our files name by name, too. An `import` asks each for all that it exports, and
 * `node:http` answers by loading fetch, WebSocket, HTTP/2 and TLS (2 MB), `node:util` by loading workers.
 */
function byRequire(_, names, module) {
  return `const {${names.replaceAll(/ as /g, ': ')}} = require('${module}');`;
}
const builtinsByRequire = {
  name: 'builtins-by-require',
  setup(build) {
    const names = new RegExp(`^(node:)?(${builtinModules.join('|')})$`);
    build.onResolve({ filter: names }, ({ path, kind }) =>
      kind === 'import-statement' || kind === 'dynamic-import' ? { path, namespace: 'builtin' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * What libraries load for cases that most gateways never see is loaded when the case is there. `seldom(PACKAGE, MODULE)`
 * takes it from where the package lies. By file: what stands there, and what takes its place. A library that has changed
 * is noticed: each text must be there.
 */
const SELDOM = {
  // Brokers over WebSocket, TLS, SOCKS (MQTTJS_SOCKS_PROXY), and a browser's.
  'mqtt/build/lib/connect/index.js': [
    [
      "protocols.ws = require('./ws').streamBuilder;",
      "protocols.ws = (...given) => seldom('mqtt', './lib/connect/ws.js').streamBuilder(...given);",
    ],
    ["protocols.wss = require('./ws').streamBuilder;", 'protocols.wss = protocols.ws;'],
    [
      "protocols.ssl = require('./tls').default;",
      "protocols.ssl = (...given) => require('./tls').default(...given);",
    ],
    ["protocols.mqtts = require('./tls').default;", 'protocols.mqtts = protocols.ssl;'],
    ["protocols.ws = require('./ws').browserStreamBuilder;", ''],
    ["protocols.wss = require('./ws').browserStreamBuilder;", ''],
    ["protocols.wx = require('./wx').default;", ''],
    ["protocols.wxs = require('./wx').default;", ''],
    ["protocols.ali = require('./ali').default;", ''],
    ["protocols.alis = require('./ali').default;", ''],
  ],
  'mqtt/build/lib/connect/tcp.js': [socksWhenAsked()],
  'mqtt/build/lib/connect/tls.js': [socksWhenAsked()],
  // A browser's timers.
  'mqtt/build/lib/get-timer.js': [['require("worker-timers")', '{}']],
  // MQTT 5's topic aliases, which we do not ask for.
  'mqtt/build/lib/topic-alias-send.js': [
    ['require("lru-cache")', "{ get LRUCache() { return seldom('mqtt', 'lru-cache').LRUCache; } }"],
  ],
  // Logging by another thread. `gtx agent run` is a main thread, and writes its log itself.
  'pino/lib/transport.js': [
    [
      "require('thread-stream')",
      "function (...given) { return new (seldom('pino', 'thread-stream'))(...given); }",
    ],
  ],
  'sonic-boom/index.js': [
    ["const assert = require('assert')", "const assert = (...given) => require('assert')(...given)"],
  ],
  'pino/lib/tools.js': [["require('worker_threads')", '{ isMainThread: true }']],
  // Commands that are programs of their own: we have none.
  'commander/lib/command.js': [
    [
      "const childProcess = require('node:child_process');",
      "const childProcess = { spawn: (...given) => require('node:child_process').spawn(...given) };",
    ],
  ],
};
function socksWhenAsked() {
  return [
    '__importDefault(require("./socks"))',
    "{ default: (...given) => seldom('mqtt', './lib/connect/socks.js').default(...given) }",
  ];
}
const onlyWhenAsked = {
  name: 'only-when-asked',
  setup(build) {
    for (const [file, changes] of Object.entries(SELDOM)) {
      const name = file.replaceAll('.', '\\.').replaceAll('/', '[/\\\\]');
      build.onLoad({ filter: new RegExp(`[/\\\\]node_modules[/\\\\]${name}$`) }, ({ path }) => {
        let contents = readFileSync(path, 'utf8');
        for (const [there, instead] of changes) {
          if (contents.split(there).length !== 2) throw new Error(`${path} does not have ${there} once`);
          contents = contents.replace(there, () => instead);
        }
        return { contents, loader: 'js' };
      });
    }
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
  // Node's streams in place of a copy of them for older Nodes and browsers.
  alias: { 'readable-stream': 'stream' },
  // Compiled modules, and what is loaded only where there is a serial line.
  external: ['better-sqlite3', 'better-sqlite3-node20', 'serialport', 'bufferutil', 'utf-8-validate'],
  banner: {
    js: [
      "import { createRequire as requireFrom } from 'node:module';",
      'const require = requireFrom(import.meta.url);',
      'const seldom = (from, module) => requireFrom(require.resolve(from))(module);',
    ].join(' '),
  },
  plugins: [ownPlaces, ownUnused, oneLanguage, builtinsByRequire, onlyWhenAsked],
  logLevel: 'warning',
});
// At once, so that a gateway that starts meanwhile finds the old one or the new one.
renameSync(written, packed);
