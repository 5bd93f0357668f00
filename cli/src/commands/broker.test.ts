import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommandLine } from '../command-line.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-cli-broker-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function rules(...args: string[]) {
  let out = '';
  let err = '';
  const code = await runCommandLine(['broker', 'rules', '--json', '--out', join(folder, 'out'), ...args], {
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
  return { code, err, value: JSON.parse(out) };
}

it('writes a broker for the gateways of a file, as the broker finds it, and names what to hand out', async () => {
  const list = join(folder, 'gateways.txt');
  writeFileSync(list, '# the street\nMTR-1\n\nMTR-2, MTR-3  # two meters\n');
  const { code, value } = await rules(
    ...['--gateways', list, '--tls-dir', join(folder, 'tls'), '--names', 'broker.example, 192.0.2.7'],
    ...['--listen', '0.0.0.0:8884', '--as', '/mosquitto/config'],
  );
  expect(code).toBe(0);
  const conf = readFileSync(value.config_file, 'utf8');
  expect(conf).toContain('\nlistener 8884 0.0.0.0\n');
  expect(conf).toContain('\npassword_file /mosquitto/config/passwords\n');
  expect(conf).toContain('\ncertfile /mosquitto/config/server.cert.pem\n');
  expect(value.logins.map((one: { login: string }) => one.login)).toEqual([
    '_collector',
    '_operator',
    'MTR-1',
    'MTR-2',
  ]);
  expect(value.logins[3].meters).toEqual(['MTR-2', 'MTR-3']);
  const { MQTT_PASSWORD_FILE: file } = value.collector_environment;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(value.collector_environment.MQTT_USERNAME).toBe('_collector');
  const password = readFileSync(file, 'utf8');
  expect(JSON.stringify(value)).not.toContain(password.trim());
  const again = await rules('MTR-1', '--tls-dir', join(folder, 'tls'));
  expect(again.value.withdrawn).toEqual(['MTR-2']);
  expect(readFileSync(file, 'utf8')).toBe(password);
});

it('says what is wrong before it writes anything', async () => {
  const wrong: [RegExp, ...string[]][] = [
    [/name the gateways/],
    [/name the gateways/, 'MTR-1', '--gateways', 'x'],
    [/needs TLS/, 'MTR-1'],
    [/--auth is/, 'MTR-1', '--auth', 'none'],
    [/--listen is host:port/, 'MTR-1', '--listen', '8883'],
    [/go together/, 'MTR-1', '--cert-file', 'x'],
    [/no such user/, 'MTR-1', '--owner', 'nobody-of-that-name'],
    [/named twice/, 'MTR-1', 'MTR-2,MTR-1', '--listen', '127.0.0.1:1883'],
    [/--tls-dir/, 'MTR-1', '--auth', 'certificate', '--listen', '127.0.0.1:1883'],
  ];
  for (const [message, ...args] of wrong) {
    const { code, value } = await rules(...args);
    expect(code, args.join(' ')).not.toBe(0);
    expect(value.error.code, args.join(' ')).toMatch(/CONFIG_INVALID|VALUE_INVALID/);
    expect(value.error.message).toMatch(message);
  }
  expect(() => statSync(join(folder, 'out'))).toThrow();
});
