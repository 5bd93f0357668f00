/** A gateway is backed up while it runs, loses everything, and goes on as if nothing had been. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { installerTools, loadAgentConfig, MeterSigner, Outbox } from '@gridtokenx/agent';
import { PROFILE_FOLDER } from '@gridtokenx/firmware-profiles';
import { decodeReading, encodeBase58, GtxError, type LastReading, type Reading } from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { stringify } from 'yaml';
import { placeFiles } from '../agent-tools/backup.js';
import { obtainPassphrase } from '../agent-tools/passphrase.js';
import { Gateway, until } from '../agent-tools/testing/gateway.js';

let gateway: Gateway;
let server: Server;
let safe: string;
let file: string;
let passphrase: string;
/** What the collector has; undefined: it is not well. */
let known: { reading: Reading; bytes: Uint8Array; signature: Uint8Array } | undefined;
beforeEach(async () => {
  safe = mkdtempSync(join(tmpdir(), 'gtx-safe-'));
  file = join(safe, 'gateway.backup');
  passphrase = join(safe, 'passphrase');
  writeFileSync(passphrase, 'correct horse battery\n', { mode: 0o600 });
  known = undefined;
  gateway = await new Gateway().prepare();
  server = createServer((request, response) => {
    if (request.url === '/api/time') {
      response.end(JSON.stringify({ time: Math.floor(Date.now() / 1000), iso: '' }));
    } else if (known === undefined) {
      response.writeHead(503).end('{"error":{"code":"STORAGE_UNAVAILABLE","message":"not now"}}');
    } else response.end(JSON.stringify(answerOf(known)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway.config.collector_url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  gateway.config.delivery = { http_after_seconds: 0 };
  gateway.write();
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await gateway.close();
  rmSync(safe, { recursive: true, force: true });
});

function answerOf({ reading, bytes, signature }: NonNullable<typeof known>): LastReading {
  const sequence = reading.sequence.toString();
  return {
    meter_id: 'MTR-001',
    time: Math.floor(Date.now() / 1000),
    through: sequence,
    reading: {
      sequence,
      message: encodeBase58(bytes),
      signature: encodeBase58(signature),
      public_key: gateway.publicKey,
    },
    chain: {
      last_sequence: sequence,
      last_end: reading.intervalEnd,
      produced_total: reading.producedTotal.toString(),
      consumed_total: reading.consumedTotal.toString(),
      surplus_total: reading.surplusTotal.toString(),
    },
  };
}

/** The store, looked at while nobody has it. */
function store(): { sequence: number; readings: Reading[]; base: bigint } {
  const outbox = Outbox.open(gateway.folder, { maxBytes: 4 << 20, keepMs: 1e12, recordKeepMs: 1e12 });
  try {
    const books = JSON.parse(outbox.loadAccount('MTR-001') ?? '{}');
    const rows = outbox.readings('MTR-001');
    const last = rows.at(-1);
    if (last) known ??= { ...last, reading: decodeReading(last.bytes) };
    return {
      sequence: Number(books.sequence),
      readings: rows.map(({ bytes }) => decodeReading(bytes)),
      // What the register showed when counting began.
      base: BigInt(books.produced.register) - BigInt(books.produced.total),
    };
  } finally {
    outbox.close();
  }
}
const restore = (...more: string[]) =>
  gateway.gtx('restore', '--backup', file, '--passphrase-file', passphrase, ...more);

describe('gtx agent backup', () => {
  it('brings a gateway back that has lost everything, to the unit', async () => {
    const agent = await gateway.start();
    const sequence = () => agent.status().meters[0]?.sequence ?? 0;
    await until('readings', () => sequence() >= 2);
    // It runs.
    const made = await gateway.gtx('backup', '--out', file, '--passphrase-file', passphrase, '--json');
    expect(made.err).toBe('');
    expect(made.code).toBe(0);
    const [{ last_sequence: inBackup }] = JSON.parse(made.out).meters;
    expect(Number(inBackup)).toBeGreaterThanOrEqual(2);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await until('newer readings', () => sequence() >= Number(inBackup) + 2);
    await gateway.stop();
    const before = store();
    const key = readFileSync(gateway.keyFile, 'utf8');
    const config = readFileSync(gateway.configFile, 'utf8');

    for (const name of readdirSync(gateway.folder)) rmSync(join(gateway.folder, name), { recursive: true });
    // A wrong passphrase, or another file than was written: nothing happens.
    const wrong = join(safe, 'wrong');
    writeFileSync(wrong, 'correct horse staple\n', { mode: 0o600 });
    const refused = await gateway.gtx('restore', '--backup', file, '--passphrase-file', wrong);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('BACKUP_INVALID') });
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    bad[100] = (bad[100] as number) ^ 1;
    writeFileSync(file, bad);
    expect(await restore()).toMatchObject({ code: 2, err: expect.stringContaining('BACKUP_INVALID') });
    expect(readdirSync(gateway.folder)).toEqual([]);
    writeFileSync(file, good);

    // The collector is away: configuration and key are back, and no books are made up.
    const collector = known;
    known = undefined;
    expect((await restore()).code).toBe(3);
    expect(readFileSync(gateway.keyFile, 'utf8')).toBe(key);
    expect(statSync(gateway.keyFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(gateway.configFile, 'utf8')).toBe(config);
    known = collector;
    const again = await restore('--json');
    expect(again.err).toBe('');
    expect(JSON.parse(again.out)).toMatchObject({
      config_written: false,
      keys_written: [],
      restored: [
        {
          meter_id: 'MTR-001',
          last_sequence: String(before.sequence),
          next_sequence: String(before.sequence + 1_000),
          energy_since: 'counted',
          waiting: 0,
        },
      ],
      kept: [],
    });
    expect((await restore()).out).toContain('left alone');

    const second = await gateway.start();
    await until('it goes on', () => (second.status().meters[0]?.sequence ?? 0) >= before.sequence + 1_001);
    await gateway.stop();
    const after = store();
    expect(after.base).toBe(before.base);
    const [first] = after.readings;
    expect(first).toMatchObject({
      sequence: BigInt(before.sequence) + 1_000n,
      intervalStart: before.readings.at(-1)?.intervalEnd,
    });
    expect((first as Reading).flags & 4).toBe(0);
    expect(first?.surplusTotal).toBeGreaterThanOrEqual(before.readings.at(-1)?.surplusTotal ?? -1n);
  });

  it('carries the certificates, passwords and profiles that the configuration names', async () => {
    const at = (name: string) => join(gateway.folder, name);
    const own = readFileSync(join(PROFILE_FOLDER, 'eastron-sdm630.json'), 'utf8').replace(
      '"id": "eastron-sdm630"',
      '"id": "acme-one"',
    );
    const content: Record<string, string> = {
      'ca.pem': 'authority',
      'MTR-001.password': 'a word',
      'https-ca.pem': 'another authority',
      'home.password': 'at home',
      'profiles/acme-one.json': own,
    };
    mkdirSync(at('profiles'));
    for (const [name, text] of Object.entries(content)) writeFileSync(at(name), text, { mode: 0o600 });
    Object.assign(gateway.config, {
      profile_dir: at('profiles'),
      collector_ca_file: at('https-ca.pem'),
      mqtt: { ...gateway.config.mqtt, ca_file: at('ca.pem'), password_file: at('MTR-001.password') },
      home_assistant: { url: 'mqtt://127.0.0.1:1', username: 'x', password_file: at('home.password') },
    });
    const [device] = gateway.config.meters[0]?.devices ?? [];
    if (device) device.profile = 'acme-one';
    gateway.write();
    expect((await gateway.gtx('backup', '--out', file, '--passphrase-file', passphrase)).code).toBe(0);
    const config = readFileSync(gateway.configFile, 'utf8');
    for (const name of readdirSync(gateway.folder)) rmSync(at(name), { recursive: true });
    // One that is there already is somebody's decision.
    writeFileSync(at('ca.pem'), 'a new authority');
    // The collector is away; the files are placed before it is asked.
    await restore();
    expect(readFileSync(gateway.configFile, 'utf8')).toBe(config);
    for (const [name, text] of Object.entries({ ...content, 'ca.pem': 'a new authority' })) {
      expect(readFileSync(at(name), 'utf8'), name).toBe(text);
      expect(statSync(at(name)).mode & 0o777, name).toBe(name.endsWith('.password') ? 0o600 : 0o644);
    }
    // What is named must be there when the backup is made.
    rmSync(at('MTR-001.password'));
    const refused = await gateway.gtx('backup', '--out', file, '--force', '--passphrase-file', passphrase);
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('mqtt.password_file: cannot read'),
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'gives the service all that it restores, also what an interrupted run has left to root, and nothing else',
    async () => {
      const top = mkdtempSync(join(tmpdir(), 'gtx-restored-'));
      onTestFinished(() => rmSync(top, { recursive: true, force: true }));
      chmodSync(top, 0o755);
      const at = (name: string) => join(top, name);
      const base = gateway.config.meters[0] as (typeof gateway.config.meters)[number];
      const config = stringify({
        ...gateway.config,
        data_dir: at('data/store'),
        mqtt: { ...gateway.config.mqtt, ca_file: at('tls/deep/ca.pem'), password_file: at('shared/word') },
        meters: [{ ...base, key_file: at('etc/keys/one.json') }],
      });
      const content = (text: string) => Buffer.from(text).toString('base64');
      const { gatherBackup } = await installerTools();
      const backup = {
        ...gatherBackup(
          loadAgentConfig(gateway.configFile, {}),
          readFileSync(gateway.configFile, 'utf8'),
          1,
          gateway.configFile,
        ),
        config,
        files: [
          { setting: 'mqtt.ca_file', content: content('authority') },
          { setting: 'mqtt.password_file', content: content('a word') },
        ],
      };
      // Somebody else's things are in this one too.
      mkdirSync(at('shared'), { mode: 0o700 });
      writeFileSync(at('shared/other'), '', { mode: 0o600 });
      // Root's home, as empty as a new machine's.
      vi.stubEnv('HOME', at('data'));
      onTestFinished(() => void vi.unstubAllEnvs());
      // All was written, and killed before anything was given away, and while a key was written.
      await placeFiles(at('etc/agent.yaml'), backup, {}, { uid: 0, gid: 0 });
      for (const folder of ['etc', 'etc/keys']) chmodSync(at(folder), 0o700);
      writeFileSync(at('etc/keys/one.json.4711.new'), 'half', { mode: 0o600 });
      rmSync(at('etc/agent.yaml'));

      await placeFiles(at('etc/agent.yaml'), backup, {}, { uid: 54_321, gid: 54_322 });
      const owner = (name: string) => `${statSync(at(name)).uid}:${statSync(at(name)).gid}`;
      const given = ['etc/keys', 'etc/keys/one.json', 'data/store', 'tls', 'tls/deep', 'shared/word'];
      for (const name of given) expect(owner(name), name).toBe('54321:54322');
      expect(statSync(at('tls/deep/ca.pem')).mode & 0o777).toBe(0o644);
      for (const name of ['etc', 'etc/agent.yaml']) expect(owner(name), name).toBe('0:54322');
      expect(statSync(at('etc')).mode & 0o777).toBe(0o750);
      for (const name of ['.', 'data', 'shared', 'shared/other']) expect(owner(name), name).toBe('0:0');
      expect(readdirSync(at('etc/keys'))).toEqual(['one.json']);
    },
  );

  it('never replaces another key, nor a file unasked', async () => {
    const { gatherBackup, loadBackup, saveBackup, ensureKeyFile } = await installerTools();
    const { loadAgentConfig } = await import('@gridtokenx/agent');
    const text = readFileSync(gateway.configFile, 'utf8');
    const content = gatherBackup(loadAgentConfig(gateway.configFile, {}), text, 1, gateway.configFile);
    await saveBackup(file, content, 'correct horse battery', false, 14);
    const again = await gateway.gtx('backup', '--out', file, '--passphrase-file', passphrase);
    expect(again).toMatchObject({ code: 4, err: expect.stringContaining('--force') });
    rmSync(gateway.keyFile);
    const { publicKey } = ensureKeyFile(gateway.keyFile);
    expect(await restore()).toMatchObject({ code: 4, err: expect.stringContaining('KEY_FILE_EXISTS') });
    expect(MeterSigner.fromFile(gateway.keyFile).publicKeyText).toBe(publicKey);
    expect(readdirSync(gateway.folder)).not.toContain('agent.sqlite');
    expect((await loadBackup(file, 'correct horse battery')).config).toBe(text);
  });
});

describe('the passphrase', () => {
  const signal = new AbortController().signal;
  const asked = async (typed: string, least?: number): Promise<{ said: string; answer: unknown }> => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = new PassThrough({ encoding: 'utf8' });
    input.write(typed);
    const answer = await obtainPassphrase({ file: undefined, least }, signal, { input, output }).catch(
      (error: unknown) => error,
    );
    return { said: output.read() ?? '', answer };
  };

  it('is asked for twice when it is new, and is not shown', async () => {
    const { said, answer } = await asked('correct horse battery\rcorrect horse battery\r', 12);
    expect(answer).toBe('correct horse battery');
    expect(said).toBe('Passphrase: \nThe same again: \n');
    expect((await asked('any\r')).answer).toBe('any');
    for (const [typed, least] of [
      ['correct horse battery\rcorrect horse staple!\r', 12],
      ['short\rshort\r', 12],
      ['\r', undefined],
      // Ctrl-C, Ctrl-D.
      ['abc\x03', undefined],
      ['\x04', undefined],
    ] as const) {
      const { answer: error } = await asked(typed, least);
      expect(error, JSON.stringify(typed)).toBeInstanceOf(GtxError);
      expect(error).toMatchObject({ code: 'VALUE_INVALID' });
    }
  });

  it('comes from a file that nobody else can read', async () => {
    const of = (least?: number) => obtainPassphrase({ file: passphrase, least }, signal);
    expect(await of(12)).toBe('correct horse battery');
    await expect(of(40)).rejects.toMatchObject({ code: 'VALUE_INVALID' });
    chmodSync(passphrase, 0o640);
    await expect(of()).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
    rmSync(passphrase);
    await expect(of()).rejects.toMatchObject({ code: 'VALUE_INVALID' });
    const input = new PassThrough();
    await expect(
      obtainPassphrase({ file: undefined }, signal, { input, output: new PassThrough() }),
    ).rejects.toMatchObject({ code: 'VALUE_INVALID' });
  });
});
