#!/usr/bin/env node
// Tests the collector's image without a container engine: runs the steps of the Dockerfile's first stage in a clean copy of the
// checkout, and then what comes out of them, as the image's user, with the secrets and the broker's rules that
// deploy/compose/prepare.sh makes, against a real Mosquitto, PostgreSQL and chain. Needs root, mosquitto, and the checkout built.
//   sudo node deploy/container/test.mjs
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '@gridtokenx/protocol/testing/port';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const work = mkdtempSync(join(tmpdir(), 'gridtokenx-image-'));
chmodSync(work, 0o755);
const children = [];
const step = (text) => process.stderr.write(`> ${text}\n`);
const expect = (condition, message) => {
  if (!condition) throw new Error(message);
};
const run = (command, args, settings = {}) =>
  execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: 'pipe', ...settings });

/** Starts a service; resolves with the line of JSON that says that it is ready. */
async function service(command, args, settings = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...settings });
  children.push(child);
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const line = once(createInterface({ input: child.stdout }), 'line');
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${args.join(' ')} ended with ${code}:\n${log}`);
  });
  const [text] = await Promise.race([line, ended]);
  ended.catch(() => {});
  return { child, ready: JSON.parse(text), log: () => log };
}

async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill(signal);
  const [code] = await once(child, 'exit');
  return code;
}

async function main() {
  expect(process.getuid() === 0, 'this test needs root: it runs processes as the users of the containers');
  const dockerfile = readFileSync(join(root, 'deploy/container/collector.Dockerfile'), 'utf8');
  const [, first] = dockerfile.split(/^FROM /m);
  const steps = [...first.matchAll(/^RUN (.+)$/gm)].map(([, command]) => command);
  expect(
    steps.length >= 4 && first.includes('\nCOPY . .\n'),
    'the first stage has other steps than this test knows',
  );

  step('A clean copy of the checkout');
  const source = join(work, 'src');
  const files = run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  }).split('\0');
  for (const file of files.filter((one) => one !== '' && existsSync(join(root, one)))) {
    mkdirSync(dirname(join(source, file)), { recursive: true });
    cpSync(join(root, file), join(source, file));
  }
  const image = join(work, 'gridtokenx');
  for (const command of steps.map((one) => one.replaceAll('/opt/gridtokenx', image))) {
    step(command);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: source, encoding: 'utf8' });
    expect(status === 0, `${command} failed:\n${stdout}${stderr}`);
  }
  step(`${run('du', ['-sh', image]).split('\t')[0]} in the image's layer`);
  // The rest runs from what was laid out alone.
  rmSync(source, { recursive: true });

  step('Secrets, keys and rules by deploy/compose/prepare.sh');
  const bin = join(work, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'gtx'), `#!/bin/sh\nexec ${process.execPath} ${image}/cli/bin/gtx.mjs "$@"\n`, {
    mode: 0o755,
  });
  const path = `${bin}:${process.env.PATH}`;
  const state = join(work, 'state');
  const port = await freePort();
  const prepare = () =>
    run('sh', [join(root, 'deploy/compose/prepare.sh'), 'MTR-001', 'MTR-002,MTR-003'], {
      env: {
        PATH: path,
        STATE: state,
        GTX_NAMES: 'collector.example',
        BROKER_FOLDER: join(state, 'mosquitto/broker'),
        BROKER_LISTEN: `127.0.0.1:${port}`,
      },
    });
  prepare();
  const secret = (name) => readFileSync(join(state, 'secrets', name), 'utf8').trim();
  const before = run('sh', [
    '-c',
    `cd ${state} && find . -type f ! -name mosquitto.conf -exec sha256sum {} + | sort`,
  ]);
  prepare();
  const after = run('sh', [
    '-c',
    `cd ${state} && find . -type f ! -name mosquitto.conf -exec sha256sum {} + | sort`,
  ]);
  expect(before === after, `a second run changed something:\n${before}\n${after}`);

  step('Mosquitto as its user, chain and database beside it');
  const broker = spawn('mosquitto', ['-c', join(state, 'mosquitto/broker/mosquitto.conf')], {
    uid: 1883,
    gid: 1883,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(broker);
  let brokerLog = '';
  broker.stderr.on('data', (chunk) => (brokerLog += chunk));
  const checkout = join(root, 'cli/bin/gtx.mjs');
  const data = join(work, 'data');
  run(process.execPath, [checkout, 'keygen', '--set', '--data-dir', data]);
  const [chain, database] = await Promise.all([
    service(process.execPath, [checkout, 'localnet', '--port', '0', '--data-dir', data]),
    service(process.execPath, [checkout, 'postgres', '--data-dir', data]),
  ]);
  run(process.execPath, [checkout, 'airdrop', '--rpc', chain.ready.rpc_url, '--data-dir', data]);
  run(process.execPath, [
    checkout,
    'chain',
    'init',
    '--no-market',
    '--rpc',
    chain.ready.rpc_url,
    '--data-dir',
    data,
  ]);
  const { host, port: databasePort, user, database: name, password_file: passwordFile } = database.ready;
  const databaseUrl = `postgres://${user}:${readFileSync(passwordFile, 'utf8').trim()}@${host}:${databasePort}/${name}`;
  writeFileSync(join(state, 'secrets/database-url'), databaseUrl);

  step('The collector, as the image runs it');
  const home = join(work, 'home');
  mkdirSync(home, { mode: 0o700 });
  chownSync(home, 10001, 10001);
  const file = (one) => join(state, 'secrets', one);
  const settings = {
    uid: 10001,
    gid: 10001,
    cwd: home,
    env: {
      PATH: path,
      NODE_ENV: 'production',
      GTX_DATA_DIR: home,
      DATABASE_URL_FILE: file('database-url'),
      MQTT_URL: `mqtts://127.0.0.1:${port}`,
      MQTT_USERNAME: '_collector',
      MQTT_PASSWORD_FILE: file('mqtt-password'),
      MQTT_CA_FILE: join(state, 'tls/ca.pem'),
      GTX_MQTT_SHARE_GROUP_FILE: file('mqtt-share-group'),
      GTX_FEE_PAYER_KEY: file('fee-payer.json'),
      GTX_ACK_KEY: file('collector-ack.json'),
      GTX_OPERATOR_USERNAME: 'operator',
      GTX_OPERATOR_PASSWORD_FILE: file('operator-password'),
      GTX_HTTP_HOST: '0.0.0.0',
      GTX_HTTP_PORT: String(await freePort()),
      GTX_HTTP_TLS: 'on',
      GTX_TLS_DIR: join(state, 'tls'),
      GTX_TLS_NAMES: 'collector.example',
      SOLANA_RPC_URL: chain.ready.rpc_url,
      SOLANA_WS_URL: chain.ready.ws_url,
    },
  };
  const health = () => spawnSync('gtx', ['collector', 'health', '--json'], { ...settings, encoding: 'utf8' });
  expect(health().status === 3, 'the health check passes without a collector');
  const collector = await service('gtx', ['collector'], settings);
  let last;
  for (const deadline = Date.now() + 120_000; ; ) {
    last = health();
    if (last.status === 0 && JSON.parse(last.stdout).answer.checks.broker === 'ok') break;
    expect(
      Date.now() < deadline,
      `the health check: ${last.stdout}${last.stderr}${brokerLog}${collector.log()}`,
    );
    await new Promise((next) => setTimeout(next, 500));
  }
  step(`health: ${last.stdout.trim()}`);
  const page = run('curl', [
    '-sS',
    '--cacert',
    join(state, 'tls/ca.pem'),
    `${collector.ready.http_url.replace('0.0.0.0', '127.0.0.1')}/`,
  ]);
  expect(/<!doctype html>/i.test(page), 'the page is not served');
  expect(!collector.log().includes(secret('mqtt-password')), 'a secret is in the log');
  expect((await stop(collector.child)) === 0, `it does not stop cleanly:\n${collector.log()}`);
  step('passed');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n${error.stderr ?? ''}\n`);
  process.exitCode = 1;
} finally {
  for (const child of children.reverse()) await stop(child);
  rmSync(work, { recursive: true, force: true });
}
