import type { Command } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment } from '../command.js';
import { dataLayout, prepareDataDir, resolveDataDir } from '../data-dir.js';
import { postgresPasswordPath } from '../keys.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

export function addPostgres(program: Command, environment: ProgramEnvironment): void {
  addCommand<{ port: number }>(
    program,
    {
      name: 'postgres',
      summary: 'Run the embedded PostgreSQL in the foreground.',
      description: `Creates the cluster below the data folder at the first start. It listens on 127.0.0.1 only, and every
commit is on the disk before it is answered. Prints one JSON line when it is ready. Stops on Ctrl-C, SIGTERM.
As root it runs as the system account "postgres".`,
      options: [integerOption('--port <port>', 'TCP port; 0 takes a free one', 0, 65535).default(0)],
      examples: [
        {
          command: 'gtx postgres --port 54329',
          shows: 'PostgreSQL at 127.0.0.1:54329, user and database gridtokenx.',
        },
      ],
      async action({ port }, { dataDirFlag, env }) {
        const layout = dataLayout(resolveDataDir(dataDirFlag, env));
        prepareDataDir(layout);
        const logger = serviceLogger('postgres', env);
        return await runService('postgres', async () => {
          const { startPostgres } = await import('../postgres/server.js');
          const server = await startPostgres({
            dataDir: layout.postgres,
            passwordFile: postgresPasswordPath(layout),
            port,
            logger,
          });
          const { host, user, database, serverPid, clusterDir } = server;
          return {
            info: {
              host,
              port: server.port,
              user,
              database,
              server_pid: serverPid,
              data_dir: clusterDir,
              password_file: postgresPasswordPath(layout),
            },
            stop: () => server.stop(),
            failed: server.failed,
          };
        });
      },
    },
    environment,
  );
}
