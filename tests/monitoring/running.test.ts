/**
 * Around a running system: what every component really exposes, a real Prometheus that asks all of them and answers every
 * panel, and the figures in the terminal. One `gtx up`, each component a process of its own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../support/ask.js';
import { gtx, newDataDir, RunningSystem, runGtx } from '../support/up.js';
import { waitFor } from '../support/wait.js';
import {
  COMPONENTS,
  type ComponentName,
  catalogue,
  isOfProcess,
  LABELS,
  parseExposition,
} from './catalogue.js';
import { asked, dashboards, panelsOf } from './dashboards.js';
import { referencesOf } from './promql.js';
import { hasPromtool, promtool } from './promtool.js';
import { makeCertificates, tlsFront } from './tls-front.js';

const SLOW = 600_000;
const rules = fileURLToPath(new URL('../../deploy/prometheus/rules/', import.meta.url));
let system: RunningSystem;
let urls: Record<ComponentName, string>;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-monitoring-'));
  system = await RunningSystem.start();
  urls = {
    agent: system.url('agent', 'status'),
    collector: system.url('collector', 'http'),
    publisher: system.url('publisher', 'status'),
    localnet: system.url('localnet', 'rpc'),
    simulator: system.url('simulator', 'status'),
    supervisor: system.runFile.supervisorUrl,
  };
  await waitFor(
    'a token is minted',
    async () =>
      (await system.count(`SELECT count(*) FROM settlements WHERE state IN ('confirmed', 'finalized')`)) > 0,
  );
}, SLOW);
afterAll(async () => {
  await system?.destroy();
  rmSync(folder, { recursive: true, force: true });
}, SLOW);

const metricsOf = async (component: ComponentName): Promise<string> => {
  const answer = await ask(new URL('/metrics', urls[component]));
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; *version=0\.0\.4/);
  return await answer.text();
};

describe('what each component exposes', () => {
  beforeAll(async () => {
    // What a stranger may write into a request must not become a label.
    const wallet = system.key('owner').publicKey.toBase58();
    for (const path of [
      `/api/meters/${system.meterId}/energy`,
      `/api/balances/${wallet}`,
      `/${wallet}/${system.meterId}`,
      '/api/transactions/nothing',
    ]) {
      for (const method of ['GET', 'DELETE', 'PROPFIND']) {
        await (await ask(new URL(path, urls.collector), { method })).arrayBuffer();
      }
    }
    await (
      await ask(urls.localnet, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: `get${wallet}` }),
      })
    ).arrayBuffer();
  });

  it.each(COMPONENTS)('%s: is what the table says, with the table’s labels', async (component) => {
    const described = new Map((await catalogue())[component].map((metric) => [metric.name, metric]));
    const { types, helps, samples } = parseExposition(await metricsOf(component));
    expect([...types.keys()].toSorted()).toEqual([...described.keys()].toSorted());
    for (const [name, { type, help, labels }] of described) {
      expect(types.get(name), name).toBe(type);
      expect(helps.get(name), name).toBe(help);
      const own = samples.filter(
        (one) => one.name === name || (type === 'histogram' && one.name.startsWith(`${name}_`)),
      );
      for (const one of own)
        expect([...labels, 'le'], name).toEqual(expect.arrayContaining(Object.keys(one.labels)));
    }
  });

  it.each(COMPONENTS)('%s: has no label by which a home could be told, and few series', async (component) => {
    const { samples } = parseExposition(await metricsOf(component));
    const perMetric = new Map<string, number>();
    for (const { name, labels, value } of samples) {
      // The library knows no mean of the event loop's delays where there was none since it was asked last.
      if (!isOfProcess(name)) expect(Number.isNaN(value), name).toBe(false);
      perMetric.set(name, (perMetric.get(name) ?? 0) + 1);
      for (const [label, text] of Object.entries(labels)) {
        if (label === 'le') continue;
        expect(LABELS.has(label), `${name}{${label}}`).toBe(true);
        expect(text, `${name}{${label}}`).not.toContain(system.meterId);
        // A key, a wallet, a signature.
        expect(text, `${name}{${label}}`).not.toMatch(/[1-9A-HJ-NP-Za-km-z]{32}/);
      }
    }
    for (const [name, count] of perMetric)
      expect(count, name).toBeLessThan(name.endsWith('_bucket') ? 2_000 : 200);
  });

  it('does not ask for a login, and takes one that a proxy wants', async () => {
    const authorization = `Basic ${Buffer.from('prometheus:word').toString('base64')}`;
    expect((await ask(new URL('/metrics', urls.collector), { headers: { authorization } })).status).toBe(200);
  });

  it.skipIf(!hasPromtool()).each(COMPONENTS)('%s: promtool finds nothing against it', async (component) => {
    const { code, said } = promtool(['check', 'metrics'], await metricsOf(component));
    expect(said).toBe('');
    expect(code).toBe(0);
  });
});

describe.skipIf(!hasPromtool())('a Prometheus that asks all components', () => {
  let prometheus: ChildProcess | undefined;
  let url = '';
  // biome-ignore lint/suspicious/noExplicitAny: each question has its own answer
  const askPrometheus = async (path: string): Promise<any> => {
    const answer = (await (await ask(new URL(path, url))).json()) as { status: string; data: unknown };
    expect(answer.status, `${path}: ${JSON.stringify(answer)}`).toBe('success');
    return answer.data;
  };
  const query = (expr: string) => askPrometheus(`/api/v1/query?query=${encodeURIComponent(expr)}`);

  beforeAll(async () => {
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(rules, '*.yaml')],
      scrape_configs: COMPONENTS.map((component) => ({
        job_name: component,
        // The machine may be slow.
        scrape_interval: '2s',
        scrape_timeout: '2s',
        static_configs: [{ targets: [new URL(urls[component]).host] }],
      })),
    };
    const file = join(folder, 'prometheus.yaml');
    writeFileSync(file, JSON.stringify(config));
    let log = '';
    prometheus = spawn('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'series')}`,
      '--web.listen-address=127.0.0.1:0',
    ]);
    prometheus.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    url = await waitFor('Prometheus listens', () => {
      const address = /msg="Listening on" address=(\S+)/.exec(log)?.[1];
      return address === undefined ? undefined : `http://${address}`;
    });
    await waitFor('every component has been asked three times', async () => {
      const { result } = await query('count_over_time(up[10m]) >= 3 and up == 1');
      return result.length === COMPONENTS.length;
    });
    await waitFor('every rule has been evaluated', async () => {
      const { groups } = (await askPrometheus('/api/v1/rules')) as {
        groups: { rules: { health: string }[] }[];
      };
      return groups.length > 1 && groups.every((group) => group.rules.every(({ health }) => health === 'ok'));
    });
  }, SLOW);
  afterAll(async () => {
    if (prometheus === undefined) return;
    const ended = new Promise((resolve) => prometheus?.once('exit', resolve));
    prometheus.kill('SIGTERM');
    await ended;
  }, SLOW);

  it(
    'answers every panel of every dashboard for which there are series',
    async () => {
      const exprs = [...dashboards()].flatMap(([name, dashboard]) =>
        panelsOf(dashboard).flatMap(({ title, targets }) =>
          targets.map((target) => ({ where: `${name}: ${title}`, expr: asked(target.expr) })),
        ),
      );
      const hasSeries = async (expr: string): Promise<boolean> => (await query(expr)).result.length > 0;
      let answered = 0;
      await waitFor('no panel is empty without a reason', async () => {
        answered = 0;
        const puzzling: string[] = [];
        for (const { where, expr } of exprs) {
          if (await hasSeries(expr)) {
            answered += 1;
            continue;
          }
          // Where nothing is refused, dropped or found, there is no such series yet.
          const needed = referencesOf(expr).metrics.map(({ selector }) => selector);
          const there = await Promise.all(needed.map(hasSeries));
          if (there.every(Boolean)) puzzling.push(`${where}: ${expr}`);
        }
        if (puzzling.length > 0) throw new Error(puzzling.join('\n'));
        return true;
      });
      expect(answered).toBeGreaterThan(70);
    },
    SLOW,
  );

  it('raises no alert in a system that is well', async () => {
    const { alerts } = await askPrometheus('/api/v1/alerts');
    // biome-ignore lint/suspicious/noExplicitAny: as Prometheus answers
    const firing = alerts.filter((alert: any) => alert.state === 'firing');
    expect(firing).toEqual([]);
  });
});

/** Runs a command with a pseudo-terminal as its stdout. @returns what it wrote there */
function onTerminal(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; seen: string }> {
  const command = [process.execPath, gtx, ...args, '--data-dir', system.dataDir]
    .map((word) => `'${word}'`)
    .join(' ');
  const { NO_COLOR: _n, FORCE_COLOR: _f, ...rest } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      'script',
      ['--quiet', '--return', '--command', command, '/dev/null'],
      { env: { ...rest, TERM: 'xterm-256color', ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else resolve({ code: error === null ? 0 : Number(error.code), seen: stdout });
      },
    );
  });
}
const ESCAPE = '\u001b[';

describe('gtx status', () => {
  it(
    'shows the figures of the page',
    async () => {
      // On a busy machine a component may be late with its answer, and the gateway with its messages: then it says so.
      await waitFor('a system that is well is told as the page tells it', async () => {
        const status = await system.gtxJson('status');
        const midnight = new Date();
        midnight.setHours(0, 0, 0, 0);
        const page = JSON.parse(
          await system.http('collector', `/api/overview?since=${encodeURIComponent(midnight.toISOString())}`),
        );
        const { overview, operator, service } = status.figures;
        expect(service.status).toBe('ok');
        expect(overview.today.since).toBe(page.today.since);
        expect(Number(overview.total.minted_grid)).toBeGreaterThan(0);
        expect(Number(overview.total.minted_grid)).toBeLessThanOrEqual(Number(page.total.minted_grid));
        expect(overview.pipeline.map((one: { stage: string }) => one.stage)).toEqual(
          page.pipeline.map((one: { stage: string }) => one.stage),
        );
        expect(operator.fleet).toMatchObject({ meters: 1, states: { online: 1, silent: 0 } });
        expect(operator.alerts).toMatchObject({ open: 0, more: false });
        return true;
      });
      await waitFor('the same in words', async () => {
        const { stdout, code } = await system.gtx('status');
        expect(code).toBe(0);
        for (const line of [
          /^Power now +[\d,]+ W produced, [\d,]+ W used, [\d,]+ W surplus, of 1 meter$/m,
          /^Today +.*kWh produced, .*kWh used, .*kWh surplus; \d+ readings?$/m,
          /^GRID +[\d.,]+ GRID minted today, [\d.,]+ GRID in all$/m,
          /^Gateways +1 online, 0 silent, 0 offline, 0 never heard; \d+ readings? still in gateways$/m,
          /^Settlement +\d+ waiting/m,
          /^Alerts +none open$/m,
          /^ {2}received +\d/m,
          /^ {2}final +\d/m,
          /^collector: running, process \d+, healthy$/m,
        ]) {
          expect(stdout).toMatch(line);
        }
        expect(stdout).not.toContain(ESCAPE);
        return true;
      });
    },
    SLOW,
  );

  it(
    'is coloured on a terminal, unless somebody does not want it',
    async () => {
      await waitFor('it is healthy, in green', async () => {
        const { code, seen } = await onTerminal(['status']);
        return code === 0 && seen.includes(`${ESCAPE}32mhealthy${ESCAPE}39m`);
      });
      expect((await onTerminal(['status', '--no-color'])).seen).not.toContain(ESCAPE);
      expect((await onTerminal(['status'], { NO_COLOR: '1' })).seen).not.toContain(ESCAPE);
      expect((await onTerminal(['status', '--json'])).seen).not.toContain(ESCAPE);
      await waitFor('it is healthy, in green also in a pipe', async () => {
        const piped = await runGtx(['status'], { dataDir: system.dataDir, env: { FORCE_COLOR: '1' } });
        return piped.code === 0 && piped.stdout.includes(`${ESCAPE}32mhealthy${ESCAPE}39m`);
      });
    },
    SLOW,
  );

  it(
    'asks a collector elsewhere over TLS, as operator or as anybody',
    async () => {
      const certificates = makeCertificates(folder);
      const front = await tlsFront(certificates, Number(new URL(urls.collector).port), {
        clientCertificates: false,
      });
      const elsewhere = newDataDir();
      try {
        const url = `https://127.0.0.1:${front.port}`;
        const run = (args: string[], env: Record<string, string> = {}) =>
          runGtx(['status', '--url', url, '--json', ...args], { dataDir: elsewhere, env });
        // On a busy machine the collector may be late with its answer: then the command says so.
        const tells = (figures: object, env: Record<string, string> = {}) =>
          waitFor('a system that is well is told', async () => {
            const { code, stdout } = await run(['--ca', certificates.ca], env);
            expect(JSON.parse(stdout)).toMatchObject({ healthy: true, figures });
            expect(code, stdout).toBe(0);
            return true;
          });
        await tells({ operator: null, overview: { total: { meters: 1 } } });
        const password = readFileSync(join(system.dataDir, 'keys/operator-password'), 'utf8').trim();
        await tells({ operator: { fleet: { meters: 1 } } }, { GTX_OPERATOR_PASSWORD: password });
        const wrong = await run(['--ca', certificates.ca], { GTX_OPERATOR_PASSWORD: 'wrong' });
        expect(wrong.code).toBe(3);
        expect(JSON.parse(wrong.stdout)).toMatchObject({ healthy: false, figures: null });
        // An authority that nobody has told it.
        const untrusted = await run([]);
        expect(untrusted.code).toBe(3);
        expect(JSON.parse(untrusted.stdout).figures_error.code).toBe('COLLECTOR_UNAVAILABLE');
      } finally {
        await front.stop();
        rmSync(join(elsewhere, '..'), { recursive: true, force: true });
      }
    },
    SLOW,
  );
});

describe('gtx watch', () => {
  /** On a busy machine the broker may be late with its answer: then the command says so, and ends. */
  const watches = <Result extends { code: number }>(run: () => Promise<Result>): Promise<Result> =>
    waitFor('the broker answers in time', async () => {
      const result = await run();
      if (result.code !== 0) throw new Error(JSON.stringify(result));
      return result;
    });

  it(
    'keeps the figures below the traffic on a terminal, and prints plain lines in a pipe',
    async () => {
      // The figures come by another way than the messages: of these, twelve may have come before.
      await waitFor('the figures are there before the last message', async () => {
        const { code, seen } = await onTerminal(['watch', '--count', '12']);
        expect(code, seen).toBe(0);
        expect(seen).toContain(`${ESCAPE}1m${system.meterId}`);
        expect(seen).toContain('Power now');
        expect(seen).toContain('minted today');
        // Drawn anew: up over what was drawn, and cleared.
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
        expect(seen).toMatch(/\u001b\[\d+A\r\u001b\[J/);
        return true;
      });
      const piped = await watches(() => system.gtx('watch', '--count', '3'));
      expect(piped.stdout.trimEnd().split('\n')).toHaveLength(3);
      expect(piped.stdout).not.toContain(ESCAPE);
      expect(piped.stdout).not.toContain('Power now');
      const json = await watches(() => system.gtx('watch', '--count', '3', '--json'));
      for (const line of json.stdout.trimEnd().split('\n')) {
        expect(JSON.parse(line)).toMatchObject({ meter_id: system.meterId, understood: true });
      }
    },
    SLOW,
  );

  it(
    'shows its certificate to a broker that wants one, and trusts only the authority that it was told',
    async () => {
      const certificates = makeCertificates(folder);
      const front = await tlsFront(certificates, Number(new URL(system.url('collector', 'mqtt')).port), {
        clientCertificates: true,
      });
      try {
        const run = (...args: string[]) =>
          system.gtx('watch', '--mqtt', `mqtts://127.0.0.1:${front.port}`, '--count', '2', '--json', ...args);
        const { ca, client } = certificates;
        const own = ['--cert', client.cert, '--key', client.key];
        const good = await watches(() => run('--ca', ca, ...own));
        expect(good.stdout.trimEnd().split('\n')).toHaveLength(2);
        const untrusted = await run(...own);
        expect(untrusted.code).toBe(3);
        expect(JSON.parse(untrusted.stdout).error.code).toBe('BROKER_UNAVAILABLE');
        const nobody = await run('--ca', ca);
        expect(nobody.code).toBe(3);
        expect(JSON.parse(nobody.stdout).error.code).toBe('BROKER_UNAVAILABLE');
        const half = await run('--ca', ca, '--cert', client.cert);
        expect(JSON.parse(half.stdout).error).toMatchObject({ code: 'CONFIG_INVALID' });
        const noFile = await run('--ca', join(folder, 'nothing.pem'));
        expect(JSON.parse(noFile.stdout).error).toMatchObject({ code: 'CONFIG_INVALID' });
      } finally {
        await front.stop();
      }
    },
    SLOW,
  );
});
