/** `npm run bench`: see docs/benchmarks.md. Progress on stderr, figures on stdout. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAgent } from './agent.js';
import { measureBook } from './book.js';
import { measureEvents } from './events.js';
import { IngestFleet } from './ingest.js';
import { measureLatency } from './latency.js';
import { describeMachine } from './machine.js';
import { measureOffline } from './offline.js';
import { type Figure, reached, reportJson, reportText } from './report.js';
import { Stack } from './stack.js';
import { measureTrades } from './trades.js';
import { measureWebSocket } from './websocket.js';

const BENCHMARKS = [
  'book',
  'latency',
  'agent',
  'offline',
  'ingest-mqtt',
  'ingest-direct',
  'events',
  'trades',
  'websocket',
] as const;
type Benchmark = (typeof BENCHMARKS)[number];

const USAGE = `npm run bench -- [NAME...] [options]
  NAME             as --only NAME
  --quick          a few seconds each: shows that it runs, too short to quote
  --only NAME      one of ${BENCHMARKS.join(', ')}; may be given several times
  --json           the report as one line of JSON
  --check          exit 1 when a goal is missed
  --cpu-prof DIR   leave CPU profiles of the measured processes there
  --keep           leave the data folder
`;

const say = (text: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`);

async function main(): Promise<number> {
  let values: {
    quick?: boolean;
    only?: string[];
    json?: boolean;
    check?: boolean;
    keep?: boolean;
    help?: boolean;
    'cpu-prof'?: string;
  };
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        json: { type: 'boolean' },
        check: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean' },
        'cpu-prof': { type: 'string' },
      },
    });
    const only = [...(parsed.values.only ?? []), ...parsed.positionals];
    values = { ...parsed.values, ...(only.length > 0 ? { only } : {}) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = values.only?.find((name) => !BENCHMARKS.some((known) => known === name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no benchmark ${unknown}\n\n${USAGE}`);
    return 2;
  }
  const chosen = BENCHMARKS.filter((name) => values.only?.includes(name) ?? true);
  const quick = values.quick ?? false;
  const profileDir = values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof']);
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });

  const stack = new Stack({ say, profileDir, keep: values.keep ?? false });
  const machine = describeMachine(stack.layout.root);
  const figures: Figure[] = [];
  const interrupted = new Promise<never>((_, reject) => {
    process.once('SIGINT', () => reject(new Error('interrupted')));
    process.once('SIGTERM', () => reject(new Error('interrupted')));
  });
  const run = async () => {
    // The book alone needs no chain and no database.
    if (chosen.some((name) => name !== 'book')) await stack.start();
    const fleet = new IngestFleet(stack, { quick, say });
    const measure: Record<Benchmark, () => Promise<Figure[]>> = {
      book: async () => measureBook({ quick, say }),
      latency: () => measureLatency(stack, { quick, say }),
      agent: () => measureAgent(stack, { quick, say }),
      offline: () => measureOffline(stack, { quick, say }),
      'ingest-mqtt': () => fleet.mqtt(),
      'ingest-direct': () => fleet.direct(),
      events: () => measureEvents(stack, { quick, say }),
      trades: () => measureTrades(stack, { quick, say }),
      websocket: () => measureWebSocket(stack, { quick, say }),
    };
    for (const name of chosen) {
      say(`--- ${name}`);
      figures.push(...(await measure[name]()));
    }
  };
  try {
    await Promise.race([run(), interrupted]);
  } finally {
    await stack.stop();
  }
  const report = { machine, quick, figures };
  process.stdout.write(`${values.json ? reportJson(report) : reportText(report)}\n`);
  return values.check && figures.some((figure) => !reached(figure)) ? 1 : 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
