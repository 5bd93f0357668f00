/**
 * What runs a collector: image, Compose file, systemd unit. Without an engine they are read as an engine would read them; that
 * the image's content runs is deploy/container/test.mjs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCollectorConfig, SETTINGS } from '@gridtokenx/collector';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { runCommands } from '../support/page.js';
import { gtx } from '../support/up.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const text = z.string().min(1);
const texts = z.array(text).min(1);
const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);
const span = z.string().regex(/^\d+[sm]$/);
const common = {
  restart: z.literal('unless-stopped'),
  // What keeps a container that is taken over from reaching further.
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  cap_add: texts.optional(),
  logging: z.strictObject({ driver: text, options: z.record(text, text) }),
  image: z.string().regex(/^([a-z]+\/)?[a-z-]+:v?\d+\.\d+(\.\d+)?$/, 'needs a version'),
  user: z
    .string()
    .regex(/^\d+:\d+$/)
    .optional(),
  build: z.strictObject({ context: text, dockerfile: text }).optional(),
  entrypoint: texts.optional(),
  network_mode: z.literal('none').optional(),
  depends_on: z.record(text, z.strictObject({ condition })).optional(),
  environment: z.record(text, text).optional(),
  secrets: texts.optional(),
  volumes: z
    .array(
      z.union([
        z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/),
        z.strictObject({
          type: z.literal('bind'),
          source: text,
          target: text,
          read_only: z.boolean().optional(),
          bind: z.strictObject({ create_host_path: z.literal(false) }),
        }),
      ]),
    )
    .min(1),
  tmpfs: texts,
  shm_size: text.optional(),
  ports: z.array(z.string().regex(/^(127\.0\.0\.1:)?\d+(-\d+)?:\d+$/)).optional(),
  networks: texts,
  stop_grace_period: span,
};
const healthcheck = z.strictObject({
  test: z.tuple([z.literal('CMD')], text),
  interval: span,
  timeout: span,
  retries: z.int(),
  start_period: span.optional(),
});
const monitoring = { profiles: z.tuple([z.literal('monitoring')]) };
const Compose = z.strictObject({
  name: text,
  'x-hardened': z.unknown(),
  services: z.strictObject({
    postgres: z.strictObject({ ...common, healthcheck }),
    mosquitto: z.strictObject({ ...common, healthcheck }),
    // Its health check is the image's.
    collector: z.strictObject(common),
    prometheus: z.strictObject({ ...common, ...monitoring, command: texts }),
    grafana: z.strictObject({ ...common, ...monitoring }),
    prepare: z
      .strictObject({ ...common, profiles: z.tuple([z.literal('prepare')]) })
      .partial({ restart: true, logging: true, networks: true, stop_grace_period: true }),
  }),
  networks: z.record(text, z.strictObject({ internal: z.boolean().optional() })),
  volumes: z.record(text, z.strictObject({})),
  secrets: z.record(text, z.strictObject({ file: text })),
});

const compose = Compose.parse(parse(read('deploy/compose/compose.yaml'), { merge: true }));

test('the Compose file is whole: what is used is defined, and the other way round', () => {
  const services = Object.values(compose.services);
  const used = new Set(services.flatMap((one) => one.secrets ?? []));
  expect([...used].sort()).toEqual(Object.keys(compose.secrets).sort());
  const volumes = services.flatMap((one) => one.volumes.filter((volume) => typeof volume === 'string'));
  const named = volumes.map((volume) => volume.split(':')[0] ?? '').filter((name) => !name.startsWith('.'));
  expect(named.sort()).toEqual(Object.keys(compose.volumes).sort());
  expect(new Set(services.flatMap((one) => one.networks ?? []))).toEqual(
    new Set(Object.keys(compose.networks)),
  );
  for (const [service, { depends_on }] of Object.entries(compose.services)) {
    for (const name of Object.keys(depends_on ?? {})) expect(compose.services, service).toHaveProperty(name);
  }
  expect(compose.services.postgres.networks).toEqual(['inside']);
  expect(compose.networks.inside?.internal).toBe(true);
  expect(compose.services.postgres.ports).toBeUndefined();
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(compose.services.collector.image).toBe(`gridtokenx-collector:${version}`);
  expect(existsSync(join(root, compose.services.collector.build?.dockerfile ?? ''))).toBe(true);
});

test('the monitoring beside it is what is in deploy/prometheus and deploy/grafana, and reached by its names', () => {
  const { prometheus, grafana, collector } = compose.services;
  for (const volume of [...prometheus.volumes, ...grafana.volumes]) {
    const [source = ''] = String(volume).split(':');
    // What prepare makes is looked at below.
    if (source.startsWith('.') && !source.startsWith('./state')) {
      expect(existsSync(join(root, 'deploy/compose', source)), source).toBe(true);
    }
  }
  expect(prometheus.ports).toBeUndefined();
  expect(grafana.ports).toEqual(['127.0.0.1:3000:3000']);
  expect(grafana.environment?.GTX_PROMETHEUS_URL).toBe('http://prometheus:9090');
  const config = parse(read('deploy/compose/prometheus.yaml')) as {
    scrape_configs: { job_name: string; tls_config: { server_name: string } }[];
  };
  const [job, ...others] = config.scrape_configs;
  expect(others).toEqual([]);
  expect(job).toMatchObject({
    job_name: 'collector',
    dns_sd_configs: [{ names: ['collector'], port: 8080 }],
  });
  // A name of its certificate.
  expect(collector.environment?.GTX_TLS_NAMES?.split(',')).toContain(job?.tls_config.server_name);
});

test('every setting of its collector is one, and together they are a configuration', () => {
  const { environment = {} } = compose.services.collector;
  const known = new Set(
    Object.values(SETTINGS).flatMap((one) =>
      'secret' in one && one.secret ? [one.env, `${one.env}_FILE`] : [one.env],
    ),
  );
  for (const name of Object.keys(environment)) expect(known, name).toContain(name);
  const folder = mkdtempSync(join(tmpdir(), 'gtx-compose-'));
  try {
    for (const name of compose.services.collector.secrets ?? []) {
      const value =
        name === 'database-url'
          ? 'postgres://gridtokenx:word@postgres:5432/gridtokenx'
          : 'a-long-secret-word';
      writeFileSync(join(folder, name), value);
    }
    const given: Record<string, string> = {
      GTX_NAMES: 'collector.example',
      SOLANA_RPC_URL: 'https://rpc.example',
    };
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value
          .replace(/\$\{([A-Z_]+):[?-][^}]*\}/g, (_all, variable: string) => given[variable] ?? '')
          .replace('/run/secrets', folder),
      ]),
    );
    const config = loadCollectorConfig(env);
    expect(config).toMatchObject({ mqttUsername: '_collector', httpTls: 'on', httpPort: 8080 });
    expect(config.databaseUrl).toContain('@postgres:5432/');
    expect(compose.services.collector.ports?.[0]).toMatch(/:8080$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the image has a user of its own, pinned bases, a health check that is a command, and secrets of nobody', () => {
  const dockerfile = read('deploy/container/collector.Dockerfile');
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  const { version } = JSON.parse(read('deploy/debian/runtime.json')) as { version: string };
  expect(bases).toEqual([`node:${version}-bookworm-slim`, `node:${version}-bookworm-slim`]);
  const last = dockerfile.split(/^FROM /m).at(-1) ?? '';
  expect(last).toMatch(/^USER 10001:10001$/m);
  expect(last).toContain('COPY --from=build /opt/gridtokenx /opt/gridtokenx');
  expect(last).toMatch(/^HEALTHCHECK .* CMD \["gtx", "collector", "health"\]$/m);
  const known = spawnSync(process.execPath, [gtx, 'collector', 'health', '--help'], { encoding: 'utf8' });
  expect(known.status).toBe(0);
  for (const path of ['.git', 'node_modules', 'deploy/compose/state']) {
    expect(read('deploy/container/collector.Dockerfile.dockerignore')).toContain(path);
  }
});

test('secrets and rules are made once, each for whom it is for, and a second run changes nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-prepare-'));
  try {
    writeFileSync(join(folder, 'gtx'), `#!/bin/sh\nexec "${process.execPath}" "${gtx}" "$@"\n`, {
      mode: 0o755,
    });
    // Only root may give files away.
    if (process.getuid?.() !== 0) writeFileSync(join(folder, 'chown'), '#!/bin/sh\n', { mode: 0o755 });
    const state = join(folder, 'state');
    const prepare = (...gateways: string[]) =>
      spawnSync('sh', [join(root, 'deploy/compose/prepare.sh'), ...gateways], {
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: `${folder}:${process.env.PATH}`,
          STATE: state,
          GTX_NAMES: 'collector.example',
          GTX_DATA_DIR: folder,
        },
      });
    expect(prepare().status).toBe(2);
    expect(prepare('MTR-001')).toMatchObject({ status: 0, stderr: '' });
    const names = Object.values(compose.secrets).map(({ file }) => file.replace('./state/', ''));
    const content = () => names.map((name) => readFileSync(join(state, name), 'utf8'));
    const before = content();
    expect(prepare('MTR-001', 'MTR-002,MTR-003').status).toBe(0);
    expect(content()).toEqual(before);
    expect(readFileSync(join(state, 'mosquitto/broker/acl'), 'utf8')).toContain('gtx/v1/MTR-003/reading');
    for (const name of names) expect(statSync(join(state, name)).mode & 0o777, name).toBe(0o600);
    if (process.getuid?.() === 0) {
      const owner = (name: string) => statSync(join(state, name)).uid;
      expect(owner('secrets/fee-payer.json')).toBe(10001);
      expect(owner('tls/authority.pem')).toBe(10001);
      expect(owner('secrets/postgres-password')).toBe(0);
      expect(owner('secrets/grafana-password')).toBe(472);
      expect(owner('mosquitto/broker/passwords')).toBe(1883);
      expect(owner('mosquitto/broker/server.key.pem')).toBe(1883);
    }
    // Whatever the umask: the broker's user gets to its folder, and nobody else to the logins.
    for (const [name, mode] of [
      ['mosquitto', 0o711],
      ['mosquitto/broker', 0o755],
      ['mosquitto/logins', 0o700],
    ] as const) {
      expect(statSync(join(state, name)).mode & 0o777, name).toBe(mode);
    }
    expect(statSync(join(state, 'monitoring/collector-ca.pem')).mode & 0o777).toBe(0o644);
    expect(readFileSync(join(state, 'monitoring/collector-ca.pem'), 'utf8')).not.toContain('PRIVATE');
    const volume = compose.services.mosquitto.volumes[0];
    expect(volume).toMatchObject({ source: './state/mosquitto/broker', target: '/mosquitto/config' });
    expect(readFileSync(join(state, 'mosquitto/broker/mosquitto.conf'), 'utf8')).toContain(
      'acl_file /mosquitto/config/acl',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the systemd unit is as closed as the gateway’s, and names settings that there are', () => {
  const file = join(root, 'deploy/systemd/gridtokenx-collector.service');
  const unit = readFileSync(file, 'utf8');
  const known = new Set(Object.values(SETTINGS).flatMap((one) => [one.env, `${one.env}_FILE`]));
  for (const [, name] of unit.matchAll(/^Environment=([A-Z_]+)=/gm)) {
    if (name !== 'GTX_DATA_DIR') expect(known).toContain(name);
  }
  const found = spawnSync('systemd-analyze', ['--version']).error === undefined;
  if (!found && process.env.CI === undefined) return;
  const verdict = spawnSync(
    'systemd-analyze',
    ['security', '--offline=yes', '--threshold=25', '--no-pager', file],
    { encoding: 'utf8' },
  );
  expect(verdict.status, verdict.stdout + verdict.stderr).toBe(0);
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  // The program is not on this machine; nothing else may be complained about.
  const complaints = stderr
    .split('\n')
    .filter((line) => line.includes('gridtokenx') && !line.includes('/bin/node'));
  expect(complaints).toEqual([]);
});

test('the page’s commands are ones that a shell and Compose understand', () => {
  const page = read('docs/run-a-collector.md');
  const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    (block as string).trim().split('\n'),
  );
  expect(commands.length).toBeGreaterThan(25);
  for (const command of commands) {
    expect(spawnSync('sh', ['-n', '-c', command], { encoding: 'utf8' }), command).toMatchObject({
      status: 0,
      stderr: '',
    });
  }
  const services = Object.keys(compose.services);
  for (const [, words = ''] of page.matchAll(
    /docker compose (?:run --rm|build|kill --signal HUP|up --detach --wait) ([a-z]+)/g,
  )) {
    expect(services).toContain(words);
  }
  for (const [, variables = ''] of page.matchAll(/```ini\n([\s\S]*?)```/g)) {
    for (const line of variables.trim().split('\n')) {
      const name = line.split('=')[0]?.replace(/_FILE$/, '') ?? '';
      const known = Object.values(SETTINGS).map(({ env }): string => env);
      expect([...known, 'MQTT_CA', 'MQTT_CERT', 'MQTT_KEY']).toContain(name);
    }
  }
  for (const [, path = ''] of page.matchAll(/(?:node|cp) (deploy\/\S+)/g))
    expect(existsSync(join(root, path)), path).toBe(true);
});

test('the rules for several collectors come from the page’s commands', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-page-'));
  try {
    writeFileSync(join(folder, 'gtx'), `#!/bin/sh\nexec "${process.execPath}" "${gtx}" "$@"\n`, {
      mode: 0o755,
    });
    const said = await runCommands('run-a-collector.md', 'broker', {
      cwd: folder,
      env: { PATH: `${folder}:${process.env.PATH}`, GTX_DATA_DIR: folder },
    });
    for (const name of ['mosquitto.conf', 'MTR-002.password', '_share-group', 'ca.pem'])
      expect(said).toContain(name);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
