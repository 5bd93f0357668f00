/*
 * An oracle for the program tests: the world of `trading.ts` with the oracle program, a feed, and publishers. Again without
 * the project's own client. Beside it a plain model of a feed, which the tests compare with the program.
 */
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { bn, call, pda, program, type Result, SystemProgram } from './support.js';
import { type MarketOptions, ONE, plain, TradingWorld } from './trading.js';

export const ORACLE = program('oracle').id;
export const oracleIdl = program('oracle').idl;

/** A symbol as the program keeps it: zero-padded to 16 bytes. */
export const symbolBytes = (text: string): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.write(text, 'latin1');
  return bytes;
};

const find = (...seeds: Uint8Array[]): PublicKey => PublicKey.findProgramAddressSync(seeds, ORACLE)[0];

/** Program-derived addresses of the oracle. */
export const oraclePda = {
  config: find(Buffer.from('config')),
  feed: (symbol: string | Buffer) =>
    find(Buffer.from('feed'), typeof symbol === 'string' ? symbolBytes(symbol) : symbol),
};

export const SYMBOL = 'GRX/GRID';
/** Bytes of the accounts, discriminator included. */
export const FEED_BYTES = 544;
export const CONFIG_BYTES = 176;

export interface Settings {
  maxAgeSeconds: number;
  guardSeconds: number;
  maxDeviationBps: number;
  minPublishers: number;
  overridePublishers: number;
}
export const SETTINGS: Settings = {
  maxAgeSeconds: 300,
  guardSeconds: 900,
  maxDeviationBps: 1_000,
  minPublishers: 2,
  overridePublishers: 3,
};

export interface OracleOptions extends MarketOptions {
  /** How many publishers the feed starts with; 3 unless told otherwise. */
  publishers?: number;
  settings?: Partial<Settings>;
  /** Leaves the oracle uninitialised. */
  noOracle?: boolean;
  /** Leaves the oracle without a feed. */
  noFeed?: boolean;
}

type Keys = Record<string, PublicKey>;

const settingsArgs = (settings: Partial<Settings> = {}) => {
  const all = { ...SETTINGS, ...settings };
  return {
    max_age_seconds: all.maxAgeSeconds,
    guard_seconds: all.guardSeconds,
    max_deviation_bps: all.maxDeviationBps,
    min_publishers: all.minPublishers,
    override_publishers: all.overridePublishers,
  };
};

export class OracleWorld extends TradingWorld {
  readonly oracleGuardian: Keypair;
  readonly feedAddress = oraclePda.feed(SYMBOL);
  readonly publishers: Keypair[] = [];

  constructor(options: OracleOptions = {}) {
    super({ noMarket: true, ...options });
    this.oracleGuardian = this.key();
    this.deploy(ORACLE, 'oracle');
    if (options.noOracle) return;
    this.must([this.initializeOracle()], [this.upgradeAuthority]);
    if (options.noFeed) return;
    this.must([this.createFeed({ settings: options.settings ?? {} })], [this.upgradeAuthority]);
    for (let i = 0; i < (options.publishers ?? 3); i++) this.newPublisher();
  }

  /** Adds a publisher to the feed. */
  newPublisher(): Keypair {
    const publisher = this.key();
    this.must([this.addPublisher(publisher.publicKey)], [this.upgradeAuthority]);
    this.publishers.push(publisher);
    return publisher;
  }

  publisher(index: number): Keypair {
    const found = this.publishers[index];
    if (!found) throw new Error(`no publisher ${index}`);
    return found;
  }

  /** Lets time pass. */
  wait(seconds: number): void {
    this.setClock(this.now() + seconds);
  }

  /** Publisher `index` submits what it observed now. */
  publish(index: number, price: bigint, observedAt = this.now()): Result {
    const publisher = this.publisher(index);
    return this.must([this.submitPrice(publisher.publicKey, price, observedAt)], [publisher]);
  }

  /** The first publishers submit these prices, observed now; time then moves on so that they can submit again. */
  round(...prices: bigint[]): Result {
    const results = prices.map((price, index) => this.publish(index, price));
    this.wait(1);
    return results.at(-1) as Result;
  }

  /** A price from all publishers. */
  agree(price = 3n * ONE): void {
    this.round(...this.publishers.map(() => price));
  }

  // --- state

  feedState(feed = this.feedAddress) {
    const raw = this.decode('oracle', 'Feed', feed);
    const big = (name: string) => BigInt(raw[name].toString());
    return {
      raw,
      price: big('price'),
      publishedAt: Number(big('published_at')),
      acceptedAt: Number(big('accepted_at')),
      referencePrice: big('reference_price'),
      referenceAt: Number(big('reference_at')),
      updates: big('updates'),
      paused: raw.paused as number,
      publishers: raw.publisher_count as number,
      submissions: (raw.submissions as { publisher: PublicKey; price: unknown; observed_at: unknown }[]).map(
        (each) => ({
          publisher: each.publisher,
          price: BigInt(String(each.price)),
          observedAt: Number(String(each.observed_at)),
        }),
      ),
    };
  }

  oracleConfig() {
    return this.decode('oracle', 'Config', oraclePda.config);
  }

  /** The `PriceSubmitted` of a submission. */
  submitted(result: Result) {
    return plain(result.events.find(({ name }) => name === 'PriceSubmitted')?.data) as Record<
      string,
      unknown
    >;
  }

  // --- instructions

  initializeOracle(args: { guardian?: PublicKey } = {}, accounts: Keys = {}): TransactionInstruction {
    return call(
      'oracle',
      'initialize',
      { guardian: args.guardian ?? this.oracleGuardian.publicKey },
      {
        authority: this.upgradeAuthority.publicKey,
        config: oraclePda.config,
        program_data: pda.programData(ORACLE),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  createFeed(
    args: { symbol?: string | Buffer; settings?: Partial<Settings>; authority?: PublicKey } = {},
    accounts: Keys = {},
  ): TransactionInstruction {
    const symbol = args.symbol ?? SYMBOL;
    const bytes = typeof symbol === 'string' ? symbolBytes(symbol) : symbol;
    return call(
      'oracle',
      'create_feed',
      { symbol: [...bytes], ...settingsArgs(args.settings) },
      {
        payer: this.payer.publicKey,
        authority: args.authority ?? this.upgradeAuthority.publicKey,
        config: oraclePda.config,
        feed: oraclePda.feed(bytes),
        system_program: SystemProgram.programId,
        ...accounts,
      },
    );
  }

  #feedAuthority(
    name: string,
    args: Record<string, unknown>,
    authority: PublicKey,
    accounts: Keys,
  ): TransactionInstruction {
    return call('oracle', name, args, {
      authority,
      config: oraclePda.config,
      feed: this.feedAddress,
      ...accounts,
    });
  }

  setFeedSettings(
    settings: Partial<Settings> = {},
    authority = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return this.#feedAuthority('set_feed', settingsArgs(settings), authority, accounts);
  }

  addPublisher(
    publisher: PublicKey,
    authority = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return this.#feedAuthority('add_publisher', { publisher }, authority, accounts);
  }

  removePublisher(
    publisher: PublicKey,
    authority = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return this.#feedAuthority('remove_publisher', { publisher }, authority, accounts);
  }

  pauseFeed(
    paused: boolean,
    authority = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return this.#feedAuthority('set_paused', { paused }, authority, accounts);
  }

  submitPrice(
    publisher: PublicKey,
    price: bigint,
    observedAt = this.now(),
    accounts: Keys = {},
  ): TransactionInstruction {
    return call(
      'oracle',
      'submit_price',
      { price: bn(price), observed_at: bn(BigInt(observedAt)) },
      { publisher, feed: this.feedAddress, ...accounts },
    );
  }

  getPrice(accounts: Keys = {}): TransactionInstruction {
    return call('oracle', 'get_price', {}, { feed: this.feedAddress, ...accounts });
  }

  oracleAuthority(
    name: 'propose_authority' | 'set_guardian',
    args: Record<string, unknown>,
    authority = this.upgradeAuthority.publicKey,
    accounts: Keys = {},
  ): TransactionInstruction {
    return call('oracle', name, args, { authority, config: oraclePda.config, ...accounts });
  }

  acceptAuthority(newAuthority: PublicKey, accounts: Keys = {}): TransactionInstruction {
    return call(
      'oracle',
      'accept_authority',
      {},
      { new_authority: newAuthority, config: oraclePda.config, ...accounts },
    );
  }
}

/** The median as a schoolbook has it; of an even number the mean of the two in the middle, rounded down. */
export function plainMedian(prices: bigint[]): bigint {
  const sorted = [...prices].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (sorted.length === 0) return 0n;
  const high = sorted[Math.floor(sorted.length / 2)] as bigint;
  if (sorted.length % 2 === 1) return high;
  return ((sorted[sorted.length / 2 - 1] as bigint) + high) / 2n;
}

/** What the program should do, written down plainly. */
export class PlainFeed {
  price = 0n;
  publishedAt = 0;
  acceptedAt = 0;
  reference = 0n;
  referenceAt = 0;
  paused = false;
  readonly submissions = new Map<string, { price: bigint; observedAt: number }>();

  constructor(
    public settings: Settings,
    public publishers: string[],
  ) {}

  submit(publisher: string, price: bigint, observedAt: number, now: number): string | { outcome: number } {
    if (this.paused) return 'FeedPaused';
    if (!this.publishers.includes(publisher)) return 'NotPublisher';
    if (price === 0n) return 'PriceZero';
    if (observedAt > now) return 'ObservedInFuture';
    if (observedAt <= (this.submissions.get(publisher)?.observedAt ?? 0)) return 'ObservedNotLater';
    if (now - observedAt > this.settings.maxAgeSeconds) return 'ObservationStale';
    this.submissions.set(publisher, { price, observedAt });
    return { outcome: this.workOut(now) };
  }

  fresh(now: number): { price: bigint; observedAt: number }[] {
    return [...this.submissions.values()].filter(
      ({ observedAt }) => now - observedAt <= this.settings.maxAgeSeconds,
    );
  }

  workOut(now: number): number {
    const { minPublishers, maxDeviationBps, guardSeconds, overridePublishers } = this.settings;
    const fresh = this.fresh(now);
    if (fresh.length < minPublishers) return 1;
    const median = plainMedian(fresh.map(({ price }) => price));
    const near = (price: bigint) => {
      const distance = price > this.reference ? price - this.reference : this.reference - price;
      return distance <= (this.reference * BigInt(maxDeviationBps)) / 10_000n;
    };
    const rebase = (price: bigint) => {
      this.reference = price;
      this.referenceAt = now;
    };
    if (this.price === 0n || now - this.acceptedAt >= guardSeconds) rebase(median);
    else {
      if (now - this.referenceAt >= guardSeconds) rebase(this.price);
      if (!near(median)) {
        const beyond = fresh.filter(
          ({ price }) => !near(price) && price > this.reference === median > this.reference,
        );
        if (overridePublishers === 0 || beyond.length < overridePublishers) return 2;
        rebase(median);
      }
    }
    this.price = median;
    this.publishedAt = fresh.map(({ observedAt }) => observedAt).sort((a, b) => b - a)[
      minPublishers - 1
    ] as number;
    this.acceptedAt = now;
    return 0;
  }

  /** After a change of publishers or settings. */
  again(now: number): void {
    if (this.workOut(now) !== 0) this.publishedAt = 0;
  }

  get(now: number): string | bigint {
    if (this.paused) return 'FeedPaused';
    if (this.price === 0n || this.publishedAt === 0 || now - this.publishedAt > this.settings.maxAgeSeconds)
      return 'PriceStale';
    return this.price;
  }
}
