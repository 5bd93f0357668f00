import { existsSync, readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import { type DataLayout, dataLayout, resolveDataDir } from './data-dir.js';
import { operatorPasswordPath } from './keys.js';
import { isAlive } from './process/identity.js';
import { type RunFile, readRunFile } from './run-file.js';

/** What a command can reach: what it was told, else the environment, else what `gtx up` is running right now. */
export interface Targets {
  readonly layout: DataLayout;
  /** The run file of a live `gtx up`; undefined when none is running in this data folder. */
  readonly run: RunFile | undefined;
  readonly rpcUrl: string;
  readonly wsUrl: string | undefined;
  readonly httpUrl: string;
  readonly mqttUrl: string;
  readonly databaseUrl: string | undefined;
}

export interface TargetFlags {
  readonly rpc?: string | undefined;
  readonly url?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly database?: string | undefined;
}

/** Only http(s), only ws(s), ... : a mistyped URL is named at once. @throws GtxError CONFIG_INVALID */
export function checkUrl(text: string, schemes: readonly string[], what: string): string {
  if (!URL.canParse(text) || !schemes.includes(new URL(text).protocol)) {
    throw new GtxError(
      'CONFIG_INVALID',
      `${what} is not a URL that begins with ${schemes.map((s) => `${s}//`).join(' or ')}`,
    );
  }
  return text;
}

const HTTP = ['http:', 'https:'];

export function resolveTargets(
  dataDirFlag: string | undefined,
  env: NodeJS.ProcessEnv,
  flags: TargetFlags = {},
): Targets {
  const layout = dataLayout(resolveDataDir(dataDirFlag, env));
  const file = readRunFile(layout.runFile);
  const run = file !== undefined && isAlive(file.supervisor) ? file : undefined;
  const running = (name: string): string | undefined =>
    run?.components.map(({ urls }) => urls[name]).find((url) => url !== undefined);
  const database = flags.database ?? (env.DATABASE_URL || undefined) ?? running('database');
  const ws = (env.SOLANA_WS_URL || undefined) ?? (flags.rpc === undefined ? running('ws') : undefined);
  return {
    layout,
    run,
    rpcUrl: checkUrl(
      flags.rpc ?? (env.SOLANA_RPC_URL || undefined) ?? running('rpc') ?? 'http://127.0.0.1:8899',
      HTTP,
      'the RPC address',
    ),
    wsUrl: ws === undefined ? undefined : checkUrl(ws, ['ws:', 'wss:'], 'the WebSocket address'),
    httpUrl: checkUrl(
      flags.url ?? (env.GTX_COLLECTOR_URL || undefined) ?? running('http') ?? 'http://127.0.0.1:8080',
      HTTP,
      'the collector’s address',
    ),
    mqttUrl: checkUrl(
      flags.mqtt ?? (env.MQTT_URL || undefined) ?? running('mqtt') ?? 'mqtt://127.0.0.1:1883',
      ['mqtt:', 'mqtts:', 'ws:', 'wss:'],
      'the broker’s address',
    ),
    databaseUrl:
      database === undefined
        ? undefined
        : checkUrl(database, ['postgres:', 'postgresql:'], 'the database address'),
  };
}

export const OPERATOR_USERNAME = 'operator';

/** The read-only login to the embedded broker, from the environment or the data folder; undefined: none. */
export function operatorLogin(
  layout: DataLayout,
  env: NodeJS.ProcessEnv,
): { username: string; password: string } | undefined {
  const username = env.GTX_OPERATOR_USERNAME || OPERATOR_USERNAME;
  if (env.GTX_OPERATOR_PASSWORD) return { username, password: env.GTX_OPERATOR_PASSWORD };
  const file = operatorPasswordPath(layout);
  return existsSync(file) ? { username, password: readFileSync(file, 'utf8').trim() } : undefined;
}
