import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { encodeBase58 } from '@gridtokenx/protocol';
import { afterAll, expect, test } from 'vitest';
import { ask } from '../support/ask.js';
import { RunningSystem } from '../support/up.js';
import { waitFor } from '../support/wait.js';

/*
 * Secrets stay where they belong: the running system's logs, files, command lines, answers and the broker's traffic
 * are searched for every private key and password of the data folder, in every form that software writes keys in.
 */

let system: RunningSystem;
afterAll(() => system?.destroy());

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });

/** Undefined: it is gone, as what is written beside and moved into place. */
function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Every form of a private key: the whole key pair and the seed alone. */
function formsOf(secret: Uint8Array): string[] {
  const both = [Buffer.from(secret), Buffer.from(secret.subarray(0, 32))];
  return both.flatMap((bytes) => [
    encodeBase58(bytes),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    // Without padding and the last characters, which depend on what follows.
    bytes.toString('base64').slice(0, 42),
    bytes.toString('base64url').slice(0, 42),
    // A JSON array, in one line, spaced, or as a dump of numbers.
    [...bytes].slice(0, 16).join(','),
    [...bytes].slice(0, 16).join(', '),
    [...bytes].slice(0, 16).join(' '),
  ]);
}

interface Secret {
  readonly name: string;
  readonly forms: readonly string[];
}

function secretsOf(keysFolder: string): Secret[] {
  return filesBelow(keysFolder).map((file) => {
    const text = readFileSync(file, 'utf8').trim();
    const name = relative(keysFolder, file);
    if (!text.startsWith('[')) {
      return {
        name,
        forms: [text, encodeURIComponent(text), Buffer.from(text).toString('base64').slice(0, -3)],
      };
    }
    return { name, forms: formsOf(Uint8Array.from(JSON.parse(text) as number[])) };
  });
}

/** Which secrets occur in a text: `name: form`. */
const leaks = (secrets: readonly Secret[], text: string): string[] =>
  secrets.flatMap(({ name, forms }) =>
    forms.filter((form) => text.includes(form)).map((form) => `${name}: ${form.slice(0, 4)}…`),
  );

test('no log, file, answer, command line or message holds a secret, and key files are private', async () => {
  system = await RunningSystem.start({
    args: ['--interval-seconds', '1'],
    // The most that can be logged.
    env: { LOG_LEVEL: 'trace' },
  });
  const { dataDir } = system;
  const keysFolder = join(dataDir, 'keys');
  const secrets = secretsOf(keysFolder);
  expect(secrets.map(({ name }) => name).sort()).toEqual(
    [
      'collector-ack.json',
      'fee-payer.json',
      'grx-authority.json',
      'grx-mint.json',
      'guardian.json',
      'meters/MTR-DEMO-001.json',
      'operator-password',
      'oracle-publisher.json',
      'owner.json',
      'postgres-password',
      'registrar.json',
      'upgrade-authority.json',
    ].sort(),
  );
  const answers: [string, string][] = [];
  const asks = async (name: string, url: string | URL, init?: RequestInit): Promise<void> => {
    const answer = await ask(url, init);
    answers.push([`${name} ${url}`, `${[...answer.headers].join('\n')}\n${await answer.text()}`]);
  };
  const minted = () => system.count('SELECT count(*) FROM meter_readings WHERE minted');
  await waitFor('a reading is minted', async () => (await minted()) > 0);

  // Trouble is when secrets slip out: crashes, refusals, rubbish, wrong logins.
  for (const victim of ['postgres', 'collector']) {
    const before = await minted();
    await system.revived(victim, system.kill(victim));
    await waitFor('minting goes on', async () => (await minted()) > before);
  }
  const collector = system.url('collector', 'http');
  const agent = system.url('agent', 'status');
  for (const path of [
    '/metrics',
    '/healthz',
    '/openapi.json',
    '/api/time',
    '/api/status',
    '/nothing',
    '/api/meters/MTR-DEMO-001',
  ]) {
    await asks('collector', new URL(path, collector));
  }
  for (const path of ['/metrics', '/healthz', '/api/status', '/nothing'])
    await asks('agent', new URL(path, agent));
  for (const path of ['/metrics', '/healthz', '/state', '/nothing'])
    await asks('simulator', new URL(path, system.url('simulator', 'status')));
  for (const path of ['/metrics', '/healthz', '/nothing'])
    await asks('publisher', new URL(path, system.url('publisher', 'status')));
  const submitUrl = new URL('/api/meters/submit-reading', collector);
  for (const body of ['', '{', '{}', JSON.stringify({ meter_id: 'MTR-DEMO-001', public_key: 1 })]) {
    await asks('collector', submitUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  }
  for (const method of ['getVersion', 'getClusterNodes', 'noSuchMethod', 'getHealth']) {
    await asks(`chain ${method}`, system.url('localnet', 'rpc'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method }),
    });
  }
  const password = readFileSync(join(keysFolder, 'operator-password'), 'utf8').trim();
  const basic = Buffer.from(`operator:${password}`).toString('base64');
  for (const path of ['/api/status', '/api/meters/MTR-DEMO-001', '/api/meters/MTR-DEMO-001/readings']) {
    await asks('operator', new URL(path, collector), { headers: { authorization: `Basic ${basic}` } });
  }

  // The commands, those that fail included. A damaged and an open key file must not be quoted either.
  const bad = join(dataDir, 'bad');
  mkdirSync(bad, { mode: 0o700 });
  const registrar = readFileSync(join(keysFolder, 'registrar.json'), 'utf8');
  writeFileSync(join(bad, 'open.json'), registrar, { mode: 0o644 });
  writeFileSync(join(bad, 'damaged.json'), registrar.trim().slice(0, -1), { mode: 0o600 });
  const mixed = JSON.parse(registrar) as number[];
  mixed[63] = (mixed[63] as number) ^ 1;
  writeFileSync(join(bad, 'mixed.json'), JSON.stringify(mixed), { mode: 0o600 });
  const commands = [
    ['status'],
    ['status', '--json'],
    ['audit'],
    ['keygen', '--set', '--json'],
    ['keygen', '--out', join(keysFolder, 'registrar.json')],
    ['watch', '--count', '8', '--json'],
    ['verify-user', '--json'],
    ['submit-reading', '--meter-id', 'MTR-NONE', '--production', '1', '--consumption', '0'],
    ...['open', 'damaged', 'mixed'].map((name) => [
      'verify-user',
      '--registrar-key',
      join(bad, `${name}.json`),
    ]),
  ];
  for (const args of commands) {
    const { code, stdout, stderr } = await system.gtx(...args);
    answers.push([`gtx ${args.join(' ')}`, `${stdout}\n${stderr}`]);
    if (args.includes('--registrar-key')) expect(code, args.join(' ')).toBe(2);
  }
  rmSync(bad, { recursive: true });

  for (const pid of system.pids) {
    answers.push([
      `command line of ${pid}`,
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
    ]);
  }
  answers.push(['output of gtx up', system.output]);
  for (const [name, text] of answers) expect(leaks(secrets, text), name).toEqual([]);

  // The scan finds what is there: otherwise its silence would mean nothing.
  for (const { name, forms } of secrets) {
    expect(
      leaks(secrets, `x${forms[0]}y`).some((leak) => leak.startsWith(`${name}: `)),
      name,
    ).toBe(true);
  }
  expect(leaks(secrets, registrar).length).toBeGreaterThan(0);

  const pids = system.pids;
  expect(pids.length).toBeGreaterThan(5);
  const logs = filesBelow(join(dataDir, 'logs'));
  expect(logs.map((file) => relative(join(dataDir, 'logs'), file)).sort()).toEqual(
    [
      'agent.log',
      'collector.log',
      'localnet.log',
      'postgres.log',
      'publisher.log',
      'simulator.log',
      'up.log',
    ].sort(),
  );
  // Every file that is not a key: logs, configurations, run file, the components' own data.
  const mayHold: Record<string, string> = { 'up.json': 'postgres-password' };
  for (const file of filesBelow(dataDir)) {
    const path = relative(dataDir, file);
    if (path.startsWith('keys/') || path.startsWith('postgres/')) continue;
    const content = contentOf(file);
    if (content === undefined) continue;
    const found = leaks(secrets, content).filter(
      (leak) => mayHold[path] === undefined || !leak.startsWith(`${mayHold[path]}: `),
    );
    expect(found, path).toEqual([]);
  }

  // Modes: keys 0600 in a folder of 0700, the run file with the database password 0600, logs for nobody else.
  for (const file of filesBelow(keysFolder))
    expect((statSync(file).mode & 0o777).toString(8), file).toBe('600');
  for (const folder of [keysFolder, join(keysFolder, 'meters')]) {
    expect((statSync(folder).mode & 0o777).toString(8), folder).toBe('700');
  }
  for (const file of ['up.json', 'agent.yaml', ...logs.map((log) => relative(dataDir, log))]) {
    expect((statSync(join(dataDir, file)).mode & 0o077).toString(8), file).toBe('0');
  }
  expect(await system.stop()).toBe(0);
}, 600_000);
