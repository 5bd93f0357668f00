// fuzz.mjs: runs random sequences of all instructions of all programs for as long as it is told, and says how far it is.
// The work is programs/tests/fuzz, run by vitest; this starts it and reads what it reports.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `Random sequences of all instructions of all programs, with their invariants checked after each transaction.

  npm run fuzz -- [options]

  --minutes N        how long (default 5)
  --seed SEED        repeats a run; SEED/SEQUENCE repeats one of its sequences
  --only STEPS       of that sequence, only these steps: 3,17,44
  --artifacts DIR    compiled programs and IDLs to test (default programs/artifacts)
  --json             one line of JSON at the end, and no progress
  --help             this text

Exits with 0 when every invariant held, 1 when one did not (and says how to repeat it), 2 for wrong options.
`;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string' },
        only: { type: 'string' },
        artifacts: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const minutes = Number(values.minutes);
    if (!Number.isFinite(minutes) || minutes <= 0)
      throw new Error(`--minutes ${values.minutes} is not a number above 0`);
    if (values.seed !== undefined && !/^\d+(\/\d+)?$/.test(values.seed))
      throw new Error(`--seed ${values.seed} is neither a number nor NUMBER/NUMBER`);
    if (values.only !== undefined && !/^\d+(,\d+)*$/.test(values.only))
      throw new Error(`--only ${values.only} is no list of steps`);
    if (values.only !== undefined && !values.seed?.includes('/'))
      throw new Error('--only needs --seed SEED/SEQUENCE');
    return { ...values, minutes };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

const given = options();
if (given.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gtx-fuzz-'));
const log = join(folder, 'log');
const seed = given.seed ?? `${Date.now() % 2 ** 31}`;
const child = spawn(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    'programs/tests/fuzz',
    '--reporter=json',
    `--outputFile=${join(folder, 'report')}`,
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      GTX_FUZZ_SEED: seed,
      GTX_FUZZ_MINUTES: `${given.minutes}`,
      GTX_FUZZ_LOG: log,
      ...(given.only ? { GTX_FUZZ_ONLY: given.only } : {}),
      ...(given.artifacts ? { GTX_ARTIFACTS: given.artifacts } : {}),
    },
  },
);
let output = '';
for (const stream of [child.stdout, child.stderr])
  stream.on('data', (chunk) => {
    output = (output + chunk).slice(-100_000);
  });

const entries = () =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line))
    : [];
const started = Date.now();
let told = 0;
const progress = setInterval(() => {
  const all = entries().filter(({ done }) => !done);
  const last = all.at(-1);
  if (given.json || !last || all.length === told) return;
  told = all.length;
  const minutes = ((Date.now() - started) / 60_000).toFixed(1);
  process.stderr.write(
    `${minutes} min: ${told} sequences, ${last.instructions} instructions, ${Math.round((100 * last.accepted) / last.instructions)} % accepted\n`,
  );
}, 2_000);
process.stderr.write(given.json ? '' : `seed ${seed}, ${given.minutes} min\n`);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));

child.on('close', (code) => {
  clearInterval(progress);
  const all = entries();
  const summary = all.find(({ done }) => done);
  const failed = all.find(({ failure }) => failure);
  rmSync(folder, { recursive: true, force: true });
  const ok = code === 0 && summary !== undefined;
  if (given.json) {
    const { done: _done, ...sums } = summary ?? {};
    const last = all.at(-1);
    process.stdout.write(
      `${JSON.stringify({
        ok,
        seed,
        ...(last ? { instructions: last.instructions, accepted: last.accepted } : {}),
        ...sums,
        ...(failed ? { failure: failed.failure } : {}),
        ...(ok || failed ? {} : { output }),
      })}\n`,
    );
  } else if (summary) {
    const rows = Object.entries(summary.tally).sort(([a], [b]) => (a < b ? -1 : 1));
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, { accepted, refused }] of rows)
      process.stdout.write(
        `${name.padEnd(width)} ${`${accepted}`.padStart(8)} accepted ${`${refused}`.padStart(8)} refused\n`,
      );
    process.stdout.write(
      `${summary.instructions} instructions, ${Math.round((100 * summary.accepted) / summary.instructions)} % accepted; seed ${seed}\n`,
    );
  }
  if (!ok && !given.json) process.stderr.write(`${failed?.failure ?? output}\n`);
  process.exitCode = ok ? 0 : 1;
});
