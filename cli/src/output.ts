import { ERRORS, GtxError } from '@gridtokenx/protocol';

/** A value that JSON can hold; amounts are decimal strings, never numbers. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export interface Streams {
  out(text: string): void;
  err(text: string): void;
  /** True when stdout is a terminal that can be redrawn. */
  readonly isTty: boolean;
  /** How wide the terminal is now; undefined where it is none. */
  readonly columns?: number | undefined;
}

export const processStreams: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true && process.env.TERM !== 'dumb',
  get columns() {
    return process.stdout.columns;
  },
};

/** How a command speaks: results on stdout (text, or one JSON value), progress and complaints on stderr. */
export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(json: boolean, streams: Streams = processStreams) {
    this.json = json;
    this.#streams = streams;
  }

  get isTty(): boolean {
    return this.#streams.isTty && !this.json;
  }

  /** Columns of the terminal; as many as anything needs where it is none. */
  get columns(): number {
    return this.#streams.columns || Number.POSITIVE_INFINITY;
  }

  /** The command's result: `value` with --json (one line), otherwise the text. */
  result(value: Json, text: string): void {
    this.#streams.out(this.json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  }

  /** Text as it is on stdout, for views that redraw. */
  raw(text: string): void {
    this.#streams.out(text);
  }

  /** What is being done, for whoever watches; on stderr, so that results stay clean. */
  progress(text: string): void {
    this.#streams.err(`${text}\n`);
  }

  /** A failure: what happened, its code, and what to do about it. With --json also as an object on stdout. */
  failure(error: unknown): void {
    const known = error instanceof GtxError ? error : undefined;
    const code = known?.code ?? 'INTERNAL';
    const message = error instanceof Error ? error.message : String(error);
    const entry = ERRORS[code];
    if (this.json) {
      const body = {
        error: {
          code,
          message,
          retry: entry.retry,
          action: entry.action,
          ...(known?.details === undefined ? {} : { details: known.details }),
        },
      };
      this.#streams.out(
        `${JSON.stringify(body, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}\n`,
      );
    }
    this.#streams.err(`${failureText(code, message, entry.action, known?.details)}\n`);
  }
}

function failureText(code: string, message: string, action: string, details: unknown): string {
  const lines = [`Error ${code}: ${message}`, `What to do: ${action}`];
  if (typeof details === 'object' && details !== null) {
    for (const [name, value] of Object.entries(details)) {
      if (value === undefined) continue;
      if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')) {
        lines.push(`  ${name}:`, ...value.map((item) => `    ${item}`));
      } else
        lines.push(`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value, bigintAsText)}`);
    }
  }
  return lines.join('\n');
}

const bigintAsText = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

/** Aligns `rows` of name and value. */
export function table(rows: readonly (readonly [string, string])[], indent = ''): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`).join('\n');
}

/** Seconds as a person says them: "850 ms", "12.3 s", "3 min 4 s", "2 h 5 min". */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
