import { readFileSync } from 'node:fs';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { defaultConfigPath } from '../agent-tools/paths.js';
import { addCommand, type ProgramEnvironment, valueOption } from '../command.js';

export function addAgentRestore(group: Command, environment: ProgramEnvironment): void {
  addCommand<{ readonly config?: string }>(
    group,
    {
      name: 'restore',
      summary: 'Go on with a meter’s key when the gateway’s store is lost.',
      description: `For a gateway that has its configuration and keys and no store (a new SD card). Asks the collector for each meter’s last
reading, believes it only when this meter’s key has signed it, and lets the meter go on from its totals with a sequence
that is 1,000 higher, so that no sequence is ever signed twice. Energy since that reading earns nothing, because what the
registers showed then is lost; the next reading carries the flag "meter reset". A meter that has books in the store is
left alone. The gateway must not run.`,
      options: [
        valueOption(
          '--config <file>',
          'the gateway’s configuration (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
        ),
      ],
      examples: [
        {
          command: 'sudo gtx agent restore',
          shows: 'For each meter, the last reading and the next sequence.',
        },
      ],
      async action({ config: file }, { out, dataDirFlag, env }) {
        const [{ installerTools, loadAgentConfig, MeterSigner }, { fetchLastReading }] = await Promise.all([
          import('@gridtokenx/agent'),
          import('../agent-tools/last-reading.js'),
        ]);
        const { restorePoint, restoreStore } = await installerTools();
        const config = loadAgentConfig(file ?? defaultConfigPath(dataDirFlag, env), env);
        const url = config.collector_url;
        if (url === undefined) {
          throw new GtxError(
            'CONFIG_INVALID',
            'collector_url is not set: the collector must be asked for the last reading',
          );
        }
        const ca = config.mqtt.ca_file === undefined ? undefined : readFileSync(config.mqtt.ca_file, 'utf8');
        const signers = new Map(
          config.meters.map(({ id, key_file }) => [id, MeterSigner.fromFile(key_file)]),
        );
        const meters: {
          meter_id: string;
          last_sequence: string | null;
          next_sequence: string;
          surplus_total_kwh: string;
        }[] = [];
        const { kept } = await restoreStore(config, Date.now, async (id, _mode, save) => {
          const signer = signers.get(id) as InstanceType<typeof MeterSigner>;
          const answer = await fetchLastReading(url, id, signer, Math.floor(Date.now() / 1000), ca);
          const point = restorePoint(id, signer.publicKey, answer);
          save(point);
          meters.push({
            meter_id: id,
            last_sequence: point.reading?.sequence.toString() ?? null,
            next_sequence: point.nextSequence.toString(),
            surplus_total_kwh: nkwhToKwh(point.reading?.surplusTotal ?? 0n),
          });
        });
        out.result(
          { restored: meters, kept },
          [
            ...meters.map(
              (one) =>
                `${one.meter_id}: ${one.last_sequence === null ? 'the collector has no reading' : `last reading ${one.last_sequence}, surplus ${one.surplus_total_kwh} kWh`}; goes on with ${one.next_sequence}`,
            ),
            ...kept.map((id) => `${id}: has books in the store; left alone`),
          ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}
