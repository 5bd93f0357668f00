import { writeFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import type { SimulatorConfigInput, Theme } from '@gridtokenx/simulator';
import { type Command, Option } from 'commander';
import {
  addCommand,
  addGroup,
  integerOption,
  type ProgramEnvironment,
  parsedOption,
  valueOption,
} from '../command.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';
import { resolveTargets } from '../targets.js';

interface SimOptions {
  readonly config?: string;
  readonly port?: number;
  readonly link?: string;
  readonly seed?: string;
  readonly units?: number;
  readonly profile?: string;
  readonly controlPort?: number;
}

/** The simulator's configuration from a scenario file or, without one, from the flags. */
export async function simulatorConfigOf(
  options: SimOptions,
): Promise<{ config: SimulatorConfigInput; folder: string }> {
  const { config: file, port, link, seed, units, profile, controlPort } = options;
  if (file !== undefined) {
    if ([port, link, seed, units, profile, controlPort].some((flag) => flag !== undefined)) {
      throw new GtxError('CONFIG_INVALID', 'give either --config or the other options, not both');
    }
    const { loadScenario } = await import('@gridtokenx/simulator');
    return loadScenario(file);
  }
  if (port !== undefined && link !== undefined) {
    throw new GtxError(
      'CONFIG_INVALID',
      'give either --port (Modbus TCP) or --link (a serial line), not both',
    );
  }
  return {
    config: {
      transport:
        link === undefined ? { type: 'tcp', host: '127.0.0.1', port: port ?? 0 } : { type: 'pty', link },
      ...(seed === undefined ? {} : { seed }),
      units: Array.from({ length: units ?? 1 }, (_, index) => ({
        unit: index + 1,
        ...(profile === undefined ? {} : { profile }),
      })),
      ...(controlPort === undefined ? {} : { control: { host: '127.0.0.1', port: controlPort } }),
    },
    folder: process.cwd(),
  };
}

export function addSim(program: Command, environment: ProgramEnvironment): void {
  const sim = addGroup(program, 'sim', 'Simulated meters: on a line, as a fleet, as a picture.');
  addRun(sim, environment);
  addPlot(sim, environment);
  addFleet(sim, environment);
}

function addRun(sim: Command, environment: ProgramEnvironment): void {
  addCommand<SimOptions>(
    sim,
    {
      name: 'run',
      isDefault: true,
      summary: 'Run virtual meters on Modbus in the foreground.',
      description: `Meters of any profile with a home behind them, on Modbus TCP, on RTU over TCP or on a serial line (needs socat);
with faults, if the scenario says so. "gtx sim" alone is the same. Prints one JSON line with the connection when it is
ready. Stops on Ctrl-C, SIGTERM.`,
      options: [
        valueOption('--config <file>', 'a scenario file (YAML or JSON); then no other option'),
        integerOption('--port <port>', 'Modbus TCP port; 0 takes a free one', 0, 65535),
        valueOption('--link <path>', 'make a serial line (PTY) and link it here'),
        integerOption('--units <number>', 'how many meters, unit ids from 1', 1, 247),
        valueOption('--profile <id>', 'the meters’ model (default: eastron-sdm630)'),
        valueOption('--seed <text>', 'the same seed gives the same sun, clouds and household'),
        integerOption(
          '--control-port <port>',
          'HTTP control and metrics on this port; 0 takes a free one',
          0,
          65535,
        ),
      ],
      examples: [
        { command: 'gtx sim run --port 5020', shows: 'One meter at 127.0.0.1:5020, unit 1.' },
        {
          command: 'gtx sim run --link /tmp/meter --units 3',
          shows: 'Three meters on the serial line /tmp/meter.',
        },
        { command: 'gtx sim run --config home.yaml', shows: 'A home as a scenario file describes it.' },
      ],
      async action(options, { env }) {
        const { config, folder } = await simulatorConfigOf(options);
        const logger = serviceLogger(undefined, env);
        return await runService('simulator', async () => {
          const { startSimulator } = await import('@gridtokenx/simulator');
          const simulator = await startSimulator(config, { logger, folder });
          const { connection, controlUrl } = simulator;
          return {
            info: { connection, ...(controlUrl === undefined ? {} : { http_url: controlUrl }) },
            stop: () => simulator.stop(),
          };
        });
      },
    },
    environment,
  );
}

interface PlotOptions {
  readonly config: string;
  readonly out?: string;
  readonly site?: string;
  readonly date?: string;
  readonly theme: Theme;
}

function localDate(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(Date.parse(text))) {
    throw new Error('It must be a date, YYYY-MM-DD.');
  }
  return text;
}

function addPlot(sim: Command, environment: ProgramEnvironment): void {
  addCommand<PlotOptions>(
    sim,
    {
      name: 'plot',
      summary: 'Draw a scenario’s day as SVG.',
      description: `Production, consumption and surplus of one site from midnight to midnight, local time, with their sums in kWh.
The picture goes to stdout or into a file; no browser is needed.`,
      options: [
        valueOption('--config <file>', 'the scenario file').makeOptionMandatory(),
        valueOption('--out <file>', 'write the picture here (default: stdout)'),
        valueOption('--site <name>', 'which site (default: the first)'),
        parsedOption(
          '--date <date>',
          'which day, YYYY-MM-DD (default: the scenario’s, else today)',
          localDate,
        ),
        new Option('--theme <theme>', 'colours; auto follows the viewer’s light or dark mode')
          .choices(['auto', 'light', 'dark'])
          .default('auto'),
      ],
      examples: [
        {
          command: 'gtx sim plot --config home.yaml --out day.svg',
          shows: 'The day on which the scenario begins.',
        },
        {
          command: 'gtx sim plot --config home.yaml --date 2026-12-21 --theme dark > winter.svg',
          shows: 'Another day, light on dark.',
        },
      ],
      async action(options, { out }) {
        const { dayEnergy, loadScenario, plotDay, simulateDay } = await import('@gridtokenx/simulator');
        const { config, folder } = loadScenario(options.config);
        const day = simulateDay(config, folder, {
          site: options.site,
          date: options.date,
          nowMs: Date.now(),
        });
        const svg = plotDay(day, options.theme);
        if (options.out !== undefined) writeFileSync(options.out, svg);
        const energy = dayEnergy(day);
        const kwh = (value: number) => Number(value.toFixed(3));
        out.result(
          {
            site: day.site,
            date: day.date,
            production_kwh: kwh(energy.production),
            consumption_kwh: kwh(energy.consumption),
            surplus_kwh: kwh(energy.surplus),
            ...(options.out === undefined ? { svg } : { file: options.out }),
          },
          options.out === undefined
            ? svg.trimEnd()
            : `${options.out}: ${day.site} on ${day.date}, production ${energy.production.toFixed(1)} kWh, consumption ${energy.consumption.toFixed(1)} kWh, surplus ${energy.surplus.toFixed(1)} kWh`,
        );
        return undefined;
      },
    },
    environment,
  );
}

interface FleetOptions {
  readonly meters?: number;
  readonly rate?: number;
  readonly seconds?: number;
  readonly seed?: string;
  readonly prefix?: string;
  readonly wallets?: number;
  readonly metersPerGateway?: number;
  readonly intervalSeconds?: number;
  readonly epoch?: number;
  readonly published?: number;
  readonly ackKey?: string;
  readonly acks: boolean;
  readonly mqtt?: string;
  readonly rpc?: string;
  readonly list?: boolean;
  readonly register?: boolean;
}

/** What a fleet's home may give at most; the largest gives 5 kW. */
const FLEET_RATED_WATTS = 10_000;

const positive = (text: string): number => {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new Error('It must be a number above 0.');
  return value;
};

function addFleet(sim: Command, environment: ProgramEnvironment): void {
  addCommand<FleetOptions>(
    sim,
    {
      name: 'fleet',
      summary: 'Publish signed readings of many meters over MQTT, for load tests.',
      description: `Keys of meters and owners follow from the seed, so a fleet can be made again: never use it for real homes. Meters
share connections as behind gateways, each with its signed login. Prints what was published and acknowledged, and what a
reading cost in processor time. Meters have to be registered first: --register does it on the chain, with the data
folder's registrar; --list prints ids, keys and owners, one JSON object a line.`,
      options: [
        integerOption('--meters <number>', 'how many meters (default: 100)', 1, 1_000_000),
        parsedOption('--rate <number>', 'readings a second, of all together (default: 10)', positive),
        parsedOption('--seconds <number>', 'how long to publish (default: 60)', positive),
        valueOption('--seed <text>', 'keys follow from it (default: 1)'),
        valueOption('--prefix <text>', 'meter ids are this, a dash and a number (default: FLEET)'),
        integerOption('--wallets <number>', 'how many owners share the meters (default: 8)', 1, 1_000_000),
        integerOption('--meters-per-gateway <number>', 'meters behind one connection (default: 64)', 1, 64),
        integerOption(
          '--interval-seconds <number>',
          'between two readings of a meter, in the meters’ time (default: 900)',
          1,
          86_400,
        ),
        integerOption(
          '--epoch <seconds>',
          'Unix seconds at which the meters begin to count (default: six days ago)',
          0,
          4_294_967_295,
        ),
        integerOption(
          '--published <number>',
          'readings of former runs: go on where the last one said (default: 0)',
          0,
          Number.MAX_SAFE_INTEGER,
        ),
        valueOption(
          '--mqtt <url>',
          'the broker (default: MQTT_URL, else what gtx up runs, else mqtt://127.0.0.1:1883)',
        ),
        valueOption('--ack-key <pubkey>', 'check the acknowledgements’ signatures with this key'),
        new Option('--no-acks', 'publish only; for a broker without a collector'),
        new Option('--register', 'register owners and meters on the chain, and publish nothing'),
        new Option('--list', 'print the meters, and publish nothing'),
        valueOption(
          '--rpc <url>',
          'with --register: Solana RPC (default: SOLANA_RPC_URL, else what gtx up runs)',
        ),
      ],
      examples: [
        {
          command: 'gtx sim fleet --meters 200 --register',
          shows: 'Registers FLEET-000001 to FLEET-000200 on the chain that gtx up runs.',
        },
        {
          command: 'gtx sim fleet --meters 200 --rate 500 --seconds 20',
          shows: 'Published, acknowledged and refused readings, and the cost of each.',
        },
      ],
      async action({ acks, list, register, mqtt, rpc, ...options }, { out, dataDirFlag, env, interrupted }) {
        const targets = resolveTargets(dataDirFlag, env, { mqtt, rpc });
        const { Fleet } = await import('@gridtokenx/simulator');
        const given = {
          meters: options.meters,
          rate: options.rate,
          seconds: options.seconds,
          seed: options.seed,
          prefix: options.prefix,
          wallets: options.wallets,
          meters_per_gateway: options.metersPerGateway,
          interval_seconds: options.intervalSeconds,
          epoch: options.epoch,
          published: options.published,
          ack_key: options.ackKey,
        };
        const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
        const logger = serviceLogger(undefined, env);
        const fleet = new Fleet({ ...set, mqtt_url: targets.mqttUrl, acks }, { logger });
        if (list === true) {
          for (const identity of fleet.identities()) out.raw(`${JSON.stringify(identity)}\n`);
          return undefined;
        }
        if (register === true) {
          const { registerFleet } = await import('../fleet.js');
          const added = await registerFleet(targets, fleet, FLEET_RATED_WATTS, (text) => out.progress(text));
          const { meters } = fleet.config;
          out.result({ meters, added }, `${meters} meters are registered, ${added} of them new.`);
          return undefined;
        }
        const result = await fleet.run(interrupted);
        const refused = Object.entries(result.refused)
          .map(([code, count]) => `${count} ${code}`)
          .join(', ');
        out.result(
          { ...result },
          [
            `${result.readings} readings of ${result.meters} meters in ${result.seconds} s: ${result.per_second} a second over ${result.gateways} connections`,
            `acknowledged ${result.acknowledged}${refused === '' ? '' : `, refused: ${refused}`}`,
            `cost: ${result.cpu_us_per_reading} µs of processor time and ${result.payload_bytes} bytes a reading; keys ${result.key_seconds} s, logins ${result.login_seconds} s, memory ${result.peak_rss_mb} MB`,
            `to go on: --epoch ${result.next.epoch} --published ${result.next.published}`,
          ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}
