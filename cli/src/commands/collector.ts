import type { Command } from 'commander';
import { addCommand, type ProgramEnvironment } from '../command.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

export function addCollector(program: Command, environment: ProgramEnvironment): void {
  addCommand<object>(
    program,
    {
      name: 'collector',
      summary: 'Run the collector in the foreground: broker, validation, storage, settlement, HTTP.',
      description: `Configured by its environment: DATABASE_URL, SOLANA_RPC_URL, GTX_FEE_PAYER_KEY, GTX_ACK_KEY and the others of
its reference page. With MQTT_URL it uses that broker, otherwise it runs its own. It needs neither the registrar's nor
an owner's key. Prints one JSON line when it is ready. Stops on Ctrl-C, SIGTERM.`,
      options: [],
      examples: [
        {
          command:
            'DATABASE_URL=postgresql://gridtokenx@127.0.0.1/gridtokenx SOLANA_RPC_URL=http://127.0.0.1:8899 GTX_FEE_PAYER_KEY=fee-payer.json GTX_ACK_KEY=collector-ack.json gtx collector',
          shows: 'One collector with the embedded broker.',
        },
      ],
      async action(_options, { env }) {
        const logger = serviceLogger('collector', env);
        return await runService('collector', async () => {
          const { loadCollectorConfig, startCollector } = await import('@gridtokenx/collector');
          const collector = await startCollector(loadCollectorConfig(env), { logger });
          return {
            info: {
              http_url: collector.httpUrl,
              mqtt_url: collector.mqttUrl,
              ...(collector.caFile !== undefined && { ca_file: collector.caFile }),
            },
            stop: () => collector.stop(),
          };
        });
      },
    },
    environment,
  );
}
