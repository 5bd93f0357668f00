import type { Command } from 'commander';
import type { Check } from '../agent-tools/doctor.js';
import { defaultConfigPath } from '../agent-tools/paths.js';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';

const MARK: Record<Check['state'], string> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skipped: '-   ' };

export function addAgentDoctor(group: Command, environment: ProgramEnvironment): void {
  addCommand<{ readonly config?: string }>(
    group,
    {
      name: 'doctor',
      summary: 'Check everything between the meter and the chain, and say what to do.',
      description: `Looks at the configuration, keys, disk, clock, serial ports, meters, broker, collector, the meter’s registration and what
became of its readings. While the gateway runs, its meters and broker are asked through it; otherwise they are tried
directly. Changes nothing. Run it as root, or as the user that the gateway runs as. Exit code 1: a check failed.`,
      options: [
        valueOption(
          '--config <file>',
          'the gateway’s configuration (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
        ),
      ],
      examples: [
        {
          command: 'sudo gtx agent doctor',
          shows: 'One line for each check, and what to do about what is wrong.',
        },
        { command: 'gtx agent doctor --config agent.yaml --json', shows: 'The same as JSON.' },
      ],
      async action({ config }, { out, dataDirFlag, env, interrupted }) {
        const { examine } = await import('../agent-tools/doctor.js');
        const text = ({ name, state, detail, action }: Check): string =>
          `${MARK[state]}  ${name}: ${detail}${action === undefined ? '' : `\n        do: ${action}`}`;
        const checks = await examine(config ?? defaultConfigPath(dataDirFlag, env), {
          env,
          now: Date.now,
          signal: interrupted,
          onCheck: (check) => {
            if (!out.json) out.raw(`${text(check)}\n`);
          },
        });
        const count = (state: Check['state']): number => checks.filter((one) => one.state === state).length;
        out.result(
          { ok: count('fail') === 0, checks: checks.map((check) => ({ ...check })) },
          `${count('ok')} right, ${count('warn')} to look at, ${count('fail')} wrong.`,
        );
        if (interrupted.aborted) return EXIT.interrupted;
        return count('fail') === 0 ? EXIT.ok : EXIT.failed;
      },
    },
    environment,
  );
}
