import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgentConfig, readKeyFile } from '@gridtokenx/agent';
import { encodeBase58 } from '@gridtokenx/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceText, parseDevice } from '../agent-tools/device.js';
import { lookUpUser } from '../agent-tools/identity.js';
import { collectAnswers, writeInit } from '../agent-tools/init.js';
import { runCommandLine } from '../command-line.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-cli-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const KEY = '4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS';
const FLAGS = [
  ...['--meter', 'MTR-7', '--wallet', KEY, '--rated-watts', '30000'],
  ...['--grid', 'eastron-sdm630,/dev/ttyUSB0,unit=3,baud=19200,parity=even'],
  ...['--collector-url', 'https://collector.example', '--collector-key', KEY],
];

async function gtx(args: readonly string[]) {
  let out = '';
  let err = '';
  const code = await runCommandLine(['agent', 'init', ...args], {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder },
  });
  return { code, out, err };
}

describe('gtx agent init', () => {
  it('writes how readings are delivered, where that is given', async () => {
    const { code } = await gtx([
      ...FLAGS,
      ...['--ca-file', 'ca.pem', '--collector-ca-file', 'https-ca.pem', '--password-file', 'MTR-7.password'],
      ...['--http-after-seconds', '0', '--max-readings-per-second', '5'],
    ]);
    expect(code).toBe(0);
    expect(loadAgentConfig(join(folder, 'agent.yaml'), {})).toMatchObject({
      mqtt: { ca_file: join(process.cwd(), 'ca.pem'), password_file: join(process.cwd(), 'MTR-7.password') },
      collector_ca_file: join(process.cwd(), 'https-ca.pem'),
      delivery: { http_after_seconds: 0, max_readings_per_second: 5 },
    });
    expect((await gtx([...FLAGS, '--force', '--http-after-seconds', 'soon'])).code).toBe(2);
    expect((await gtx([...FLAGS, '--force'])).code).toBe(0);
    expect(readFileSync(join(folder, 'agent.yaml'), 'utf8')).not.toContain('delivery');
  });

  it('makes a key that nobody else can read, and a configuration that the gateway takes', async () => {
    const { code, out, err } = await gtx([...FLAGS, '--json']);
    expect(err).toBe('');
    expect(code).toBe(0);
    const made = JSON.parse(out) as { config: string; public_key: string; key_file: string; next: string[] };
    expect(statSync(made.key_file).mode & 0o777).toBe(0o600);
    expect(statSync(made.config).mode & 0o007).toBe(0);
    const key = readKeyFile(made.key_file);
    expect(made.public_key).toBe(encodeBase58(key.publicKey));
    expect(made.next[0]).toContain('registrar');
    const secret = JSON.parse(readFileSync(made.key_file, 'utf8')) as number[];
    expect(out).not.toContain(encodeBase58(Uint8Array.from(secret)));
    expect(out).not.toContain(secret.slice(0, 4).join(','));
    const config = loadAgentConfig(made.config, {});
    expect(config).toMatchObject({
      data_dir: folder,
      collector_url: 'https://collector.example',
      mqtt: { url: 'mqtts://collector.example:8883' },
      meters: [
        {
          id: 'MTR-7',
          key_file: made.key_file,
          rated_watts: 30_000,
          mode: 'bidirectional',
          devices: [
            {
              role: 'grid',
              profile: 'eastron-sdm630',
              unit: 3,
              connection: { type: 'rtu', path: '/dev/ttyUSB0', baud_rate: 19_200, parity: 'even' },
            },
          ],
        },
      ],
    });
    expect(readFileSync(made.config, 'utf8').match(/^\s*#/gm)?.length).toBeGreaterThan(5);
  });

  it('replaces no configuration unasked, and never a key', async () => {
    const first = JSON.parse((await gtx([...FLAGS, '--json'])).out) as { config: string; key_file: string };
    const before = [readFileSync(first.config, 'utf8'), readFileSync(first.key_file, 'utf8')];
    const again = await gtx([...FLAGS, '--rated-watts', '5000']);
    expect(again.code).toBe(2);
    expect(again.err).toContain('--force');
    expect(readFileSync(first.config, 'utf8')).toBe(before[0]);
    const forced = JSON.parse((await gtx([...FLAGS, '--rated-watts', '5000', '--force', '--json'])).out) as {
      key_created: boolean;
    };
    expect(forced.key_created).toBe(false);
    expect(loadAgentConfig(first.config, {}).meters[0]?.rated_watts).toBe(5_000);
    expect(readFileSync(first.key_file, 'utf8')).toBe(before[1]);
  });

  it('says all that is missing at once where nobody can be asked, and writes nothing', async () => {
    const { code, err } = await gtx(['--meter', 'MTR-7']);
    expect(code).toBe(2);
    for (const flag of ['--wallet', '--grid', '--collector-url', '--collector-key'])
      expect(err).toContain(flag);
    expect(err).not.toContain('--meter,');
    expect(existsSync(join(folder, 'keys'))).toBe(false);
  });

  it.each([
    [['--wallet', 'x'], '--wallet x'],
    [['--grid', 'eastron-sdm630'], 'profile,place'],
    [['--grid', 'eastron-sdm630,/dev/ttyUSB0,bauds=1'], 'bauds=1'],
    [['--grid', 'no-such-meter,/dev/ttyUSB0'], 'there is no profile'],
    [['--production', 'eastron-sdm630,/dev/ttyUSB0'], 'does not belong'],
    [['--broker', 'mqtt://collector.example:1883'], 'must use TLS'],
    [['--mode', 'all'], 'bidirectional, production_consumption, production'],
  ])('refuses %j before anything is written', async (flags, words) => {
    const { code, err } = await gtx([...FLAGS, ...flags]);
    expect(code).toBe(2);
    expect(err).toContain(words);
    expect(existsSync(join(folder, 'agent.yaml'))).toBe(false);
    expect(existsSync(join(folder, 'keys'))).toBe(false);
  });

  it('refuses a key file that others can read', async () => {
    const { key_file: file } = JSON.parse((await gtx([...FLAGS, '--json'])).out) as { key_file: string };
    chmodSync(file, 0o644);
    const { code, err } = await gtx([...FLAGS, '--force']);
    expect(code).toBe(2);
    expect(err).toContain('KEY_FILE_PERMISSIONS');
  });

  it('asks again until an answer is right', async () => {
    const said: string[] = [];
    const replies = [
      'bad id!',
      'MTR-9',
      '',
      KEY,
      'production_consumption',
      '5000',
      'x',
      `eastron-sdm120,tcp://10.0.0.9,unit=1`,
      'eastron-sdm120,rtu+tcp://[fe80::1]:4001,unit=2',
      'ftp://x',
      'http://127.0.0.1:8080',
      KEY,
      '',
    ];
    const asked: string[] = [];
    const answers = await collectAnswers(
      {},
      async (question) => {
        asked.push(question);
        return replies.shift() ?? '';
      },
      (text) => said.push(text),
    );
    expect(replies).toEqual([]);
    expect(said).toHaveLength(4);
    expect(answers).toMatchObject({
      meter: 'MTR-9',
      mode: 'production_consumption',
      broker: 'mqtt://127.0.0.1:1883',
    });
    expect(answers.devices).toEqual([
      {
        role: 'production',
        profile: 'eastron-sdm120',
        unit: 1,
        connection: { type: 'tcp', host: '10.0.0.9', port: 502 },
      },
      {
        role: 'consumption',
        profile: 'eastron-sdm120',
        unit: 2,
        connection: { type: 'rtu_over_tcp', host: 'fe80::1', port: 4001 },
      },
    ]);
    const made = await writeInit(
      answers,
      { config: join(folder, 'a.yaml'), dataDir: folder, force: false, root: false },
      {},
    );
    expect(loadAgentConfig(made.config, {}).meters[0]?.devices).toHaveLength(2);
  });

  it.runIf(process.getuid?.() === 0)(
    'gives key and data to the service’s user, and the settings to root',
    async () => {
      const answers = await collectAnswers(
        {
          meter: 'M',
          wallet: KEY,
          grid: 'eastron-sdm630,/dev/ttyUSB0',
          collectorUrl: 'http://localhost:1',
          collectorKey: KEY,
        },
        undefined,
        () => {},
      );
      const config = join(folder, 'etc', 'agent.yaml');
      const dataDir = join(folder, 'data');
      const made = await writeInit(
        answers,
        { config, dataDir, force: false, root: true, user: { uid: 12_345, gid: 23_456 } },
        {},
      );
      const owner = (path: string) => {
        const { uid, gid, mode } = statSync(path);
        return [uid, gid, mode & 0o777];
      };
      expect(owner(made.keyFile)).toEqual([12_345, 23_456, 0o600]);
      expect(owner(dataDir)).toEqual([12_345, 23_456, 0o700]);
      expect(owner(join(dataDir, 'keys'))).toEqual([12_345, 23_456, 0o700]);
      expect(owner(config)).toEqual([0, 23_456, 0o640]);
    },
  );
});

describe('a device in one word', () => {
  it.each([
    'eastron-sdm630,/dev/ttyUSB0,unit=7,baud=2400,parity=odd,stop=2',
    'eastron-sdm630,tcp://[::1]:1502,unit=255',
    'eastron-sdm630,rtu+tcp://serial.example:4001,unit=2',
  ])('%s says the same there and back', (word) => {
    const { profile, unit = 1, connection } = parseDevice(word, 'grid');
    expect(deviceText(profile, unit, connection)).toBe(word);
  });
});

describe('the service’s user', () => {
  it('is looked up by its whole name', () => {
    const file = join(folder, 'passwd');
    writeFileSync(
      file,
      'root:x:0:0::/:/bin/sh\ngridtokenx2:x:9:9::/:/x\ngridtokenx:x:998:997:gateway:/:/x\n',
    );
    expect(lookUpUser('gridtokenx', file)).toEqual({ uid: 998, gid: 997 });
    expect(lookUpUser('gridtoken', file)).toBeUndefined();
    expect(lookUpUser('gridtokenx', join(folder, 'none'))).toBeUndefined();
  });
});
