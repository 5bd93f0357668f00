import type { Command } from 'commander';
import { addCommand, addGroup, type ProgramEnvironment } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

export function addCollector(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(
    program,
    'collector',
    'The collector: broker, validation, storage, settlement, market, HTTP.',
  );
  addCommand<object>(
    group,
    {
      name: 'run',
      isDefault: true,
      summary: 'Run the collector in the foreground (gtx collector alone does the same).',
      description: `Configured by its environment: DATABASE_URL, SOLANA_RPC_URL, GTX_FEE_PAYER_KEY, GTX_ACK_KEY and the others of
its reference page. With MQTT_URL it uses that broker, otherwise it runs its own. It needs neither the registrar's nor
an owner's key. Prints one JSON line when it is ready. Stops on Ctrl-C, SIGTERM.`,
      options: [],
      examples: [
        {
          command:
            'DATABASE_URL=postgresql://gridtokenx@127.0.0.1/gridtokenx SOLANA_RPC_URL=http://127.0.0.1:8899 GTX_FEE_PAYER_KEY=fee-payer.json GTX_ACK_KEY=collector-ack.json gtx collector run',
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
  addCommand<object>(
    group,
    {
      name: 'health',
      summary: 'Ask the collector that has this environment whether it takes readings.',
      description: `For a container's or a load balancer's check, on the same machine: the address comes from GTX_HTTP_HOST,
GTX_HTTP_PORT and GTX_HTTP_TLS. Exit code 0 while readings can be stored, 3 when not.`,
      options: [],
      examples: [{ command: 'gtx collector health', shows: 'ok, and how database, broker and chain are.' }],
      async action(_options, { out, env }) {
        const [{ loadCollectorConfig }, { askHealth }] = await Promise.all([
          import('@gridtokenx/collector'),
          import('../collector-health.js'),
        ]);
        const health = await askHealth(loadCollectorConfig(env));
        out.result(
          { ok: health.ok, url: health.url, answer: health.answer },
          `${health.ok ? 'ok' : 'not ok'}: ${health.words}`,
        );
        return health.ok ? EXIT.ok : EXIT.unavailable;
      },
    },
    environment,
  );
}
