#!/usr/bin/env node
// Proves the Debian packages. amd64: in a fresh Debian 12 (debootstrap, chroot) the package is installed by apt, the
// gateway runs from it as its own user against the simulator, survives an upgrade with its sequence, is removed and
// purged, and leaves its keys. arm64: what it carries is started under qemu-user. The systemd unit is checked.
// Needs root, on a Debian machine; what is missing is named.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '@gridtokenx/protocol/testing/port';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const HELP = `Usage: sudo node deploy/debian/test.mjs [--amd64 FILE] [--arm64 FILE] [--mirror URL]

  --amd64 FILE   package to install and run in a fresh Debian
  --arm64 FILE   package to start under qemu-user
  --mirror URL   where Debian comes from; default http://deb.debian.org/debian

Needs debootstrap, systemd-analyze (systemd), and for arm64 qemu-user-static, libc6-arm64-cross, libstdc++6-arm64-cross.

Example:
  $ sudo node deploy/debian/test.mjs --amd64 dist/gridtokenx-agent_0.1.0_amd64.deb
`;
const { values } = parseArgs({
  options: {
    amd64: { type: 'string' },
    arm64: { type: 'string' },
    mirror: { type: 'string', default: 'http://deb.debian.org/debian' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help || (!values.amd64 && !values.arm64)) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

const step = (text) => process.stderr.write(`> ${text}\n`);
const expect = (condition, message) => {
  if (!condition) throw new Error(message);
};
function run(command, args, settings = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...settings });
  if (result.error) throw new Error(`${command}: ${result.error.message}`);
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}
/** Asks again until `look` gives something; the time limit only keeps a broken run from hanging. */
async function until(what, look, limitMs = 120_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not seen: ${what}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}

const work = mkdtempSync(join(tmpdir(), 'gridtokenx-package-'));
const children = new Set();
const cleanUp = () => {
  for (const child of children) child.kill('SIGKILL');
  for (const mount of ['proc', 'dev']) spawnSync('umount', ['--lazy', join(work, 'debian', mount)]);
  rmSync(work, { recursive: true, force: true });
};
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

if (values.amd64) {
  checkUnit();
  await installAndRun(resolve(values.amd64));
}
if (values.arm64) startUnderQemu(resolve(values.arm64));
process.stdout.write(`PROVED: ${[values.amd64, values.arm64].filter(Boolean).join(', ')}\n`);

/** The unit is understood and well confined: exposure below 2.5 of 10. */
function checkUnit() {
  step('The systemd unit');
  const unit = join(root, 'deploy/systemd/gridtokenx-agent.service');
  const text = run('systemd-analyze', ['security', '--offline=yes', '--threshold=25', '--no-pager', unit]);
  process.stderr.write(`  ${text.trim().split('\n').at(-1)}\n`);
  // The program that it starts is not on this machine; nothing else may be complained about.
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  const complaints = stderr
    .split('\n')
    .filter((line) => line.includes('gridtokenx') && !line.includes('/usr/bin/gtx'));
  expect(complaints.length === 0, complaints.join('\n'));
}

async function installAndRun(file) {
  const debian = join(work, 'debian');
  step('A fresh Debian 12');
  run('debootstrap', ['--variant=minbase', 'bookworm', debian, values.mirror]);
  for (const mount of ['proc', 'dev']) run('mount', ['--bind', `/${mount}`, join(debian, mount)]);
  const inside = (args, settings) => run('chroot', [debian, ...args], settings);
  const install = (path, name) => {
    run('cp', [path, join(debian, 'tmp', name)]);
    return inside(['apt-get', 'install', '-y', '--no-install-recommends', `/tmp/${name}`], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
  };

  step('Install');
  expect(
    install(file, 'first.deb').includes('gtx agent init'),
    'the installation does not say what comes next',
  );
  const version = inside(['gtx', '--version']).trim();
  expect(/\d/.test(version), 'gtx does not run');
  expect(
    inside(['stat', '-c', '%U %a', '/var/lib/gridtokenx']).trim() === 'gridtokenx 700',
    'the data folder is open',
  );
  expect(
    inside(['id', '-nG', 'gridtokenx']).split(/\s+/).includes('dialout'),
    'the user may not open serial ports',
  );
  const other = spawnSync('chroot', [debian, 'gtx', 'audit'], { encoding: 'utf8' });
  expect(other.status !== 0 && !/ERR_MODULE|node:internal/.test(other.stderr), `gtx audit: ${other.stderr}`);

  step('Run against the simulator');
  const [simPort, httpPort] = [await freePort(), await freePort()];
  const simulator = spawn(
    process.execPath,
    [join(root, 'cli/bin/gtx.mjs'), 'sim', '--port', String(simPort)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.add(simulator);
  await new Promise((ready, fail) => {
    simulator.stdout.once('data', ready);
    simulator.once('exit', (code) => fail(new Error(`the simulator ended with ${code}`)));
  });
  const keys = '/var/lib/gridtokenx/keys';
  inside(['install', '-d', '-o', 'gridtokenx', '-g', 'gridtokenx', '-m', '0700', keys]);
  const owner = ['runuser', '-u', 'gridtokenx', '--'];
  inside([...owner, 'gtx', 'agent', '--help']);
  const [meterKey, ackKey] = ['meter', 'ack'].map(() => generateKey(debian));
  writeFileSync(join(debian, `${keys}/meter.json`), JSON.stringify(meterKey.secret));
  inside(['chown', 'gridtokenx:', `${keys}/meter.json`]);
  inside(['chmod', '0600', `${keys}/meter.json`]);
  const config = `data_dir: /var/lib/gridtokenx
interval_seconds: 1
sample_seconds: 1
collector_key: ${ackKey.public}
mqtt: { url: 'mqtt://127.0.0.1:1' }
http: { port: ${httpPort} }
clock: { ntp: off }
meters:
  - id: package-test
    key_file: ${keys}/meter.json
    wallet: ${ackKey.public}
    mode: bidirectional
    devices:
      - { role: grid, profile: eastron-sdm630, unit: 1, connection: { type: tcp, host: 127.0.0.1, port: ${simPort} } }
`;
  writeFileSync(join(debian, 'etc/gridtokenx/agent.yaml'), config);
  const agent = () => {
    const child = spawn(
      'chroot',
      [debian, ...owner, 'gtx', 'agent', 'run', '--config', '/etc/gridtokenx/agent.yaml'],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { PATH: process.env.PATH, LOG_LEVEL: 'warn' },
      },
    );
    children.add(child);
    child.once('exit', (code) => {
      if (children.has(child)) {
        process.stderr.write(`the gateway ended by itself with ${code}\n`);
        process.exit(1);
      }
    });
    return child;
  };
  const sequence = async () => {
    try {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/api/status`);
      return (await answer.json()).meters[0].sequence;
    } catch {
      return undefined;
    }
  };
  const end = async (child) => {
    children.delete(child);
    const ended = new Promise((done) => child.once('exit', (code) => done(code)));
    run('pkill', ['-TERM', '-f', '^/usr/lib/gridtokenx/bin/node .*agent run']);
    expect((await ended) === 0, 'the gateway did not stop cleanly');
  };
  let child = agent();
  const before = await until('three readings', async () => {
    const now = Number(await sequence());
    return now >= 3 ? now : undefined;
  });
  const gtx = (...args) =>
    inside([...owner, 'gtx', 'agent', ...args, '--config', '/etc/gridtokenx/agent.yaml']);
  // No broker answers here: sooner or later the status calls that something to look at (exit code 1).
  const shown = spawnSync(
    'chroot',
    [debian, ...owner, 'gtx', 'agent', 'status', '--config', '/etc/gridtokenx/agent.yaml'],
    { encoding: 'utf8' },
  );
  expect(
    [0, 1].includes(shown.status) && shown.stdout.includes('package-test'),
    `gtx agent status: ${shown.stdout}${shown.stderr}`,
  );
  expect(JSON.parse(gtx('readings', '--json')).readings.length >= 3, 'gtx agent readings does not show them');
  await end(child);

  step('Upgrade');
  const tree = join(work, 'next');
  run('dpkg-deb', ['-R', file, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}+next`));
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', tree, join(work, 'next.deb')]);
  install(join(work, 'next.deb'), 'next.deb');
  expect(
    readFileSync(join(debian, 'etc/gridtokenx/agent.yaml'), 'utf8') === config,
    'the upgrade changed the settings',
  );
  child = agent();
  await until('readings after the upgrade', async () => Number(await sequence()) > before);
  await end(child);

  step('Remove and purge');
  inside(['dpkg', '--remove', 'gridtokenx-agent']);
  expect(!existsSync(join(debian, 'usr/bin/gtx')), 'the command is still there');
  expect(existsSync(join(debian, 'etc/gridtokenx/agent.yaml')), 'removal took the settings');
  const said = inside(['dpkg', '--purge', 'gridtokenx-agent']);
  expect(!existsSync(join(debian, 'etc/gridtokenx')), 'purging left the settings');
  expect(readdirSync(join(debian, keys)).length === 1 && said.includes('Kept'), 'purging took the keys');
  simulator.kill('SIGTERM');
  children.delete(simulator);
}

/** A key pair in Solana's file format, made by the package's own Node. */
function generateKey(debian) {
  const script = `const { generateKeyPairSync } = require('crypto');
    const { privateKey } = generateKeyPairSync('ed25519');
    const { d, x } = privateKey.export({ format: 'jwk' });
    console.log(JSON.stringify([...Buffer.from(d, 'base64url'), ...Buffer.from(x, 'base64url')]));`;
  const secret = JSON.parse(run('chroot', [debian, '/usr/lib/gridtokenx/bin/node', '-e', script]));
  const encode = `import('/usr/lib/gridtokenx/protocol/dist/index.js').then((p) =>
    console.log(p.encodeBase58(Uint8Array.from(${JSON.stringify(secret.slice(32))}))));`;
  return { secret, public: run('chroot', [debian, '/usr/lib/gridtokenx/bin/node', '-e', encode]).trim() };
}

/** The arm64 runtime, its native modules and the command, on this machine. */
function startUnderQemu(file) {
  step('arm64 under qemu-user');
  const tree = join(work, 'arm64');
  mkdirSync(tree);
  run('dpkg-deb', ['-x', file, tree]);
  const library = join(tree, 'usr/lib/gridtokenx');
  const qemu = (args) =>
    run('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', join(library, 'bin/node'), ...args]);
  expect(qemu(['-p', 'process.arch']).trim() === 'arm64', 'the runtime is not for arm64');
  const script = `
    const Database = require('better-sqlite3');
    const db = new Database(process.argv[2]);
    db.pragma('journal_mode = WAL');
    db.exec('create table t (n integer)');
    db.prepare('insert into t values (?)').run(9007199254740993n);
    const [{ n }] = db.prepare('select n from t').safeIntegers().all();
    db.close();
    const { SerialPort } = require('serialport');
    const port = new SerialPort({ path: '/dev/no-such-port', baudRate: 9600, autoOpen: false });
    port.open((error) => console.log('store ' + n + ', port: ' + error.message));`;
  writeFileSync(join(library, 'smoke.cjs'), script);
  const said = qemu([join(library, 'smoke.cjs'), join(work, 'smoke.db')]);
  expect(
    /store 9007199254740993, port: .*No such file/.test(said),
    `the native modules do not work: ${said}`,
  );
  expect(/^\d/.test(qemu([join(library, 'cli/bin/gtx.mjs'), '--version'])), 'gtx does not run');
  process.stderr.write(`  ${said.trim()}\n`);
}
