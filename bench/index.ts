/** `npm run bench`: see docs/benchmarks.md. Progress on stderr, figures on stdout. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureAgent } from './agent.js';
import { measureBook } from './book.js';
import { measureEvents } from './events.js';
import { IngestFleet } from './ingest.js';
import { measureLatency } from './latency.js';
import { describeMachine } from './machine.js';
import { measureOffline } from './offline.js';
import { measurePage } from './page.js';
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
/** Only when they are named: they take long, and much room. */
const ON_DEMAND = ['page'] as const;
const ALL = [...BENCHMARKS, ...ON_DEMAND];
type Benchmark = (typeof ALL)[number];

const USAGE = `npm run bench -- [NAME...] [options]
  NAME             as --only NAME
  --quick          a few seconds each: shows that it runs, too short to quote
  --only NAME      one of ${BENCHMARKS.join(', ')}; may be given several times.
                   Only when named: ${ON_DEMAND.join(', ')}
  --json           the report as one line of JSON
  --check          exit 1 when a goal is missed
  --cpu-prof DIR   leave CPU profiles of the measured processes there
  --keep           leave the data folder
  --gateway-node FILE
                   agent, offline: the gateway on another Node; \`package\` is the one that the Debian package carries
  --tls            agent: to broker and collector by TLS
  --data-dir DIR   page: keep its database there (20 GB), and use what an earlier run has left
  --readings N     page: readings of each of its 10,000 meters; default 2000
`;

/** The program that `--gateway-node` means. */
function nodeOf(given: string | undefined, runtimeDir: string): string | undefined {
  if (given !== 'package') return given === undefined ? undefined : resolve(given);
  const script = fileURLToPath(new URL('../../deploy/debian/runtime.mjs', import.meta.url));
  return execFileSync(process.execPath, [script, runtimeDir], { encoding: 'utf8' }).trim();
}

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
    'data-dir'?: string;
    'gateway-node'?: string;
    tls?: boolean;
    readings?: string;
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
        'data-dir': { type: 'string' },
        'gateway-node': { type: 'string' },
        tls: { type: 'boolean' },
        readings: { type: 'string' },
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
  const unknown = values.only?.find((name) => !ALL.some((known) => known === name));
  if (unknown !== undefined) {
    process.stderr.write(`there is no benchmark ${unknown}\n\n${USAGE}`);
    return 2;
  }
  const chosen: Benchmark[] =
    values.only === undefined ? [...BENCHMARKS] : ALL.filter((name) => values.only?.includes(name));
  const readings = values.readings === undefined ? undefined : Number(values.readings);
  if (readings !== undefined && !(Number.isSafeInteger(readings) && readings >= 2)) {
    process.stderr.write(`--readings: not a number of readings\n\n${USAGE}`);
    return 2;
  }
  const quick = values.quick ?? false;
  const profileDir = values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof']);
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });

  const runtimeDir = mkdtempSync(join(tmpdir(), 'gtx-bench-node-'));
  process.once('exit', () => rmSync(runtimeDir, { recursive: true, force: true }));
  const gatewayNode = nodeOf(values['gateway-node'], runtimeDir);
  const stack = new Stack({ say, profileDir, keep: values.keep ?? false, gatewayNode });
  const machine = describeMachine(stack.layout.root);
  const figures: Figure[] = [];
  const interrupted = new Promise<never>((_, reject) => {
    process.once('SIGINT', () => reject(new Error('interrupted')));
    process.once('SIGTERM', () => reject(new Error('interrupted')));
  });
  const run = async () => {
    // The book needs no chain and no database, and the page has its own.
    if (chosen.some((name) => name !== 'book' && name !== 'page')) await stack.start();
    const fleet = new IngestFleet(stack, { quick, say });
    const measure: Record<Benchmark, () => Promise<Figure[]>> = {
      book: async () => measureBook({ quick, say }),
      latency: () => measureLatency(stack, { quick, say }),
      agent: () => measureAgent(stack, { quick, say, tls: values.tls ?? false }),
      offline: () => measureOffline(stack, { quick, say }),
      'ingest-mqtt': () => fleet.mqtt(),
      'ingest-direct': () => fleet.direct(),
      events: () => measureEvents(stack, { quick, say }),
      trades: () => measureTrades(stack, { quick, say }),
      websocket: () => measureWebSocket(stack, { quick, say }),
      page: () =>
        measurePage({
          quick,
          say,
          profileDir,
          dataDir: values['data-dir'] === undefined ? undefined : resolve(values['data-dir']),
          readings,
        }),
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
