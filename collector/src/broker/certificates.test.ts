import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OwnAuthority, TlsFiles } from './certificates.js';

const DAY_MS = 86_400_000;
const NAMES = ['collector.example', '192.0.2.7', 'localhost', '::1'];
let folder: string;
let nowMs: number;
const authority = (names = NAMES) => new OwnAuthority({ folder, names, now: () => nowMs });

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'gtx-tls-')), 'tls');
  nowMs = Date.now();
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

describe('the own authority', () => {
  test('signs a certificate for the names, which OpenSSL accepts for a server and for no client', async () => {
    const { cert } = await authority().load();
    const server = new X509Certificate(cert);
    expect(server.subjectAltName).toBe(
      'DNS:collector.example, IP Address:192.0.2.7, DNS:localhost, IP Address:0:0:0:0:0:0:0:1',
    );
    expect(server.checkHost('collector.example')).toBe('collector.example');
    expect(server.checkHost('other.example')).toBeUndefined();
    const file = join(folder, 'only-cert.pem');
    writeFileSync(file, cert);
    const ca = join(folder, 'ca.pem');
    expect(openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, file)).toMatch(/OK/);
    expect(() => openssl('verify', '-purpose', 'sslclient', '-CAfile', ca, file)).toThrow();
    expect(new X509Certificate(readFileSync(ca)).ca).toBe(true);
  });

  test('keeps its keys to itself', async () => {
    await authority().load();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).sort()).toEqual(['authority.pem', 'ca.pem', 'server.pem']);
    expect(statSync(join(folder, 'authority.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'server.pem')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'ca.pem'), 'utf8')).not.toMatch(/PRIVATE/);
    chmodSync(join(folder, 'authority.pem'), 0o640);
    await expect(authority().load()).rejects.toMatchObject({ code: 'KEY_FILE_PERMISSIONS' });
  });

  test('stays the same, and renews the certificate before its end or for other names', async () => {
    const first = await authority().load();
    const ca = readFileSync(join(folder, 'ca.pem'), 'utf8');
    nowMs += 59 * DAY_MS;
    expect(await authority().load()).toEqual(first);
    nowMs += 2 * DAY_MS;
    const second = await authority().load();
    expect(second.cert).not.toBe(first.cert);
    expect(second.key).not.toBe(first.key);
    const third = await authority([...NAMES, 'new.example']).load();
    expect(new X509Certificate(third.cert).checkHost('new.example')).toBe('new.example');
    rmSync(join(folder, 'ca.pem'));
    expect(await authority([...NAMES, 'new.example']).load()).toEqual(third);
    expect(readFileSync(join(folder, 'ca.pem'), 'utf8')).toBe(ca);
    for (const { cert } of [first, second, third]) {
      expect(new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)).toBe(true);
    }
  });

  test('is one, though two collectors start at once on the folder', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => authority().load()));
    const ca = new X509Certificate(readFileSync(join(folder, 'ca.pem')));
    for (const { cert } of all) expect(new X509Certificate(cert).verify(ca.publicKey)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['authority.pem', 'ca.pem', 'server.pem']);
  });

  test('signs for clients', async () => {
    const { cert } = await authority().issueClient('MTR-001');
    const file = join(folder, 'client.pem');
    writeFileSync(file, cert);
    const ca = join(folder, 'ca.pem');
    expect(openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ca, file)).toMatch(/OK/);
    expect(() => openssl('verify', '-purpose', 'sslserver', '-CAfile', ca, file)).toThrow();
    expect(new X509Certificate(cert).subject).toBe('CN=MTR-001');
  });

  test('a damaged file is told, not replaced', async () => {
    await authority().load();
    writeFileSync(join(folder, 'authority.pem'), 'nothing', { mode: 0o600 });
    await expect(authority().load()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

test('files of others are read, a key that others can read is refused', async () => {
  const made = await authority().load();
  const [certFile, keyFile] = [join(folder, 'c.pem'), join(folder, 'k.pem')];
  writeFileSync(certFile, made.cert);
  writeFileSync(keyFile, made.key, { mode: 0o600 });
  expect(await new TlsFiles({ certFile, keyFile }).load()).toEqual({ ...made, clientCa: undefined });
  chmodSync(keyFile, 0o644);
  await expect(new TlsFiles({ certFile, keyFile }).load()).rejects.toMatchObject({
    code: 'KEY_FILE_PERMISSIONS',
  });
  await expect(new TlsFiles({ certFile: join(folder, 'none'), keyFile }).load()).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});
