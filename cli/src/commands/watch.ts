import { assertMeterId, GtxError, TOPIC_ROOT } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { withoutPassword } from '../run-file.js';
import { operatorLogin, resolveTargets } from '../targets.js';
import { describeMessage } from '../traffic.js';

interface WatchOptions {
  readonly mqtt?: string;
  readonly meter?: string;
  readonly count?: number;
}

export function addWatch(program: Command, environment: ProgramEnvironment): void {
  addCommand<WatchOptions>(
    program,
    {
      name: 'watch',
      summary: 'Show the broker’s traffic, readable, until Ctrl-C.',
      description: `Logs in read-only (GTX_OPERATOR_USERNAME and GTX_OPERATOR_PASSWORD, else the password that gtx up keeps in
the data folder) and prints one line for each message: readings, acknowledgements, live values, states and commands.
With --json one JSON object per line. Retained messages are marked.`,
      options: [
        valueOption(
          '--mqtt <url>',
          'broker (default: MQTT_URL, else what gtx up runs, else mqtt://127.0.0.1:1883)',
        ),
        valueOption('--meter <id>', 'only this meter'),
        integerOption('--count <number>', 'end after this many messages', 1, 1_000_000_000),
      ],
      examples: [
        {
          command: 'gtx watch --meter MTR-DEMO-001',
          shows: '12:00:15  MTR-DEMO-001  reading 7: 0.012 kWh surplus …',
        },
        { command: 'gtx watch --count 10 --json', shows: 'Ten messages as JSON lines, then the end.' },
      ],
      async action({ mqtt: url, meter, count }, { out, dataDirFlag, env, interrupted }) {
        if (meter !== undefined) assertMeterId(meter);
        const targets = resolveTargets(dataDirFlag, env, { mqtt: url });
        const login = operatorLogin(targets.layout, env);
        const shown = withoutPassword(targets.mqttUrl);
        const { default: mqtt } = await import('mqtt');
        const client = mqtt.connect(targets.mqttUrl, {
          clientId: `gtx-watch-${process.pid}-${Date.now().toString(36)}`,
          connectTimeout: 5_000,
          reconnectPeriod: 1_000,
          ...(login ?? {}),
        });
        let connectedOnce = false;
        let ending = false;
        let seen = 0;
        try {
          return await new Promise<number>((resolve, reject) => {
            interrupted.addEventListener(
              'abort',
              () => resolve(count === undefined ? EXIT.ok : EXIT.interrupted),
              { once: true },
            );
            client.on('connect', () => {
              if (connectedOnce) out.progress(`connected again to ${shown}`);
              else
                out.progress(`watching ${shown}${meter === undefined ? '' : ` for ${meter}`}; Ctrl-C ends`);
              connectedOnce = true;
              client.subscribe(`${TOPIC_ROOT}/${meter ?? '+'}/+`, { qos: 0 }, (error) => {
                if (error)
                  reject(
                    new GtxError('TOPIC_FORBIDDEN', `the broker does not let us listen: ${error.message}`),
                  );
              });
            });
            client.on('close', () => {
              if (connectedOnce && !ending) out.progress(`lost ${shown}, trying again`);
            });
            client.on('error', (error) => {
              const refused = /not authorized|bad user/i.test(error.message);
              if (refused)
                reject(
                  new GtxError('LOGIN_REFUSED', `the broker refuses the operator’s login: ${error.message}`),
                );
              // A broker that was there once comes back; one that never was is reported.
              else if (!connectedOnce)
                reject(new GtxError('BROKER_UNAVAILABLE', `${shown}: ${error.message || 'no answer'}`));
            });
            client.on('message', (topic, payload, packet) => {
              const { json, text } = describeMessage(topic, payload, {
                retained: packet.retain,
                atMs: Date.now(),
              });
              out.result(json, text);
              seen += 1;
              if (seen === count) resolve(EXIT.ok);
            });
          });
        } finally {
          ending = true;
          await client.endAsync(true);
        }
      },
    },
    environment,
  );
}
