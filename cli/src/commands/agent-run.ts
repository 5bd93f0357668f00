import type { Command } from 'commander';
import { addCommand, addGroup, type ProgramEnvironment, valueOption } from '../command.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

export const agentGroup = (program: Command): Command =>
  addGroup(program, 'agent', 'The gateway beside the meters.');

export function addAgentRun(group: Command, environment: ProgramEnvironment): void {
  addCommand<{ config: string }>(
    group,
    {
      name: 'run',
      summary: 'Run the gateway in the foreground.',
      description: `Reads the meters over Modbus, signs one reading per interval, keeps it until the collector has acknowledged
it, and publishes live values. Prints one JSON line when it is ready. Stops on Ctrl-C, SIGTERM.`,
      options: [valueOption('--config <file>', 'the gateway’s configuration (YAML)').makeOptionMandatory()],
      examples: [
        {
          command: 'gtx agent run --config /etc/gridtokenx/agent.yaml',
          shows: 'The gateway, logging to stderr.',
        },
      ],
      async action({ config: path }, { env }) {
        const logger = serviceLogger(undefined, env);
        return await runService('agent', async () => {
          const { loadAgentConfig, startAgent } = await import('@gridtokenx/agent/run');
          const config = loadAgentConfig(path);
          const agent = await startAgent(config, { logger });
          return {
            info: { http_url: agent.url, data_dir: config.data_dir },
            stop: () => agent.stop(),
            healthy: () => agent.healthy(),
          };
        });
      },
    },
    environment,
  );
}
