import { readFile, stat } from 'node:fs/promises';
import { GtxError, parseWith } from '@gridtokenx/protocol';
import { z } from 'zod';
import type { SourceConfig } from './config.js';
import { atPointer, parsePriceValue, parseTimeValue, type Quote, scaled } from './price.js';

/** Where prices come from. A new kind of source is another class with this contract. */
export interface PriceSource {
  readonly name: string;
  /**
   * Asks once.
   * @throws Error saying in words why there is no price now; the next time there may be one
   */
  read(signal: AbortSignal): Promise<Quote>;
}

/** An answer that is longer is none of a price source. */
const MOST_BYTES = 1_048_576;

/** The quote in a document. @param otherwise its time when the document does not say one, Unix seconds */
function quoteIn(text: string, config: SourceConfig, otherwise: number): Quote {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error('what it says is no JSON');
  }
  const price = parsePriceValue(atPointer(document, config.pointer));
  if (price === undefined) throw new Error(`there is no price at ${config.pointer || 'its root'}`);
  let at = otherwise;
  if (config.time_pointer !== undefined) {
    const time = parseTimeValue(atPointer(document, config.time_pointer));
    if (time === undefined) throw new Error(`there is no time at ${config.time_pointer || 'its root'}`);
    at = time;
  }
  return { source: config.name, price: scaled(price, config.scale), at };
}

/** A file that somebody else writes. */
class FileSource implements PriceSource {
  readonly name: string;

  constructor(private readonly config: Extract<SourceConfig, { type: 'file' }>) {
    this.name = config.name;
  }

  async read(signal: AbortSignal): Promise<Quote> {
    const { path } = this.config;
    let text: string;
    let writtenAt: number;
    try {
      const facts = await stat(path);
      if (!facts.isFile() || facts.size > MOST_BYTES) throw new Error('it is no file of at most 1 MiB');
      writtenAt = Math.floor(facts.mtimeMs / 1_000);
      text = await readFile(path, { encoding: 'utf8', signal });
    } catch (error) {
      throw new Error(`cannot read ${path}: ${(error as Error).message}`);
    }
    return quoteIn(text, this.config, writtenAt);
  }
}

const Headers = z.record(z.string(), z.string());

/** An HTTP address that answers with JSON. Redirects are not followed: a key in the headers stays where it belongs. */
class HttpSource implements PriceSource {
  readonly name: string;

  constructor(
    private readonly config: Extract<SourceConfig, { type: 'http' }>,
    private readonly now: () => number,
  ) {
    this.name = config.name;
  }

  async read(signal: AbortSignal): Promise<Quote> {
    const { url, timeout_seconds } = this.config;
    const { origin } = new URL(url);
    const headers = await this.headers();
    let response: Response;
    try {
      response = await fetch(url, {
        headers: { accept: 'application/json', ...headers },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_seconds * 1_000)]),
      });
    } catch (error) {
      const { message, cause } = error as Error;
      // The address may hold a key: only its origin is told.
      throw new Error(
        `${origin} does not answer: ${cause instanceof Error && cause.message !== '' ? cause.message : message}`,
      );
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${origin} answered HTTP ${response.status}`);
    }
    return quoteIn(await textOf(response, origin), this.config, Math.floor(this.now() / 1_000));
  }

  private async headers(): Promise<Record<string, string>> {
    const { headers_file: file } = this.config;
    if (file === undefined) return {};
    const facts = await stat(file).catch(() => undefined);
    if (facts === undefined) throw new Error(`there is no file ${file}`);
    if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0)
      throw new GtxError('KEY_FILE_PERMISSIONS', `${file} can be read by others: chmod 600 ${file}`);
    let value: unknown;
    try {
      value = JSON.parse(await readFile(file, 'utf8'));
    } catch {
      // A parser's message would quote the secret.
      throw new Error(`${file} is no JSON`);
    }
    return parseWith(Headers, value, 'CONFIG_INVALID');
  }
}

/** The body as text, cut off when it is too long: the other side decides how much it sends. */
async function textOf(response: Response, origin: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`${origin} answered with more than 1 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The source that a configuration describes. */
export const openSource = (config: SourceConfig, now: () => number): PriceSource =>
  config.type === 'file' ? new FileSource(config) : new HttpSource(config, now);
