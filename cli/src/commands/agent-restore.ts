import { decodeBase58, GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { defaultConfigPath } from '../agent-tools/paths.js';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';
import { checkUrl } from '../targets.js';

export function addAgentRestore(group: Command, environment: ProgramEnvironment): void {
  addCommand<{
    readonly config?: string;
    readonly backup?: string;
    readonly passphraseFile?: string;
    readonly solanaRpcUrl?: string;
    readonly registryProgram?: string;
  }>(
    group,
    {
      name: 'restore',
      summary: 'Go on with a meter’s key when the gateway’s store is lost.',
      description: `For a gateway that has its configuration and keys and no store (a new SD card). Asks the collector for each meter’s last
reading, believes it only when this meter’s key has signed it, and lets the meter go on from its totals with a sequence
that is 1,000 higher, so that no sequence is ever signed twice. Energy since that reading earns nothing, because what the
registers showed then is lost; the next reading carries the flag "meter reset". A meter that has books in the store is
left alone. The gateway must not run.

With --backup also for one that has lost everything: the file of gtx agent backup brings the configuration (where there is
none), the certificates, passwords and profiles that it names (where they are missing), the keys (another key is never
replaced), and what the registers showed. So the energy since the last reading is
counted, as long as the backup, the collector’s last reading and the registers agree; otherwise it earns nothing and
the next reading is flagged. Readings of the backup that the collector has not got are sent. Interrupted, run it again.`,
      options: [
        valueOption(
          '--config <file>',
          'the gateway’s configuration (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
        ),
        valueOption('--backup <file>', 'a file of gtx agent backup'),
        valueOption(
          '--passphrase-file <file>',
          'a file (mode 0600) whose first line is the backup’s passphrase; without it, it is asked for',
        ),
        valueOption(
          '--solana-rpc-url <url>',
          'a Solana node, to hear from the chain itself how far it has got; an answer of the collector that is behind is refused',
        ),
        valueOption(
          '--registry-program <pubkey>',
          'with --solana-rpc-url: the registry, where it is a deployment of your own',
        ),
      ],
      examples: [
        {
          command: 'sudo gtx agent restore',
          shows: 'For each meter, the last reading and the next sequence.',
        },
        {
          command: 'sudo gtx agent restore --solana-rpc-url https://rpc.example',
          shows: 'The same, and believed only where the chain itself is not ahead.',
        },
        {
          command: 'sudo gtx agent restore --backup /media/safe/gateway.backup',
          shows:
            'The same after bringing back configuration and keys, and whether the energy since is counted.',
        },
      ],
      async action(
        { config: file, backup: backupFile, passphraseFile, solanaRpcUrl, registryProgram },
        { out, dataDirFlag, env, interrupted },
      ) {
        const [{ installerTools, loadAgentConfig, MeterSigner }, { fetchLastReading }] = await Promise.all([
          import('@gridtokenx/agent'),
          import('../agent-tools/last-reading.js'),
        ]);
        const { collectorTls, loadBackup, readChainMeter, restorePoint, restoreStore } =
          await installerTools();
        if (solanaRpcUrl !== undefined) checkUrl(solanaRpcUrl, ['http:', 'https:'], '--solana-rpc-url');
        if (registryProgram !== undefined) decodeBase58(registryProgram, 32);
        const path = file ?? defaultConfigPath(dataDirFlag, env);
        let config: ReturnType<typeof loadAgentConfig>;
        let backup: Awaited<ReturnType<typeof loadBackup>> | undefined;
        let placed: { config_written: boolean; keys_written: string[]; files_written: string[] } | undefined;
        if (backupFile === undefined) config = loadAgentConfig(path, env);
        else {
          const [{ obtainPassphrase }, { placeFiles }] = await Promise.all([
            import('../agent-tools/passphrase.js'),
            import('../agent-tools/backup.js'),
          ]);
          const passphrase = await obtainPassphrase({ file: passphraseFile }, interrupted);
          backup = await loadBackup(backupFile, passphrase);
          const files = await placeFiles(path, backup, env);
          config = files.config;
          placed = {
            config_written: files.configWritten,
            keys_written: files.keys,
            files_written: files.others,
          };
        }
        const url = config.collector_url;
        if (url === undefined) {
          throw new GtxError(
            'CONFIG_INVALID',
            'collector_url is not set: the collector must be asked for the last reading',
          );
        }
        const tls = collectorTls(config);
        const signers = new Map(
          config.meters.map(({ id, key_file }) => [id, MeterSigner.fromFile(key_file)]),
        );
        const meters: {
          meter_id: string;
          last_sequence: string | null;
          next_sequence: string;
          surplus_total_kwh: string;
          waiting?: number;
          energy_since?: 'counted' | 'not counted';
          reason?: string;
        }[] = [];
        const { kept } = await restoreStore(
          config,
          Date.now,
          async (id, _mode, save) => {
            const signer = signers.get(id) as InstanceType<typeof MeterSigner>;
            const answer = await fetchLastReading(url, id, signer, Math.floor(Date.now() / 1000), tls);
            const chain =
              solanaRpcUrl === undefined
                ? undefined
                : ((await readChainMeter(solanaRpcUrl, id, registryProgram)) ?? null);
            const point = restorePoint(id, signer.publicKey, answer, chain);
            const { nextSequence, surplus, waiting, uncounted } = save(point);
            meters.push({
              meter_id: id,
              last_sequence: point.reading?.sequence.toString() ?? null,
              next_sequence: nextSequence.toString(),
              surplus_total_kwh: nkwhToKwh(surplus),
              ...(backup === undefined
                ? {}
                : {
                    waiting,
                    energy_since: uncounted === undefined ? 'counted' : 'not counted',
                    ...(uncounted === undefined ? {} : { reason: uncounted }),
                  }),
            });
          },
          backup,
        );
        out.result(
          { ...placed, restored: meters, kept },
          [
            ...(placed?.config_written ? [`${path}: from the backup`] : []),
            ...[...(placed?.keys_written ?? []), ...(placed?.files_written ?? [])].map(
              (one) => `${one}: from the backup`,
            ),
            ...meters.map((one) => {
              const last =
                one.last_sequence === null
                  ? 'the collector has no reading'
                  : `last reading ${one.last_sequence}, surplus ${one.surplus_total_kwh} kWh`;
              const since =
                one.energy_since === undefined
                  ? ''
                  : `; energy since the last reading is ${one.energy_since}${one.reason === undefined ? ', if the registers agree' : ` (${one.reason})`}; ${one.waiting} readings of the backup wait for the collector`;
              return `${one.meter_id}: ${last}; goes on with ${one.next_sequence}${since}`;
            }),
            ...kept.map((id) => `${id}: has books in the store; left alone`),
          ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}
