/* GRX as a mint of Token-2022: which mints and accounts are let in, and that trading then works as with any other. */
import {
  AccountState,
  createEnableRequiredMemoTransfersInstruction,
  createInitializeDefaultAccountStateInstruction,
  createInitializeGroupMemberPointerInstruction,
  createInitializeGroupPointerInstruction,
  createInitializeInterestBearingMintInstruction,
  createInitializeMetadataPointerInstruction,
  createInitializeMintCloseAuthorityInstruction,
  createInitializeNonTransferableMintInstruction,
  createInitializePausableConfigInstruction,
  createInitializePermanentDelegateInstruction,
  createInitializeScaledUiAmountConfigInstruction,
  createInitializeTransferFeeConfigInstruction,
  createInitializeTransferHookInstruction,
  createReallocateInstruction,
  ExtensionType,
} from '@solana/spl-token';
import { type Keypair, PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { pda, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID } from './support.js';
import { BUY, type MintExtension, ONE, SELL, type TestOrder, TRADING, TradingWorld } from './trading.js';

const T22 = TOKEN_2022_PROGRAM_ID;
const metadataPointer: MintExtension = {
  type: ExtensionType.MetadataPointer,
  initialize: (mint, authority) => createInitializeMetadataPointerInstruction(mint, authority, mint, T22),
};

/** spl-token-metadata-interface's Initialize: name, symbol, URI. */
function initializeMetadata(mint: PublicKey, authority: PublicKey, texts: string[]): TransactionInstruction {
  const data = texts.map((value) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  });
  return new TransactionInstruction({
    programId: T22,
    keys: [
      { pubkey: mint, isSigner: false, isWritable: true },
      { pubkey: authority, isSigner: false, isWritable: false },
      { pubkey: mint, isSigner: false, isWritable: false },
      { pubkey: authority, isSigner: true, isWritable: false },
    ],
    data: Buffer.concat([Buffer.from([210, 225, 30, 162, 88, 184, 77, 141]), ...data]),
  });
}

/** Every extension of a mint that could keep tokens from arriving as they are sent, or change that later. */
const dangerous: [name: string, extension: MintExtension][] = [
  [
    'TransferFeeConfig',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeTransferFeeConfigInstruction(mint, authority, authority, 100, 1_000n, T22),
  ],
  [
    'MintCloseAuthority',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeMintCloseAuthorityInstruction(mint, authority, T22),
  ],
  [
    'DefaultAccountState',
    (mint: PublicKey) => createInitializeDefaultAccountStateInstruction(mint, AccountState.Initialized, T22),
  ],
  ['NonTransferable', (mint: PublicKey) => createInitializeNonTransferableMintInstruction(mint, T22)],
  [
    'InterestBearingConfig',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeInterestBearingMintInstruction(mint, authority, 100, T22),
  ],
  [
    'PermanentDelegate',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializePermanentDelegateInstruction(mint, authority, T22),
  ],
  [
    'TransferHook',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeTransferHookInstruction(mint, authority, TRADING, T22),
  ],
  [
    'PausableConfig',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializePausableConfigInstruction(mint, authority, T22),
  ],
  [
    'ScaledUiAmountConfig',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeScaledUiAmountConfigInstruction(mint, authority, 2, T22),
  ],
  [
    'GroupPointer',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeGroupPointerInstruction(mint, authority, mint, T22),
  ],
  [
    'GroupMemberPointer',
    (mint: PublicKey, authority: PublicKey) =>
      createInitializeGroupMemberPointerInstruction(mint, authority, mint, T22),
  ],
].map(([name, initialize]) => [
  name as string,
  {
    type: ExtensionType[name as keyof typeof ExtensionType],
    initialize: initialize as MintExtension['initialize'],
  },
]);

/** A market that somebody tries to open with this mint. */
function tryMarket(world: TradingWorld, mint: PublicKey) {
  const market = PublicKey.findProgramAddressSync([Buffer.from('market'), mint.toBytes()], TRADING)[0];
  return [world.createMarket({}, { quote_mint: mint, market })];
}

describe('a quote mint of Token-2022', () => {
  it.each(dangerous)('is refused with the extension %s', (_name, extension) => {
    const world = new TradingWorld({ noMarket: true });
    for (const extensions of [[extension], [metadataPointer, extension]]) {
      const mint = world.key();
      // Who may freeze, since a default state asks for one.
      world.createMint(mint, { extensions, freezable: true });
      world.refused('QuoteMintExtended', tryMarket(world, mint.publicKey), [world.upgradeAuthority]);
    }
  });

  it('is refused with any other extension, those of confidential amounts and unknown ones included', () => {
    const world = new TradingWorld({ noMarket: true, quoteExtensions: [metadataPointer] });
    const data = world.dataOf(world.grx.publicKey);
    for (let type = 1; type < 40; type++) {
      if (type === ExtensionType.MetadataPointer || type === ExtensionType.TokenMetadata) continue;
      const forged = Buffer.from(data);
      forged.writeUInt16LE(type, 166);
      world.setAccount(world.grx.publicKey, T22, forged);
      world.refused('QuoteMintExtended', [world.createMarket()], [world.upgradeAuthority]);
    }
    world.setAccount(world.grx.publicKey, T22, data);
    world.must([world.createMarket()], [world.upgradeAuthority]);
  });

  it('is let in without extensions, with a pointer, and with metadata', () => {
    for (const quoteExtensions of [[], [metadataPointer]]) {
      const world = new TradingWorld({ quoteExtensions });
      expect(world.marketState()).toMatchObject({
        quote_token_program: T22,
        quote_mint: world.grx.publicKey,
      });
    }
    const world = new TradingWorld({ noMarket: true, quoteExtensions: [metadataPointer] });
    const [mint, authority] = [world.grx.publicKey, world.mintAuthority];
    world.must(
      [
        SystemProgram.transfer({
          fromPubkey: world.payer.publicKey,
          toPubkey: mint,
          lamports: world.rent(300),
        }),
        initializeMetadata(mint, authority.publicKey, [
          'Grid exchange',
          'GRX',
          'https://example.org/grx.json',
        ]),
      ],
      [authority],
    );
    world.must([world.createMarket()], [world.upgradeAuthority]);
    const classic = new TradingWorld();
    expect(classic.marketState()).toMatchObject({ quote_token_program: TOKEN_PROGRAM_ID });
  });

  it('trades like any other: made, matched, crossed, cancelled, returned', () => {
    const world = new TradingWorld({ quoteExtensions: [metadataPointer], feeBps: 100 });
    const [seller, buyer] = [world.trader(), world.trader()];
    const ends = () => [
      world.quote(seller.publicKey),
      world.quote(buyer.publicKey),
      world.balance(world.treasury),
    ];
    world.must([world.matchOrder(buyer.publicKey, world.sell(seller))], [buyer]);
    expect(ends()).toEqual([1_029_700_000_000n, 970n * ONE, 300_000_000n]);
    world.must([world.matchOrder(seller.publicKey, world.buy(buyer))], [seller]);
    expect(ends()).toEqual([1_059_400_000_000n, 940n * ONE, 600_000_000n]);
    const pair: [TestOrder, TestOrder] = [world.sell(seller), world.buy(buyer, { price: 4n * ONE })];
    world.must([world.crossOrders([pair])]);
    expect(ends()).toEqual([1_089_100_000_000n, 910n * ONE, 900_000_000n]);
    for (const order of [world.sell(seller), world.buy(seller)]) {
      world.must([world.cancelOrder(order)], [seller]);
    }
    const orders = [world.sell(seller), world.buy(seller)];
    world.setClock(Number(orders[0]?.expiresAt));
    for (const order of orders) world.must([world.expireOrder(order)]);
    expect(ends()).toEqual([1_089_100_000_000n, 910n * ONE, 900_000_000n]);
    expect(world.grid(buyer.publicKey)).toBe(130n * ONE);
    expect(world.quoteSupply()).toBe(2_000n * ONE);
  });
});

describe('the token programs', () => {
  it('are taken for what they are: neither in the other’s place', () => {
    const world = new TradingWorld();
    const [maker, taker] = [world.trader(), world.trader()];
    for (const side of [SELL, BUY]) {
      const other = side === SELL ? TOKEN_PROGRAM_ID : T22;
      const order = world.place(maker, { side });
      const next = world.planned(maker, { side });
      world.refused('WrongTokenProgram', [world.createOrder(next, { token_program: other })], [maker]);
      world.refused('WrongTokenProgram', [world.cancelOrder(order, { token_program: other })], [maker]);
      const match = (accounts: Record<string, PublicKey>) => [
        world.matchOrder(taker.publicKey, order, {}, accounts),
      ];
      world.refused('WrongTokenProgram', match({ quote_token_program: T22 }), [taker]);
      world.refused('IncorrectProgramId', match({ base_token_program: TOKEN_PROGRAM_ID }), [taker]);
    }
    const [sell, buy] = [world.sell(maker), world.buy(taker)];
    const cross = (accounts: Record<string, PublicKey>) => [world.crossOrders([[sell, buy]], accounts)];
    world.refused('WrongTokenProgram', cross({ quote_token_program: T22 }));
    world.refused('IncorrectProgramId', cross({ base_token_program: TOKEN_PROGRAM_ID }));
    world.setClock(Number(sell.expiresAt));
    world.refused('WrongTokenProgram', [world.expireOrder(sell, { token_program: TOKEN_PROGRAM_ID })]);
    world.refused('WrongTokenProgram', [world.expireOrder(buy, { token_program: T22 })]);
  });
});

describe('an account that asks for a memo with each transfer', () => {
  /** Makes a wallet's GRID account refuse transfers without a memo. */
  const askForMemos = (world: TradingWorld, wallet: Keypair) => {
    const account = pda.tokenAccount(wallet.publicKey);
    world.must(
      [
        createReallocateInstruction(
          account,
          world.payer.publicKey,
          [ExtensionType.MemoTransfer],
          wallet.publicKey,
          [],
          T22,
        ),
        createEnableRequiredMemoTransfersInstruction(account, wallet.publicKey, [], T22),
      ],
      [wallet],
    );
  };

  it('is not usable: its pair is left out and the others trade', () => {
    const world = new TradingWorld({ feeBps: 0 });
    const [first, second] = [world.trader(), world.trader()];
    const sells = [world.sell(world.trader()), world.sell(world.trader())] as const;
    const buys = [world.buy(first), world.buy(second)] as const;
    askForMemos(world, first);
    const result = world.must([
      world.crossOrders([
        [sells[0], buys[0]],
        [sells[1], buys[1]],
      ]),
    ]);
    expect(result.events.map(({ name }) => name)).toEqual(['PairSkipped', 'TradeExecuted']);
    const taker = world.trader();
    world.refused('TokenAccountUnusable', [world.matchOrder(taker.publicKey, buys[0])], [taker]);
    // What it offered is not trapped.
    world.must([world.cancelOrder(buys[0])], [first]);
  });

  it('gets a refund once it asks no more', () => {
    const world = new TradingWorld();
    const owner = world.trader();
    const order = world.sell(owner);
    askForMemos(world, owner);
    world.refused('TokenAccountUnusable', [world.cancelOrder(order)], [owner]);
    const account = pda.tokenAccount(owner.publicKey);
    const data = world.dataOf(account);
    expect(data.subarray(165)).toEqual(Buffer.from([2, 7, 0, 0, 0, 8, 0, 1, 0, 1]));
    data[174] = 0;
    world.setAccount(account, T22, data);
    world.must([world.cancelOrder(order)], [owner]);
    expect(world.grid(owner.publicKey)).toBe(100n * ONE);
  });
});
