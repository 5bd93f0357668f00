import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERRORS, GtxError } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/protocol/testing/port';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examplesOf, processEnvironment } from './command.js';
import { runCommandLine } from './command-line.js';
import { EXIT, EXIT_MEANINGS, exitCodeOf } from './exit-codes.js';
import { buildProgram } from './program.js';
import { fullName, leafCommands } from './reference.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command line in this process, with the data folder of the test, and collects what it prints. */
async function gtx(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let out = '';
  let err = '';
  const code = await runCommandLine(args, {
    streams: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      isTty: false,
    },
    env: { GTX_DATA_DIR: folder, ...env },
  });
  return { code, out, err };
}

const leaves = leafCommands(buildProgram(processEnvironment)).map((command) => ({
  name: fullName(command),
  words: fullName(command).split(' ').slice(1),
  command,
}));

describe('the tree of commands', () => {
  it('has all that the documentation promises', () => {
    expect(leaves.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'gtx up',
        'gtx status',
        'gtx watch',
        'gtx audit',
        'gtx replay',
        'gtx keygen',
        'gtx chain init',
        'gtx register-user',
        'gtx verify-user',
        'gtx register-meter',
        'gtx submit-reading',
        'gtx settle-meter-balance',
        'gtx create-order',
        'gtx match-order',
        'gtx cancel-order',
        'gtx expire-order',
        'gtx orders',
        'gtx book',
        'gtx trades',
        'gtx balances',
        'gtx price',
        'gtx faucet',
        'gtx market create',
        'gtx market show',
        'gtx oracle init',
        'gtx oracle feed',
        'gtx oracle add-publisher',
        'gtx oracle remove-publisher',
        'gtx oracle submit',
        'gtx oracle show',
        'gtx oracle run',
        'gtx market hand-over',
        'gtx governance init',
        'gtx governance deposit',
        'gtx governance withdraw',
        'gtx governance propose',
        'gtx governance vote',
        'gtx governance release-vote',
        'gtx governance finalize',
        'gtx governance execute',
        'gtx governance list',
        'gtx governance show',
        'gtx certificates list',
        'gtx certificates opt-in',
        'gtx certificates fund',
        'gtx certificates issue',
        'gtx certificates split',
        'gtx certificates transfer',
        'gtx certificates retire',
        'gtx localnet',
        'gtx agent run',
        'gtx collector run',
        'gtx collector health',
        'gtx broker rules',
        'gtx sim run',
        'gtx sim plot',
        'gtx sim fleet',
        'gtx postgres',
      ]),
    );
  });

  it.each(leaves)('$name --help shows an example, and takes --json', async ({ name, words, command }) => {
    const { code, out } = await gtx([...words, '--help']);
    expect(code).toBe(EXIT.ok);
    expect(out).toContain('Examples:');
    const examples = examplesOf.get(command) ?? [];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example.command).toContain(name);
      expect(out).toContain(example.command);
    }
    expect(command.options.map(({ long }) => long)).toEqual(expect.arrayContaining(['--json', '--data-dir']));
    expect(command.summary()).toMatch(/\.$/);
  });

  it.each(leaves)('$name refuses what it does not know, with exit code 2', async ({ words }) => {
    const unknown = await gtx([...words, '--no-such-option']);
    // Commander names a missing required option before an unknown one.
    expect(unknown).toMatchObject({
      code: EXIT.usage,
      err: expect.stringMatching(/--no-such-option|required option/),
    });
    expect(unknown.err).toContain('--help');
    const surplus = await gtx([...words, 'surplus-word']);
    expect(surplus.code).toBe(EXIT.usage);
  });

  // Every option that an example uses has to be one: parse each example without running it.
  it.each(leaves)('$name has examples that parse', async ({ command }) => {
    for (const { command: line } of examplesOf.get(command) ?? []) {
      const words = line.slice(line.indexOf('gtx ') + 4).split(' ');
      const flags = words.filter((word) => word.startsWith('--'));
      const known = command.options.map(({ long }) => long);
      for (const flag of flags) expect(known, line).toContain(flag);
    }
  });

  it('explains itself without a command, and an unknown one', async () => {
    expect((await gtx([])).code).toBe(EXIT.usage);
    expect((await gtx(['--help'])).code).toBe(EXIT.ok);
    expect((await gtx(['--version'])).out).toMatch(/^\d+\.\d+\.\d+/);
    const wrong = await gtx(['settle']);
    expect(wrong).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining("unknown command 'settle'"),
    });
    expect((await gtx(['chain'])).code).toBe(EXIT.usage);
  });
});

describe('values from the command line', () => {
  it.each([
    ['up', '--mints', '0'],
    ['up', '--mints', '1.5'],
    ['up', '--mints', 'three'],
    ['up', '--meter-id', 'no spaces'],
    ['up', '--settlement', 'never'],
    ['localnet', '--port', '65536'],
    ['register-meter', '--rated-watts', '0'],
    ['submit-reading', '--production', '1', '--consumption', '-1'],
    ['submit-reading', '--production', '1e3', '--consumption', '0'],
    ['submit-reading', '--production', '0.0000000001', '--consumption', '0'],
    ['submit-reading', '--production', '1'],
    ['burn'],
    ['release', '--sequence', '-1'],
    ['sim', '--port', '1', '--link', 'x'],
    ['keygen'],
    ['keygen', '--set', '--out', 'x'],
    ['status', '--data-dir'],
    ['audit', '--database', 'mysql://x'],
    ['replay', '--database-url', 'mysql://x'],
    ['watch', '--mqtt', 'not a url'],
    ['register-user', '--rpc', 'ftp://x'],
  ])('refuses %s %s %s %s %s with exit code 2', async (...args) => {
    const { code, err } = await gtx(args);
    expect(code).toBe(EXIT.usage);
    expect(err.length).toBeGreaterThan(10);
  });
});

describe('errors', () => {
  it('say what happened, what to do, and have an exit code; as JSON too', async () => {
    const plain = await gtx(['register-user', '--wallet-key', join(folder, 'absent.json')]);
    expect(plain.code).toBe(EXIT.usage);
    expect(plain.out).toBe('');
    expect(plain.err).toContain('Error KEY_FILE_INVALID');
    expect(plain.err).toContain(ERRORS.KEY_FILE_INVALID.action);
    const json = await gtx(['register-user', '--json', '--wallet-key', join(folder, 'absent.json')]);
    expect(JSON.parse(json.out)).toMatchObject({
      error: { code: 'KEY_FILE_INVALID', retry: 'never', action: ERRORS.KEY_FILE_INVALID.action },
    });
  });

  it('tell an outage from a refusal', async () => {
    expect((await gtx(['keygen', '--set'])).code).toBe(EXIT.ok);
    // A port that nobody listens on.
    const port = await freePort();
    const offline = await gtx(['register-user', '--rpc', `http://127.0.0.1:${port}`]);
    expect(offline).toMatchObject({
      code: EXIT.unavailable,
      err: expect.stringContaining('CHAIN_UNAVAILABLE'),
    });
    const broker = await gtx(['watch', '--mqtt', `mqtt://127.0.0.1:${port}`]);
    expect(broker).toMatchObject({
      code: EXIT.unavailable,
      err: expect.stringContaining('BROKER_UNAVAILABLE'),
    });
  });

  it('map every code of the catalogue to a documented exit code', () => {
    const documented = EXIT_MEANINGS.map(({ code }) => code);
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      expect(documented, code).toContain(exitCodeOf(new GtxError(code)));
      expect(exitCodeOf(new GtxError(code)), code).not.toBe(EXIT.ok);
    }
    expect(exitCodeOf(new Error('x'))).toBe(EXIT.failed);
    expect(exitCodeOf(new GtxError('CHAIN_UNAVAILABLE'))).toBe(EXIT.unavailable);
    expect(exitCodeOf(new GtxError('INVALID_SIGNATURE'))).toBe(EXIT.refused);
    expect(exitCodeOf(new GtxError('CONFIG_INVALID'))).toBe(EXIT.usage);
    expect(exitCodeOf(new GtxError('DATA_DIR_IN_USE'))).toBe(EXIT.busy);
    expect(exitCodeOf(new GtxError('STORAGE_UNAVAILABLE'))).toBe(EXIT.unavailable);
  });
});

describe('gtx keygen', () => {
  it('makes each key once, readable only by its owner, in a folder of its own', async () => {
    const first = JSON.parse((await gtx(['keygen', '--set', '--json'])).out) as {
      keys: { file: string; public_key: string }[];
    };
    expect(first.keys).toHaveLength(9);
    for (const { file } of first.keys) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700);
    const second = JSON.parse((await gtx(['keygen', '--set', '--json'])).out) as typeof first;
    expect(second.keys.map(({ public_key }) => public_key)).toEqual(
      first.keys.map(({ public_key }) => public_key),
    );
    expect(JSON.stringify(second)).toContain('"created":false');
    expect(new Set(second.keys.map(({ public_key }) => public_key)).size).toBe(9);
  });

  it('never replaces a file and never shows a secret', async () => {
    const file = join(folder, 'one.json');
    const made = await gtx(['keygen', '--out', file]);
    const secret = (JSON.parse(readFileSync(file, 'utf8')) as number[]).slice(0, 32).join(',');
    expect(made.out + made.err).not.toContain(secret);
    const again = await gtx(['keygen', '--out', file]);
    expect(again.code).not.toBe(EXIT.ok);
    expect(readFileSync(file, 'utf8')).toContain(secret);
  });
});

describe('gtx status', () => {
  it('says that nothing runs, with exit code 3', async () => {
    const { code, out } = await gtx(['status', '--json']);
    expect(code).toBe(EXIT.unavailable);
    expect(JSON.parse(out)).toMatchObject({ running: false, data_dir: folder, components: [] });
  });

  it('is not misled by the run file of a killed run', async () => {
    writeFileSync(
      join(folder, 'up.json'),
      JSON.stringify({
        version: 1,
        supervisor: { pid: process.pid, startedAt: 'another time' },
        startedAt: '2026-01-01T00:00:00Z',
        dataDir: folder,
        components: [],
      }),
    );
    expect(JSON.parse((await gtx(['status', '--json'])).out)).toMatchObject({ running: false });
    writeFileSync(join(folder, 'up.json'), 'damaged');
    expect((await gtx(['status'])).code).toBe(EXIT.unavailable);
  });
});
