import { assertMeterId, GtxError, TOPIC_ROOT } from '@gridtokenx/protocol';
import type { Command } from 'commander';
import type { Palette } from '../colours.js';
import { addCommand, type Context, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { Panel } from '../panel.js';
import { withoutPassword } from '../run-file.js';
import { operatorLogin, resolveTargets, type Targets } from '../targets.js';
import { describeMessage, paintedMessage } from '../traffic.js';
import { collectorUrl, noColor, paletteOf, pemFile } from './terminal-options.js';

interface WatchOptions {
  readonly mqtt?: string;
  readonly url?: string;
  readonly meter?: string;
  readonly count?: number;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly color?: boolean;
}

const FIGURES_EVERY_MS = 2_000;

export function addWatch(program: Command, environment: ProgramEnvironment): void {
  addCommand<WatchOptions>(
    program,
    {
      name: 'watch',
      summary: 'Show the broker’s traffic and the figures of the page, live, until Ctrl-C.',
      description: `Logs in read-only (GTX_OPERATOR_USERNAME and GTX_OPERATOR_PASSWORD, else the password that gtx up keeps in
the data folder) and prints one line for each message: readings, acknowledgements, live values, states and commands.
Retained messages are marked. On a terminal the figures of gtx status stay below the lines, new every two seconds; in a pipe
there are only the lines, and with --json one JSON object per line. A broker that speaks TLS is mqtts://; --ca names the
authority of its certificate where that is not a public one, --cert and --key the certificate that a broker with mutual TLS
wants. Exit code 0 at Ctrl-C, or when --count messages have come.`,
      options: [
        valueOption(
          '--mqtt <url>',
          'broker (default: MQTT_URL, else what gtx up runs, else mqtt://127.0.0.1:1883)',
        ),
        collectorUrl(),
        valueOption(
          '--ca <file>',
          'PEM file of the authority of the broker’s and the collector’s certificate',
        ),
        valueOption('--cert <file>', 'PEM file of the certificate to show to the broker'),
        valueOption('--key <file>', 'PEM file of its private key'),
        valueOption('--meter <id>', 'only this meter'),
        integerOption('--count <number>', 'end after this many messages', 1, 1_000_000_000),
        noColor(),
      ],
      examples: [
        {
          command: 'gtx watch --meter MTR-DEMO-001',
          shows: '12:00:15  MTR-DEMO-001  reading 7: 0.012 kWh surplus …',
        },
        { command: 'gtx watch --count 10 --json', shows: 'Ten messages as JSON lines, then the end.' },
        {
          command:
            'gtx watch --mqtt mqtts://broker.example:8883 --ca ca.pem --cert operator.pem --key operator.key.pem',
          shows: 'The traffic of a broker that wants a certificate.',
        },
      ],
      async action(options, context) {
        const { mqtt: url, url: httpUrl, meter, count } = options;
        const { out, dataDirFlag, env, interrupted } = context;
        if (meter !== undefined) assertMeterId(meter);
        const targets = resolveTargets(dataDirFlag, env, { mqtt: url, url: httpUrl });
        const tls = tlsOf(options);
        const login = operatorLogin(targets.layout, env);
        const shown = withoutPassword(targets.mqttUrl);
        const paint = paletteOf(context, options.color);
        const panel = out.isTty
          ? new Panel(
              (text) => out.raw(text),
              () => out.columns,
            )
          : undefined;
        const say = (text: string): void =>
          panel === undefined ? out.progress(text) : panel.line(paint.faint(text));
        const { default: mqtt } = await import('mqtt');
        const client = mqtt.connect(targets.mqttUrl, {
          clientId: `gtx-watch-${process.pid}-${Date.now().toString(36)}`,
          connectTimeout: 5_000,
          reconnectPeriod: 1_000,
          ...tls,
          ...(login ?? {}),
        });
        let connectedOnce = false;
        let ending = false;
        let seen = 0;
        const ended = new AbortController();
        const figures =
          panel === undefined
            ? Promise.resolve()
            : keepFigures(panel, paint, targets, context, tls.ca, ended.signal);
        try {
          return await new Promise<number>((resolve, reject) => {
            figures.catch(reject);
            interrupted.addEventListener(
              'abort',
              () => resolve(count === undefined ? EXIT.ok : EXIT.interrupted),
              { once: true },
            );
            client.on('connect', () => {
              if (connectedOnce) say(`connected again to ${shown}`);
              else say(`watching ${shown}${meter === undefined ? '' : ` for ${meter}`}; Ctrl-C ends`);
              connectedOnce = true;
              client.subscribe(`${TOPIC_ROOT}/${meter ?? '+'}/+`, { qos: 0 }, (error) => {
                if (error)
                  reject(
                    new GtxError('TOPIC_FORBIDDEN', `the broker does not let us listen: ${error.message}`),
                  );
              });
            });
            client.on('close', () => {
              if (connectedOnce && !ending) say(`lost ${shown}, trying again`);
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
              // Messages that came together with the last wanted one are handed over before the client has ended.
              if (seen === count) return;
              const message = describeMessage(topic, payload, { retained: packet.retain, atMs: Date.now() });
              if (panel === undefined) out.result(message.json, paintedMessage(message, paint));
              else panel.line(paintedMessage(message, paint));
              seen += 1;
              if (seen === count) resolve(EXIT.ok);
            });
          });
        } finally {
          ending = true;
          ended.abort();
          await Promise.all([client.endAsync(true), figures.catch(() => {})]);
          panel?.end();
        }
      },
    },
    environment,
  );
}

/** What the broker's TLS needs of the command line. @throws GtxError CONFIG_INVALID */
function tlsOf({ ca, cert, key }: WatchOptions): { ca?: string; cert?: string; key?: string } {
  if ((cert === undefined) !== (key === undefined)) {
    throw new GtxError('CONFIG_INVALID', '--cert and --key belong together');
  }
  return {
    ...(ca !== undefined && { ca: pemFile('--ca', ca) }),
    ...(cert !== undefined && { cert: pemFile('--cert', cert) }),
    ...(key !== undefined && { key: pemFile('--key', key) }),
  };
}

/** Asks the collector again and again until `ended`; while it does not answer, the panel says so. */
async function keepFigures(
  panel: Panel,
  paint: Palette,
  targets: Targets,
  { env, out }: Context,
  ca: string | undefined,
  ended: AbortSignal,
): Promise<void> {
  const { OperatorApi } = await import('../operator-api.js');
  const { askFigures, figuresPanel, noFiguresLine } = await import('../figures.js');
  const api = new OperatorApi(targets, env, ca);
  const rule = (): string => paint.faint('─'.repeat(Math.min(out.columns, 80)));
  while (!ended.aborted) {
    let lines: string[];
    try {
      lines = figuresPanel(await askFigures(api, Date.now()), paint);
    } catch (error) {
      if (!(error instanceof GtxError)) throw error;
      lines = [paint.bad(noFiguresLine(error))];
    }
    if (ended.aborted) return;
    panel.show([rule(), ...lines]);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FIGURES_EVERY_MS);
      ended.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }
}
