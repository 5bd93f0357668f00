/* Trading: orders of all kinds, the market's roles and settings, and what holders do with their tokens meanwhile. */
import { createCloseAccountInstruction, createTransferInstruction } from '@solana/spl-token';
import { type Keypair, PublicKey, type TransactionInstruction } from '@solana/web3.js';
import { call, pda, SystemProgram } from '../support.js';
import { BUY, quoteUp, SELL, type TestOrder, tradingPda } from '../trading.js';
import type { Action, Stage } from './engine.js';
import { amountIn, anybody, config, doer, fitted, gridAccountFor, gridProgram, has, one } from './helpers.js';
import type { Random } from './random.js';
import { keyNamed, LOT, TICK } from './world.js';

const MARKET = 'trading.Market';
const stateOf = (stage: Stage, order: TestOrder) =>
  stage.ledger.get(order.address.toBase58(), 'trading.Order')?.fields;

/** Orders that there are; forgets the others. */
function open(stage: Stage): TestOrder[] {
  const { orders } = stage.world;
  const still = orders.filter((order) => stateOf(stage, order));
  // An altered order was paid for by somebody else.
  for (const order of still)
    order.payer = { publicKey: keyNamed(stateOf(stage, order)?.rent_payer) } as Keypair;
  orders.splice(0, orders.length, ...still);
  return orders;
}
const trading = (stage: Stage): TestOrder[] =>
  open(stage).filter((order) => {
    const state = stateOf(stage, order);
    return state && state.remaining > 0n && state.expires_at > BigInt(stage.world.now());
  });

/** Near what GRID costs outside, now and then far off. */
function price(stage: Stage, random: Random, side: number): bigint {
  const near = side === SELL ? random.between(85, 108) : random.between(92, 115);
  const share = random.chance(93) ? near : random.between(30, 300);
  return ((stage.world.value * BigInt(share)) / 100n / TICK) * TICK;
}

/** Opens the wallet's trader account where this build wants it open before its first order. */
function opened(stage: Stage, wallet: PublicKey): TransactionInstruction[] {
  if (!has('trading', 'open_trader')) return [];
  const trader = tradingPda.trader(wallet);
  if (stage.ledger.get(trader.toBase58())) return [];
  return [
    call(
      'trading',
      'open_trader',
      {},
      {
        payer: stage.world.payer.publicKey,
        wallet,
        market: stage.world.market,
        trader,
        system_program: SystemProgram.programId,
      },
    ),
  ];
}

function create(stage: Stage, random: Random) {
  const { world } = stage;
  const owner = anybody(stage, random);
  const { publicKey } = owner;
  const [grid, grx] = [
    amountIn(stage, pda.tokenAccount(publicKey)),
    amountIn(stage, world.quoteAccount(publicKey)),
  ];
  const side = grid >= LOT && random.chance(60) ? SELL : BUY;
  const asked = price(stage, random, side);
  const most = side === SELL ? grid / LOT : grx / (quoteUp(LOT, asked) + 1n);
  const lots = random.chance(95)
    ? random.amount(most < 1n ? 1n : most > 40n ? 40n : most)
    : random.amount(100_000n);
  const last = stage.ledger.get(tradingPda.trader(publicKey).toBase58())?.fields.last_order_id ?? 0n;
  const step = random.chance(92) ? 1n : random.chance(50) ? 0n : random.amount(1_000_002n);
  const seconds = random.chance(50) ? random.between(1, 300) : random.between(300, 90_000);
  const order = world.planned(owner, {
    id: last + step,
    side,
    amount: random.chance(96) ? lots * LOT : lots,
    price: random.chance(96) ? asked : asked + 1n,
    expiresAt: BigInt(world.now() + seconds),
    payer: random.chance(50) ? world.payer : owner,
  });
  const foreign = random.chance(4) ? { source: pda.tokenAccount(anybody(stage, random).publicKey) } : {};
  return {
    instructions: [...opened(stage, publicKey), world.createOrder(order, foreign)],
    done: () => void world.orders.push(order),
  };
}

function fill(stage: Stage, random: Random) {
  const { world } = stage;
  const order = random.chance(92) ? random.pick(trading(stage)) : random.pick(open(stage));
  if (!order) return undefined;
  const state = stateOf(stage, order);
  const others = world.wallets.filter(
    ({ publicKey }) => random.chance(4) || !publicKey.equals(order.owner.publicKey),
  );
  // Whoever has something to pay with.
  const able = others.filter(({ publicKey }) =>
    order.side === SELL
      ? amountIn(stage, world.quoteAccount(publicKey)) > quoteUp(LOT, order.price)
      : amountIn(stage, pda.tokenAccount(publicKey)) >= LOT,
  );
  const taker = random.chance(95) ? random.pick(able) : random.pick(others);
  if (!taker || !state) return undefined;
  const afford =
    order.side === SELL
      ? amountIn(stage, world.quoteAccount(taker.publicKey)) / (quoteUp(LOT, order.price) + 1n)
      : amountIn(stage, pda.tokenAccount(taker.publicKey)) / LOT;
  const left = (state.remaining as bigint) / LOT;
  const most = afford < left ? afford : left;
  const lots = random.amount(random.chance(97) ? (most < 1n ? 1n : most) : left + 3n);
  return one(
    world.matchOrder(taker.publicKey, order, {
      amount: lots * LOT,
      minAmount: random.chance(50) ? 1n : lots * LOT,
      price: random.chance(97) ? order.price : order.price + TICK,
      maxFeeBps: random.chance(95) ? 1_000 : 0,
    }),
  );
}

function cross(stage: Stage, random: Random) {
  const { world } = stage;
  const all = trading(stage);
  const sells = all.filter(({ side }) => side === SELL);
  const buys = all.filter(({ side }) => side === BUY);
  const crossing = sells.flatMap((sell) =>
    buys
      .filter((buy) => buy.price >= sell.price && !buy.owner.publicKey.equals(sell.owner.publicKey))
      .map((buy): [TestOrder, TestOrder] => [sell, buy]),
  );
  const first = random.chance(92)
    ? random.pick(crossing)
    : ([random.pick(sells), random.pick(buys)] as [TestOrder?, TestOrder?]);
  if (!first?.[0] || !first[1]) return undefined;
  const pairs = [first as [TestOrder, TestOrder]];
  while (pairs.length < 3 && random.chance(35)) {
    const more = random.pick(crossing);
    if (more) pairs.push(more);
  }
  // The same pair twice is allowed: the second finds less left.
  return one(world.crossOrders(pairs));
}

/** Somebody's order with the accounts of Eve or of another order in the place of its own. */
function steal(stage: Stage, random: Random) {
  const { world } = stage;
  const order = random.pick(open(stage));
  if (!order) return undefined;
  const eve = world.eve.publicKey;
  const mine = order.side === SELL ? pda.tokenAccount(eve) : world.quoteAccount(eve);
  const attack = { attack: 'what an order holds goes to its owner' };
  const other = random.pick(open(stage).filter((each) => each !== order && each.side === order.side));
  switch (random.below(6)) {
    case 0:
      return one(world.cancelOrder(order, { owner: eve, destination: mine }), attack);
    case 1:
      return one(world.expireOrder(order, { destination: mine }), attack);
    case 2:
      return one(
        world.matchOrder(
          eve,
          order,
          { amount: LOT, minAmount: 1n },
          { maker_destination: order.side === SELL ? world.quoteAccount(eve) : pda.tokenAccount(eve) },
        ),
        attack,
      );
    case 3:
      return other && one(world.cancelOrder(order, { escrow: other.escrow }), attack);
    case 4:
      return one(world.cancelOrder(order, { rent_payer: eve }), attack);
    default: {
      const instruction = world.cancelOrder(order);
      instruction.keys = instruction.keys.map((meta) => ({ ...meta, isSigner: false }));
      return one(instruction, attack);
    }
  }
}

const admin = (stage: Stage) => keyNamed(config(stage, MARKET).admin);

export const tradingActions: readonly Action[] = [
  { name: 'make an order', weight: 20, attempt: create },
  { name: 'fill an order', weight: 14, attempt: fill },
  { name: 'cross orders', weight: 10, attempt: cross },
  { name: 'steal from an order', weight: 3, attempt: steal },
  {
    name: 'cancel an order',
    weight: 4,
    attempt: (stage, random) => {
      const order = random.pick(open(stage));
      if (!order) return undefined;
      const state = stateOf(stage, order);
      const { publicKey } = order.owner;
      // Its associated account may be closed; anything else may not stop an owner.
      const there = stage.ledger.get(
        (order.side === SELL ? pda.tokenAccount(publicKey) : stage.world.quoteAccount(publicKey)).toBase58(),
        'token',
      );
      return one(
        stage.world.cancelOrder(order),
        there && state ? { certain: 'an owner can always take an order back' } : {},
      );
    },
  },
  {
    name: 'return an expired order',
    weight: 5,
    attempt: (stage, random) => {
      const now = BigInt(stage.world.now());
      const expired = open(stage).filter((order) => (stateOf(stage, order)?.expires_at ?? 0n) <= now);
      const order = random.chance(92) ? random.pick(expired) : random.pick(open(stage));
      return order && one(stage.world.expireOrder(order));
    },
  },
  {
    name: 'give to an escrow',
    weight: 1,
    attempt: (stage, random) => {
      const { world } = stage;
      const order = random.pick(open(stage));
      const giver = anybody(stage, random).publicKey;
      if (!order) return undefined;
      const grid = order.side === SELL;
      const source = grid ? pda.tokenAccount(giver) : world.quoteAccount(giver);
      const amount = random.amount(50n);
      if (amountIn(stage, source) < amount) return undefined;
      const name = order.address.toBase58();
      const owner = stage.ledger.get(grid ? pda.mint.toBase58() : world.grx.publicKey.toBase58())
        ?.owner as string;
      return {
        instructions: [createTransferInstruction(source, order.escrow, giver, amount, [], keyNamed(owner))],
        direct: new Map([[giver.toBase58(), { grid: grid ? -amount : 0n, grx: grid ? 0n : -amount }]]),
        done: () => void stage.ledger.gifts.set(name, (stage.ledger.gifts.get(name) ?? 0n) + amount),
        alone: true,
      };
    },
  },
  {
    name: 'give GRID to another wallet',
    weight: 3,
    attempt: (stage, random) => {
      const [from, to] = [anybody(stage, random).publicKey, anybody(stage, random).publicKey];
      const amount = amountIn(stage, pda.tokenAccount(from)) / 3n;
      if (amount === 0n || from.equals(to)) return undefined;
      return {
        instructions: [
          gridAccountFor(stage, to),
          createTransferInstruction(
            pda.tokenAccount(from),
            pda.tokenAccount(to),
            from,
            amount,
            [],
            gridProgram(stage),
          ),
        ],
        direct: new Map([
          [from.toBase58(), { grid: -amount, grx: 0n }],
          [to.toBase58(), { grid: amount, grx: 0n }],
        ]),
        alone: true,
      };
    },
  },
  {
    name: 'close or make a GRID account',
    weight: 1,
    attempt: (stage, random) => {
      const wallet = anybody(stage, random).publicKey;
      const account = pda.tokenAccount(wallet);
      if (!stage.ledger.get(account.toBase58()))
        return { instructions: [gridAccountFor(stage, wallet)], alone: true };
      if (amountIn(stage, account) > 0n) return undefined;
      return {
        instructions: [createCloseAccountInstruction(account, wallet, wallet, [], gridProgram(stage))],
        alone: true,
      };
    },
  },
  {
    name: 'make a missing GRID account',
    weight: 6,
    attempt: (stage, random) => {
      const missing = stage.world.wallets.filter(
        ({ publicKey }) => !stage.ledger.get(pda.tokenAccount(publicKey).toBase58()),
      );
      const wallet = random.pick(missing)?.publicKey;
      return wallet && { instructions: [gridAccountFor(stage, wallet)], alone: true };
    },
  },
  {
    name: 'open a trader account',
    weight: has('trading', 'open_trader') ? 2 : 0,
    attempt: (stage, random) => {
      const instructions = opened(stage, anybody(stage, random).publicKey);
      return instructions.length > 0 ? { instructions } : undefined;
    },
  },
  {
    name: 'pause the market',
    weight: 1,
    attempt: (stage, random) => {
      const { admin: ruler, guardian } = config(stage, MARKET);
      const { who, more } = doer(stage, random, keyNamed(random.chance(50) ? ruler : guardian));
      return one(stage.world.pauseMarket(true, who), more);
    },
  },
  {
    name: 'resume the market',
    weight: 25,
    attempt: (stage, random) => {
      const { admin: ruler, guardian, paused } = config(stage, MARKET);
      if (paused === 0) return undefined;
      if (random.chance(10) && guardian !== ruler)
        return one(stage.world.pauseMarket(false, keyNamed(guardian)), { attack: 'a guardian only pauses' });
      const { who, more } = doer(stage, random, admin(stage));
      return one(stage.world.pauseMarket(false, who), more);
    },
  },
  {
    name: "set one of the market's roles or settings",
    weight: 4,
    attempt: (stage, random) => {
      const { world } = stage;
      const someone = anybody(stage, random).publicKey;
      const { who, more } = doer(stage, random, admin(stage));
      const accounts = { admin: who, market: world.market };
      switch (random.below(5)) {
        case 0:
          return one(fitted('trading', 'set_guardian', { new_guardian: someone }, accounts), more);
        case 1:
          return one(fitted('trading', 'propose_admin', { new_admin: someone }, accounts), more);
        case 2:
          return one(
            fitted(
              'trading',
              'set_fee',
              { fee_bps: random.below(random.chance(90) ? 1_001 : 65_536) },
              accounts,
            ),
            more,
          );
        case 3: {
          const none = random.chance(20);
          const band = none
            ? 0
            : random.between(random.chance(90) ? 2_000 : 0, random.chance(90) ? 10_000 : 10_001);
          const feed = none ? PublicKey.default : world.feedAddress;
          if (!more.attack)
            return one(fitted('trading', 'set_band', { feed, band_bps: band }, accounts), {
              done: () => {
                world.feed = feed;
              },
              alone: true,
            });
          return one(fitted('trading', 'set_band', { feed, band_bps: band }, accounts), more);
        }
        default: {
          // Half of the time back to where the fees went first.
          const treasury = random.chance(50) ? world.treasury : world.quoteAccount(someone);
          const mine = random.chance(50) ? world.quoteAccount(world.treasuryOwner.publicKey) : treasury;
          return one(world.setTreasury(mine, who), {
            ...more,
            alone: true,
            done: () => {
              world.treasury = mine;
            },
          });
        }
      }
    },
  },
  {
    name: 'take the market over',
    weight: 1,
    attempt: (stage, random) => {
      const pending = keyNamed(config(stage, MARKET).pending_admin);
      if (pending.equals(PublicKey.default)) return undefined;
      const { who, more } = doer(stage, random, pending);
      return one(stage.world.acceptMarketAdmin(who), more);
    },
  },
];
