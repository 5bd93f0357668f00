import { resolve } from 'node:path';
import { assertMeterId, GtxError } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { dataLayout, prepareDataDir, resolveDataDir } from '../data-dir.js';
import { KEY_ROLES, type KeyRole, keyPath, meterKeyPath } from '../keys.js';
import { table } from '../output.js';

interface KeygenOptions {
  readonly out?: string;
  readonly set?: boolean;
  readonly meter?: string;
}

export function addKeygen(program: Command, environment: ProgramEnvironment): void {
  addCommand<KeygenOptions>(
    program,
    {
      name: 'keygen',
      summary: 'Make key files (Solana CLI format, mode 0600).',
      description: `Never replaces a file. Prints public keys only. --set makes what is missing of the set that gtx up uses:
${Object.values(KEY_ROLES)
  .map(({ file, does }) => `  ${file}: ${does}`)
  .join('\n')}`,
      options: [
        valueOption('--out <file>', 'write one new key pair to this file'),
        valueOption('--meter <id>', 'make the key of this meter, in the data folder'),
        valueOption('--set', 'make the whole set of roles in the data folder'),
      ],
      examples: [
        { command: 'gtx keygen --out registrar.json', shows: 'One key pair; prints its public key.' },
        {
          command: 'gtx keygen --set --data-dir /var/lib/gridtokenx',
          shows: 'All roles, ready for gtx up or gtx chain init.',
        },
      ],
      async action({ out: file, set, meter }, { out, dataDirFlag, env }) {
        if ([file, set, meter].filter((choice) => choice !== undefined).length !== 1) {
          throw new GtxError('CONFIG_INVALID', 'give exactly one of --out, --meter and --set');
        }
        if (file !== undefined) {
          const [{ writeKeypairFile }, { Keypair }] = await Promise.all([
            import('@gridtokenx/chain'),
            import('@solana/web3.js'),
          ]);
          const keypair = Keypair.generate();
          const path = resolve(file);
          writeKeypairFile(path, keypair);
          const publicKey = keypair.publicKey.toBase58();
          out.result({ file: path, public_key: publicKey, created: true }, `${publicKey}\n  in ${path}`);
          return undefined;
        }
        const layout = dataLayout(resolveDataDir(dataDirFlag, env));
        if (meter !== undefined) assertMeterId(meter);
        prepareDataDir(layout);
        const { ensureKey } = await import('../key-files.js');
        const wanted: [string, string][] =
          meter !== undefined
            ? [[`meter ${meter}`, meterKeyPath(layout, meter)]]
            : (Object.keys(KEY_ROLES) as KeyRole[]).map((role) => [role, keyPath(layout, role)]);
        const keys = wanted.map(([role, path]) => {
          const { keypair, created } = ensureKey(path);
          return { role, file: path, public_key: keypair.publicKey.toBase58(), created };
        });
        out.result(
          { keys },
          table(
            keys.map(({ role, file: path, public_key, created }) => [
              role,
              `${public_key}  ${created ? 'new' : 'kept'}  ${path}`,
            ]),
          ),
        );
        return undefined;
      },
    },
    environment,
  );
}
