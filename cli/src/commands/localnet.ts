import type { Command } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { dataLayout, prepareDataDir, resolveDataDir } from '../data-dir.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

interface LocalnetOptions {
  readonly port: number;
  readonly upgradeAuthority?: string;
}

export function addLocalnet(program: Command, environment: ProgramEnvironment): void {
  addCommand<LocalnetOptions>(
    program,
    {
      name: 'localnet',
      summary: 'Run the embedded Solana chain in the foreground.',
      description: `The real SVM behind Solana's JSON-RPC and WebSocket, on 127.0.0.1 only, with the programs of this checkout
already deployed. Its WebSocket answers on the port after the RPC port, as a validator's does. What is confirmed is on
the disk below the data folder. Prints one JSON line when it is ready. Stops on Ctrl-C, SIGTERM.`,
      options: [
        integerOption('--port <port>', 'RPC port; 0 takes a free one', 0, 65534).default(8899),
        valueOption(
          '--upgrade-authority <pubkey>',
          'who may initialise and upgrade the programs (default: the data folder’s upgrade authority)',
        ),
      ],
      examples: [
        { command: 'gtx localnet --port 8899', shows: 'Then: gtx chain init --rpc http://127.0.0.1:8899' },
        {
          command: 'gtx localnet --port 0 --data-dir /tmp/chain',
          shows: 'A chain of its own at a free port.',
        },
      ],
      async action({ port, upgradeAuthority }, { dataDirFlag, env }) {
        const layout = dataLayout(resolveDataDir(dataDirFlag, env));
        prepareDataDir(layout);
        const logger = serviceLogger('localnet', env);
        return await runService('localnet', async () => {
          const { localPrograms, upgradeAuthorityOf } = await import('../local-programs.js');
          const { startLocalnet } = await import('@gridtokenx/localnet');
          const chain = await startLocalnet({
            dataDir: layout.localnet,
            port,
            programs: localPrograms(),
            upgradeAuthority: upgradeAuthority ?? upgradeAuthorityOf(layout),
            logger,
          });
          return {
            info: {
              rpc_url: chain.rpcUrl,
              ws_url: chain.wsUrl,
              genesis_hash: chain.genesisHash,
              data_dir: layout.localnet,
            },
            stop: () => chain.stop(),
          };
        });
      },
    },
    environment,
  );
}
