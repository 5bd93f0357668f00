import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  chainTime,
  confirmTransaction,
  eventsOf,
  fetchFeed,
  instructions,
  type OracleFeed,
  openConnection,
  type PreparedTransaction,
  PriceOutcome,
  prepareTransaction,
  publishersOf,
  readKeypairFile,
  resolveSignature,
  sendPrepared,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type { Connection, Keypair } from '@solana/web3.js';
import type { Logger } from 'pino';
import type { PublisherConfig } from './config.js';
import { PublisherMetrics } from './metrics.js';
import { combine, isDue, objection, type Quote } from './price.js';
import { openSource, type PriceSource } from './sources.js';

export interface PublisherOptions {
  readonly logger: Logger;
  /** Milliseconds; Date.now unless given. */
  readonly now?: () => number;
}

/** What was submitted last, and when it was observed (Unix seconds by the chain). */
interface Submitted {
  readonly price: bigint;
  readonly at: number;
}

/** Sent, and nobody knows yet what became of it. */
interface Pending extends Submitted {
  readonly sent: Pick<PreparedTransaction, 'signature' | 'lastValidBlockHeight'>;
}

const OUTCOME: Record<number, string> = {
  [PriceOutcome.Published]: 'published',
  [PriceOutcome.TooFew]: 'too_few',
  [PriceOutcome.Guarded]: 'guarded',
};
/** A transaction that has no outcome by then is asked for again the next time. */
const PATIENCE_MS = 60_000;

/**
 * Says what a kWh is worth: asks its sources, makes one price of them, and submits it to the oracle's feed with its own
 * key, at least every `interval_seconds` and at once when it has moved. It holds no other power.
 */
export class Publisher {
  readonly metrics = new PublisherMetrics();
  readonly #config: PublisherConfig;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #connection: Connection;
  readonly #key: Keypair;
  readonly #sources: readonly PriceSource[];
  readonly #stopping = new AbortController();
  #server: Server | undefined;
  #httpUrl = '';
  #running: Promise<void> | undefined;
  #feed: OracleFeed | undefined;
  #last: Submitted | undefined;
  #pending: Pending | undefined;
  /** Why there is nothing to submit, or why it is not taken; undefined while all is well. */
  #trouble: string | undefined;
  /** The oracle took the last submission, but not for the feed's price. */
  #guarded = false;
  /** What was said of each source last, so that only news is logged. */
  readonly #said = new Map<string, string>();

  constructor(config: PublisherConfig, key: Keypair, { logger, now = Date.now }: PublisherOptions) {
    this.#config = config;
    this.#key = key;
    this.#logger = logger;
    this.#now = now;
    this.#connection = openConnection(config.rpc_url);
    this.#sources = config.sources.map((source) => openSource(source, now));
  }

  /**
   * Begins to publish.
   * @throws GtxError NOT_FOUND when there is no such feed, FORBIDDEN when the key may not submit to it, CHAIN_UNAVAILABLE
   */
  async start(): Promise<void> {
    const { symbol, http } = this.#config;
    const publisher = this.#key.publicKey;
    const feed = await fetchFeed(this.#connection, symbol);
    if (!feed)
      throw new GtxError('NOT_FOUND', `there is no feed ${symbol} on this chain: gtx oracle feed makes one`);
    if (!publishersOf(feed).some((one) => one.equals(publisher)))
      throw new GtxError(
        'FORBIDDEN',
        `${publisher.toBase58()} is no publisher of ${symbol}: gtx oracle add-publisher --publisher ${publisher.toBase58()}`,
      );
    this.#look(feed);
    this.#server = createServer((request, response) => this.#answer(request.url ?? '/', response));
    await new Promise<void>((resolve, reject) => {
      this.#server?.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'EADDRINUSE'
            ? new GtxError('PORT_IN_USE', `port ${http.port} on ${http.host} is taken`)
            : error,
        ),
      );
      this.#server?.listen(http.port, http.host, resolve);
    });
    const { address, port } = this.#server.address() as AddressInfo;
    this.#httpUrl = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
    this.#logger.info(
      { symbol, publisher: publisher.toBase58(), sources: this.#sources.map(({ name }) => name) },
      'publishing',
    );
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const server = this.#server;
    if (server !== undefined) {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }

  get httpUrl(): string {
    return this.#httpUrl;
  }

  /** Why it does not do its work; undefined while it does. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let trouble: string | undefined;
      let cause: unknown;
      try {
        trouble = await this.#round(signal);
      } catch (error) {
        cause = error;
        trouble = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) break;
      this.#tell(trouble, cause);
      try {
        await sleep(this.#config.poll_seconds * 1_000, undefined, { signal });
      } catch {
        break;
      }
    }
  }

  /** Asks all sources once, and submits when it is time to. @returns what keeps it from its work */
  async #round(signal: AbortSignal): Promise<string | undefined> {
    await this.#settlePending();
    const { price, good } = await this.#price(signal);
    if (price === undefined) return `only ${good} of ${this.#sources.length} sources have a good price`;
    this.metrics.price.set(Number(price) / 1e9);
    if (this.#pending !== undefined) return 'the last submission has no outcome yet';
    const { interval_seconds: intervalSeconds, deviation_bps: deviationBps, symbol } = this.#config;
    const now = Number(await chainTime(this.#connection));
    const reason = isDue(price, this.#last, { intervalSeconds, deviationBps }, now);
    // The program takes one observation a second.
    if (reason !== undefined && now > (this.#last?.at ?? 0)) {
      const feed = await fetchFeed(this.#connection, symbol);
      if (feed?.paused) return 'the feed is paused';
      const failure = await this.#submit(price, now, reason, signal);
      if (failure !== undefined) return failure;
    }
    return this.#guarded
      ? 'the feed’s guard holds this price back: it is too far from the last one'
      : undefined;
  }

  /** One price of all sources; undefined when too few are good. */
  async #price(signal: AbortSignal): Promise<{ price: bigint | undefined; good: number }> {
    const { combine: rule, min_sources: minSources, min_price, max_price, sources } = this.#config;
    const now = Math.floor(this.#now() / 1_000);
    const quotes: Quote[] = [];
    await Promise.all(
      this.#sources.map(async (source, index) => {
        let said: string;
        let outcome = 'no_answer';
        try {
          const quote = await source.read(signal);
          const rules = {
            minPrice: min_price,
            maxPrice: max_price,
            maxAgeSeconds: sources[index]?.max_age_seconds,
          };
          const against = objection(quote, rules, now);
          outcome = against ?? 'good';
          said = against === undefined ? 'good' : `${against}: ${nkwhToKwhSafe(quote.price)} GRX`;
          if (against === undefined) {
            // In the order of trust, not in that of the answers.
            quotes[index] = quote;
            this.metrics.sourcePrice.set({ source: source.name }, Number(quote.price) / 1e9);
          }
        } catch (error) {
          said = (error as Error).message;
        }
        if (signal.aborted) return;
        this.metrics.sourceReads.inc({ source: source.name, outcome });
        if (this.#said.get(source.name) === said) return;
        this.#said.set(source.name, said);
        this.#logger[outcome === 'good' ? 'info' : 'warn']({ source: source.name, outcome, said }, 'source');
      }),
    );
    const good = quotes.filter((quote) => quote !== undefined);
    return { price: combine(good, rule, minSources), good: good.length };
  }

  /** @returns why it was not taken */
  async #submit(price: bigint, at: number, reason: string, signal: AbortSignal): Promise<string | undefined> {
    const connection = this.#connection;
    const prepared = await prepareTransaction(connection, {
      payer: this.#key,
      instructions: [
        instructions.submitPrice({
          publisher: this.#key.publicKey,
          symbol: this.#config.symbol,
          price,
          observedAt: BigInt(at),
        }),
      ],
    });
    const { signature, lastValidBlockHeight } = prepared;
    // From here on it may land, whatever the node answers.
    this.#pending = { price, at, sent: { signature, lastValidBlockHeight } };
    this.#logger.debug({ signature, price: nkwhToKwh(price), reason }, 'submitting');
    try {
      await sendPrepared(connection, prepared);
    } catch (error) {
      if (!(error instanceof GtxError) || error.code === 'CHAIN_UNAVAILABLE') throw error;
      // Refused before it was forwarded: it never lands.
      this.#pending = undefined;
      this.metrics.submissions.inc({ outcome: 'refused' });
      throw error;
    }
    const { state } = await confirmTransaction(connection, prepared, {
      signal,
      timeoutMs: PATIENCE_MS,
      expiryCommitment: 'confirmed',
    });
    return await this.#settled(state);
  }

  /** Finds out what became of a submission whose outcome was not known. */
  async #settlePending(): Promise<void> {
    if (this.#pending === undefined) return;
    const { signature, lastValidBlockHeight } = this.#pending.sent;
    const { state } = await resolveSignature(this.#connection, signature, lastValidBlockHeight, {
      expiryCommitment: 'confirmed',
    });
    if (state !== 'pending') await this.#settled(state);
  }

  /** @returns why the chain did not take it */
  async #settled(
    state: 'confirmed' | 'finalized' | 'failed' | 'expired' | 'pending',
  ): Promise<string | undefined> {
    const pending = this.#pending;
    if (pending === undefined || state === 'pending') return undefined;
    const { signature } = pending.sent;
    if (state === 'failed' || state === 'expired') {
      this.#pending = undefined;
      this.metrics.submissions.inc({ outcome: state === 'failed' ? 'refused' : 'expired' });
      return `the submission ${signature} was ${state === 'failed' ? 'refused' : 'not included'}`;
    }
    const outcome = await this.#outcomeOf(signature);
    this.#pending = undefined;
    this.#last = { price: pending.price, at: pending.at };
    this.#guarded = outcome === 'guarded';
    this.metrics.submissions.inc({ outcome });
    this.metrics.submittedAt.set(pending.at);
    this.#logger.info({ signature, price: nkwhToKwh(pending.price), outcome }, 'submitted');
    this.metrics.lamports.set(await this.#balance());
    return undefined;
  }

  async #balance(): Promise<number> {
    try {
      return await this.#connection.getBalance(this.#key.publicKey, 'confirmed');
    } catch (error) {
      throw toChainError(error);
    }
  }

  /** What the oracle made of a submission. */
  async #outcomeOf(signature: string): Promise<string> {
    try {
      const landed = await this.#connection.getTransaction(signature, {
        commitment: 'confirmed',
        maxSupportedTransactionVersion: 0,
      });
      const event = eventsOf(landed?.meta ?? undefined).events.find(({ name }) => name === 'PriceSubmitted');
      return event?.name === 'PriceSubmitted' ? (OUTCOME[event.data.outcome] ?? 'unknown') : 'unknown';
    } catch (error) {
      throw toChainError(error, { signature });
    }
  }

  /** Takes over what the feed knows of this publisher, so that a restart submits nothing twice. */
  #look(feed: OracleFeed): void {
    this.#feed = feed;
    const own = feed.submissions
      .slice(0, feed.publisherCount)
      .find(({ publisher }) => publisher.equals(this.#key.publicKey));
    if (own === undefined || own.observedAt === 0n) return;
    this.#last = { price: own.price, at: Number(own.observedAt) };
    this.metrics.submittedAt.set(Number(own.observedAt));
  }

  /** Remembers what keeps it from its work, and logs what is new of it. */
  #tell(trouble: string | undefined, cause: unknown): void {
    if (trouble === this.#trouble) return;
    if (trouble === undefined) this.#logger.info('publishing again');
    else this.#logger.warn({ ...(cause === undefined ? {} : { err: cause }) }, trouble);
    this.#trouble = trouble;
  }

  /** Well is who has no trouble and has submitted within twice the time in which it should. */
  #health(): { ok: boolean; body: Record<string, unknown> } {
    const age = this.#last === undefined ? undefined : Math.floor(this.#now() / 1_000) - this.#last.at;
    const maxAge = this.#feed?.maxAgeSeconds ?? 0;
    const { interval_seconds: interval, poll_seconds: poll } = this.#config;
    const late = age === undefined || age > Math.min(maxAge, 2 * (interval + poll));
    const ok = this.#trouble === undefined && !late;
    return {
      ok,
      body: {
        component: 'publisher',
        status: ok ? 'ok' : 'unhealthy',
        ...(ok ? {} : { reason: this.#trouble ?? `the last submission is ${age ?? '?'} s old` }),
        symbol: this.#config.symbol,
        publisher: this.#key.publicKey.toBase58(),
        price: this.#last === undefined ? null : nkwhToKwh(this.#last.price),
        submitted_at: this.#last === undefined ? null : new Date(this.#last.at * 1_000).toISOString(),
      },
    };
  }

  #answer(url: string, response: ServerResponse): void {
    const path = url.split('?')[0];
    if (path === '/healthz') {
      const { ok, body } = this.#health();
      response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    } else if (path === '/metrics') {
      const { registry } = this.metrics;
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        (error: unknown) => response.destroy(error as Error),
      );
    } else response.writeHead(404, { 'content-type': 'text/plain' }).end('not here\n');
  }
}

/** A price that may be beyond what GRX can be. */
const nkwhToKwhSafe = (price: bigint): string => (price < 2n ** 64n ? nkwhToKwh(price) : price.toString());

/** Starts a publisher of a configuration; its key is read from the file that it names. */
export async function startPublisher(
  config: PublisherConfig,
  options: PublisherOptions,
): Promise<{ httpUrl: string; publisher: Publisher; stop(): Promise<void> }> {
  const publisher = new Publisher(config, readKeypairFile(config.key_file), options);
  try {
    await publisher.start();
  } catch (error) {
    await publisher.stop();
    throw error;
  }
  return { httpUrl: publisher.httpUrl, publisher, stop: () => publisher.stop() };
}
