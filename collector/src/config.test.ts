import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GtxError } from '@gridtokenx/protocol';
import { expect, test } from 'vitest';
import { loadCollectorConfig } from './config.js';

const base = {
  DATABASE_URL: 'postgres://u:p@127.0.0.1/db',
  GTX_FEE_PAYER_KEY: 'fee.json',
  GTX_ACK_KEY: 'ack.json',
};

function problems(env: Record<string, string | undefined>, flags = {}): string {
  try {
    loadCollectorConfig(env, flags);
  } catch (error) {
    if (error instanceof GtxError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return '';
}

test('every other setting has a default', () => {
  expect(loadCollectorConfig(base)).toMatchObject({
    mqttHost: '127.0.0.1',
    mqttPort: 1883,
    settlement: 'interval',
    settlementSeconds: 60,
    intervalSeconds: 900,
    solanaRpcUrl: 'http://127.0.0.1:8899',
  });
});

test('a flag goes before the environment, an empty variable is none', () => {
  const env = { ...base, GTX_HTTP_PORT: '1111', GTX_MQTT_PORT: '' };
  expect(loadCollectorConfig(env, { 'http-port': '2222' })).toMatchObject({ httpPort: 2222, mqttPort: 1883 });
});

test('what is wrong is named, with all of it and without its value', () => {
  const message = problems({ DATABASE_URL: 'mysql://root:secret@x/y', GTX_MQTT_PORT: '99999' });
  expect(message).toMatch(/DATABASE_URL: must be a URL beginning with postgres/);
  expect(message).toMatch(/GTX_MQTT_PORT/);
  expect(message).toMatch(/GTX_FEE_PAYER_KEY: is required/);
  expect(message).not.toMatch(/secret/);
});

test('TLS is required off loopback, in both directions', () => {
  expect(problems({ ...base, GTX_MQTT_HOST: '0.0.0.0' })).toMatch(/needs TLS/);
  expect(problems({ ...base, GTX_MQTT_HOST: '0.0.0.0', GTX_MQTT_TLS_CERT: 'c', GTX_MQTT_TLS_KEY: 'k' })).toBe(
    '',
  );
  expect(problems({ ...base, GTX_MQTT_HOST: '0.0.0.0', GTX_MQTT_TLS_CERT: 'c' })).toMatch(/go together/);
  expect(problems({ ...base, GTX_MQTT_HOST: '0.0.0.0', GTX_TLS_DIR: 'tls', GTX_HTTP_TLS: 'on' })).toBe('');
  expect(problems({ ...base, GTX_HTTP_TLS: 'on' })).toMatch(/GTX_HTTP_TLS: needs a certificate/);
  expect(problems({ ...base, GTX_MQTT_TLS_CLIENT_CA: 'ca.pem' })).toMatch(/need TLS/);
  expect(problems({ ...base, GTX_TLS_DIR: 'tls', GTX_MQTT_TLS_CERT: 'c', GTX_MQTT_TLS_KEY: 'k' })).toMatch(
    /not both/,
  );
  expect(problems({ ...base, GTX_TLS_DIR: 'tls', GTX_TLS_NAMES: 'a b' })).toMatch(/GTX_TLS_NAMES/);
  expect(problems({ ...base, MQTT_URL: 'mqtt://broker.example' })).toMatch(/needs TLS/);
  expect(problems({ ...base, MQTT_URL: 'mqtts://broker.example' })).toBe('');
  expect(problems({ ...base, MQTT_URL: 'mqtt://[::1]:1883' })).toBe('');
});

test('secrets come from files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-config-'));
  try {
    const file = join(folder, 'password');
    writeFileSync(file, 'a long password\n');
    const env = { ...base, GTX_OPERATOR_USERNAME: 'ops', GTX_OPERATOR_PASSWORD_FILE: file };
    expect(loadCollectorConfig(env).operatorPassword).toBe('a long password');
    expect(problems({ ...env, GTX_OPERATOR_PASSWORD_FILE: join(folder, 'none') })).toMatch(
      /cannot read .*ENOENT/,
    );
    expect(problems({ ...base, GTX_OPERATOR_USERNAME: 'ops' })).toMatch(/go together/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('alerts leave this machine encrypted only, and a channel is configured whole or not at all', () => {
  const secret = { GTX_ALERT_WEBHOOK_SECRET: 'sixteen characters or more' };
  const webhook = (url: string) => problems({ ...base, ...secret, GTX_ALERT_WEBHOOK_URL: url });
  expect(webhook('https://hooks.example.org/a')).toBe('');
  expect(webhook('http://[::1]:8080/a')).toBe('');
  expect(webhook('http://hooks.example.org/token')).toContain('needs https');
  // The address may hold a secret.
  expect(webhook('http://hooks.example.org/token')).not.toContain('token');
  expect(webhook('http://127.0.0.1.example.org/')).toContain('needs https');
  expect(problems({ ...base, GTX_ALERT_WEBHOOK_URL: 'https://hooks.example.org' })).toContain('its secret');
  expect(problems({ ...base, ...secret, GTX_ALERT_WEBHOOK_SECRET: 'short' })).toContain(
    'GTX_ALERT_WEBHOOK_SECRET',
  );

  const mail = {
    GTX_ALERT_SMTP_URL: 'smtp://mail.example.org:587',
    GTX_ALERT_MAIL_FROM: 'grid@example.org',
    GTX_ALERT_MAIL_TO: 'ops@example.org, night@example.org',
  };
  expect(problems({ ...base, ...mail })).toBe('');
  for (const name of Object.keys(mail)) {
    expect(problems({ ...base, ...mail, [name]: undefined }), name).toContain('mail needs');
  }
  expect(problems({ ...base, ...mail, GTX_ALERT_MAIL_TO: 'ops@example.org\nBcc: x@example.org' })).not.toBe(
    '',
  );
  expect(problems({ ...base, ...mail, GTX_ALERT_SMTP_URL: 'smtp://me:word@mail.example.org' })).toContain(
    'settings of their own',
  );
  expect(problems({ ...base, ...mail, GTX_ALERT_SMTP_USERNAME: 'me' })).toContain('go together');
});
