/** The gateway's configuration: one schema, from which validation, defaults and the docs page come. */
import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { ProfileError, ProfileLibrary } from '@gridtokenx/firmware-profiles';
import {
  DEFAULT_INTERVAL_SECONDS,
  GtxError,
  MAX_METERS_PER_LOGIN,
  MAX_SAMPLE_SECONDS,
  MIN_SAMPLE_SECONDS,
  meterIdText,
  OUTBOX_KEEP_SECONDS,
  publicKeyText,
} from '@gridtokenx/protocol';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { z } from 'zod';

const MIB = 1024 * 1024;

const port = z.int().min(0).max(65_535);
const file = z.string().min(1);

const tcpConnection = z.strictObject({
  type: z.literal('tcp'),
  host: z.string().min(1).describe('Name or address of the meter or of its Modbus gateway.'),
  port: z.int().min(1).max(65_535).default(502).describe('TCP port.'),
});

const rtuOverTcpConnection = z.strictObject({
  type: z
    .literal('rtu_over_tcp')
    .describe('RTU frames through TCP, to a transparent serial server (its serial settings are its own).'),
  host: z.string().min(1).describe('Name or address of the serial server.'),
  port: z.int().min(1).max(65_535).describe('TCP port of the serial line.'),
});

const rtuConnection = z.strictObject({
  type: z.literal('rtu'),
  path: file.describe('Serial port, best by its stable name under `/dev/serial/by-id/`.'),
  baud_rate: z
    .int()
    .positive()
    .optional()
    .describe("Bits per second. Default: the profile's. All devices of one port must agree."),
  parity: z.enum(['none', 'even', 'odd']).optional().describe("Default: the profile's."),
  data_bits: z
    .union([z.literal(7), z.literal(8)])
    .optional()
    .describe("Default: the profile's."),
  stop_bits: z
    .union([z.literal(1), z.literal(2)])
    .optional()
    .describe("Default: the profile's."),
});

const device = z.strictObject({
  role: z
    .enum(['grid', 'production', 'consumption'])
    .describe('What the device measures. The profile says how it must be wired for that.'),
  profile: z.string().min(1).describe('Meter model, by the name of its profile.'),
  unit: z.int().min(0).max(255).default(1).describe('Modbus address of the device on its line.'),
  connection: z
    .discriminatedUnion('type', [tcpConnection, rtuConnection, rtuOverTcpConnection])
    .describe('The line that the device is on. Devices with the same line share it, one request at a time.'),
  serial_number: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Serial number that the device must tell. When another answers, nothing is counted until you confirm the exchange by writing its number here. Default: an exchange is noticed by the number and begins a new series by itself.',
    ),
  exchange: z
    .int()
    .min(0)
    .max(1_000_000)
    .optional()
    .describe(
      'Raise by one when the device has been replaced by one of the same model that tells no serial number: its registers begin a new series.',
    ),
  timeout_ms: z
    .int()
    .min(50)
    .max(10_000)
    .optional()
    .describe("How long an answer may take. Default: the profile's."),
  gap_ms: z
    .int()
    .min(0)
    .max(5_000)
    .optional()
    .describe("Least silence on the line before a request to this device. Default: the profile's."),
});

const ROLES_OF_MODE = {
  bidirectional: ['grid'],
  production_consumption: ['production', 'consumption'],
  production: ['production'],
} as const;

const meter = z
  .strictObject({
    id: meterIdText.describe('Meter id, as registered on the chain.'),
    key_file: file.describe("The meter's key (Solana CLI format, mode 0600)."),
    wallet: publicKeyText.describe("The owner's wallet, base58."),
    mode: z
      .enum(['bidirectional', 'production_consumption', 'production'])
      .describe(
        '`bidirectional`: one meter at the grid connection, its export is the surplus. `production_consumption`: one meter for each, the surplus of an interval is production minus consumption, never below 0. `production`: all that is produced is surplus.',
      ),
    rated_watts: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(100_000)
      .describe(
        'Most power that can flow here. A register that rises faster (by more than a tenth) is taken for a fault and not counted.',
      ),
    devices: z.array(device).min(1).max(16).describe('The Modbus devices that this meter is made of.'),
  })
  .check((context) => {
    const { mode, devices } = context.value;
    const wanted: readonly string[] = ROLES_OF_MODE[mode];
    for (const role of wanted) {
      const count = devices.filter((one) => one.role === role).length;
      if (count !== 1) {
        context.issues.push({
          code: 'custom',
          path: ['devices'],
          message: `mode ${mode} needs exactly one device with role ${role}, there are ${count}`,
          input: devices,
        });
      }
    }
    devices.forEach((one, index) => {
      if (wanted.includes(one.role)) return;
      context.issues.push({
        code: 'custom',
        path: ['devices', index, 'role'],
        message: `mode ${mode} has no device with role ${one.role}`,
        input: one.role,
      });
    });
  });

const mqttUrl = z
  .string()
  .refine((text) => /^(mqtts?|tcp|ssl|wss?):\/\/[^/]+/.test(text) && URL.canParse(text), {
    error: 'must be mqtt://host:port or mqtts://host:port',
  });

/** A part of MQTT topics: no wildcard, no empty level. */
const topicPrefix = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, {
    error: 'must be letters, digits, ".", "_", "-", in parts joined by "/"',
  });

const ENCRYPTED = ['mqtts:', 'ssl:', 'wss:'];

export const AgentConfig = z
  .strictObject({
    data_dir: file.describe('Folder of the store. Only one agent may use it.'),
    profile_dir: z
      .union([file, z.array(file)])
      .optional()
      .describe(
        'Folder or file (or a list) with meter profiles of your own; one with the name of a profile that comes along takes its place. Default: the environment variable GTX_PROFILE_DIR, if set.',
      ),
    interval_seconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(DEFAULT_INTERVAL_SECONDS)
      .describe(
        'One signed reading per meter and interval; it ends on a multiple of this. Same as the collector.',
      ),
    sample_seconds: z
      .number()
      .min(MIN_SAMPLE_SECONDS)
      .max(MAX_SAMPLE_SECONDS)
      .default(60)
      .describe('How often the meters are read. The collector may change it within `sample_limits`.'),
    sample_limits: z
      .strictObject({
        min_seconds: z.number().min(MIN_SAMPLE_SECONDS).max(MAX_SAMPLE_SECONDS).default(MIN_SAMPLE_SECONDS),
        max_seconds: z.number().min(MIN_SAMPLE_SECONDS).max(MAX_SAMPLE_SECONDS).default(MAX_SAMPLE_SECONDS),
      })
      .prefault({})
      .describe('Limits for sampling that the collector commands.'),
    collector_key: publicKeyText.describe(
      "The collector's acknowledgement key, base58. Acknowledgements and commands signed by another key are refused.",
    ),
    collector_url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        "The collector's HTTP address. It is asked for the time: unless the system says that its clock is synchronised, nothing is signed before the collector has confirmed the clock; and a stale login corrects itself. It holds no login.",
      ),
    mqtt: z
      .strictObject({
        url: mqttUrl.describe('Broker. Without TLS (`mqtt://`) only on this machine.'),
        ca_file: file
          .optional()
          .describe("Certificate authority of the broker's certificate (PEM). Default: the system's."),
        cert_file: file.optional().describe('Client certificate (PEM), where the broker wants one.'),
        key_file: file.optional().describe('Key of the client certificate (PEM, mode 0600).'),
        username: z
          .string()
          .min(1)
          .max(256)
          .optional()
          .describe("Login at a broker that is not the collector's own. Default: the first meter's id."),
        password_file: file
          .optional()
          .describe(
            "File with the password at such a broker (mode 0600). Default: a message of now, signed by each meter's key, which only the collector's own broker can check.",
          ),
        allow_unencrypted: z
          .boolean()
          .default(false)
          .describe('Allow `mqtt://` to another machine, for a network that is protected otherwise.'),
        keepalive_seconds: z.int().min(5).max(3_600).default(30).describe('MQTT keep-alive.'),
        last_wills: z
          .enum(['gateway', 'meter'])
          .default('gateway')
          .describe(
            "Who says `offline` for which meter when this gateway is gone. `gateway`: one connection, with the first meter's last will; the collector's own broker speaks for the others, any other broker does not. `meter`: one more connection for each further meter, so that every broker speaks for every meter.",
          ),
        window: z
          .int()
          .min(1)
          .max(1_000)
          .default(32)
          .describe('Most readings per meter that are sent and not yet acknowledged.'),
        telemetry_seconds: z
          .int()
          .min(1)
          .max(3_600)
          .default(10)
          .describe('How often live values are published.'),
        status_seconds: z
          .int()
          .min(1)
          .max(3_600)
          .default(60)
          .describe("How often the gateway's health is published."),
      })
      .describe('How readings travel.'),
    collector_ca_file: file
      .optional()
      .describe(
        "Certificate authority of `collector_url`'s certificate (PEM). Default: `mqtt.ca_file`, else the system's.",
      ),
    delivery: z
      .strictObject({
        http_after_seconds: z
          .int()
          .min(0)
          .max(86_400)
          .default(300)
          .describe(
            'When the broker has been away this long, readings go to `collector_url` over HTTPS until it is back. 0: they wait for the broker.',
          ),
        max_readings_per_second: z
          .number()
          .min(0.1)
          .max(10_000)
          .default(20)
          .describe(
            'Most readings that this gateway sends in a second, repeats included, so that a backlog drowns nobody. Shared equally by its meters; up to `mqtt.window` of a meter may go at once.',
          ),
      })
      .prefault({})
      .describe('How a backlog is sent, and by which way.'),
    http: z
      .strictObject({
        host: z
          .string()
          .min(1)
          .default('127.0.0.1')
          .describe('Address of `/healthz`, `/metrics`, `/api/status`.'),
        port: port.default(9180).describe('TCP port; 0 picks a free one.'),
      })
      .prefault({})
      .describe('The local status page. It has no login: leave it on the loopback address.'),
    clock: z
      .strictObject({
        ntp: z
          .enum(['auto', 'required', 'off'])
          .default('auto')
          .describe(
            '`auto`: when the system says that its clock is not synchronised, nothing is signed. `required`: it must say that it is. `off`: the system is not asked.',
          ),
        max_offset_seconds: z
          .int()
          .min(1)
          .max(3_600)
          .default(60)
          .describe("Largest difference to the collector's time with which readings are signed."),
      })
      .prefault({})
      .describe('When the clock may date readings.'),
    home_assistant: z
      .strictObject({
        url: mqttUrl.describe("The home's own broker, not the collector's, which takes readings only."),
        enabled: z
          .boolean()
          .default(true)
          .describe('`false` removes everything that was announced there; afterwards the section may go.'),
        username: z.string().min(1).optional().describe('Login at the broker.'),
        password_file: file.optional().describe('File with the password (mode 0600).'),
        ca_file: file
          .optional()
          .describe("Certificate authority of the broker's certificate (PEM). Default: the system's."),
        allow_unencrypted: z
          .boolean()
          .default(false)
          .describe('Allow `mqtt://` to another machine: values, and the password, can be read on the way.'),
        discovery_prefix: topicPrefix.default('homeassistant').describe("Home Assistant's discovery prefix."),
        topic_prefix: topicPrefix.default('gridtokenx').describe('First part of the topics with the values.'),
      })
      .optional()
      .describe('Live values for Home Assistant, by MQTT discovery. Left out: none.'),
    max_outbox_bytes: z
      .int()
      .min(MIB / 4)
      .default(256 * MIB)
      .describe(
        'Most disk space of the store. When it is full, samples go first, then the oldest acknowledged readings; what is not acknowledged never goes. When nothing else is left, an alert is raised and nothing is signed until there is room.',
      ),
    record_seconds: z
      .int()
      .min(1)
      .max(3_600)
      .default(60)
      .describe('How often a sample is kept in the store, for looking back. Readings do not depend on it.'),
    record_days: z.int().min(1).max(3_650).default(30).describe('How long samples are kept.'),
    keep_days: z
      .int()
      .min(OUTBOX_KEEP_SECONDS / 86_400)
      .max(36_500)
      .default(OUTBOX_KEEP_SECONDS / 86_400)
      .describe('How long delivered readings are kept, where the space suffices.'),
    meters: z
      .array(meter)
      .min(1)
      .max(MAX_METERS_PER_LOGIN)
      .describe('The meters that this gateway serves. The first one names the MQTT login.'),
  })
  .check((context) => {
    const config = context.value;
    const fail = (path: (string | number)[], message: string) =>
      context.issues.push({ code: 'custom', path, message, input: config });
    if (config.sample_limits.min_seconds > config.sample_limits.max_seconds) {
      fail(['sample_limits'], 'min_seconds is above max_seconds');
    }
    const url = new URL(config.mqtt.url);
    const encrypted = ENCRYPTED.includes(url.protocol);
    if (!encrypted && !isLoopback(url.hostname) && !config.mqtt.allow_unencrypted) {
      fail(['mqtt', 'url'], 'must use TLS (mqtts://): the broker is on another machine');
    }
    if (config.collector_url !== undefined) {
      const { protocol, hostname, username, password } = new URL(config.collector_url);
      if (username !== '' || password !== '') {
        fail(['collector_url'], 'must not hold a login: each request is signed by the meter’s key');
      }
      const safe = protocol === 'https:' || isLoopback(hostname) || config.mqtt.allow_unencrypted;
      if (config.delivery.http_after_seconds > 0 && !safe) {
        fail(
          ['collector_url'],
          'must use TLS (https://): the collector is on another machine. Or set delivery.http_after_seconds to 0, and no readings go there',
        );
      }
    }
    if ((config.mqtt.cert_file === undefined) !== (config.mqtt.key_file === undefined)) {
      fail(['mqtt'], 'cert_file and key_file belong together');
    }
    if (url.username !== '' || url.password !== '') {
      fail(['mqtt', 'url'], 'must not hold a login: use username and password_file');
    }
    const home = config.home_assistant;
    if (home !== undefined) {
      const { protocol, hostname, username, password } = new URL(home.url);
      if (!ENCRYPTED.includes(protocol) && !isLoopback(hostname) && !home.allow_unencrypted) {
        fail(
          ['home_assistant', 'url'],
          'must use TLS (mqtts://): the broker is on another machine. Or set allow_unencrypted: true',
        );
      }
      if (username !== '' || password !== '') {
        fail(['home_assistant', 'url'], 'must not hold a login: use username and password_file');
      }
      if (home.password_file !== undefined && home.username === undefined) {
        fail(['home_assistant'], 'password_file needs username');
      }
    }
    const ids = new Set<string>();
    const places = new Map<string, string>();
    const kinds = new Map<string, string>();
    config.meters.forEach((one, index) => {
      if (ids.has(one.id)) fail(['meters', index, 'id'], `meter ${one.id} is there twice`);
      ids.add(one.id);
      one.devices.forEach((dev, deviceIndex) => {
        const { connection } = dev;
        const line = connection.type === 'rtu' ? connection.path : `${connection.host}:${connection.port}`;
        if (connection.type !== 'tcp' && (dev.unit === 0 || (dev.unit > 247 && dev.unit < 256))) {
          // Modbus over Serial Line V1.02, 2.2: 0 is broadcast, 248 to 255 are reserved.
          fail(['meters', index, 'devices', deviceIndex, 'unit'], 'must be 1 to 247 on a serial line');
        }
        const kind = kinds.get(line);
        if (kind !== undefined && kind !== connection.type) {
          fail(
            ['meters', index, 'devices', deviceIndex, 'connection', 'type'],
            `${line} is used as ${kind} by another device`,
          );
        }
        kinds.set(line, connection.type);
        const place = `${line} unit ${dev.unit}`;
        const other = places.get(place);
        if (other !== undefined && other !== one.id) {
          // The same energy must not be sold twice.
          fail(['meters', index, 'devices', deviceIndex], `${place} already belongs to meter ${other}`);
        }
        places.set(place, one.id);
      });
    });
  });
/** Validated configuration, defaults filled in, paths absolute (see `loadAgentConfig`). */
export type AgentConfig = z.infer<typeof AgentConfig>;
/** Configuration as it is written, defaults left out. */
export type AgentConfigInput = z.input<typeof AgentConfig>;
export type MeterConfig = AgentConfig['meters'][number];
export type DeviceConfig = MeterConfig['devices'][number];

/** True for names and addresses of this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '');
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * Reads and validates a configuration file (YAML 1.2). Relative paths in it are relative to the file.
 * @throws GtxError CONFIG_INVALID; the message has a line `file:line:column: setting: what is wrong` for each
 *   fault, `details.issues` the same as data
 */
export function loadAgentConfig(
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): AgentConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `cannot read ${path}: ${(error as Error).message}`);
  }
  return parseAgentConfig(text, path, env);
}

/**
 * Validates configuration text; `path` names it in errors and is what relative paths are relative to.
 * @throws GtxError CONFIG_INVALID as `loadAgentConfig`, PROFILE_INVALID for a profile of the user's own
 */
export function parseAgentConfig(
  text: string,
  path: string,
  env: Readonly<Record<string, string | undefined>> = {},
): AgentConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    maxAliasCount: 0,
  } as never);
  if (document.errors.length > 0) {
    throw invalid(
      path,
      document.errors.map((error) => ({ ...lines.linePos(error.pos[0]), path: '', message: error.message })),
    );
  }
  // A file that repeats itself by aliases could be small and mean gigabytes; nothing here needs them.
  const aliases: number[] = [];
  visit(document, { Alias: (_, node) => void aliases.push(node.range?.[0] ?? 0) });
  if (aliases.length > 0) {
    throw invalid(
      path,
      aliases.map((at) => ({
        ...lines.linePos(at),
        path: '',
        message: 'aliases (*name) are not allowed: repeat the value',
      })),
    );
  }
  const result = AgentConfig.safeParse(document.toJS());
  if (!result.success) {
    throw invalid(
      path,
      result.error.issues.map((issue) => ({
        ...lines.linePos(offsetOf(document.contents, issue.path)),
        path: issue.path.map(String).join('.'),
        message: issue.message,
      })),
    );
  }
  const config = absolute(result.data, dirname(resolve(path)));
  if (config.profile_dir === undefined && env.GTX_PROFILE_DIR) {
    config.profile_dir = env.GTX_PROFILE_DIR.split(delimiter).filter((one) => one !== '');
  }
  const profiles = profileLibrary(config);
  const unknown = config.meters.flatMap((one, meterIndex) =>
    one.devices.flatMap(({ profile }, index) => {
      if (profiles.has(profile)) return [];
      const at = ['meters', meterIndex, 'devices', index, 'profile'];
      const message = `there is no profile ${JSON.stringify(profile)}; there are: ${profiles.list().join(', ')}`;
      return [{ ...lines.linePos(offsetOf(document.contents, at)), path: at.join('.'), message }];
    }),
  );
  if (unknown.length > 0) throw invalid(path, unknown);
  return config;
}

/** The profiles that come along, and the configuration's own. @throws GtxError PROFILE_INVALID */
export function profileLibrary(config: Pick<AgentConfig, 'profile_dir'>): ProfileLibrary {
  try {
    return new ProfileLibrary([config.profile_dir ?? []].flat());
  } catch (error) {
    throw asProfileError(error);
  }
}

/** A profile's fault as an error of the catalogue. */
export function asProfileError(error: unknown): unknown {
  if (!(error instanceof ProfileError)) return error;
  return new GtxError(error.code, error.message, { issues: error.issues }, { cause: error });
}

interface ConfigIssue {
  line: number;
  col: number;
  path: string;
  message: string;
}

function invalid(path: string, issues: ConfigIssue[]): GtxError {
  const text = issues.map(
    (issue) =>
      `${path}:${issue.line}:${issue.col}: ${issue.path === '' ? '' : `${issue.path}: `}${issue.message}`,
  );
  return new GtxError('CONFIG_INVALID', text.join('\n'), { issues });
}

/** Where in the text a setting stands; of a missing one, where its parent does. */
function offsetOf(root: Node | null, path: readonly PropertyKey[]): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) break;
      offset = (isScalar(pair.key) && pair.key.range?.[0]) || offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === 'number') {
      node = node.items[key];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

function absolute(config: AgentConfig, folder: string): AgentConfig {
  const at = (path: string) => resolve(folder, path);
  const { ca_file, cert_file, key_file, password_file } = config.mqtt;
  const home = config.home_assistant;
  return {
    ...config,
    data_dir: at(config.data_dir),
    ...(config.collector_ca_file === undefined ? {} : { collector_ca_file: at(config.collector_ca_file) }),
    ...(config.profile_dir === undefined ? {} : { profile_dir: [config.profile_dir].flat().map(at) }),
    mqtt: {
      ...config.mqtt,
      ...(ca_file === undefined ? {} : { ca_file: at(ca_file) }),
      ...(cert_file === undefined ? {} : { cert_file: at(cert_file) }),
      ...(key_file === undefined ? {} : { key_file: at(key_file) }),
      ...(password_file === undefined ? {} : { password_file: at(password_file) }),
    },
    ...(home === undefined
      ? {}
      : {
          home_assistant: {
            ...home,
            ...(home.ca_file === undefined ? {} : { ca_file: at(home.ca_file) }),
            ...(home.password_file === undefined ? {} : { password_file: at(home.password_file) }),
          },
        }),
    meters: config.meters.map((one) => ({ ...one, key_file: at(one.key_file) })),
  };
}
