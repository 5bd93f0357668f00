import type { Command } from 'commander';
import { defaultConfigPath } from '../agent-tools/paths.js';
import { addCommand, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { isRoot, resolveDataDir } from '../data-dir.js';
import { table } from '../output.js';

interface InitOptions {
  readonly config?: string;
  readonly force?: boolean;
  readonly meter?: string;
  readonly wallet?: string;
  readonly mode?: string;
  readonly ratedWatts?: number;
  readonly collectorUrl?: string;
  readonly collectorKey?: string;
  readonly broker?: string;
  readonly caFile?: string;
  readonly passwordFile?: string;
  readonly collectorCaFile?: string;
  readonly httpAfterSeconds?: number;
  readonly maxReadingsPerSecond?: number;
  readonly grid?: string;
  readonly production?: string;
  readonly consumption?: string;
}

export function addAgentInit(group: Command, environment: ProgramEnvironment): void {
  addCommand<InitOptions>(
    group,
    {
      name: 'init',
      summary: 'Make a meter’s key and the gateway’s configuration.',
      description: `Asks at a terminal for what no flag says. Makes the meter’s key (mode 0600; the secret is never shown, a key that is
there is kept) and writes the configuration, checked, with comments. Run by root on a gateway with the package, both
belong to the service’s user. Devices are named as gtx agent scan prints them.`,
      options: [
        valueOption(
          '--config <file>',
          'where the configuration goes (default: agent.yaml in the data folder; for root /etc/gridtokenx/agent.yaml)',
        ),
        valueOption('--force', 'replace a configuration that is there'),
        valueOption('--meter <id>', 'meter id, as it is or will be registered'),
        valueOption('--wallet <pubkey>', 'the owner’s wallet, base58'),
        valueOption(
          '--mode <mode>',
          'bidirectional, production_consumption or production (default: bidirectional)',
        ),
        integerOption(
          '--rated-watts <watts>',
          'most power that can flow there (default: 100000)',
          1,
          10_000_000,
        ),
        valueOption(
          '--grid <device>',
          'mode bidirectional: profile,place[,unit=1][,baud=9600][,parity=none]; place is /dev/..., tcp://host[:port] or rtu+tcp://host:port',
        ),
        valueOption('--production <device>', 'the production device, in the same form'),
        valueOption('--consumption <device>', 'the consumption device, in the same form'),
        valueOption('--collector-url <url>', 'the collector’s HTTP address'),
        valueOption('--collector-key <pubkey>', 'the collector’s acknowledgement key, base58'),
        valueOption(
          '--broker <url>',
          'the broker (default: the collector’s host, mqtts on port 8883; on this machine mqtt on 1883)',
        ),
        valueOption('--ca-file <file>', 'certificate authority of the broker’s certificate (PEM)'),
        valueOption(
          '--password-file <file>',
          'password at a broker that is not the collector’s own (a file of gtx broker rules, mode 0600)',
        ),
        valueOption(
          '--collector-ca-file <file>',
          'certificate authority of the collector’s HTTPS certificate (default: that of the broker)',
        ),
        integerOption(
          '--http-after-seconds <s>',
          'deliver over HTTPS when the broker has been away so long; 0: never (default: 300)',
          0,
          86_400,
        ),
        integerOption(
          '--max-readings-per-second <n>',
          'most readings sent in a second, for a backlog (default: 20)',
          1,
          10_000,
        ),
      ],
      examples: [
        { command: 'sudo gtx agent init', shows: 'Questions, then the public key and what to do with it.' },
        {
          command:
            'gtx agent init --meter MTR-001 --wallet 4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS --grid eastron-sdm630,/dev/ttyUSB0,unit=1 --collector-url https://collector.example --collector-key 4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS',
          shows: 'The same without questions.',
        },
      ],
      async action({ config, force, ...flags }, { out, dataDirFlag, env, interrupted }) {
        const [{ collectAnswers, refuseExisting, writeInit }, { withTerminal }] = await Promise.all([
          import('../agent-tools/init.js'),
          import('../agent-tools/terminal.js'),
        ]);
        const path = config ?? defaultConfigPath(dataDirFlag, env);
        refuseExisting(path, force === true);
        const answers = await withTerminal(interrupted, (ask) =>
          collectAnswers(flags, ask, (text) => out.progress(text)),
        );
        const made = await writeInit(
          answers,
          {
            config: path,
            dataDir: resolveDataDir(dataDirFlag, env),
            force: force === true,
            root: isRoot(),
          },
          env,
        );
        const next = [
          `Give the public key to the registrar, with the meter id and the wallet. The meter counts once it is registered (gtx register-meter --meter-id ${made.meter} --meter-key ${made.keyFile}).`,
          `Check everything: gtx agent doctor --config ${made.config}`,
          made.owner === undefined
            ? `Start: gtx agent run --config ${made.config}`
            : 'Start: sudo systemctl restart gridtokenx-agent',
          `Keep a copy of the key where nobody else gets at it: without it the meter needs a new key.`,
        ];
        out.result(
          {
            config: made.config,
            meter_id: made.meter,
            public_key: made.publicKey,
            key_file: made.keyFile,
            key_created: made.keyCreated,
            owner: made.owner ?? null,
            next,
          },
          `${table([
            ['meter', made.meter],
            ['public key', made.publicKey],
            ['key file', `${made.keyFile} (${made.keyCreated ? 'new' : 'kept as it was'})`],
            ['configuration', made.config],
            ...(made.owner === undefined ? [] : ([['owner', made.owner]] as [string, string][])),
          ])}\n\nNext:\n${next.map((line, index) => `  ${index + 1}. ${line}`).join('\n')}`,
        );
        return undefined;
      },
    },
    environment,
  );
}
