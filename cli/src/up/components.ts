import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LEAN_NODE_ENV, LEAN_NODE_OPTIONS } from '@gridtokenx/agent/lean-options';
import type { DataLayout } from '../data-dir.js';
import type { ReadyLine } from '../process/service.js';
import type { ComponentSpec } from '../process/supervisor.js';
import { DEMO_PROFILE, DEMO_UNIT } from './demo-home.js';

/** The command that starts one component as a process of its own. */
const gtx = fileURLToPath(new URL('../../bin/gtx.mjs', import.meta.url));

function component(
  layout: DataLayout,
  name: string,
  timing: { readySeconds: number; stopSeconds: number },
  command: (previous: ReadyLine | undefined) => { args: string[]; env?: Readonly<Record<string, string>> },
  nodeOptions: readonly string[] = [],
): ComponentSpec {
  return {
    name,
    logFile: join(layout.logs, `${name}.log`),
    readyTimeoutMs: timing.readySeconds * 1_000,
    stopTimeoutMs: timing.stopSeconds * 1_000,
    command: (previous) => {
      const { args, env = {} } = command(previous);
      return { file: process.execPath, args: [...nodeOptions, gtx, ...args], env };
    },
  };
}

/** The port of a URL that a component said at its last start, so that it comes back there. */
export function portOf(previous: ReadyLine | undefined, field: string, otherwise: number): number {
  const url = previous?.[field];
  if (typeof url !== 'string' || !URL.canParse(url)) return otherwise;
  return Number(new URL(url).port) || otherwise;
}

export const postgresComponent = (layout: DataLayout, port: number): ComponentSpec =>
  component(layout, 'postgres', { readySeconds: 150, stopSeconds: 30 }, (previous) => {
    const again = typeof previous?.port === 'number' ? previous.port : port;
    return { args: ['postgres', '--data-dir', layout.root, '--port', String(again)] };
  });

export const localnetComponent = (
  layout: DataLayout,
  port: number,
  upgradeAuthority: string,
): ComponentSpec =>
  component(layout, 'localnet', { readySeconds: 90, stopSeconds: 20 }, (previous) => ({
    args: [
      'localnet',
      '--data-dir',
      layout.root,
      '--port',
      String(portOf(previous, 'rpc_url', port)),
      '--upgrade-authority',
      upgradeAuthority,
    ],
  }));

export interface CollectorEnvironment {
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly wsUrl: string | undefined;
  /** Set: an external broker instead of the embedded one. */
  readonly mqttUrl: string | undefined;
  readonly mqttPort: number;
  readonly httpPort: number;
  readonly feePayerKey: string;
  readonly ackKey: string;
  readonly settlement: 'interval' | 'realtime';
  readonly intervalSeconds: number;
  /** Nothing has a value: the chain is this data folder's own. */
  readonly demo: boolean;
  readonly operatorUsername: string;
  readonly operatorPasswordFile: string;
  /** Settings that the user gave to `gtx up` by the environment and that only the collector knows. */
  readonly passedOn: Readonly<Record<string, string>>;
}

/** The collector is given the fee payer's and the acknowledgement key, and no other. */
export const collectorComponent = (layout: DataLayout, settings: CollectorEnvironment): ComponentSpec =>
  component(layout, 'collector', { readySeconds: 90, stopSeconds: 30 }, (previous) => ({
    args: ['collector', '--data-dir', layout.root],
    env: {
      ...settings.passedOn,
      DATABASE_URL: settings.databaseUrl,
      SOLANA_RPC_URL: settings.rpcUrl,
      ...(settings.wsUrl === undefined ? {} : { SOLANA_WS_URL: settings.wsUrl }),
      ...(settings.mqttUrl === undefined
        ? {
            GTX_MQTT_HOST: '127.0.0.1',
            GTX_MQTT_PORT: String(portOf(previous, 'mqtt_url', settings.mqttPort)),
          }
        : { MQTT_URL: settings.mqttUrl }),
      GTX_HTTP_HOST: '127.0.0.1',
      GTX_HTTP_PORT: String(portOf(previous, 'http_url', settings.httpPort)),
      GTX_FEE_PAYER_KEY: settings.feePayerKey,
      GTX_ACK_KEY: settings.ackKey,
      GTX_SETTLEMENT: settings.settlement,
      GTX_INTERVAL_SECONDS: String(settings.intervalSeconds),
      // The demo has a few meters of nobody's.
      GTX_PUBLIC_POWER_METERS: '1',
      // Its gateways say every five seconds how they are.
      GTX_FLEET_SILENT_SECONDS: '30',
      GTX_DEMO_KEYS: settings.demo ? 'on' : 'off',
      GTX_OPERATOR_USERNAME: settings.operatorUsername,
      GTX_OPERATOR_PASSWORD_FILE: settings.operatorPasswordFile,
    },
  }));

export const simulatorComponent = (layout: DataLayout, configFile: string): ComponentSpec =>
  component(layout, 'simulator', { readySeconds: 60, stopSeconds: 10 }, () => ({
    args: ['sim', '--data-dir', layout.root, '--config', configFile],
  }));

export const agentComponent = (layout: DataLayout, configFile: string): ComponentSpec =>
  component(
    layout,
    'agent',
    { readySeconds: 60, stopSeconds: 20 },
    () => ({ args: ['agent', 'run', '--data-dir', layout.root, '--config', configFile], env: LEAN_NODE_ENV }),
    LEAN_NODE_OPTIONS,
  );

export const publisherComponent = (layout: DataLayout, configFile: string): ComponentSpec =>
  component(layout, 'publisher', { readySeconds: 60, stopSeconds: 20 }, () => ({
    args: ['oracle', 'run', '--data-dir', layout.root, '--config', configFile],
  }));

/** The demo publisher's settings: it says what a file says. */
export function publisherConfigText(settings: {
  readonly rpcUrl: string;
  readonly keyFile: string;
  readonly symbol: string;
  readonly priceFile: string;
}): string {
  const config = {
    rpc_url: settings.rpcUrl,
    key_file: settings.keyFile,
    symbol: settings.symbol,
    sources: [{ type: 'file', name: 'price-file', path: settings.priceFile, pointer: '/price' }],
    min_price: '0.001',
    max_price: '1000',
    poll_seconds: 2,
    interval_seconds: 600,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

export interface AgentSettings {
  readonly dataDir: string;
  readonly intervalSeconds: number;
  readonly collectorKey: string;
  readonly collectorUrl: string;
  readonly mqttUrl: string;
  readonly httpPort: number;
  readonly meterId: string;
  readonly meterKeyFile: string;
  readonly wallet: string;
  readonly ratedWatts: number;
  /** As the gateway's configuration wants it. */
  readonly connection: Readonly<Record<string, string | number>>;
}

/** The demo gateway's configuration file: JSON, which is YAML too. */
export function agentConfigText(settings: AgentSettings): string {
  const config = {
    data_dir: settings.dataDir,
    interval_seconds: settings.intervalSeconds,
    sample_seconds: 1,
    collector_key: settings.collectorKey,
    collector_url: settings.collectorUrl,
    mqtt: { url: settings.mqttUrl, telemetry_seconds: 1, status_seconds: 5 },
    http: { host: '127.0.0.1', port: settings.httpPort },
    meters: [
      {
        id: settings.meterId,
        key_file: settings.meterKeyFile,
        wallet: settings.wallet,
        mode: 'bidirectional',
        rated_watts: settings.ratedWatts,
        devices: [
          {
            role: 'grid',
            profile: DEMO_PROFILE,
            unit: DEMO_UNIT,
            connection: settings.connection,
          },
        ],
      },
    ],
  };
  return `# Written by gtx up at every start. JSON is valid YAML.\n${JSON.stringify(config, null, 2)}\n`;
}
