import { GtxError } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, type Context, type ProgramEnvironment, valueOption } from '../command.js';
import { dataLayout, resolveDataDir } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { duration, type Json, table } from '../output.js';
import { isAlive } from '../process/identity.js';
import { readRunFile, withoutPassword } from '../run-file.js';
import { resolveTargets } from '../targets.js';
import { collectorUrl, noColor, paletteOf, pemFile } from './terminal-options.js';

interface StatusOptions {
  readonly url?: string;
  readonly ca?: string;
  readonly color?: boolean;
}

interface AskedFigures {
  /** Undefined: none, `text` says why. */
  readonly ok: boolean;
  readonly json: { readonly figures: Json; readonly figures_error: Json };
  readonly text: string;
}

/** A collector's figures, or why there are none: what runs here is worth telling without them. */
async function askFiguresOf(
  { url, ca, color }: StatusOptions,
  context: Context,
): Promise<AskedFigures & { readonly httpUrl: string }> {
  const targets = resolveTargets(context.dataDirFlag, context.env, { url });
  const { OperatorApi } = await import('../operator-api.js');
  const { askFigures, figuresText } = await import('../figures.js');
  // What is wrong with the command line itself is told as such.
  const api = new OperatorApi(targets, context.env, ca === undefined ? undefined : pemFile('--ca', ca));
  const paint = paletteOf(context, color);
  try {
    const figures = await askFigures(api, Date.now());
    const { service, overview, operator } = figures;
    const healthy = service.status === 'ok';
    const checks = Object.entries(service.checks)
      .map(([name, state]) => `${name} ${state === 'ok' ? paint.good(state) : paint.bad(state)}`)
      .join(', ');
    return {
      httpUrl: targets.httpUrl,
      ok: healthy,
      json: {
        figures: { service, overview, operator: operator ?? null } as unknown as Json,
        figures_error: null,
      },
      text: `Collector ${service.version} at ${targets.httpUrl}: ${checks}\n\n${figuresText(figures, paint)}${
        operator === undefined
          ? `\n\n${paint.faint('Without an operator’s login: only what is public.')}`
          : ''
      }`,
    };
  } catch (error) {
    if (!(error instanceof GtxError)) throw error;
    return {
      httpUrl: targets.httpUrl,
      ok: false,
      json: { figures: null, figures_error: { code: error.code, message: error.message } },
      text: paint.bad(`No figures (${error.code}): ${error.message}`),
    };
  }
}

export function addStatus(program: Command, environment: ProgramEnvironment): void {
  addCommand<StatusOptions>(
    program,
    {
      name: 'status',
      summary: 'Show the figures of the page, and each component of a running gtx up.',
      description: `Power now, today’s energy, GRID minted today and in all, the way of the readings from meter to token, gateways,
settlement and alerts: the figures of the page, from the collector that gtx up runs here. Then every component with its
URLs, process, data folder and health. With --url or GTX_COLLECTOR_URL the figures of that collector alone, wherever it is.
The operator login comes from GTX_OPERATOR_USERNAME and GTX_OPERATOR_PASSWORD, else from the data folder; without one only
what is public is shown. Today begins at midnight of this machine’s time zone. Exit code 0 when all is healthy, 3 when
something is not, does not answer, or nothing is running in this data folder. Passwords are not shown.`,
      options: [
        collectorUrl(),
        valueOption('--ca <file>', 'PEM file of the authority of the collector’s certificate (with https)'),
        noColor(),
      ],
      examples: [
        { command: 'gtx status', shows: 'Figures and components for people.' },
        {
          command: 'gtx status --url https://collector.example:8080 --ca ca.pem',
          shows: 'The figures of a collector elsewhere.',
        },
        {
          command: 'gtx status --json',
          shows:
            '{"running":true,"components":[{"name":"collector","pid":…},…],"figures":{"overview":{…},…}}',
        },
      ],
      async action(options, context) {
        const { out, dataDirFlag, env } = context;
        if (options.url !== undefined || env.GTX_COLLECTOR_URL) {
          const { ok, httpUrl, json, text } = await askFiguresOf(options, context);
          out.result({ url: withoutPassword(httpUrl), healthy: ok, ...json }, text);
          return ok ? EXIT.ok : EXIT.unavailable;
        }
        const layout = dataLayout(resolveDataDir(dataDirFlag, env));
        const run = readRunFile(layout.runFile);
        const running = run !== undefined && isAlive(run.supervisor);
        if (run === undefined || !running) {
          // What a killed supervisor left behind is still worth knowing.
          const left = (run?.components ?? []).filter(
            ({ process }) => process !== undefined && isAlive(process),
          );
          out.result(
            {
              running: false,
              data_dir: layout.root,
              components: [],
              leftovers: left.map(({ name, process }) => ({ name, pid: process?.pid ?? null })),
            },
            [
              `Nothing is running in ${layout.root}. Start it with: gtx up`,
              ...left.map(
                ({ name, process }) => `  left behind by a killed run: ${name} (process ${process?.pid})`,
              ),
            ].join('\n'),
          );
          return EXIT.unavailable;
        }
        const { probe } = await import('../health.js');
        const asked = askFiguresOf(options, context);
        const components = await Promise.all(
          run.components.map(async (component) => {
            const alive =
              component.state === 'external' ||
              (component.process !== undefined && isAlive(component.process));
            const health = alive
              ? await probe(component.urls)
              : { ok: false, detail: 'its process is not there' };
            return {
              name: component.name,
              state: component.state,
              pid: component.process?.pid ?? null,
              other_pids: component.otherPids,
              urls: Object.fromEntries(
                Object.entries(component.urls).map(([name, url]) => [name, withoutPassword(url)]),
              ),
              data_dir: component.dataDir ?? null,
              log_file: component.logFile ?? null,
              restarts: component.restarts,
              health,
            };
          }),
        );
        const figures = await asked;
        const paint = paletteOf(context, options.color);
        const healthy = components.every(({ health }) => health.ok) && figures.ok;
        const uptimeMs = Date.now() - Date.parse(run.startedAt);
        out.result(
          {
            running: true,
            healthy,
            pid: run.supervisor.pid,
            supervisor_url: run.supervisorUrl ?? null,
            data_dir: run.dataDir,
            started_at: run.startedAt,
            uptime_seconds: Math.floor(uptimeMs / 1_000),
            meter_id: run.meterId ?? null,
            components,
            ...figures.json,
          },
          [
            figures.text,
            '',
            `gtx up (process ${run.supervisor.pid}), running for ${duration(uptimeMs)}, data in ${run.dataDir}${run.supervisorUrl === undefined ? '' : `, metrics at ${run.supervisorUrl}/metrics`}`,
            ...components.map(({ name, state, pid, urls, data_dir, log_file, restarts, health }) =>
              [
                '',
                `${name}: ${state}${pid === null ? '' : `, process ${pid}`}${restarts > 0 ? `, restarted ${restarts}x` : ''}, ${health.ok ? paint.good('healthy') : paint.bad('NOT HEALTHY')}`,
                table(
                  [
                    ...Object.entries(urls).map(([key, url]): [string, string] => [key, url]),
                    ...(data_dir === null ? [] : ([['data', data_dir]] as [string, string][])),
                    ...(log_file === null ? [] : ([['log', log_file]] as [string, string][])),
                    ['health', health.detail],
                  ],
                  '  ',
                ),
              ].join('\n'),
            ),
          ].join('\n'),
        );
        return healthy ? EXIT.ok : EXIT.unavailable;
      },
    },
    environment,
  );
}
