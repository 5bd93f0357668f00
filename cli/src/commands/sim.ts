import { readFileSync } from 'node:fs';
import { GtxError } from '@gridtokenx/protocol';
import type { SimulatorConfigInput } from '@gridtokenx/simulator';
import type { Command } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment, valueOption } from '../command.js';
import { serviceLogger } from '../logger.js';
import { runService } from '../process/service.js';

interface SimOptions {
  readonly config?: string;
  readonly port?: number;
  readonly link?: string;
  readonly seed?: string;
  readonly units?: number;
  readonly controlPort?: number;
}

/** The simulator's configuration from a file or, without one, from the flags. */
export function simulatorConfigOf(options: SimOptions): SimulatorConfigInput {
  const { config: file, port, link, seed, units, controlPort } = options;
  if (file !== undefined) {
    if ([port, link, seed, units, controlPort].some((flag) => flag !== undefined)) {
      throw new GtxError('CONFIG_INVALID', 'give either --config or the other options, not both');
    }
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new GtxError('CONFIG_INVALID', `cannot read ${file}: ${(error as Error).message}`, {
        path: file,
      });
    }
    try {
      // Checked by the simulator's own schema.
      return JSON.parse(text) as SimulatorConfigInput;
    } catch (error) {
      throw new GtxError('CONFIG_INVALID', `${file} is not JSON: ${(error as Error).message}`, {
        path: file,
      });
    }
  }
  if (port !== undefined && link !== undefined) {
    throw new GtxError(
      'CONFIG_INVALID',
      'give either --port (Modbus TCP) or --link (a serial line), not both',
    );
  }
  return {
    transport:
      link === undefined ? { type: 'tcp', host: '127.0.0.1', port: port ?? 0 } : { type: 'pty', link },
    ...(seed === undefined ? {} : { seed }),
    units: Array.from({ length: units ?? 1 }, (_, index) => ({ unit: index + 1 })),
    ...(controlPort === undefined ? {} : { control: { host: '127.0.0.1', port: controlPort } }),
  };
}

export function addSim(program: Command, environment: ProgramEnvironment): void {
  addCommand<SimOptions>(
    program,
    {
      name: 'sim',
      summary: 'Run virtual meters on Modbus in the foreground.',
      description: `Eastron SDM630 meters with a solar-and-household day, on Modbus TCP or on a serial line (needs socat).
Prints one JSON line with the connection when it is ready. Stops on Ctrl-C, SIGTERM.`,
      options: [
        valueOption('--config <file>', 'the simulator’s configuration (JSON); then no other option'),
        integerOption('--port <port>', 'Modbus TCP port; 0 takes a free one', 0, 65535),
        valueOption('--link <path>', 'make a serial line (PTY) and link it here'),
        integerOption('--units <number>', 'how many meters, unit ids from 1', 1, 247),
        valueOption('--seed <text>', 'the same seed gives the same sun, clouds and household'),
        integerOption(
          '--control-port <port>',
          'HTTP control and metrics on this port; 0 takes a free one',
          0,
          65535,
        ),
      ],
      examples: [
        { command: 'gtx sim --port 5020', shows: 'One meter at 127.0.0.1:5020, unit 1.' },
        {
          command: 'gtx sim --link /tmp/meter --units 3',
          shows: 'Three meters on the serial line /tmp/meter.',
        },
      ],
      async action(options, { env }) {
        const config = simulatorConfigOf(options);
        const logger = serviceLogger(undefined, env);
        return await runService('simulator', async () => {
          const { startSimulator } = await import('@gridtokenx/simulator');
          const simulator = await startSimulator(config, { logger });
          const { connection, controlUrl } = simulator;
          return {
            info: { connection, ...(controlUrl === undefined ? {} : { http_url: controlUrl }) },
            stop: () => simulator.stop(),
          };
        });
      },
    },
    environment,
  );
}
