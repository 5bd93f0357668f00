import { GtxError } from '@gridtokenx/protocol';
import { type Command, Option } from 'commander';
import {
  addCommand,
  addGroup,
  type CommandDefinition,
  integerOption,
  type ProgramEnvironment,
  parsedOption,
  valueOption,
} from '../command.js';
import { serviceLogger } from '../logger.js';
import { parseTokens } from '../market/amount.js';
import { runService } from '../process/service.js';
import { actionRunner, rpc } from './acting.js';

const symbol = () =>
  parsedOption('--symbol <symbol>', 'the feed', (text: string) => {
    if (!/^[A-Z0-9/._-]{1,16}$/.test(text))
      throw new Error("It must be 1 to 16 of A-Z, 0-9, '/', '.', '-' and '_'.");
    return text;
  }).default('GRX/GRID');
const authority = () =>
  valueOption(
    '--authority-key <file>',
    'the key of the oracle’s authority (default: the data folder’s upgrade authority)',
  );

const run = actionRunner(() => import('../oracle-actions.js'));

const init: CommandDefinition<{ rpc?: string; guardian?: string; authorityKey?: string }> = {
  name: 'init',
  summary: 'Initialise the oracle on a cluster where its program is deployed.',
  description:
    'Signed by the program’s upgrade authority, which becomes the oracle’s authority. Repeating it changes nothing. gtx up and gtx chain init do it on the embedded chain.',
  options: [
    valueOption('--guardian <pubkey>', 'who can pause feeds (default: the data folder’s guardian)'),
    authority(),
    rpc(),
  ],
  examples: [{ command: 'gtx oracle init', shows: 'Authority and guardian; again: nothing was changed.' }],
  action: ({ guardian, authorityKey, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.initialiseOracle(targets, { guardian, authorityKey })),
};

interface FeedOptions {
  readonly rpc?: string;
  readonly symbol: string;
  readonly maxAgeSeconds?: number;
  readonly guardSeconds?: number;
  readonly maxDeviationBps?: number;
  readonly minPublishers?: number;
  readonly overridePublishers?: number;
  readonly pause?: boolean;
  readonly resume?: boolean;
  readonly authorityKey?: string;
}
const feed: CommandDefinition<FeedOptions> = {
  name: 'feed',
  summary: 'Make a price feed, or change its settings.',
  description: `Settings that are not named stay as they are; a new feed counts a price for an hour, needs one publisher and lets the
price move by 20 % an hour. docs/programs.md says what each does.`,
  options: [
    symbol(),
    integerOption('--max-age-seconds <s>', 'how old a price may be', 1, 86_400),
    integerOption('--guard-seconds <s>', 'the window in which the price moves only so far', 1, 604_800),
    integerOption('--max-deviation-bps <number>', 'how far, in hundredths of a percent', 1, 10_000),
    integerOption('--min-publishers <number>', 'so many fresh submissions make a price', 1, 8),
    integerOption('--override-publishers <number>', 'so many that agree pass the guard; 0: none', 0, 8),
    new Option('--pause', 'stop the feed: nobody can submit, and no market trades by it').conflicts('resume'),
    new Option('--resume', 'let it go on'),
    authority(),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx oracle feed --max-age-seconds 900 --guard-seconds 3600 --min-publishers 2',
      shows: 'The feed with its settings, price and publishers.',
    },
    { command: 'gtx oracle feed --pause', shows: 'The market stops trading by this feed at once.' },
  ],
  action: ({ symbol: name, authorityKey, pause, resume, rpc: url, ...settings }, context) =>
    run(context, url === undefined ? {} : { rpc: url }, (actions, targets) =>
      actions.changeFeed(targets, {
        symbol: name,
        authorityKey,
        paused: pause ? true : resume ? false : undefined,
        maxAgeSeconds: settings.maxAgeSeconds,
        guardSeconds: settings.guardSeconds,
        maxDeviationBps: settings.maxDeviationBps,
        minPublishers: settings.minPublishers,
        overridePublishers: settings.overridePublishers,
      }),
    ),
};

const publisher = (
  add: boolean,
): CommandDefinition<{ rpc?: string; symbol: string; publisher?: string; authorityKey?: string }> => ({
  name: add ? 'add-publisher' : 'remove-publisher',
  summary: add ? 'Let a key submit prices to a feed.' : 'Take a publisher and its price out of a feed.',
  description: add
    ? 'Up to eight can. Three or more leave a single stolen key no more than what lies between the others.'
    : 'The price is worked out anew without it.',
  options: [
    valueOption('--publisher <pubkey>', 'the key (default: the data folder’s oracle publisher)'),
    symbol(),
    authority(),
    rpc(),
  ],
  examples: [
    {
      command: `gtx oracle ${add ? 'add' : 'remove'}-publisher --publisher 7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy`,
      shows: add ? '7cVf… may submit to GRX/GRID now.' : '7cVf… is no longer a publisher of GRX/GRID.',
    },
  ],
  action: ({ symbol: name, publisher: key, authorityKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.changePublisher(targets, { symbol: name, publisher: key, authorityKey, add }),
    ),
});

const submit: CommandDefinition<{ rpc?: string; symbol: string; price: bigint; keypair?: string }> = {
  name: 'submit',
  summary: 'Submit one price to a feed, by hand.',
  description: 'Signed and paid by a publisher. gtx oracle run does it all the time.',
  options: [
    parsedOption('--price <grx>', 'GRX for 1 kWh', parseTokens).makeOptionMandatory(),
    valueOption('--keypair <file>', 'the publisher’s key (default: the data folder’s oracle publisher)'),
    symbol(),
    rpc(),
  ],
  examples: [
    { command: 'gtx oracle submit --price 3.2', shows: 'What the oracle made of it, and its price.' },
  ],
  action: ({ symbol: name, price, keypair, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.submitOnce(targets, { symbol: name, price, keypair })),
};

const show: CommandDefinition<{ rpc?: string; symbol: string }> = {
  name: 'show',
  summary: 'Show a feed: price, settings, publishers and what each said last.',
  description: 'From the chain.',
  options: [symbol(), rpc()],
  examples: [{ command: 'gtx oracle show', shows: 'GRX/GRID: 3 GRX for 1 kWh, until …' }],
  action: ({ symbol: name, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showFeed(targets, { symbol: name })),
};

const runPublisher: CommandDefinition<{ config?: string }> = {
  name: 'run',
  summary: 'Run a publisher in the foreground: ask sources, submit what a kWh is worth.',
  description: `Reads a JSON file of settings; docs/trading.md describes them. It needs only its own key, which can do nothing but
submit prices. Prints one JSON line when it is ready; serves /healthz and /metrics. Stops on Ctrl-C, SIGTERM.`,
  options: [valueOption('--config <file>', 'the settings').makeOptionMandatory()],
  examples: [
    { command: 'gtx oracle run --config publisher.json', shows: 'Submits to the feed until it is stopped.' },
  ],
  async action({ config }, { env }) {
    if (config === undefined) throw new GtxError('CONFIG_INVALID', 'give --config');
    const logger = serviceLogger('publisher', env);
    return await runService('publisher', async () => {
      const { loadPublisherConfig, startPublisher } = await import('@gridtokenx/collector');
      const running = await startPublisher(loadPublisherConfig(config), { logger });
      return { info: { http_url: running.httpUrl }, stop: () => running.stop() };
    });
  },
};

export function addOracleCommands(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(program, 'oracle', 'What a kWh is worth: price feeds and who publishes them.');
  addCommand(group, init, environment);
  addCommand(group, feed, environment);
  addCommand(group, publisher(true), environment);
  addCommand(group, publisher(false), environment);
  addCommand(group, submit, environment);
  addCommand(group, show, environment);
  addCommand(group, runPublisher, environment);
}
