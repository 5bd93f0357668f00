import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCollector, type TestCollector } from '../testing/collector.js';
import { TestMeter } from '../testing/gateway.js';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.js';
import { OwnAuthority } from './certificates.js';

let postgres: TestPostgres;
let collector: TestCollector;
const folder = mkdtempSync(join(tmpdir(), 'gtx-tls-'));
const tlsDir = join(folder, 'tls');
const clients = new OwnAuthority({ folder: join(folder, 'clients'), names: [], now: Date.now });
const meter = new TestMeter('MTR-TLS', Math.floor(Date.now() / 1000) - 9_000);
let logins = 0;

beforeAll(async () => {
  await clients.issueClient('nobody');
  postgres = await startTestPostgres();
  collector = await startTestCollector(postgres, {
    env: {
      GTX_TLS_DIR: tlsDir,
      GTX_TLS_NAMES: 'collector.example',
      GTX_HTTP_TLS: 'on',
      GTX_MQTT_TLS_CLIENT_CA: join(folder, 'clients', 'ca.pem'),
    },
  });
  collector.registry.register(meter);
});
afterAll(async () => {
  await collector?.stop();
  await postgres?.stop();
  rmSync(folder, { recursive: true });
});

/** Tries to log in over TLS. @returns '' or why not */
async function attempt(options: IClientOptions): Promise<string> {
  logins += 1;
  try {
    const login = {
      username: meter.meterId,
      password: JSON.stringify([meter.loginEntry(Math.floor(Date.now() / 1000) + logins)]),
      reconnectPeriod: 0,
      connectTimeout: 10_000,
    };
    // TLS 1.3 refuses a client's certificate after the handshake: then the connection only ends.
    const client = await mqtt.connectAsync(collector.mqttUrl, { ...login, ...options }, false);
    await client.endAsync();
    return '';
  } catch (error) {
    return (error as Error).message || 'closed';
  }
}

test('its own authority is what a gateway needs, and a client certificate where one is asked for', async () => {
  expect(collector.caFile).toBe(join(tlsDir, 'ca.pem'));
  const ca = readFileSync(collector.caFile as string);
  const { cert, key } = await clients.issueClient(meter.meterId);
  expect(await attempt({ ca, cert, key })).toBe('');
  expect(await attempt({ ca })).not.toBe('');
  const stranger = new OwnAuthority({ folder: join(folder, 'strangers'), names: [], now: Date.now });
  expect(await attempt({ ca, ...(await stranger.issueClient(meter.meterId)) })).not.toBe('');
  // The server's own certificate is none for clients.
  expect(
    await attempt({
      ca,
      ...(await new OwnAuthority({ folder: tlsDir, names: ['collector.example'], now: Date.now }).load()),
    }),
  ).not.toBe('');
  expect(await attempt({ cert, key })).toMatch(/certificate/);
  expect(await attempt({ ca: readFileSync(join(folder, 'strangers', 'ca.pem')), cert, key })).toMatch(
    /certificate|issuer/,
  );
});

test('HTTPS has the same certificate and asks for none', async () => {
  expect(collector.httpUrl).toMatch(/^https:/);
  const get = (ca: Buffer | undefined) =>
    new Promise<number>((resolve, reject) => {
      const url = new URL('/api/time', collector.httpUrl);
      request(url, { ...(ca && { ca }) }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  expect(await get(readFileSync(join(tlsDir, 'ca.pem')))).toBe(200);
  await expect(get(undefined)).rejects.toThrow(/certificate/);
});
