import { Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeSymbol, encodeSymbol, feedAddress, oracleConfigAddress } from './addresses.js';
import { decodeEvents } from './events.js';
import { oracleIdl } from './idl/oracle.js';
import * as build from './instructions.js';
import { decodeFeed, decodeOracleConfig, decodePrice, PriceOutcome, priceOf } from './oracle.js';
import { type Executed, Svm } from './testing/svm.js';

/* Every builder of the oracle against the compiled program, run by the SVM itself. */

const START = 1_700_000_000;
const SYMBOL = 'GRX/GRID';
const SETTINGS = {
  maxAgeSeconds: 300,
  guardSeconds: 900,
  maxDeviationBps: 1_000,
  minPublishers: 2,
  overridePublishers: 3,
};

let admin: Keypair;
let guardian: Keypair;
let first: Keypair;
let second: Keypair;
let svm: Svm;

function run(instructions: TransactionInstruction[], ...signers: [Keypair, ...Keypair[]]): Executed {
  const executed = svm.execute(instructions, signers);
  expect(executed.refused, executed.logs.join('\n')).toBeUndefined();
  return executed;
}
const events = (executed: Executed) => decodeEvents(executed.logs).events;
const feed = () => decodeFeed(svm.data(feedAddress(SYMBOL)));
const submit = (publisher: Keypair, price: bigint, observedAt: number) =>
  run(
    [
      build.submitPrice({
        publisher: publisher.publicKey,
        symbol: SYMBOL,
        price,
        observedAt: BigInt(observedAt),
      }),
    ],
    publisher,
  );

beforeEach(() => {
  [admin, guardian, first, second] = [0, 1, 2, 3].map(() => Keypair.generate()) as [
    Keypair,
    Keypair,
    Keypair,
    Keypair,
  ];
  svm = new Svm(admin.publicKey, START);
  svm.fund(admin.publicKey, guardian.publicKey, first.publicKey, second.publicKey);
  const authority = admin.publicKey;
  const executed = run(
    [
      build.initializeOracle({ authority, guardian: guardian.publicKey }),
      build.createFeed({ payer: authority, authority, symbol: SYMBOL, settings: SETTINGS }),
      build.addPublisher({ authority, symbol: SYMBOL, publisher: first.publicKey }),
      build.addPublisher({ authority, symbol: SYMBOL, publisher: second.publicKey }),
    ],
    admin,
  );
  expect(events(executed)).toMatchObject([
    { name: 'OracleChanged', data: { authority, guardian: guardian.publicKey, feeds: 0 } },
    { name: 'FeedChanged', data: { feed: feedAddress(SYMBOL), ...SETTINGS, publishers: 0, paused: false } },
    { name: 'PublisherChanged', data: { publisher: first.publicKey, added: true } },
    { name: 'FeedChanged', data: { publishers: 1 } },
    { name: 'PublisherChanged', data: { publisher: second.publicKey, added: true } },
    { name: 'FeedChanged', data: { publishers: 2 } },
  ]);
});

describe('a feed', () => {
  it('takes submissions and answers with their median', () => {
    expect(events(submit(first, 30n, START - 5))).toMatchObject([
      { name: 'PriceSubmitted', data: { submitted: 30n, outcome: PriceOutcome.TooFew, price: 0n } },
    ]);
    expect(priceOf(feed(), BigInt(START))).toBeUndefined();
    expect(events(submit(second, 32n, START))).toMatchObject([
      {
        name: 'PriceSubmitted',
        data: { fresh: 2, median: 31n, price: 31n, outcome: PriceOutcome.Published },
      },
    ]);
    const executed = run([build.getPrice({ symbol: SYMBOL })], admin);
    const expected = { price: 31n, publishedAt: BigInt(START - 5), freshUntil: BigInt(START + 295) };
    expect(decodePrice(executed.returnData)).toEqual(expected);
    expect(priceOf(feed(), BigInt(START + 295))).toEqual(expected);
    expect(priceOf(feed(), BigInt(START + 296))).toBeUndefined();
    expect(feed()).toMatchObject({
      symbol: encodeSymbol(SYMBOL),
      price: 31n,
      publisherCount: 2,
      updates: 1n,
      ...SETTINGS,
    });
    expect(feed().submissions[1]).toEqual({
      publisher: second.publicKey,
      price: 32n,
      observedAt: BigInt(START),
    });
    svm.setTime(START + 296);
    expect(svm.execute([build.getPrice({ symbol: SYMBOL })], [admin]).refused).toBe('PriceStale');
  });

  it('is changed by its authority and stopped by the guardian', () => {
    const authority = admin.publicKey;
    run([build.setFeedPaused({ authority: guardian.publicKey, symbol: SYMBOL, paused: true })], guardian);
    expect(feed().paused).toBe(true);
    run(
      [
        build.removePublisher({ authority, symbol: SYMBOL, publisher: first.publicKey }),
        build.setFeed({ authority, symbol: SYMBOL, settings: { ...SETTINGS, maxAgeSeconds: 60 } }),
        build.setFeedPaused({ authority, symbol: SYMBOL, paused: false }),
      ],
      admin,
    );
    expect(feed()).toMatchObject({ paused: false, publisherCount: 1, maxAgeSeconds: 60 });
  });

  it('has a symbol of a strict grammar', () => {
    expect(decodeSymbol(encodeSymbol('0123456789ABCDEF'))).toBe('0123456789ABCDEF');
    expect(decodeSymbol(encodeSymbol('A'))).toBe('A');
    for (const symbol of ['', 'grx', 'A B', '0123456789ABCDEFG', 'Ä'])
      expect(() => encodeSymbol(symbol)).toThrow('symbol');
  });
});

describe('the oracle', () => {
  it('is handed over in two steps', () => {
    const authority = admin.publicKey;
    run(
      [
        build.setOracleGuardian({ authority, guardian: second.publicKey }),
        build.proposeOracleAuthority({ authority, newAuthority: first.publicKey }),
      ],
      admin,
    );
    run([build.acceptOracleAuthority({ newAuthority: first.publicKey })], first);
    expect(decodeOracleConfig(svm.data(oracleConfigAddress()))).toMatchObject({
      authority: first.publicKey,
      pendingAuthority: PublicKey.default,
      guardian: second.publicKey,
      feeds: 1,
    });
  });

  it('has no builder missing', () => {
    const names = oracleIdl.instructions.map(({ name }) => name);
    expect(names).toHaveLength(11);
  });

  it('answers what is no price with an error', () => {
    expect(() => decodePrice(new Uint8Array(23))).toThrow('24 bytes');
  });
});
