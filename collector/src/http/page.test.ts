import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { securityHeaders } from './headers.js';
import { servePage } from './page.js';

const folder = mkdtempSync(join(tmpdir(), 'gtx-page-'));
const logger = pino({ level: 'silent' });
mkdirSync(join(folder, 'page', 'assets'), { recursive: true });
writeFileSync(join(folder, 'page', 'index.html'), '<!doctype html><title>page</title>');
writeFileSync(join(folder, 'page', 'assets', 'index-1a2b.js'), 'export {};');
writeFileSync(join(folder, 'secret'), 'not for pages');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function application(pageFolder: string) {
  const app = Fastify();
  securityHeaders(app, { tls: false });
  await servePage(app, { logger, pageFolder });
  return app;
}

test('serves the page with a policy that lets nothing run but its own files', async () => {
  const app = await application(join(folder, 'page'));
  const page = await app.inject('/');
  expect(page.statusCode).toBe(200);
  expect(page.body).toContain('<title>page</title>');
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(page.headers['cache-control']).toBe('no-cache');
  expect(page.headers['x-content-type-options']).toBe('nosniff');
  const again = await app.inject({ url: '/', headers: { 'if-none-match': String(page.headers.etag) } });
  expect(again.statusCode).toBe(304);
  const script = await app.inject('/assets/index-1a2b.js');
  expect(script.statusCode).toBe(200);
  expect(script.headers['cache-control']).toContain('immutable');
  await app.close();
});

test.each([
  '/../secret',
  '/..%2fsecret',
  '/%2e%2e/secret',
  '/assets/..%2f..%2fsecret',
  '/assets/',
  '/nothing',
])('shows nothing at %s', async (url) => {
  const app = await application(join(folder, 'page'));
  const answer = await app.inject(url);
  expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  expect(answer.body).not.toContain('not for pages');
  await app.close();
});

test('a collector without a built page runs all the same', async () => {
  const app = await application(join(folder, 'none'));
  expect((await app.inject('/')).statusCode).toBe(404);
  await app.close();
});
