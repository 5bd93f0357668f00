import { GtxError } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { resolveTargets } from '../targets.js';

export function addAudit(program: Command, environment: ProgramEnvironment): void {
  addCommand<{ rpc?: string; database?: string; repair?: boolean; energy?: boolean }>(
    program,
    {
      name: 'audit',
      summary: 'Check that chain, database and wallets agree; name each difference.',
      description: `Walks from the token supply back to the meters' signatures: total minted is the sum of the meters' counters and of
the mint events; supply is minted less burned; every settled reading is signed by the key that its meter had on the
chain; every transaction exists. Every order, trade, balance, certificate, price feed and proposal of the database says
what the chain says; every escrow holds what its order promises; all token accounts together hold the supply. Changes
nothing but what a collector would catch up with, and writes its report down. Exit code 1 when something differs.

The energy that is added up by quarters of an hour is compared with the readings too: that of the last two days and of as
many older ones as that thirty audits compare all. With --energy all of it is compared, a day after the other.

With --repair the chain is read again where the database differs from it, and energy is added up again where it is not
that of its readings. Nothing else is ever written: what the chain itself has wrong stays reported.`,
      options: [
        valueOption('--rpc <url>', 'Solana RPC (default: SOLANA_RPC_URL, else what gtx up runs)'),
        valueOption('--database <url>', 'database (default: DATABASE_URL, else what gtx up runs)'),
        new Option('--repair', 'read the chain again where the database differs from it'),
        new Option(
          '--energy',
          'compare all energy that is added up with its readings, not only the last days',
        ),
      ],
      examples: [
        { command: 'gtx audit --repair', shows: 'What was read again from the chain, and what is left.' },
        {
          command: 'gtx audit --energy',
          shows: 'The same after comparing each day’s energy; which day, on stderr.',
        },
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
        const { ok, json, text } = await runAuditOnce(
          { ...targets, databaseUrl: targets.databaseUrl },
          {
            repair: flags.repair === true,
            energy: flags.energy === true,
            progress: (text) => out.progress(text),
          },
        );
        out.result(json, text);
        return ok ? EXIT.ok : EXIT.failed;
      },
    },
    environment,
  );
}
