import {
  createAssociatedTokenAccountIdempotentInstruction,
  createInitializeMint2Instruction,
  createMintToInstruction,
  MINT_SIZE,
  TOKEN_PROGRAM_ID,
} from '@solana/spl-token';
import { Keypair, PublicKey, SystemProgram, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  escrowAddress,
  gridMintAddress,
  gridTokenAccount,
  marketAddress,
  orderAddress,
  quoteTokenAccount,
  traderAddress,
} from './addresses.js';
import { decodeEvents } from './events.js';
import { tradingIdl } from './idl/trading.js';
import * as build from './instructions.js';
import { GRID_TOKEN_PROGRAM_ID } from './programs.js';
import { type Executed, Svm } from './testing/svm.js';
import { decodeMarket, decodeOrder, decodeTrader, feeOf, quoteOf, Side } from './trading.js';

/* Every builder of trading against the compiled program, run by the SVM itself. */

const START = 1_700_000_000;
const ONE = 1_000_000_000n;

let admin: Keypair;
let maker: Keypair;
let taker: Keypair;
let grx: Keypair;
let svm: Svm;
let market: PublicKey;

function run(instructions: TransactionInstruction[], ...signers: [Keypair, ...Keypair[]]): Executed {
  const executed = svm.execute(instructions, signers);
  expect(executed.refused, executed.logs.join('\n')).toBeUndefined();
  return executed;
}

const decodedMarket = () => decodeMarket(svm.data(market));
const decodedOrder = (owner: Keypair, id: bigint) => decodeOrder(svm.data(orderAddress(owner.publicKey, id)));
const events = (executed: Executed) => decodeEvents(executed.logs).events;

function createOrder(owner: Keypair, side: Side, orderId: bigint, price = 3n * ONE): Executed {
  return run(
    [
      build.openTrader({ payer: owner.publicKey, wallet: owner.publicKey, quoteMint: grx.publicKey }),
      build.createOrder({
        payer: owner.publicKey,
        owner: owner.publicKey,
        market: decodedMarket(),
        orderId,
        side,
        amount: 10n * ONE,
        price,
        expiresAt: BigInt(START + 3_600),
      }),
    ],
    owner,
  );
}

beforeEach(() => {
  [admin, maker, taker, grx] = [0, 1, 2, 3].map(() => Keypair.generate()) as [
    Keypair,
    Keypair,
    Keypair,
    Keypair,
  ];
  svm = new Svm(admin.publicKey, START);
  svm.fund(admin.publicKey, maker.publicKey, taker.publicKey);
  market = marketAddress(grx.publicKey);
  const create = (mint: PublicKey, wallet: PublicKey, account: PublicKey, program = TOKEN_PROGRAM_ID) =>
    createAssociatedTokenAccountIdempotentInstruction(admin.publicKey, account, wallet, mint, program);
  const treasury = quoteTokenAccount(grx.publicKey, TOKEN_PROGRAM_ID, admin.publicKey);
  run([build.initializeEnergyToken({ authority: admin.publicKey })], admin);
  run(
    [
      SystemProgram.createAccount({
        fromPubkey: admin.publicKey,
        newAccountPubkey: grx.publicKey,
        lamports: 10_000_000,
        space: MINT_SIZE,
        programId: TOKEN_PROGRAM_ID,
      }),
      createInitializeMint2Instruction(grx.publicKey, 9, admin.publicKey, null),
      create(grx.publicKey, admin.publicKey, treasury),
    ],
    admin,
    grx,
  );
  for (const { publicKey } of [maker, taker]) {
    const account = quoteTokenAccount(grx.publicKey, TOKEN_PROGRAM_ID, publicKey);
    run(
      [
        create(grx.publicKey, publicKey, account),
        createMintToInstruction(grx.publicKey, account, admin.publicKey, 1_000n * ONE),
        create(gridMintAddress(), publicKey, gridTokenAccount(publicKey), GRID_TOKEN_PROGRAM_ID),
      ],
      admin,
    );
    svm.setTokens(gridTokenAccount(publicKey), 100n * ONE);
  }
  const executed = run(
    [
      build.createMarket({
        authority: admin.publicKey,
        quoteMint: grx.publicKey,
        treasury,
        guardian: taker.publicKey,
        lotSize: 1_000_000n,
        tickSize: 1_000_000n,
        feeBps: 25,
      }),
    ],
    admin,
  );
  expect(events(executed)).toMatchObject([
    { name: 'MarketChanged', data: { market, feeBps: 25, lotSize: 1_000_000n, paused: false } },
  ]);
});

describe('orders', () => {
  it('are made and matched, and their accounts and events decoded', () => {
    const created = createOrder(maker, Side.Sell, 1n);
    const order = orderAddress(maker.publicKey, 1n);
    expect(events(created)).toMatchObject([
      {
        name: 'OrderCreated',
        data: { order, owner: maker.publicKey, orderId: 1n, side: Side.Sell, escrowed: 10n * ONE },
      },
    ]);
    expect(decodedOrder(maker, 1n)).toMatchObject({
      market,
      owner: maker.publicKey,
      escrow: escrowAddress(order),
      baseAccount: gridTokenAccount(maker.publicKey),
      quoteAccount: quoteTokenAccount(grx.publicKey, TOKEN_PROGRAM_ID, maker.publicKey),
      remaining: 10n * ONE,
      price: 3n * ONE,
      feeBps: 25,
    });
    expect(decodeTrader(svm.data(traderAddress(maker.publicKey)))).toMatchObject({ lastOrderId: 1n });
    const matched = run(
      [
        build.matchOrder({
          taker: taker.publicKey,
          market: decodedMarket(),
          order: decodedOrder(maker, 1n),
          price: 3n * ONE,
          amount: 10n * ONE,
          maxFeeBps: 25,
        }),
      ],
      taker,
    );
    const quote = quoteOf(10n * ONE, 3n * ONE, 'up');
    expect(events(matched)).toMatchObject([
      {
        name: 'TradeExecuted',
        data: { quote, fee: feeOf(quote, 25), sellOrder: order, sellClosed: true, buyClosed: false },
      },
    ]);
    expect(svm.tokens(gridTokenAccount(taker.publicKey))).toBe(110n * ONE);
    expect(svm.tokens(quoteTokenAccount(grx.publicKey, TOKEN_PROGRAM_ID, maker.publicKey))).toBe(
      1_030n * ONE - feeOf(quote, 25),
    );
  });

  it('are crossed', () => {
    createOrder(maker, Side.Sell, 1n);
    createOrder(taker, Side.Buy, 1n);
    const executed = run(
      [
        build.crossOrders({
          market: decodedMarket(),
          pairs: [{ sell: decodedOrder(maker, 1n), buy: decodedOrder(taker, 1n) }],
        }),
      ],
      admin,
    );
    expect(events(executed)).toMatchObject([
      { name: 'TradeExecuted', data: { sellClosed: true, buyClosed: true } },
    ]);
  });

  it('are cancelled and returned', () => {
    createOrder(maker, Side.Buy, 1n);
    createOrder(maker, Side.Sell, 2n);
    const [buy, sell] = [decodedOrder(maker, 1n), decodedOrder(maker, 2n)];
    const cancelled = run([build.cancelOrder({ market: decodedMarket(), order: buy })], maker);
    expect(events(cancelled)).toMatchObject([
      { name: 'OrderCancelled', data: { orderId: 1n, refunded: 30n * ONE } },
    ]);
    const early = svm.execute([build.expireOrder({ market: decodedMarket(), order: sell })], [admin]);
    expect(early.refused).toBe('NotExpired');
    svm.setTime(START + 3_600);
    const expired = run([build.expireOrder({ market: decodedMarket(), order: sell })], admin);
    expect(events(expired)).toMatchObject([
      { name: 'OrderExpired', data: { orderId: 2n, refunded: 10n * ONE } },
    ]);
  });
});

describe('markets', () => {
  it('are changed by their admin, who can hand them over', () => {
    const feed = Keypair.generate().publicKey;
    const treasury = quoteTokenAccount(grx.publicKey, TOKEN_PROGRAM_ID, maker.publicKey);
    const as = { admin: admin.publicKey, market };
    run(
      [
        build.setMarketFee({ ...as, feeBps: 100 }),
        build.setMarketBand({ ...as, feed, bandBps: 500 }),
        build.setMarketTreasury({ ...as, treasury }),
        build.setMarketGuardian({ ...as, guardian: maker.publicKey }),
        build.proposeMarketAdmin({ ...as, newAdmin: taker.publicKey }),
      ],
      admin,
    );
    run([build.acceptMarketAdmin({ newAdmin: taker.publicKey, market })], taker);
    run([build.setMarketPaused({ authority: maker.publicKey, market, paused: true })], maker);
    expect(decodedMarket()).toMatchObject({
      admin: taker.publicKey,
      pendingAdmin: PublicKey.default,
      guardian: maker.publicKey,
      treasury,
      feed,
      feeBps: 100,
      bandBps: 500,
      paused: true,
    });
  });

  it('have no builder missing', () => {
    // `set_paused` is `setMarketPaused`, and so on.
    const names = tradingIdl.instructions.map(({ name }) => name);
    expect(names).toHaveLength(14);
  });
});
