import { GtxError } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { resolveTargets } from '../targets.js';

export function addAudit(program: Command, environment: ProgramEnvironment): void {
  addCommand<{ rpc?: string; database?: string }>(
    program,
    {
      name: 'audit',
      summary: 'Check that supply, counters, events and readings agree; name each difference.',
      description: `Walks from the token supply back to the meters' signatures: total minted is the sum of the meters' counters and of
the mint events; supply is minted less burned; every settled reading is signed by the key that its meter had on the
chain; every transaction exists. Reads only. Exit code 1 when something differs.`,
      options: [
        valueOption('--rpc <url>', 'Solana RPC (default: SOLANA_RPC_URL, else what gtx up runs)'),
        valueOption('--database <url>', 'database (default: DATABASE_URL, else what gtx up runs)'),
      ],
      examples: [
        { command: 'gtx audit', shows: 'What was checked, and each difference by name.' },
        { command: 'gtx audit --json', shows: '{"ok":true,…,"differences":[]}' },
      ],
      async action(flags, { out, dataDirFlag, env }) {
        const targets = resolveTargets(dataDirFlag, env, flags);
        if (targets.databaseUrl === undefined) {
          throw new GtxError(
            'CONFIG_INVALID',
            'which database? Start gtx up, or give --database or DATABASE_URL',
          );
        }
        const { runAuditOnce } = await import('../audit.js');
        const { ok, json, text } = await runAuditOnce({ ...targets, databaseUrl: targets.databaseUrl });
        out.result(json, text);
        return ok ? EXIT.ok : EXIT.failed;
      },
    },
    environment,
  );
}
