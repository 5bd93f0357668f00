import { GtxError } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, addGroup, type ProgramEnvironment, valueOption } from '../command.js';
import { table } from '../output.js';

interface RulesOptions {
  readonly out: string;
  readonly gateways?: string;
  readonly auth: string;
  readonly listen: string;
  readonly tlsDir?: string;
  readonly names?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly as?: string;
  readonly owner?: string;
}

export function addBrokerCommands(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(program, 'broker', 'An external MQTT broker for several collectors.');
  addCommand<RulesOptions>(
    group,
    {
      name: 'rules',
      summary: 'Write configuration, access rules and logins for Mosquitto.',
      description: `Mosquitto cannot check the signed login that the collector's own broker takes. It gets a password or a client
certificate for each gateway instead, and rules by which a gateway publishes and hears its own meters' topics only. What goes to
the broker is written to the folder broker, what is handed to gateways and collectors to logins (mode 0600), both below --out.
Repeat it when gateways come or go, with all of them, and monthly where it makes the certificates: secrets stay, certificates are
renewed 30 days before their end. Then send Mosquitto SIGHUP.`,
      words: {
        syntax: '[gateway...]',
        description: 'the meter ids of one gateway, joined by commas; the first one names its login',
      },
      options: [
        valueOption('--out <folder>', 'where everything goes').makeOptionMandatory(),
        valueOption('--gateways <file>', 'a file with one gateway a line, instead of words'),
        valueOption('--auth <how>', 'password, or certificate (mutual TLS)').default('password'),
        valueOption('--listen <host:port>', 'where the broker listens').default('0.0.0.0:8883'),
        valueOption(
          '--tls-dir <folder>',
          'the collector’s own authority (GTX_TLS_DIR); made when there is none',
        ),
        valueOption(
          '--names <names>',
          'names and addresses of the broker in its certificate, joined by commas (default: this machine’s name)',
        ),
        valueOption(
          '--cert-file <file>',
          'certificate chain of the broker, when it is not to be of --tls-dir',
        ),
        valueOption('--key-file <file>', 'its private key; the broker must be able to read both'),
        valueOption(
          '--as <folder>',
          'where the broker finds the folder broker, when that is elsewhere (a container)',
        ),
        valueOption('--owner <user>', 'whom the broker runs as: a name, or uid:gid; needs root'),
      ],
      examples: [
        {
          command:
            'sudo gtx broker rules --out /etc/gridtokenx/mosquitto --owner mosquitto --tls-dir /etc/gridtokenx/tls --names broker.example MTR-001 MTR-002,MTR-003',
          shows: 'Two gateways, one of them with two meters; a password for each.',
        },
        {
          command:
            'sudo gtx broker rules --out /etc/gridtokenx/mosquitto --owner mosquitto --tls-dir /etc/gridtokenx/tls --auth certificate --gateways gateways.txt',
          shows: 'The same with client certificates, and the gateways in a file.',
        },
      ],
      async action(options, { out, words }) {
        const { prepareRules } = await import('../broker-actions.js');
        const { writeBrokerRules } = await import('@gridtokenx/collector');
        if (options.auth !== 'password' && options.auth !== 'certificate') {
          throw new GtxError('CONFIG_INVALID', '--auth is password or certificate');
        }
        const rules = await writeBrokerRules(prepareRules({ ...options, auth: options.auth, words }));
        const environmentLines = Object.entries(rules.collectorEnvironment);
        out.result(
          {
            broker_folder: rules.brokerFolder,
            config_file: rules.configFile,
            collector_environment: rules.collectorEnvironment,
            logins: rules.logins,
            withdrawn: rules.withdrawn,
          },
          [
            `Mosquitto: mosquitto -c ${rules.configFile}   (after a change: SIGHUP)`,
            '',
            'Collectors, beside MQTT_URL:',
            ...environmentLines.map(([name, value]) => `  ${name}=${value}`),
            '',
            'Logins:',
            table(
              rules.logins.map(({ login, files }) => [login, files.join(' ')]),
              '  ',
            ),
            ...(rules.withdrawn.length === 0
              ? []
              : ['', `No longer named, and without rights: ${rules.withdrawn.join(', ')}`]),
          ].join('\n'),
        );
        return undefined;
      },
    },
    environment,
  );
}
