// idl.mjs PACKAGE OUT: writes a program's IDL (spec 0.1.0). Anchor's macros print it in parts when the crate's tests
// are built with its feature `idl-build`; this puts the parts together as `anchor idl build` would.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [packageName, out] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const targetDir = join(process.env.GTX_TARGET_DIR || join(root, 'target'), 'host');

const output = execFileSync(
  '/usr/bin/cargo',
  // --lib: doc tests would run a rustdoc that need not be this rustc's.
  [
    'test',
    '--quiet',
    '--locked',
    '--lib',
    '-p',
    packageName,
    '--features',
    'idl-build',
    '--target-dir',
    targetDir,
  ].concat(['--', '__anchor_private_print_idl', '--show-output', '--test-threads=1']),
  {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, RUSTC: '/usr/bin/rustc' },
  },
);

const parts = [...output.matchAll(/^--- IDL begin (\w+) ---\n([\s\S]*?)\n--- IDL end \1 ---$/gm)].map(
  ([, kind, text]) => ({ kind, text }),
);
const ofKind = (kind) => parts.filter((part) => part.kind === kind).map((part) => part.text);
const [address] = ofKind('address');
const [programText] = ofKind('program');
if (!address || !programText) throw new Error(`no IDL in the output of cargo test:\n${output}`);

const idl = JSON.parse(programText);
const events = ofKind('event').map((text) => JSON.parse(text));
const types = new Map(
  [...events.flatMap((event) => event.types), ...idl.types].map((type) => [type.name, type]),
);
const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const complete = {
  ...idl,
  address: address.trim(),
  // Instructions stay in the order of the source.
  accounts: idl.accounts.sort(byName),
  events: events.map((event) => event.event).sort(byName),
  errors: ofKind('errors').flatMap((text) => JSON.parse(text)),
  types: [...types.values()].sort(byName),
};
for (const key of ['accounts', 'events', 'instructions']) {
  const seen = new Set();
  for (const { name, discriminator } of complete[key]) {
    const text = discriminator.join();
    if (seen.has(text)) throw new Error(`${key}: ${name} has another's discriminator`);
    seen.add(text);
  }
}
// rust paths like gridtokenx::Type become plain names, as clients expect.
writeFileSync(out, `${JSON.stringify(complete, null, 2).replace(/"(?:\w+::)+(\w+)"/g, '"$1"')}\n`);
