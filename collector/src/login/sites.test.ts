import { describe, expect, test } from 'vitest';
import { type SiteOptions, Sites } from './sites.js';

const sites = (options: Partial<SiteOptions> = {}) =>
  new Sites({ host: '127.0.0.1', port: 8080, tls: false, publicUrl: undefined, domains: [], ...options });
const code = (work: () => unknown) => {
  try {
    return work();
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the pages of a collector', () => {
  test('on loopback are those of this machine, by each of its names', () => {
    const here = sites();
    expect(here.own).toBe('http://127.0.0.1:8080');
    for (const origin of ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080']) {
      expect(here.of(origin)).toBe(origin);
    }
    for (const origin of [
      'http://localhost',
      'http://localhost:8081',
      'https://localhost:8080',
      'http://localhost:8080/',
      'http://localhost:8080.evil.example',
      'null',
      '',
    ]) {
      expect(
        code(() => here.of(origin)),
        origin,
      ).toBe('FORBIDDEN');
    }
    expect(here.of(undefined)).toBe('http://127.0.0.1:8080');
  });

  test('on all addresses are those of this machine until others are named', () => {
    const all = sites({ host: '0.0.0.0', tls: true, port: 443 });
    expect(all.own).toBe('https://localhost');
    expect(all.allows('https://0.0.0.0')).toBe(false);
    expect(all.allows('https://192.0.2.1')).toBe(false);
    const named = sites({ host: '::', port: 8080, domains: ['energy.example.org', '192.0.2.1:8080'] });
    expect(named.allows('https://energy.example.org')).toBe(true);
    expect(named.allows('http://192.0.2.1:8080')).toBe(true);
    expect(sites({ host: '2001:db8::1' }).own).toBe('http://[2001:db8::1]:8080');
  });

  test('behind a proxy are at the public URL, and in the clear nowhere else than here', () => {
    const published = sites({
      publicUrl: 'https://energy.example.org/market',
      domains: ['other.example.org'],
    });
    expect(published.own).toBe('https://energy.example.org');
    expect(published.of(undefined)).toBe('https://energy.example.org');
    expect(published.allows('https://other.example.org')).toBe(true);
    expect(published.allows('http://other.example.org')).toBe(false);
    expect(published.allows('http://energy.example.org')).toBe(false);
    const plain = sites({ publicUrl: 'http://energy.example.org', domains: ['other.example.org'] });
    expect(plain.allows('http://other.example.org')).toBe(true);
  });

  test('know their hosts', () => {
    const here = sites({ publicUrl: 'https://energy.example.org' });
    expect(here.hosts('energy.example.org')).toBe(true);
    expect(here.hosts('localhost:8080')).toBe(true);
    expect(here.hosts('evil.example')).toBe(false);
    expect(here.hosts(undefined)).toBe(false);
  });
});
