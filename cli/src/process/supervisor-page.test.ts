import { afterEach, expect, test } from 'vitest';
import type { ComponentStatus } from './supervisor.js';
import { SupervisorPage } from './supervisor-page.js';

const component = (name: string, more: Partial<ComponentStatus> = {}): ComponentStatus => ({
  name,
  state: 'running',
  process: undefined,
  ready: undefined,
  restarts: 0,
  logFile: '',
  lastExit: undefined,
  ...more,
});
let components: ComponentStatus[] = [];
const page = new SupervisorPage(() => components);
afterEach(() => page.stop());

test('tells which components run and how often each was started again', async () => {
  components = [component('localnet'), component('collector', { restarts: 2 })];
  const url = await page.start(0);
  const get = async (path: string, method = 'GET') => {
    const answer = await fetch(new URL(path, url), { method });
    return { status: answer.status, text: await answer.text() };
  };
  expect((await get('/metrics')).text).toContain(
    [
      'gtx_supervisor_process_up{component="localnet"} 1',
      'gtx_supervisor_process_up{component="collector"} 1',
      '# HELP gtx_supervisor_restarts_total Times the component ended unasked and was started again.',
      '# TYPE gtx_supervisor_restarts_total counter',
      'gtx_supervisor_restarts_total{component="localnet"} 0',
      'gtx_supervisor_restarts_total{component="collector"} 2',
    ].join('\n'),
  );
  expect(await get('/healthz')).toEqual({ status: 200, text: '{"component":"supervisor","status":"ok"}' });
  components = [component('localnet', { state: 'waiting-to-restart' }), component('collector')];
  expect((await get('/metrics')).text).toContain('gtx_supervisor_process_up{component="localnet"} 0');
  expect(await get('/healthz')).toMatchObject({ status: 503, text: expect.stringContaining('["localnet"]') });
  expect(await get('/else')).toMatchObject({ status: 404 });
  expect(await get('/metrics', 'POST')).toMatchObject({ status: 405 });
  await expect(new SupervisorPage(() => []).start(Number(new URL(url).port))).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  });
});
