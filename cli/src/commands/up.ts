import { assertMeterId } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import { addCommand, integerOption, type ProgramEnvironment, parsedOption } from '../command.js';

interface Options {
  readonly mints?: number;
  readonly intervalSeconds: number;
  readonly settlement: 'interval' | 'realtime';
  readonly ports: 'preferred' | 'free';
  readonly meterId: string;
  readonly ratedWatts: number;
  readonly timeoutSeconds: number;
}

export function addUp(program: Command, environment: ProgramEnvironment): void {
  addCommand<Options>(
    program,
    {
      name: 'up',
      summary: 'Start everything on this machine and show it live; what npm start runs.',
      description: `PostgreSQL, the chain, a simulated meter, the collector with its broker and the gateway, each as a process of its
own that is started again when it crashes. The first start makes keys, initialises the programs and registers a demo
owner and meter; a later start goes on from the data of the first. Ctrl-C stops everything.

With DATABASE_URL, MQTT_URL or SOLANA_RPC_URL set, that component is not started and the given one is used. On another
chain than the embedded one the programs must be deployed under the data folder's upgrade authority.`,
      options: [
        integerOption(
          '--mints <number>',
          'end with 0 once this many minting transactions are confirmed and the audit passes',
          1,
          1_000_000,
        ),
        integerOption(
          '--interval-seconds <s>',
          'length of a settlement interval, in seconds',
          1,
          86_400,
        ).default(15),
        new Option('--settlement <when>', 'mint at once after a reading, or on the collector’s schedule')
          .choices(['realtime', 'interval'])
          .default('realtime'),
        new Option('--ports <which>', 'the usual ports where they are free, or any free ones')
          .choices(['preferred', 'free'])
          .default('preferred'),
        parsedOption('--meter-id <id>', 'the demo’s meter', (text: string) => {
          assertMeterId(text);
          return text;
        }).default('MTR-DEMO-001'),
        integerOption(
          '--rated-watts <watts>',
          'rated power of the demo’s meter at its registration, in W',
          1,
          10_000_000,
        ).default(20_000),
        integerOption('--timeout-seconds <s>', 'with --mints: give up after this time', 1, 1_000_000).default(
          600,
        ),
      ],
      examples: [
        { command: 'gtx up', shows: 'Meter power, readings, GRID minted, transactions, URLs; until Ctrl-C.' },
        {
          command: 'gtx up --mints 3 --json',
          shows: 'Progress on stderr; the last line on stdout is the summary as JSON.',
        },
        {
          command: 'SOLANA_RPC_URL=http://127.0.0.1:8899 gtx up',
          shows: 'The same on a chain that runs already.',
        },
      ],
      async action(options, context) {
        const { runUp } = await import('../up/run.js');
        return await runUp({ ...options, mints: options.mints }, context);
      },
    },
    environment,
  );
}
