/** What `gtx agent init` does: answers to a configuration, a key, and files with the right owners. */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { installerTools, parseAgentConfig } from '@gridtokenx/agent';
import { GtxError, meterIdText, publicKeyText } from '@gridtokenx/protocol';
import { stringify } from 'yaml';
import { DEVICE_SYNTAX, type DeviceInput, parseDevice } from './device.js';
import { lookUpUser, SERVICE_USER } from './identity.js';
import type { Ask } from './terminal.js';

export const MODES = ['bidirectional', 'production_consumption', 'production'] as const;
export type Mode = (typeof MODES)[number];
const ROLES: Record<Mode, readonly DeviceInput['role'][]> = {
  bidirectional: ['grid'],
  production_consumption: ['production', 'consumption'],
  production: ['production'],
};

/** Flags as given; what is missing is asked. */
export interface InitFlags {
  readonly meter?: string | undefined;
  readonly wallet?: string | undefined;
  readonly mode?: string | undefined;
  readonly ratedWatts?: number | undefined;
  readonly collectorUrl?: string | undefined;
  readonly collectorKey?: string | undefined;
  readonly broker?: string | undefined;
  readonly caFile?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly collectorCaFile?: string | undefined;
  readonly httpAfterSeconds?: number | undefined;
  readonly maxReadingsPerSecond?: number | undefined;
  readonly grid?: string | undefined;
  readonly production?: string | undefined;
  readonly consumption?: string | undefined;
}

export interface Answers {
  readonly meter: string;
  readonly wallet: string;
  readonly mode: Mode;
  readonly ratedWatts: number;
  readonly collectorUrl: string;
  readonly collectorKey: string;
  readonly broker: string;
  readonly caFile: string | undefined;
  /** Settings that are given by flags only, and left to their defaults otherwise. */
  readonly passwordFile?: string | undefined;
  readonly collectorCaFile?: string | undefined;
  readonly httpAfterSeconds?: number | undefined;
  readonly maxReadingsPerSecond?: number | undefined;
  readonly devices: readonly DeviceInput[];
}

interface Question<T> {
  readonly flag: string;
  readonly question: string;
  readonly fallback?: string;
  /** Throws an Error in words. */
  parse(text: string): T;
}

const schemaText =
  (schema: {
    safeParse(value: unknown): {
      success: boolean;
      data?: unknown;
      error?: { issues: { message: string }[] };
    };
  }) =>
  (text: string): string => {
    const result = schema.safeParse(text);
    if (!result.success) throw new Error(result.error?.issues[0]?.message ?? 'is not right');
    return result.data as string;
  };
const urlText =
  (...protocols: string[]) =>
  (text: string): string => {
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol) || new URL(text).hostname === '') {
      throw new Error(`must begin with ${protocols.map((one) => `${one}//`).join(' or ')} and name a host`);
    }
    return text;
  };

/**
 * Everything that a configuration needs, from flags, and from a person where there is one.
 * @throws GtxError CONFIG_INVALID naming the flags that are missing or wrong
 */
export async function collectAnswers(
  flags: InitFlags,
  ask: Ask | undefined,
  say: (text: string) => void,
): Promise<Answers> {
  const missing: string[] = [];
  const get = async <T>(
    given: string | undefined,
    { flag, question, fallback, parse }: Question<T>,
  ): Promise<T> => {
    if (given !== undefined) {
      try {
        return parse(given);
      } catch (error) {
        throw new GtxError('CONFIG_INVALID', `${flag} ${given}: ${(error as Error).message}`);
      }
    }
    if (ask === undefined) {
      if (fallback !== undefined) return parse(fallback);
      missing.push(flag);
      return undefined as T;
    }
    for (;;) {
      const answer = (await ask(`${question}${fallback ? ` [${fallback}]` : ''}: `)).trim() || fallback || '';
      try {
        return parse(answer);
      } catch (error) {
        say(`  ${answer === '' ? 'An answer is needed' : (error as Error).message}`);
      }
    }
  };
  const meter = await get(flags.meter, {
    flag: '--meter',
    question: 'Meter id, as it is or will be registered (letters, digits, . _ -)',
    parse: schemaText(meterIdText),
  });
  const wallet = await get(flags.wallet, {
    flag: '--wallet',
    question: 'The owner’s wallet (base58)',
    parse: schemaText(publicKeyText),
  });
  const mode = await get(flags.mode, {
    flag: '--mode',
    question:
      'What is measured: bidirectional (one meter at the grid connection), production_consumption (one meter each), production (one meter behind the inverter)',
    fallback: 'bidirectional',
    parse: (text) => {
      const found = MODES.find((one) => one === text);
      if (found === undefined) throw new Error(`is one of ${MODES.join(', ')}`);
      return found;
    },
  });
  const ratedWatts = await get(flags.ratedWatts?.toString(), {
    flag: '--rated-watts',
    question: 'Most power that can flow there, in watts',
    fallback: '100000',
    parse: (text) => {
      const watts = Number(text);
      if (!/^\d+$/.test(text) || watts < 1 || watts > 10_000_000) throw new Error('is 1 to 10000000');
      return watts;
    },
  });
  const devices: DeviceInput[] = [];
  for (const role of ROLES[mode]) {
    devices.push(
      await get(flags[role], {
        flag: `--${role}`,
        question: `The ${role} device, as gtx agent scan prints it (${DEVICE_SYNTAX})`,
        parse: (text) => parseDevice(text, role),
      }),
    );
  }
  for (const role of ['grid', 'production', 'consumption'] as const) {
    if (flags[role] !== undefined && !ROLES[mode].includes(role)) {
      throw new GtxError('CONFIG_INVALID', `--${role} does not belong to mode ${mode}`);
    }
  }
  const collectorUrl = await get(flags.collectorUrl, {
    flag: '--collector-url',
    question: 'The collector’s HTTP address',
    parse: urlText('http:', 'https:'),
  });
  const collectorKey = await get(flags.collectorKey, {
    flag: '--collector-key',
    question: 'The collector’s acknowledgement key (base58; its operator tells it)',
    parse: schemaText(publicKeyText),
  });
  const broker = await get(flags.broker, {
    flag: '--broker',
    question: 'The broker',
    ...(collectorUrl === undefined ? {} : { fallback: usualBroker(collectorUrl) }),
    parse: urlText('mqtt:', 'mqtts:'),
  });
  const caFile =
    flags.caFile ??
    (ask !== undefined && broker.startsWith('mqtts:')
      ? (await ask('File with the broker’s certificate authority (PEM; empty: the system’s): ')).trim() ||
        undefined
      : undefined);
  if (missing.length > 0) {
    throw new GtxError(
      'CONFIG_INVALID',
      `there is no terminal to ask at, and these are missing: ${missing.join(', ')}`,
      { missing },
    );
  }
  const { passwordFile, collectorCaFile, httpAfterSeconds, maxReadingsPerSecond } = flags;
  const further = { passwordFile, collectorCaFile, httpAfterSeconds, maxReadingsPerSecond };
  return { meter, wallet, mode, ratedWatts, collectorUrl, collectorKey, broker, caFile, devices, ...further };
}

/** The collector's own broker: on the same host, with TLS unless it is this machine. */
function usualBroker(collectorUrl: string): string {
  const { hostname } = new URL(collectorUrl);
  const local = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return local ? `mqtt://${hostname}:1883` : `mqtts://${hostname}:8883`;
}

/** The configuration's text. Values are written by the YAML library, so that none can be taken for something else. */
export function configText(answers: Answers, places: { dataDir: string; keyFile: string }): string {
  const value = (one: unknown): string => stringify(one, { collectionStyle: 'flow', lineWidth: 0 }).trim();
  const lines = [
    '# The gateway’s configuration. All settings: docs/agent.md (in the package: /usr/share/doc/gridtokenx-agent/agent.md).',
    '# After a change: sudo systemctl restart gridtokenx-agent',
    '',
    '# Readings and books. Never put an old copy of this folder in its place: two readings with one sequence are refused.',
    `data_dir: ${value(places.dataDir)}`,
    '',
    '# One signed reading per interval; the same as the collector’s.',
    'interval_seconds: 900',
    '# How often the meters are read.',
    'sample_seconds: 60',
    '',
    '# Acknowledgements count only when this key has signed them.',
    `collector_key: ${value(answers.collectorKey)}`,
    '# Asked for the time, so that a gateway without a battery clock dates its readings right.',
    `collector_url: ${value(answers.collectorUrl)}`,
    ...(answers.collectorCaFile === undefined
      ? []
      : [
          '# Signs the certificate of collector_url.',
          `collector_ca_file: ${value(resolve(answers.collectorCaFile))}`,
        ]),
    '',
    'mqtt:',
    `  url: ${value(answers.broker)}`,
    ...(answers.caFile === undefined
      ? [
          '  # ca_file: collector-ca.pem   # where the broker’s certificate is not signed by a public authority',
        ]
      : [`  ca_file: ${value(resolve(answers.caFile))}`]),
    ...(answers.passwordFile === undefined
      ? []
      : [
          '  # For a broker that is not the collector’s own. Mode 0600.',
          `  password_file: ${value(resolve(answers.passwordFile))}`,
        ]),
    ...deliveryLines(answers),
    '',
    '# For a further meter, copy the block below, with an id and a key file of its own.',
    'meters:',
    `  - id: ${value(answers.meter)}`,
    '    # Whoever has this file can sign for the meter: mode 0600, and a copy in a safe place.',
    `    key_file: ${value(places.keyFile)}`,
    '    # The owner; receives the tokens.',
    `    wallet: ${value(answers.wallet)}`,
    `    mode: ${answers.mode}`,
    '    # A register that rises faster than this, and a tenth, is taken for a fault.',
    `    rated_watts: ${answers.ratedWatts}`,
    '    devices:',
    ...answers.devices.flatMap(({ role, profile, unit, connection }) => [
      `      - role: ${role}`,
      `        profile: ${value(profile)}`,
      `        unit: ${unit}`,
      `        connection: ${value(connection)}`,
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function deliveryLines({ httpAfterSeconds, maxReadingsPerSecond }: Answers): string[] {
  if (httpAfterSeconds === undefined && maxReadingsPerSecond === undefined) return [];
  return [
    '',
    '# Readings go to collector_url when the broker has been away so long (0: never), and a backlog no faster than this.',
    'delivery:',
    ...(httpAfterSeconds === undefined ? [] : [`  http_after_seconds: ${httpAfterSeconds}`]),
    ...(maxReadingsPerSecond === undefined ? [] : [`  max_readings_per_second: ${maxReadingsPerSecond}`]),
  ];
}

export interface InitResult {
  readonly config: string;
  readonly meter: string;
  readonly publicKey: string;
  readonly keyFile: string;
  readonly keyCreated: boolean;
  readonly owner: string | undefined;
}

export interface InitPlaces {
  readonly config: string;
  readonly dataDir: string;
  readonly force: boolean;
  /** Whether files can be given to the service's user. */
  readonly root: boolean;
  /** Default: the system's users. */
  readonly user?: { uid: number; gid: number } | undefined;
}

/** @throws GtxError CONFIG_INVALID when there is one already and it shall stay */
export function refuseExisting(path: string, force: boolean): void {
  if (!force && existsSync(path)) {
    throw new GtxError(
      'CONFIG_INVALID',
      `${path} exists: edit it, or give --force to replace it (the key stays)`,
    );
  }
}

/**
 * Writes key and configuration. The configuration is checked before anything is written and replaced in one step; a
 * key that is there is kept.
 * @throws GtxError CONFIG_INVALID, PROFILE_INVALID, KEY_FILE_INVALID, KEY_FILE_PERMISSIONS
 */
export async function writeInit(
  answers: Answers,
  places: InitPlaces,
  env: NodeJS.ProcessEnv,
): Promise<InitResult> {
  const config = resolve(places.config);
  const keyFile = join(places.dataDir, 'keys', `${answers.meter}.json`);
  const text = configText(answers, { dataDir: places.dataDir, keyFile });
  refuseExisting(config, places.force);
  parseAgentConfig(text, config, env);
  const user = places.root ? (places.user ?? lookUpUser(SERVICE_USER)) : undefined;
  const { ensureKeyFile, syncFolder } = await installerTools();

  const give = (path: string, mode: number, owner: { uid: number; gid: number } | undefined): void => {
    if (owner) chownSync(path, owner.uid, owner.gid);
    chmodSync(path, mode);
  };
  for (const folder of [places.dataDir, dirname(keyFile)]) {
    const there = existsSync(folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!there || user) give(folder, 0o700, user);
  }
  const { publicKey, created } = ensureKeyFile(keyFile);
  if (user) give(keyFile, 0o600, user);

  if (!existsSync(dirname(config))) mkdirSync(dirname(config), { recursive: true, mode: 0o755 });
  const aside = `${config}.${process.pid}.new`;
  rmSync(aside, { force: true });
  const descriptor = openSync(aside, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    // The service reads it, root changes it.
    if (user) give(aside, 0o640, { uid: 0, gid: user.gid });
    if (places.force) renameSync(aside, config);
    else linkSync(aside, config);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') refuseExisting(config, false);
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
  syncFolder(dirname(config));
  return {
    config,
    meter: answers.meter,
    publicKey,
    keyFile,
    keyCreated: created,
    owner: user === undefined ? undefined : SERVICE_USER,
  };
}
