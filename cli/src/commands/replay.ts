import { GtxError } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { resolveTargets } from '../targets.js';

export function addReplay(program: Command, environment: ProgramEnvironment): void {
  addCommand<{ rpc?: string; databaseUrl?: string; check?: boolean }>(
    program,
    {
      name: 'replay',
      summary: 'Rebuild from the chain what the database derives from it, and say whether it is identical.',
      description: `Reads the whole history of the programs again and builds events, users, meters, orders, trades, balances, certificates,
prices and proposals a second time, in a schema of its own in the same database, which is dropped at the end. Then each
row is compared with the one that collectors wrote. Rows that differ are read again from the chain, each in a
transaction of its own as a collector would write it: collectors can go on meanwhile. Signed readings, settlements and
reviews, which the chain does not hold, are never touched. Exit code 1 when something differs in the end.`,
      options: [
        valueOption('--rpc <url>', 'Solana RPC (default: SOLANA_RPC_URL, else what gtx up runs)'),
        valueOption('--database-url <url>', 'database (default: DATABASE_URL, else what gtx up runs)'),
        new Option('--check', 'only compare; change nothing but what a collector would catch up with'),
      ],
      examples: [
        { command: 'gtx replay --check', shows: 'Each table with its rows, and what differs.' },
        { command: 'gtx replay --json', shows: '{"ok":true,"identical":true,…,"differences":[]}' },
      ],
      async action(flags, { out, dataDirFlag, env, interrupted }) {
        const targets = resolveTargets(dataDirFlag, env, {
          ...(flags.rpc === undefined ? {} : { rpc: flags.rpc }),
          ...(flags.databaseUrl === undefined ? {} : { database: flags.databaseUrl }),
        });
        if (targets.databaseUrl === undefined) {
          throw new GtxError(
            'CONFIG_INVALID',
            'which database? Start gtx up, or give --database-url or DATABASE_URL',
          );
        }
        const { replayOnce } = await import('../replay.js');
        const { ok, json, text } = await replayOnce(
          { ...targets, databaseUrl: targets.databaseUrl },
          { check: flags.check === true, progress: (line) => out.progress(line), signal: interrupted },
        );
        out.result(json, text);
        return ok ? EXIT.ok : EXIT.failed;
      },
    },
    environment,
  );
}
