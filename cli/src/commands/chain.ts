import { assertMeterId, kwhToNkwh, parseU64 } from '@gridtokenx/protocol';
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
import { actionRunner, rpc } from './acting.js';

/** The meter that commands play when none is named: a software meter, apart from the demo's. */
export const SOFTWARE_METER = 'MTR-001';

const payer = (who: string) => valueOption('--payer-key <file>', `key that pays the fees (default: ${who})`);
const meterId = () =>
  parsedOption('--meter-id <id>', 'the meter', (text: string) => {
    assertMeterId(text);
    return text;
  }).default(SOFTWARE_METER);
const kwh = (flags: string, description: string) =>
  parsedOption(flags, description, (text: string) => kwhToNkwh(text));

const run = actionRunner(() => import('../chain-actions.js'));

interface InitOptions {
  readonly rpc?: string;
  readonly upgradeAuthorityKey?: string;
  readonly registrar?: string;
  readonly guardian?: string;
  readonly policy: 'interval-surplus' | 'net-over-all-time';
  readonly maxRatedWatts: number;
  readonly market: boolean;
}
const chainInit: CommandDefinition<InitOptions> = {
  name: 'init',
  summary: 'Initialise mint, authorities and limits on a cluster where the programs are deployed.',
  description: `Signed by the programs' upgrade authority, which becomes admin. What is initialised already stays as it is, so
running it twice changes nothing. The policy cannot be changed later. On the embedded chain it also sets up a market to try
things with: a GRX mint whose key lies in the data folder, a price feed with one publisher, and GRID against GRX.`,
  options: [
    rpc(),
    valueOption('--upgrade-authority-key <file>', 'key file (default: the data folder’s)'),
    valueOption(
      '--registrar <pubkey>',
      'who attests users and meters (default: the data folder’s registrar)',
    ),
    valueOption('--guardian <pubkey>', 'who can pause (default: the data folder’s guardian)'),
    new Option(
      '--policy <policy>',
      'what is minted: each interval’s surplus, or production less consumption over all time',
    )
      .choices(['interval-surplus', 'net-over-all-time'])
      .default('interval-surplus'),
    integerOption(
      '--max-rated-watts <watts>',
      'largest meter that can be registered, in W',
      1,
      4_294_967_295,
    ).default(100_000),
    new Option('--no-market', 'on the embedded chain: no market'),
  ],
  examples: [
    {
      command: 'gtx chain init --rpc http://127.0.0.1:8899',
      shows: 'Initialises the programs and the market; again: "nothing was changed".',
    },
  ],
  action: (options, context) =>
    run(context, options, (actions, targets) =>
      actions.initialiseChain(targets, {
        upgradeAuthorityKey: options.upgradeAuthorityKey,
        registrar: options.registrar,
        guardian: options.guardian,
        policy: options.policy,
        maxRatedWatts: options.maxRatedWatts,
        market: options.market,
      }),
    ),
};

const registerUser: CommandDefinition<{ rpc?: string; walletKey?: string; payerKey?: string }> = {
  name: 'register-user',
  summary: 'Register a wallet as a user on the chain.',
  description:
    'Signed by the wallet. Repeating it changes nothing. The registrar then verifies the user (gtx verify-user).',
  options: [
    rpc(),
    valueOption('--wallet-key <file>', 'the wallet’s key (default: the data folder’s owner)'),
    payer('with --wallet-key the wallet itself, else the data folder’s registrar'),
  ],
  examples: [
    {
      command: 'gtx register-user --wallet-key alice.json',
      shows: 'Registered <wallet>, and the transaction.',
    },
  ],
  action: ({ walletKey, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.addUser(targets, { walletKey, payerKey })),
};

const verifyUser: CommandDefinition<{
  rpc?: string;
  wallet?: string;
  registrarKey?: string;
  payerKey?: string;
  revoke?: boolean;
}> = {
  name: 'verify-user',
  summary: 'Attest, as registrar, that a user is known; or withdraw it.',
  description: 'Readings count only for a verified user’s meters. Repeating it changes nothing.',
  options: [
    rpc(),
    valueOption('--wallet <pubkey>', 'the user’s wallet (default: the data folder’s owner)'),
    valueOption('--registrar-key <file>', 'the registrar’s key (default: the data folder’s)'),
    payer('the registrar'),
    new Option('--revoke', 'withdraw the verification'),
  ],
  examples: [
    { command: 'gtx verify-user --wallet 7YhK…', shows: 'The user’s readings count from now on.' },
    { command: 'gtx verify-user --wallet 7YhK… --revoke', shows: 'They no longer do.' },
  ],
  action: ({ wallet, registrarKey, payerKey, revoke, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.attestUser(targets, { wallet, registrarKey, payerKey, revoke: revoke === true }),
    ),
};

interface RegisterMeterOptions {
  readonly rpc?: string;
  readonly meterId: string;
  readonly meterKey?: string;
  readonly ownerKey?: string;
  readonly registrarKey?: string;
  readonly payerKey?: string;
  readonly ratedWatts: number;
}
const registerMeter: CommandDefinition<RegisterMeterOptions> = {
  name: 'register-meter',
  summary: 'Register a meter, with its key’s, its owner’s and the registrar’s consent.',
  description: `The meter's key signs which wallet it belongs to on this network; the owner and the registrar sign the
transaction. Without --meter-key the key lies in the data folder and is made when there is none. Energy beyond the
rated power over the time since the last reading is held back, so do not state less than the system has.`,
  options: [
    rpc(),
    meterId(),
    valueOption(
      '--meter-key <file>',
      'the meter’s key (default: keys/meters/<id>.json in the data folder, made when absent)',
    ),
    valueOption('--owner-key <file>', 'the owner’s wallet key (default: the data folder’s owner)'),
    valueOption('--registrar-key <file>', 'the registrar’s key (default: the data folder’s)'),
    payer('the registrar'),
    integerOption(
      '--rated-watts <watts>',
      'largest power that can flow through the meter, in W',
      1,
      4_294_967_295,
    ).default(10_000),
  ],
  examples: [
    {
      command: 'gtx register-meter --meter-id MTR-001 --rated-watts 10000',
      shows: 'Meter, owner, key file and transaction.',
    },
  ],
  action: ({ meterId: id, meterKey, ownerKey, registrarKey, payerKey, ratedWatts, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.addMeter(targets, { meterId: id, meterKey, ownerKey, registrarKey, payerKey, ratedWatts }),
    ),
};

interface SubmitReadingOptions {
  readonly rpc?: string;
  readonly url?: string;
  readonly meterId: string;
  readonly production: bigint;
  readonly consumption: bigint;
  readonly meterKey?: string;
  readonly wallet?: string;
  readonly direct?: boolean;
  readonly payerKey?: string;
}
const submitReading: CommandDefinition<SubmitReadingOptions> = {
  name: 'submit-reading',
  summary: 'Be a meter made of software: add energy to its totals, sign a reading, send it.',
  description: `The meter's counters lie in the data folder (software-meters/<id>.json) and are written before a reading
leaves, so that no sequence number is used twice. The interval runs from the last reading to now. By default the reading
goes to the collector over HTTP; with --direct straight to the registry, in a transaction of its own.`,
  options: [
    kwh(
      '--production <kwh>',
      'energy produced since the last reading, in kWh, at most 9 decimals',
    ).makeOptionMandatory(),
    kwh('--consumption <kwh>', 'energy consumed since the last reading, in kWh').makeOptionMandatory(),
    meterId(),
    valueOption('--meter-key <file>', 'the meter’s key (default: keys/meters/<id>.json in the data folder)'),
    valueOption('--wallet <pubkey>', 'the owner’s wallet (default: the data folder’s owner)'),
    valueOption(
      '--url <url>',
      'the collector (default: GTX_COLLECTOR_URL, else what gtx up runs, else http://127.0.0.1:8080)',
    ),
    new Option('--direct', 'send it to the chain, without a collector'),
    rpc(),
    payer('with --direct: the data folder’s fee payer'),
  ],
  examples: [
    {
      command: 'gtx submit-reading --production 25 --consumption 10',
      shows: 'Reading 1 of MTR-001: 15 kWh surplus, stored; its surplus will be minted.',
    },
    {
      command: 'gtx submit-reading --production 2.5 --consumption 1 --direct --json',
      shows: '{"meter_id":"MTR-001","sequence":"2",…,"signature":"…"}',
    },
  ],
  action: ({ meterId: id, production, consumption, meterKey, wallet, direct, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.submitReading(
        targets,
        {
          meterId: id,
          production,
          consumption,
          meterKey,
          wallet,
          direct: direct === true,
          payerKey,
          nowSeconds: Math.floor(Date.now() / 1_000),
        },
        (text) => context.out.progress(text),
      ),
    ),
};

const settle: CommandDefinition<{ rpc?: string; meterId: string; payerKey?: string; mint: boolean }> = {
  name: 'settle-meter-balance',
  summary: 'Settle a meter’s counted surplus and mint it to its owner.',
  description: `Anybody may do this: the destination is fixed on the chain. The collector does it by itself; this is for readings
that were submitted with --direct, or without a collector. With nothing to settle it says so and ends with 0.`,
  options: [
    rpc(),
    meterId(),
    payer('the data folder’s fee payer'),
    new Option('--no-mint', 'settle only; mint later'),
  ],
  examples: [
    {
      command: 'gtx settle-meter-balance --meter-id MTR-001',
      shows: 'Minted 15 GRID for MTR-001 to <wallet>.',
    },
  ],
  action: ({ meterId: id, payerKey, mint, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.settleBalance(targets, { meterId: id, payerKey, mint }),
    ),
};

const burn: CommandDefinition<{
  rpc?: string;
  amount: bigint;
  meterId?: string;
  ownerKey?: string;
  payerKey?: string;
}> = {
  name: 'burn',
  summary: 'Burn GRID, also as consumption of one of the owner’s meters.',
  description:
    'Signed by the owner. Burned GRID is gone for good. With --meter-id it is booked as consumed at that meter.',
  options: [
    kwh('--amount <grid>', 'how much, in GRID (1 GRID is 1 kWh), at most 9 decimals').makeOptionMandatory(),
    parsedOption('--meter-id <id>', 'retire it as consumption of this meter of the owner', (text: string) => {
      assertMeterId(text);
      return text;
    }),
    valueOption('--owner-key <file>', 'the owner’s key (default: the data folder’s owner)'),
    payer('with --owner-key the owner, else the data folder’s fee payer'),
    rpc(),
  ],
  examples: [
    { command: 'gtx burn --amount 0.5', shows: 'Burned 0.5 GRID; 14.5 GRID are left.' },
    {
      command: 'gtx burn --amount 2 --meter-id MTR-001',
      shows: 'The same, with the event that names the meter.',
    },
  ],
  action: ({ amount, meterId: id, ownerKey, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.burnGrid(targets, { amount, meterId: id, ownerKey, payerKey }),
    ),
};

const airdrop: CommandDefinition<{ rpc?: string; to?: string; sol: number }> = {
  name: 'airdrop',
  summary: 'Get SOL to test with, where the cluster gives any.',
  description:
    'For the embedded chain, a test validator or devnet. SOL pays transaction fees and rent; it is not GRID.',
  options: [
    valueOption(
      '--to <pubkey>',
      'one wallet (default: the upgrade authority, registrar, owner and fee payer of the data folder)',
    ),
    integerOption('--sol <number>', 'how much each, in SOL', 1, 1_000).default(2),
    rpc(),
  ],
  examples: [{ command: 'gtx airdrop', shows: '2 SOL for each of the data folder’s paying keys.' }],
  action: ({ to, sol, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.getFunds(targets, { to, sol })),
};

const limits: CommandDefinition<{
  rpc?: string;
  maxRatedWatts?: number;
  dailyMintCap?: bigint;
  adminKey?: string;
}> = {
  name: 'limits',
  summary: 'Show or change the registry’s limits: rated power and daily mint cap.',
  description: `Without a limit it shows both. Changing one is signed by the admin and leaves the other as it is. What a meter
makes above the cap is not lost: it stays settled and is minted on a later day (UTC).`,
  options: [
    integerOption(
      '--max-rated-watts <watts>',
      'largest meter that can be registered, in W',
      1,
      4_294_967_295,
    ),
    kwh('--daily-mint-cap <kwh>', 'most that a meter mints in a day unless it has a cap of its own; 0: none'),
    valueOption('--admin-key <file>', 'the admin’s key (default: the data folder’s upgrade authority)'),
    rpc(),
  ],
  examples: [
    { command: 'gtx chain limits', shows: 'Rated power of a meter at most 100000 W; daily mint cap: none.' },
    { command: 'gtx chain limits --daily-mint-cap 50', shows: 'Changed the limits, and the transaction.' },
  ],
  action: ({ maxRatedWatts, dailyMintCap, adminKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.changeLimits(targets, { maxRatedWatts, dailyMintCap, adminKey }),
    ),
};

const meterCap: CommandDefinition<{
  rpc?: string;
  meterId: string;
  dailyMintCap?: bigint;
  authorityKey?: string;
}> = {
  name: 'meter-cap',
  summary: 'Show or change what a meter may mint in a day.',
  description: `Shows the cap in force, what is left of it today and what is still to be minted. With --daily-mint-cap the meter
gets a cap of its own, higher or lower than the registry's; 0 takes it back. Signed by the registrar or the admin.`,
  options: [
    kwh('--daily-mint-cap <kwh>', 'the meter’s own cap; 0: the registry’s'),
    meterId(),
    valueOption(
      '--authority-key <file>',
      'the registrar’s or admin’s key (default: the data folder’s registrar)',
    ),
    rpc(),
  ],
  examples: [
    { command: 'gtx chain meter-cap --meter-id MTR-001', shows: 'The cap, what is left today, what is due.' },
    {
      command: 'gtx chain meter-cap --meter-id MTR-001 --daily-mint-cap 80',
      shows: 'Changed the cap of MTR-001, and the transaction.',
    },
  ],
  action: ({ meterId: id, dailyMintCap, authorityKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.changeMeterCap(targets, { meterId: id, dailyMintCap, authorityKey }),
    ),
};

const token: CommandDefinition<{ rpc?: string; uri?: string; adminKey?: string }> = {
  name: 'token',
  summary: 'Show GRID as wallets see it, and its supply.',
  description: `Name, symbol, decimals and unit never change. The URI, where wallets find a picture and a description, is the admin's
to set ('' for none); the admin pays the mint's rent for a longer one.`,
  options: [
    valueOption('--uri <uri>', 'set where wallets find more'),
    valueOption('--admin-key <file>', 'the admin’s key (default: the data folder’s upgrade authority)'),
    rpc(),
  ],
  examples: [
    { command: 'gtx chain token', shows: 'GRID (GRID), 9 decimals, its mint, unit 1 kWh, and the supply.' },
    {
      command: 'gtx chain token --uri https://example.org/grid.json',
      shows: 'Changed the URI, and the transaction.',
    },
  ],
  action: ({ uri, adminKey, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showToken(targets, { uri, adminKey })),
};

function held(
  release: boolean,
): CommandDefinition<{ rpc?: string; meterId: string; sequence: bigint; authorityKey?: string }> {
  return {
    name: release ? 'release' : 'write-off',
    summary: release
      ? 'Let energy that the chain holds back count after all.'
      : 'Give up energy that the chain holds back.',
    description: `A reading that rises faster than the meter's rated power allows has its excess held under its sequence number.
Signed by the registrar or the admin. It can be done once, and it is final.`,
    options: [
      parsedOption('--sequence <number>', 'the sequence number under which it is held', (text: string) =>
        parseU64(text, 'sequence'),
      ).makeOptionMandatory(),
      meterId(),
      valueOption(
        '--authority-key <file>',
        'the registrar’s or admin’s key (default: the data folder’s registrar)',
      ),
      rpc(),
    ],
    examples: [
      {
        command: `gtx ${release ? 'release' : 'write-off'} --meter-id MTR-001 --sequence 7`,
        shows: `${release ? 'Released' : 'Wrote off'} 3.2 kWh of MTR-001 held under sequence 7.`,
      },
    ],
    action: ({ meterId: id, sequence, authorityKey, ...flags }, context) =>
      run(context, flags, (actions, targets) =>
        actions.decideHeld(targets, { meterId: id, sequence, authorityKey, release }),
      ),
  };
}

export function addChainCommands(program: Command, environment: ProgramEnvironment): void {
  const chain = addGroup(program, 'chain', 'The programs on the chain.');
  addCommand(chain, chainInit, environment);
  addCommand(chain, limits, environment);
  addCommand(chain, meterCap, environment);
  addCommand(chain, token, environment);
  addCommand(program, airdrop, environment);
  addCommand(program, registerUser, environment);
  addCommand(program, verifyUser, environment);
  addCommand(program, registerMeter, environment);
  addCommand(program, submitReading, environment);
  addCommand(program, settle, environment);
  addCommand(program, burn, environment);
  addCommand(program, held(true), environment);
  addCommand(program, held(false), environment);
}
