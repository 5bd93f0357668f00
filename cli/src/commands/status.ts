import type { Command } from 'commander';
import { addCommand, type ProgramEnvironment } from '../command.js';
import { dataLayout, resolveDataDir } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { duration, table } from '../output.js';
import { isAlive } from '../process/identity.js';
import { readRunFile, withoutPassword } from '../run-file.js';

export function addStatus(program: Command, environment: ProgramEnvironment): void {
  addCommand<object>(
    program,
    {
      name: 'status',
      summary: 'Show each component of a running gtx up: URLs, process, data folder, health.',
      description: `Asks every component how it is. Exit code 0 when all are healthy, 3 when one is not or nothing is running in
this data folder. Passwords are not shown.`,
      options: [],
      examples: [
        { command: 'gtx status', shows: 'A table for people.' },
        {
          command: 'gtx status --json',
          shows: '{"running":true,"components":[{"name":"collector","pid":…,"urls":{…},"health":{…}},…]}',
        },
      ],
      async action(_options, { out, dataDirFlag, env }) {
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
        const healthy = components.every(({ health }) => health.ok);
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
          },
          [
            `gtx up (process ${run.supervisor.pid}), running for ${duration(uptimeMs)}, data in ${run.dataDir}`,
            ...components.map(({ name, state, pid, urls, data_dir, log_file, restarts, health }) =>
              [
                '',
                `${name}: ${state}${pid === null ? '' : `, process ${pid}`}${restarts > 0 ? `, restarted ${restarts}x` : ''}, ${health.ok ? 'healthy' : 'NOT HEALTHY'}`,
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
