import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { defaultConfigPath } from '../agent-tools/paths.js';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';

export function addAgentBackup(group: Command, environment: ProgramEnvironment): void {
  addCommand<{
    readonly config?: string;
    readonly out: string;
    readonly passphraseFile?: string;
    readonly force?: boolean;
  }>(
    group,
    {
      name: 'backup',
      summary: 'Write keys, configuration and books to an encrypted file.',
      description: `One file with all that a new SD card needs: the configuration, the certificates, passwords and profiles that it names, the
meters’ keys, and per meter its totals, what the
registers showed, the last sequence and the readings that the collector has not acknowledged. Encrypted under a
passphrase (scrypt, AES-256-GCM), readable by its owner only, written as a whole or not at all. The gateway may run
meanwhile. Without --passphrase-file it asks at the terminal, twice. Bring it back with gtx agent restore --backup.`,
      options: [
        valueOption(
          '--config <file>',
          'the gateway’s configuration (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
        ),
        valueOption('--out <file>', 'the backup; its folder must be there').makeOptionMandatory(),
        valueOption(
          '--passphrase-file <file>',
          'a file (mode 0600) whose first line is the passphrase, of 12 characters at least',
        ),
        valueOption('--force', 'replace a file that is there'),
      ],
      examples: [
        {
          command: 'sudo gtx agent backup --out /media/safe/gateway.backup',
          shows: 'What was written, and how old the newest reading in it is.',
        },
      ],
      async action(
        { config: file, out: path, passphraseFile, force },
        { out, dataDirFlag, env, interrupted },
      ) {
        const [{ installerTools, loadAgentConfig }, { obtainPassphrase }] = await Promise.all([
          import('@gridtokenx/agent'),
          import('../agent-tools/passphrase.js'),
        ]);
        const { gatherBackup, LEAST_PASSPHRASE, refuseExistingBackup, saveBackup } = await installerTools();
        const configFile = file ?? defaultConfigPath(dataDirFlag, env);
        const config = loadAgentConfig(configFile, env);
        refuseExistingBackup(path, force === true);
        const passphrase = await obtainPassphrase(
          { file: passphraseFile, least: LEAST_PASSPHRASE },
          interrupted,
        );
        const content = gatherBackup(config, readFileSync(configFile, 'utf8'), Date.now(), configFile);
        await saveBackup(path, content, passphrase, force === true);
        const meters = content.keys.map(({ meter_id, public_key }) => {
          const books = content.meters.find((one) => one.meter_id === meter_id);
          return {
            meter_id,
            public_key,
            last_sequence: books?.sequence.toString() ?? null,
            waiting: books?.waiting.length ?? 0,
          };
        });
        out.result(
          { file: resolve(path), meters },
          [
            `written: ${resolve(path)}`,
            ...meters.map(
              ({ meter_id, last_sequence, waiting }) =>
                `${meter_id}: key, ${last_sequence === null ? 'no books yet' : `books up to reading ${last_sequence}, ${waiting} waiting for the collector`}`,
            ),
            'Keep it and the passphrase where nobody else gets at both: they are the meters’ keys.',
          ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}
