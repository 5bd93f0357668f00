// Entry point of `npm start`, `npm test` and `npm run bench`: brings the installation and the build up to
// date, then hands over. Plain Node, because on a fresh clone there is nothing else yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [task, ...args] = process.argv.slice(2);
const say = (text) => process.stderr.write(`${text}\n`);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  say(`Node ${process.versions.node} is too old: gridtokenx needs Node 20.11 or newer.`);
  process.exit(1);
}

/** Runs a command to its end; its standard output goes to stderr, so that ours stays for results. */
function run(command, commandArgs, what) {
  say(`> ${what}`);
  const result = spawnSync(command, commandArgs, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    say(`${what} failed (exit code ${result.status ?? result.signal}). Its output is above.`);
    process.exit(1);
  }
}

const stampFile = join(root, 'node_modules', '.gridtokenx-installed');
const stamp = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(process.versions.modules)
  .digest('hex');
const installed = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
if (!installed) {
  run('npm', ['ci', '--no-audit', '--no-fund'], 'Installing dependencies (a few minutes the first time)');
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}
run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], 'Building');
run(process.execPath, [join(root, 'scripts/pack-gateway.mjs')], 'Packing the gateway');
run(
  process.execPath,
  [join(root, 'node_modules/vite/bin/vite.js'), 'build', 'dashboard', '--logLevel', 'warn'],
  'Building the page',
);

const commands = {
  start: ['cli/bin/gtx.mjs', 'up'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  bench: ['bench/dist/index.js'],
};
const command = commands[task];
if (!command) {
  say(`Unknown task "${task}". Known: ${Object.keys(commands).join(', ')}.`);
  process.exit(2);
}
const child = spawn(process.execPath, [join(root, command[0]), ...command.slice(1), ...args], {
  cwd: root,
  stdio: 'inherit',
});
// The child shares the terminal's process group and gets Ctrl-C itself; a plain kill must be passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
// npm runs scripts through a shell that ends at a signal without passing it on: what is left of a stopped npm is
// this process with another parent. (Only under npm: started by hand, it may well outlive its shell.)
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    // Once: a second signal means "do not wait".
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 500);
  watch.unref();
}
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
