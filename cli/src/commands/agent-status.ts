import { ERRORS, isErrorCode, nkwhToKwh } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import { defaultConfigPath } from '../agent-tools/paths.js';
import type { StatusBody } from '../agent-tools/status.js';
import { addCommand, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { duration, type Json, table } from '../output.js';

interface StatusOptions {
  readonly config?: string;
  readonly url?: string;
}

const configOption = () =>
  valueOption(
    '--config <file>',
    'the gateway’s configuration (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
  );

/** How readings travel now, in words. */
const WAYS = {
  mqtt: 'over MQTT',
  http: 'over HTTP, since the broker is away',
  none: 'none: readings wait in the store',
} as const;

export function addAgentStatus(group: Command, environment: ProgramEnvironment): void {
  addCommand<StatusOptions>(
    group,
    {
      name: 'status',
      summary: 'What the running gateway measures, and what troubles it.',
      description: `Asks the gateway’s status page. Exit code 0: every meter is healthy and nothing is wrong; 1: something needs a look;
3: no gateway answers.`,
      options: [
        configOption(),
        valueOption('--url <url>', 'the status page (default: http in the configuration)'),
      ],
      examples: [
        { command: 'sudo gtx agent status', shows: 'Power, totals, deliveries and alerts of each meter.' },
        { command: 'gtx agent status --url http://127.0.0.1:9180 --json', shows: 'All of it as JSON.' },
      ],
      async action({ config, url }, { out, dataDirFlag, env }) {
        const { fetchStatus, statusUrl } = await import('../agent-tools/status.js');
        const place = url ?? statusUrl(config ?? defaultConfigPath(dataDirFlag, env), env);
        const status = await fetchStatus(place);
        const fine =
          status.alerts.length === 0 && status.clock.trusted && status.meters.every(({ healthy }) => healthy);
        out.result(
          { ok: fine, url: place, ...(status as { [key: string]: Json }) },
          statusText(status, place),
        );
        return fine ? EXIT.ok : EXIT.failed;
      },
    },
    environment,
  );

  addCommand<ReadingsOptions>(
    group,
    {
      name: 'readings',
      summary: 'The signed readings in the gateway’s store, and what became of them.',
      description: `Reads the store beside the running gateway and changes nothing. State pending: not sent yet; sent: not acknowledged yet;
stored: the collector has it; held: stored, its energy waits for a person; refused: for good, with the reason.`,
      options: [
        configOption(),
        valueOption('--meter <id>', 'only this meter'),
        new Option('--state <state>', 'only this state').choices([
          'pending',
          'sent',
          'stored',
          'held',
          'refused',
        ]),
        integerOption('--limit <number>', 'most readings, the newest', 1, 100_000).default(20),
        new Option('--csv', 'comma-separated values with a heading'),
      ],
      examples: [
        { command: 'sudo gtx agent readings --limit 5', shows: 'The newest five readings.' },
        { command: 'sudo gtx agent readings --state refused', shows: 'What the collector refused, and why.' },
      ],
      async action({ config, meter, state, limit, csv }, { out, dataDirFlag, env }) {
        const { loadAgentConfig, installerTools } = await import('@gridtokenx/agent');
        const { readStore } = await installerTools();
        const { data_dir: folder } = loadAgentConfig(config ?? defaultConfigPath(dataDirFlag, env), env);
        const rows = readStore(folder, { meterId: meter, state, limit }).map(
          ({ meterId, reading, amount, state: now, code, createdMs, sentMs, decidedMs }) => ({
            meter_id: meterId,
            sequence: reading.sequence.toString(),
            interval_start: iso(reading.intervalStart * 1000),
            interval_end: iso(reading.intervalEnd * 1000),
            surplus_kwh: nkwhToKwh(amount),
            produced_total_kwh: nkwhToKwh(reading.producedTotal),
            consumed_total_kwh: nkwhToKwh(reading.consumedTotal),
            surplus_total_kwh: nkwhToKwh(reading.surplusTotal),
            flags: reading.flags,
            state: now,
            code,
            created: iso(createdMs),
            sent: sentMs === null ? null : iso(sentMs),
            decided: decidedMs === null ? null : iso(decidedMs),
          }),
        );
        if (csv === true && !out.json) {
          const names = Object.keys(rows[0] ?? {});
          if (names.length > 0)
            out.raw(`${[names, ...rows.map((row) => Object.values(row))].map(csvLine).join('\n')}\n`);
          return undefined;
        }
        const reasons = [...new Set(rows.flatMap(({ code }) => code ?? []))];
        out.result(
          { readings: rows },
          rows.length === 0
            ? 'No readings.'
            : [
                ...rows.map(
                  (row) =>
                    `${row.interval_end}  ${row.meter_id}  #${row.sequence}  ${row.surplus_kwh} kWh  ${row.state}${row.code === null ? '' : ` ${row.code}`}${flagText(row.flags)}`,
                ),
                ...reasons.map((code) =>
                  isErrorCode(code) ? `${code}: ${ERRORS[code].meaning} ${ERRORS[code].action}` : code,
                ),
              ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}

interface ReadingsOptions {
  readonly config?: string;
  readonly meter?: string;
  readonly state?: 'pending' | 'sent' | 'stored' | 'held' | 'refused';
  readonly limit: number;
  readonly csv?: boolean;
}

const iso = (ms: number): string => new Date(ms).toISOString();
/** RFC 4180. */
const csvLine = (values: readonly unknown[]): string =>
  values
    .map((value) =>
      /[",\n]/.test(String(value ?? '')) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ''),
    )
    .join(',');

function flagText(flags: number): string {
  const names = [
    [1, 'clock set'],
    [2, 'gap'],
    [4, 'meter reset'],
  ] as const;
  const set = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  return set.length === 0 ? '' : `  (${set.join(', ')})`;
}

function statusText(status: StatusBody, url: string): string {
  const { clock, broker, store } = status;
  const lines = [
    `gridtokenx gateway ${status.version} at ${url}, up ${duration(status.time_ms - status.started_ms)}`,
    table(
      [
        ['broker', `${broker.url} ${broker.connected ? 'connected' : 'NOT CONNECTED'}`],
        ...(broker.way === undefined ? [] : [['delivery', WAYS[broker.way]] as [string, string]]),
        ['clock', clock.trusted ? 'trusted' : `NOT TRUSTED: ${clock.reason ?? ''}`],
        [
          'store',
          `${(store.bytes / 1e6).toFixed(1)} of ${(store.maxBytes / 1e6).toFixed(0)} MB in ${store.folder}`,
        ],
      ],
      '  ',
    ),
  ];
  for (const meter of status.meters) {
    const { power_watts: power, outbox } = meter;
    const watts = [
      ['produces', power.productionWatts],
      ['consumes', power.consumptionWatts],
      ['grid', power.gridWatts],
    ].flatMap(([name, value]) => (typeof value === 'number' ? [`${name} ${value.toFixed(0)} W`] : []));
    lines.push(
      `${meter.id}: ${meter.healthy ? 'healthy' : 'NOT HEALTHY'}${watts.length === 0 ? '' : `, ${watts.join(', ')}`}`,
      table(
        [
          [
            'totals',
            `produced ${kwh(meter.produced_total)}, consumed ${kwh(meter.consumed_total)}, surplus ${kwh(meter.surplus_total)} kWh`,
          ],
          [
            'readings',
            `last #${meter.sequence}${meter.last_end === 0 ? '' : ` to ${iso(meter.last_end * 1000)}`}; ${Object.entries(
              outbox,
            )
              .map(([state, count]) => `${count} ${state}`)
              .join(', ')}`,
          ],
          ...meter.devices.map((device): [string, string] => [
            device.role,
            `${device.profile} at address ${device.unit}: ${device.online ? 'online' : `OFFLINE: ${device.lastMessage ?? 'not read yet'}`}${device.whatToDo === undefined ? '' : ` (${device.whatToDo})`}`,
          ]),
        ],
        '  ',
      ),
    );
  }
  for (const alert of status.alerts) {
    lines.push(
      `ALERT ${alert.code}${alert.meterId === undefined ? '' : ` ${alert.meterId}`} since ${iso(alert.sinceMs)}: ${alert.message}`,
      ...(isErrorCode(alert.code) ? [`  what to do: ${ERRORS[alert.code].action}`] : []),
    );
  }
  return lines.join('\n');
}

const kwh = (total: string): string => nkwhToKwh(BigInt(total));
