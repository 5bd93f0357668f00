import { EventEmitter, once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { GtxError } from '@gridtokenx/protocol';

/** Where a person is asked. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** Questions go to stderr: results stay clean. */
const THIS_TERMINAL: Terminal = { input: process.stdin, output: process.stderr };
const MAX_BYTES = 4_096;

export interface PassphraseWish {
  /** A file whose first line it is; without one, a person is asked. */
  readonly file: string | undefined;
  /** A new passphrase: asked for twice, and of this many characters at least. */
  readonly least?: number | undefined;
}

/**
 * The passphrase of a backup. It never stands on the command line, where every program of the machine can read it.
 * @throws GtxError VALUE_INVALID when there is none, it is too short, or both times are not the same;
 *   KEY_FILE_PERMISSIONS when others may read the file
 */
export async function obtainPassphrase(
  { file, least }: PassphraseWish,
  signal: AbortSignal,
  terminal: Terminal = THIS_TERMINAL,
): Promise<string> {
  if (file !== undefined) return longEnough(fromFile(file), least);
  if (!terminal.input.isTTY) {
    throw new GtxError(
      'VALUE_INVALID',
      'there is no terminal to ask for the passphrase: give --passphrase-file',
    );
  }
  const [first = '', second] = await askHidden(
    least === undefined ? ['Passphrase: '] : ['Passphrase: ', 'The same again: '],
    signal,
    terminal,
  );
  longEnough(first, least);
  if (second !== undefined && first !== second) {
    throw new GtxError('VALUE_INVALID', 'the two passphrases are not the same');
  }
  return first;
}

function longEnough(passphrase: string, least = 1): string {
  if ([...passphrase].length < least) {
    throw new GtxError(
      'VALUE_INVALID',
      passphrase === '' ? 'the passphrase is empty' : `the passphrase must have at least ${least} characters`,
    );
  }
  return passphrase;
}

function fromFile(path: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const status = fstatSync(descriptor);
    if (status.isFile() && (status.mode & 0o077) !== 0) {
      throw new GtxError('KEY_FILE_PERMISSIONS', `${path} can be read by others; run chmod 600 ${path}`);
    }
    if (status.size > MAX_BYTES) throw new GtxError('VALUE_INVALID', `${path} is too long for a passphrase`);
    return (readFileSync(descriptor, 'utf8').split('\n')[0] as string).replace(/\r$/, '');
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('VALUE_INVALID', `${path} cannot be read: ${(error as Error).message}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Asks without showing what is typed. */
async function askHidden(
  questions: readonly string[],
  signal: AbortSignal,
  { input, output }: Terminal,
): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // A terminal of its own: it takes over the echo, and shows nothing.
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  const typed: string[] = [];
  const more = new EventEmitter();
  let over = false;
  const stop = (): void => {
    over = true;
    more.emit('more');
  };
  // Lines may come before they are asked for, as from a clipboard.
  lines.on('line', (line: string) => {
    typed.push(line);
    more.emit('more');
  });
  lines.once('close', stop);
  // Ctrl-C comes as a character while the echo is off.
  lines.once('SIGINT', stop);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answers: string[] = [];
    for (const question of questions) {
      output.write(question);
      while (typed.length === 0 && !over) await once(more, 'more');
      const answer = typed.shift();
      if (answer === undefined) throw new GtxError('VALUE_INVALID', 'the passphrase was not given');
      answers.push(answer);
      output.write('\n');
    }
    return answers;
  } finally {
    signal.removeEventListener('abort', stop);
    lines.close();
  }
}
