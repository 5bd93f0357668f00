import {
  chainTime,
  decodeSymbol,
  eventsOf,
  type FeedSettings,
  feedAddress,
  fetchFeed,
  fetchOracleConfig,
  instructions,
  type OracleFeed,
  PriceOutcome,
  priceOf,
  publishersOf,
  sendAndConfirm,
  setUpFeed,
  setUpOracle,
  toChainError,
} from '@gridtokenx/chain';
import { GtxError, nkwhToKwh } from '@gridtokenx/protocol';
import type { Connection } from '@solana/web3.js';
import { connectTo, loadKey, parsePublicKey, type Result } from './chain-actions.js';
import { isNone, isoTime } from './market/view.js';
import type { Json } from './output.js';
import type { Targets } from './targets.js';

const transaction = (signature: string | undefined): string[] =>
  signature === undefined ? [] : [`  transaction ${signature}`];

async function feedOf(connection: Connection, symbol: string): Promise<OracleFeed> {
  const feed = await fetchFeed(connection, symbol);
  if (!feed)
    throw new GtxError('NOT_FOUND', `there is no feed ${symbol} on this chain: gtx oracle feed makes one`);
  return feed;
}

export async function initialiseOracle(
  targets: Targets,
  options: { guardian: string | undefined; authorityKey: string | undefined },
): Promise<Result> {
  const { layout } = targets;
  const result = await setUpOracle(connectTo(targets), {
    authority: loadKey(layout, 'upgradeAuthority', options.authorityKey),
    guardian:
      options.guardian === undefined
        ? loadKey(layout, 'guardian', undefined).publicKey
        : parsePublicKey(options.guardian),
  });
  const { authority, guardian, pendingAuthority } = result.config;
  return {
    json: {
      changed: result.changed,
      authority: authority.toBase58(),
      guardian: guardian.toBase58(),
      pending_authority: isNone(pendingAuthority) ? null : pendingAuthority.toBase58(),
      ...(result.signature === undefined ? {} : { signature: result.signature }),
    },
    text: [
      result.changed ? 'Initialised the oracle.' : 'The oracle is initialised already; nothing was changed.',
      `  authority  ${authority.toBase58()}`,
      `  guardian   ${guardian.toBase58()}`,
      ...transaction(result.signature),
    ].join('\n'),
  };
}

function feedJson(feed: OracleFeed, now: bigint): { readonly [key: string]: Json } {
  const symbol = decodeSymbol(feed.symbol);
  const current = priceOf(feed, now);
  return {
    symbol,
    address: feedAddress(symbol).toBase58(),
    price: feed.price === 0n ? null : nkwhToKwh(feed.price),
    counts: current !== undefined,
    paused: feed.paused,
    published_at: feed.publishedAt === 0n ? null : isoTime(feed.publishedAt),
    max_age_seconds: feed.maxAgeSeconds,
    guard_seconds: feed.guardSeconds,
    max_deviation_bps: feed.maxDeviationBps,
    min_publishers: feed.minPublishers,
    override_publishers: feed.overridePublishers,
    publishers: feed.submissions.slice(0, feed.publisherCount).map(({ publisher, price, observedAt }) => ({
      publisher: publisher.toBase58(),
      price: price === 0n ? null : nkwhToKwh(price),
      observed_at: observedAt === 0n ? null : isoTime(observedAt),
    })),
  };
}

function feedText(feed: OracleFeed, now: bigint): string {
  const current = priceOf(feed, now);
  const shown = feed.submissions.slice(0, feed.publisherCount);
  return [
    `${decodeSymbol(feed.symbol)}: ${
      current === undefined
        ? `no price that counts now${feed.paused ? ' (paused)' : ''}`
        : `${nkwhToKwh(current.price)} GRX for 1 kWh, until ${isoTime(current.freshUntil)}`
    }`,
    `  a price counts ${feed.maxAgeSeconds} s, needs ${feed.minPublishers} of ${feed.publisherCount} publishers, and moves by ${feed.maxDeviationBps / 100} % in ${feed.guardSeconds} s at most`,
    ...shown.map(
      ({ publisher, price, observedAt }) =>
        `  publisher ${publisher.toBase58()}${observedAt === 0n ? '' : `  ${nkwhToKwh(price)} GRX at ${isoTime(observedAt)}`}`,
    ),
  ].join('\n');
}

export async function showFeed(targets: Targets, options: { symbol: string }): Promise<Result> {
  const connection = connectTo(targets);
  const [feed, now] = await Promise.all([feedOf(connection, options.symbol), chainTime(connection)]);
  return { json: feedJson(feed, now), text: feedText(feed, now) };
}

/** Makes a feed, or changes those of its settings that are named. */
export async function changeFeed(
  targets: Targets,
  options: { symbol: string; authorityKey: string | undefined; paused: boolean | undefined } & {
    [Setting in keyof FeedSettings]: FeedSettings[Setting] | undefined;
  },
): Promise<Result> {
  const connection = connectTo(targets);
  const { symbol, paused } = options;
  const authority = loadKey(targets.layout, 'upgradeAuthority', options.authorityKey);
  const config = await fetchOracleConfig(connection);
  if (!config)
    throw new GtxError('NOT_FOUND', 'the oracle is not initialised on this chain: gtx oracle init');
  const before = await fetchFeed(connection, symbol);
  const settings: FeedSettings = {
    maxAgeSeconds: options.maxAgeSeconds ?? before?.maxAgeSeconds ?? 3_600,
    guardSeconds: options.guardSeconds ?? before?.guardSeconds ?? 3_600,
    maxDeviationBps: options.maxDeviationBps ?? before?.maxDeviationBps ?? 2_000,
    minPublishers: options.minPublishers ?? before?.minPublishers ?? 1,
    overridePublishers: options.overridePublishers ?? before?.overridePublishers ?? 0,
  };
  let result: { changed: boolean; signature?: string };
  if (before === undefined) {
    result = await setUpFeed(connection, {
      authority,
      guardian: config.guardian,
      symbol,
      settings,
      publishers: [],
    });
  } else {
    const as = { authority: authority.publicKey, symbol };
    const differs = (Object.keys(settings) as (keyof FeedSettings)[]).some(
      (name) => settings[name] !== before[name],
    );
    const needed = [
      ...(differs ? [instructions.setFeed({ ...as, settings })] : []),
      ...(paused === undefined || paused === before.paused
        ? []
        : [instructions.setFeedPaused({ ...as, paused })]),
    ];
    result =
      needed.length === 0
        ? { changed: false }
        : {
            changed: true,
            signature: (await sendAndConfirm(connection, { payer: authority, instructions: needed }))
              .signature,
          };
  }
  const [feed, now] = await Promise.all([feedOf(connection, symbol), chainTime(connection)]);
  return {
    json: {
      changed: result.changed,
      ...feedJson(feed, now),
      ...(result.signature === undefined ? {} : { signature: result.signature }),
    },
    text: [
      before === undefined
        ? 'Made the feed.'
        : result.changed
          ? 'Changed the feed.'
          : 'The feed is so already; nothing was changed.',
      feedText(feed, now),
      ...transaction(result.signature),
    ].join('\n'),
  };
}

export async function changePublisher(
  targets: Targets,
  options: { symbol: string; publisher: string | undefined; authorityKey: string | undefined; add: boolean },
): Promise<Result> {
  const connection = connectTo(targets);
  const { symbol, add } = options;
  const authority = loadKey(targets.layout, 'upgradeAuthority', options.authorityKey);
  const publisher =
    options.publisher === undefined
      ? loadKey(targets.layout, 'oraclePublisher', undefined).publicKey
      : parsePublicKey(options.publisher);
  const before = await feedOf(connection, symbol);
  const changed = publishersOf(before).some((one) => one.equals(publisher)) !== add;
  let signature: string | undefined;
  if (changed) {
    const args = { authority: authority.publicKey, symbol, publisher };
    ({ signature } = await sendAndConfirm(connection, {
      payer: authority,
      instructions: [add ? instructions.addPublisher(args) : instructions.removePublisher(args)],
    }));
  }
  const name = publisher.toBase58();
  return {
    json: {
      changed,
      symbol,
      publisher: name,
      may_submit: add,
      ...(signature === undefined ? {} : { signature }),
    },
    text: [
      changed
        ? `${name} ${add ? 'may submit to' : 'is no longer a publisher of'} ${symbol} now.`
        : `${name} is ${add ? 'a' : 'no'} publisher of ${symbol} already.`,
      ...transaction(signature),
    ].join('\n'),
  };
}

const OUTCOMES: Record<number, readonly [string, string]> = {
  [PriceOutcome.Published]: ['published', 'the feed’s price was worked out with it'],
  [PriceOutcome.TooFew]: ['too_few', 'too few publishers have a fresh price for the feed to have one'],
  [PriceOutcome.Guarded]: ['guarded', 'it is too far from the last price: the feed’s guard holds it back'],
};

export async function submitOnce(
  targets: Targets,
  options: { symbol: string; price: bigint; keypair: string | undefined },
): Promise<Result> {
  const connection = connectTo(targets);
  const { symbol, price } = options;
  const key = loadKey(targets.layout, 'oraclePublisher', options.keypair);
  const feed = await feedOf(connection, symbol);
  if (!publishersOf(feed).some((one) => one.equals(key.publicKey)))
    throw new GtxError(
      'FORBIDDEN',
      `${key.publicKey.toBase58()} is no publisher of ${symbol}: gtx oracle add-publisher makes it one`,
    );
  const { signature } = await sendAndConfirm(connection, {
    payer: key,
    instructions: [
      instructions.submitPrice({
        publisher: key.publicKey,
        symbol,
        price,
        observedAt: await chainTime(connection),
      }),
    ],
  });
  let outcome: readonly [string, string] = ['unknown', 'the node does not show what the oracle made of it'];
  let median: bigint | undefined;
  try {
    const landed = await connection.getTransaction(signature, {
      commitment: 'confirmed',
      maxSupportedTransactionVersion: 0,
    });
    const event = eventsOf(landed?.meta ?? undefined).events.find(({ name }) => name === 'PriceSubmitted');
    if (event?.name === 'PriceSubmitted') {
      outcome = OUTCOMES[event.data.outcome] ?? outcome;
      median = event.data.price;
    }
  } catch (error) {
    throw toChainError(error, { signature });
  }
  return {
    json: {
      symbol,
      publisher: key.publicKey.toBase58(),
      submitted: nkwhToKwh(price),
      outcome: outcome[0],
      price: median === undefined || median === 0n ? null : nkwhToKwh(median),
      signature,
    },
    text: [
      `Submitted ${nkwhToKwh(price)} GRX to ${symbol}: ${outcome[1]}.`,
      ...(median === undefined || median === 0n ? [] : [`  the feed’s price is ${nkwhToKwh(median)} GRX`]),
      ...transaction(signature),
    ].join('\n'),
  };
}
