import { parseU64 } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import {
  addCommand,
  addGroup,
  type CommandDefinition,
  type Context,
  integerOption,
  type ProgramEnvironment,
  parsedOption,
  valueOption,
} from '../command.js';
import { parseLifetime, parseTokens } from '../market/amount.js';
import { actionRunner, rpc } from './acting.js';

const marketOption = () =>
  valueOption('--market <address>', 'the market (default: the data folder’s, else the only one there is)');
const tokens = (flags: string, description: string) => parsedOption(flags, description, parseTokens);
const orderId = () =>
  parsedOption('--order-id <number>', 'the order’s id', (text: string) =>
    parseU64(text, 'order id'),
  ).makeOptionMandatory();
const seller = () =>
  valueOption('--seller <pubkey>', 'whose order; needed where several wallets have an open order of this id');
const keypair = () =>
  valueOption(
    '--keypair <file>',
    'the wallet’s key, in Solana’s own format (default: the data folder’s owner)',
  );
const payer = () =>
  valueOption(
    '--payer-key <file>',
    'key that pays fees and rent (default: with --keypair the wallet, else the data folder’s fee payer)',
  );
const listFrom = () => [
  new Option('--source <which>', 'ask the collector where one answers, or only one of the two')
    .choices(['auto', 'collector', 'chain'])
    .default('auto'),
  valueOption(
    '--url <url>',
    'the collector (default: GTX_COLLECTOR_URL, else what gtx up runs, else http://127.0.0.1:8080)',
  ),
  marketOption(),
  rpc(),
];

const SENT = `Looks first whether it can work, and says what would keep it from working. Killed half-way and repeated with the same
words, it finds out what became of the first attempt and does nothing twice.`;

const run = actionRunner(() => import('../market-actions.js'));

interface Signing {
  readonly rpc?: string;
  readonly market?: string;
  readonly keypair?: string;
  readonly payerKey?: string;
}
const signing = ({ market, keypair: file, payerKey }: Signing, { out }: Context) => ({
  market,
  keypair: file,
  payerKey,
  progress: (text: string) => out.progress(text),
});

const createOrder: CommandDefinition<
  Signing & { side: 'sell' | 'buy'; amount: bigint; price: bigint; expires: bigint }
> = {
  name: 'create-order',
  summary: 'Offer GRID for GRX, or GRX for GRID.',
  description: `What is offered goes into the order's escrow at once: GRID of an order that sells, GRX of one that buys. Anybody can
take it, whole or in part, until it expires; orders whose prices cross are matched by the collector. ${SENT}`,
  options: [
    new Option('--side <side>', 'sell GRID or buy it').choices(['sell', 'buy']).default('sell'),
    tokens('--amount <grid>', 'how much, in GRID (1 GRID is 1 kWh)').makeOptionMandatory(),
    tokens('--price <grx>', 'GRX for 1 GRID').makeOptionMandatory(),
    parsedOption('--expires <time>', 'how long it stands: 90s, 30m, 24h, 7d', parseLifetime).default(
      86_400n,
      '24h',
    ),
    keypair(),
    payer(),
    marketOption(),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx create-order --side sell --amount 10 --price 3',
      shows: 'Order 1: sell 10 GRID at 3 GRX, 30 GRX in all; the escrow, and how another wallet takes it.',
    },
    {
      command: 'gtx create-order --side buy --amount 5 --price 2.8 --expires 7d --keypair buyer.json',
      shows: 'An order that waits a week for somebody who sells at 2.8 GRX.',
    },
  ],
  action: (options, context) =>
    run(context, options, (actions, targets) =>
      actions.createOrder(targets, {
        ...signing(options, context),
        side: options.side,
        amount: options.amount,
        price: options.price,
        lifetime: options.expires,
      }),
    ),
};

interface MatchOptions extends Signing {
  readonly orderId: bigint;
  readonly seller?: string;
  readonly amount?: bigint;
  readonly atLeast?: bigint;
  readonly maxPrice?: bigint;
  readonly minPrice?: bigint;
}
const matchOrder: CommandDefinition<MatchOptions> = {
  name: 'match-order',
  summary: 'Take an order, whole or in part, at its price.',
  description: `Buys from an order that sells, and sells to one that buys. GRID and GRX change hands in one transaction, or nothing
does. ${SENT}`,
  options: [
    orderId(),
    seller(),
    tokens('--amount <grid>', 'only this much of it, in GRID (default: all that is left)'),
    tokens(
      '--at-least <grid>',
      'be content with this much where others are faster (default: all or nothing)',
    ),
    tokens('--max-price <grx>', 'buying: pay no more for 1 GRID'),
    tokens('--min-price <grx>', 'selling: take no less for 1 GRID'),
    keypair(),
    payer(),
    marketOption(),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx match-order --order-id 1 --keypair buyer.json',
      shows: 'Bought 10 GRID at 3 GRX, and who paid and received what.',
    },
    {
      command: 'gtx match-order --order-id 1 --amount 4 --max-price 3 --keypair buyer.json --json',
      shows: '{"changed":true,…,"amount":"4","price":"3","paid":"12","fee":"0","order_left":"6",…}',
    },
  ],
  action: (options, context) =>
    run(context, options, (actions, targets) =>
      actions.matchOrder(targets, {
        ...signing(options, context),
        orderId: options.orderId,
        seller: options.seller,
        amount: options.amount,
        minAmount: options.atLeast,
        maxPrice: options.maxPrice,
        minPrice: options.minPrice,
      }),
    ),
};

const cancelOrder: CommandDefinition<Signing & { orderId: bigint }> = {
  name: 'cancel-order',
  summary: 'Take an order of one’s own back.',
  description: `What is left in the escrow comes back, and the rent to whoever paid it. It also works while the market is paused,
and after the order has expired. ${SENT}`,
  options: [orderId(), keypair(), payer(), marketOption(), rpc()],
  examples: [{ command: 'gtx cancel-order --order-id 2', shows: 'Cancelled order 2; 5 GRID came back.' }],
  action: (options, context) =>
    run(context, options, (actions, targets) =>
      actions.cancelOrder(targets, { ...signing(options, context), orderId: options.orderId }),
    ),
};

const expireOrder: CommandDefinition<Omit<Signing, 'keypair'> & { orderId: bigint; seller?: string }> = {
  name: 'expire-order',
  summary: 'Return an expired order to its owner.',
  description:
    'Anybody can, since it can only go back to its owner. The collector does it by itself; this is for markets without one.',
  options: [
    orderId(),
    seller(),
    valueOption('--payer-key <file>', 'key that pays the fee (default: the data folder’s fee payer)'),
    marketOption(),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx expire-order --order-id 3',
      shows: 'Returned the expired order 3: 5 GRID went back to its owner.',
    },
  ],
  action: (options, context) =>
    run(context, options, (actions, targets) =>
      actions.expireOrder(targets, {
        ...signing(options, context),
        orderId: options.orderId,
        seller: options.seller,
      }),
    ),
};

interface ListFlags {
  readonly rpc?: string;
  readonly url?: string;
  readonly market?: string;
  readonly source: 'auto' | 'collector' | 'chain';
}
interface OfWallet extends ListFlags {
  readonly wallet?: string;
  readonly keypair?: string;
  readonly all?: boolean;
  readonly limit: number;
}
const ofWallet = (what: string) => [
  valueOption('--wallet <pubkey>', `whose ${what} (default: the data folder’s owner)`),
  keypair(),
  new Option('--all', 'of all wallets'),
  integerOption('--limit <number>', 'at most this many, newest first', 1, 100).default(20),
];

const orders: CommandDefinition<OfWallet & { status?: 'open' | 'filled' | 'cancelled' | 'expired' }> = {
  name: 'orders',
  summary: 'Show orders of a wallet, or all.',
  description: `From the collector where one answers, else from the chain, which keeps only orders that are not closed; the last line
says which, and as of which slot.`,
  options: [
    ...ofWallet('orders'),
    new Option('--status <status>', 'only these').choices(['open', 'filled', 'cancelled', 'expired']),
    ...listFrom(),
  ],
  examples: [
    { command: 'gtx orders', shows: 'id, side, what is left of how much, price, status, end and owner.' },
    { command: 'gtx orders --all --status open --json', shows: '{"orders":[{"order_id":"1",…}],"source":…}' },
  ],
  action: ({ wallet, keypair: file, all, limit, status, source, market, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.listOrders(targets, {
        wallet,
        keypair: file,
        all: all === true,
        limit,
        status,
        source,
        market,
      }),
    ),
};

const book: CommandDefinition<ListFlags & { depth: number }> = {
  name: 'book',
  summary: 'Show what can be traded now, by price.',
  description:
    'Sell orders above, buy orders below, the best prices of both in the middle. From the collector, else from the chain.',
  options: [
    integerOption('--depth <number>', 'how many prices of each side', 1, 1_000).default(20),
    ...listFrom(),
  ],
  examples: [{ command: 'gtx book', shows: 'Price, amount and number of orders of each level.' }],
  action: ({ depth, source, market, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showBook(targets, { depth, source, market })),
};

const trades: CommandDefinition<OfWallet> = {
  name: 'trades',
  summary: 'Show trades of a wallet, or all.',
  description:
    'Newest first, from the collector; without one from the market’s last 1,000 transactions on the chain, which takes longer.',
  options: [...ofWallet('trades'), ...listFrom()],
  examples: [
    { command: 'gtx trades', shows: 'Time, amount, price, GRX paid, seller and buyer.' },
    { command: 'gtx trades --all --limit 5 --json', shows: '{"trades":[{"amount":"10","price":"3",…}],…}' },
  ],
  action: ({ wallet, keypair: file, all, limit, source, market, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.listTrades(targets, { wallet, keypair: file, all: all === true, limit, source, market }),
    ),
};

const balances: CommandDefinition<{ rpc?: string; market?: string; wallet?: string; keypair?: string }> = {
  name: 'balances',
  summary: 'Show a wallet’s GRID, GRX and SOL, and what is in its orders.',
  description: 'From the chain.',
  options: [
    valueOption('--wallet <pubkey>', 'whose (default: the data folder’s owner)'),
    keypair(),
    marketOption(),
    rpc(),
  ],
  examples: [
    { command: 'gtx balances --keypair buyer.json', shows: 'In the wallet, in orders and in total.' },
  ],
  action: ({ wallet, keypair: file, market, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.showBalances(targets, { wallet, keypair: file, market }),
    ),
};

const price: CommandDefinition<ListFlags> = {
  name: 'price',
  summary: 'Show what a kWh is worth: the market’s price feed and the collector’s guide.',
  description:
    'The feed is the oracle’s and bounds where trades can be; the guide is a hint of the collector’s.',
  options: listFrom(),
  examples: [
    { command: 'gtx price', shows: '3 GRX for 1 kWh, how long that counts, and the range of trades.' },
  ],
  action: ({ source, market, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showPrice(targets, { source, market })),
};

const faucet: CommandDefinition<{ rpc?: string; to?: string; amount: bigint }> = {
  name: 'faucet',
  summary: 'Get demo GRX, on the embedded chain.',
  description: `The key that mints them lies in the data folder. A wallet without SOL gets some for its fees. It refuses on any other cluster: there GRX comes from whoever issues
the token that the market is quoted in.`,
  options: [
    tokens('--amount <grx>', 'how much, in GRX').makeOptionMandatory(),
    valueOption('--to <pubkey>', 'the wallet (default: the data folder’s owner)'),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx faucet --amount 100 --to 7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy',
      shows: '100 GRX for 7cVf…, and what it has now, SOL for fees too.',
    },
  ],
  action: ({ to, amount, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.faucet(targets, { to, amount })),
};

interface CreateMarket {
  readonly rpc?: string;
  readonly quoteMint: string;
  readonly lot: bigint;
  readonly tick: bigint;
  readonly feeBps: number;
  readonly feed?: string;
  readonly bandBps?: number;
  readonly treasuryOwner?: string;
  readonly guardian?: string;
  readonly upgradeAuthorityKey?: string;
}
const createMarket: CommandDefinition<CreateMarket> = {
  name: 'create',
  summary: 'Open the market of GRID against a token.',
  description: `Signed by the trading program's upgrade authority, which becomes the market's admin. There is one market for each
quote mint; lot and tick can never be changed. The treasury's account is made when it is missing. Repeating it changes
nothing. On the embedded chain gtx up and gtx chain init do this with a GRX of their own.`,
  options: [
    valueOption(
      '--quote-mint <pubkey>',
      'the token that GRID is paid with: a mint with 9 decimals and no extension but metadata',
    ).makeOptionMandatory(),
    tokens('--lot <grid>', 'amounts of orders are multiples of it').default(1_000_000n, '0.001'),
    tokens('--tick <grx>', 'prices are multiples of it').default(1_000_000n, '0.001'),
    integerOption(
      '--fee-bps <number>',
      'what a seller pays, in hundredths of a percent of the quote',
      0,
      1_000,
    ).default(0),
    valueOption('--feed <address>', 'an oracle feed: trades are only near its price'),
    integerOption('--band-bps <number>', 'how far from it, in hundredths of a percent', 1, 10_000),
    valueOption(
      '--treasury-owner <pubkey>',
      'whose account gets the fees (default: the upgrade authority’s)',
    ),
    valueOption('--guardian <pubkey>', 'who can pause it (default: the data folder’s guardian)'),
    valueOption('--upgrade-authority-key <file>', 'key file (default: the data folder’s)'),
    rpc(),
  ],
  examples: [
    {
      command:
        'gtx market create --quote-mint 7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy --fee-bps 25 --lot 0.1',
      shows: 'The market’s address and rules.',
    },
  ],
  action: ({ rpc: url, ...options }, context) =>
    run(context, url === undefined ? {} : { rpc: url }, (actions, targets) =>
      actions.openMarket(targets, {
        quoteMint: options.quoteMint,
        lot: options.lot,
        tick: options.tick,
        feeBps: options.feeBps,
        feed: options.feed,
        bandBps: options.bandBps,
        treasuryOwner: options.treasuryOwner,
        guardian: options.guardian,
        upgradeAuthorityKey: options.upgradeAuthorityKey,
      }),
    ),
};

const showMarket: CommandDefinition<{ rpc?: string; market?: string }> = {
  name: 'show',
  summary: 'Show a market’s rules.',
  description: 'From the chain: lot, tick, fee, price band, who may change it, and whether it is paused.',
  options: [marketOption(), rpc()],
  examples: [{ command: 'gtx market show', shows: 'The market’s address and rules.' }],
  action: ({ market, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showMarket(targets, { market })),
};

const handOver: CommandDefinition<{ rpc?: string; market?: string; to: string; adminKey?: string }> = {
  name: 'hand-over',
  summary: 'Name the market’s next admin, who has to accept.',
  description:
    'With --to governance, proposals decide on fee, band, treasury and pause from then on: the first one accepts ({"do":"accept-market-admin"}). Until then nothing changes.',
  options: [
    valueOption(
      '--to <pubkey>',
      'who; governance for the governance program’s address',
    ).makeOptionMandatory(),
    valueOption('--admin-key <file>', 'the admin’s key (default: the data folder’s upgrade authority)'),
    marketOption(),
    rpc(),
  ],
  examples: [
    { command: 'gtx market hand-over --to governance', shows: 'Who becomes the admin once it accepts.' },
  ],
  action: ({ market, to, adminKey, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.handOverMarket(targets, { market, to, adminKey })),
};

export function addMarketCommands(program: Command, environment: ProgramEnvironment): void {
  addCommand(program, createOrder, environment);
  addCommand(program, matchOrder, environment);
  addCommand(program, cancelOrder, environment);
  addCommand(program, expireOrder, environment);
  addCommand(program, orders, environment);
  addCommand(program, book, environment);
  addCommand(program, trades, environment);
  addCommand(program, balances, environment);
  addCommand(program, price, environment);
  addCommand(program, faucet, environment);
  const market = addGroup(program, 'market', 'The market of GRID against GRX.');
  addCommand(market, createMarket, environment);
  addCommand(market, showMarket, environment);
  addCommand(market, handOver, environment);
}
