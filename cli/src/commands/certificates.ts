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
import { SOFTWARE_METER } from './chain.js';

const SOURCES = ['solar', 'wind', 'hydro', 'biomass', 'geothermal', 'marine', 'storage', 'other'] as const;

interface Common {
  readonly rpc?: string;
  readonly meterId: string;
  readonly ownerKey?: string;
  readonly payerKey?: string;
}

const idOption = (description: string) =>
  parsedOption('--meter-id <id>', description, (text: string) => {
    assertMeterId(text);
    return text;
  });
const meterId = () => idOption('the meter').default(SOFTWARE_METER);
const kwhOption = (flags: string, description: string) =>
  parsedOption(flags, description, (text: string) => kwhToNkwh(text));
const serial = () =>
  parsedOption('--serial <number>', 'the certificate’s serial number: 3 of MTR-001/3', (text: string) =>
    parseU64(text, 'serial'),
  ).makeOptionMandatory();
const keys = (who: string) => [
  valueOption('--owner-key <file>', `the ${who}’s key (default: the data folder’s owner)`),
  valueOption(
    '--payer-key <file>',
    `key that pays fees and rent (default: with --owner-key the ${who}, else the data folder’s fee payer)`,
  ),
  rpc(),
];

const run = actionRunner(() => import('../certificate-actions.js'));

/** The keys as the actions want them. */
const signers = ({ ownerKey, payerKey }: Common) => ({ ownerKey, payerKey });

const list: CommandDefinition<{ rpc?: string; meterId?: string; holder?: string; retired?: boolean }> = {
  name: 'list',
  summary: 'Show certificates: all, of a meter, or of a holder.',
  description:
    'Live ones, or with --retired the records of those that were retired, with beneficiary and reason. Read from the chain.',
  options: [
    idOption('only this meter’s'),
    valueOption('--holder <pubkey>', 'only this wallet’s; with --retired, those that it retired'),
    new Option('--retired', 'the records of retired certificates'),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx certificates list --meter-id MTR-001',
      shows: 'MTR-001/1  15 kWh  solar  2026-05-01T10:00:00.000Z to …  and the holder.',
    },
    {
      command: 'gtx certificates list --retired --json',
      shows: '{"certificates":[{"meter_id":"MTR-001",…,"beneficiary":"ACME"}],"total_kwh":"5"}',
    },
  ],
  action: ({ meterId: id, holder, retired, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.listCertificates(targets, { meterId: id, holder, retired: retired === true }),
    ),
};

interface OptInOptions extends Common {
  readonly source?: (typeof SOURCES)[number];
  readonly includeSettled?: boolean;
  readonly minKwh: bigint;
  readonly registrarKey?: string;
  readonly off?: boolean;
}
const optIn: CommandDefinition<OptInOptions> = {
  name: 'opt-in',
  summary: 'Get a certificate with each settlement, or no longer (--off).',
  description: `The first time it opens the meter's book: the registrar, who signs too, attests the source of the energy. The book
starts with the energy settled from now on; with --include-settled the registrar attests that all of it is this owner's. The
collector issues the certificates after settlements; their rent comes from the book (gtx certificates fund).`,
  options: [
    meterId(),
    new Option('--source <source>', 'where the energy comes from; needed the first time').choices(SOURCES),
    new Option('--include-settled', 'when the book is opened: certify also what was settled before'),
    kwhOption('--min-kwh <kwh>', 'issue only once this much waits').default(0n, '0: with each settlement'),
    new Option('--off', 'opt out; certificates can still be issued by hand'),
    valueOption('--registrar-key <file>', 'who attests the source (default: the data folder’s registrar)'),
    ...keys('meter’s owner'),
  ],
  examples: [
    {
      command: 'gtx certificates opt-in --source solar --min-kwh 1',
      shows: 'MTR-001 gets a certificate with each settlement of at least 1 kWh.',
    },
    { command: 'gtx certificates opt-in --off', shows: 'No certificates are issued by itself any more.' },
  ],
  action: ({ source, includeSettled, minKwh, registrarKey, off, ...common }, context) =>
    run(context, common, (actions, targets) =>
      actions.optIn(targets, {
        ...signers(common),
        meterId: common.meterId,
        source: source === undefined ? undefined : actions.sourceOf(source),
        includeSettled: includeSettled === true,
        registrarKey,
        minimum: minKwh,
        off: off === true,
      }),
    ),
};

const fund: CommandDefinition<{ rpc?: string; meterId: string; certificates: number; payerKey?: string }> = {
  name: 'fund',
  summary: 'Send SOL for the rent of certificates to a meter’s book.',
  description: `About 0.003 SOL a certificate, which comes back to the owner when it is retired. The collector takes it from the
book, and nothing else. Anybody can send it.`,
  options: [
    meterId(),
    integerOption('--certificates <number>', 'for how many', 1, 100_000).default(10),
    valueOption('--payer-key <file>', 'who sends it (default: the data folder’s owner)'),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx certificates fund --certificates 30',
      shows: '0.0868608 SOL are in the book of MTR-001.',
    },
  ],
  action: ({ meterId: id, certificates, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.fundBook(targets, { meterId: id, certificates, payerKey }),
    ),
};

const issue: CommandDefinition<Common & { kwh?: bigint }> = {
  name: 'issue',
  summary: 'Issue a certificate for settled energy of a meter of yours.',
  description:
    'For all that is settled and not certified, or for --kwh of it. Signed by the meter’s owner, who becomes its holder.',
  options: [
    meterId(),
    kwhOption('--kwh <kwh>', 'how much, in kWh, at most 9 decimals'),
    ...keys('meter’s owner'),
  ],
  examples: [{ command: 'gtx certificates issue --kwh 10', shows: 'Certificate MTR-001/1: 10 kWh.' }],
  action: ({ kwh, ...common }, context) =>
    run(context, common, (actions, targets) =>
      actions.issueCertificate(targets, { ...signers(common), meterId: common.meterId, energy: kwh }),
    ),
};

const split: CommandDefinition<Common & { serial: bigint; kwh: bigint }> = {
  name: 'split',
  summary: 'Divide a certificate: a part of it gets a serial number of its own.',
  description: 'Signed by the holder, who holds both. transfer and retire with --kwh do it by themselves.',
  options: [
    meterId(),
    serial(),
    kwhOption('--kwh <kwh>', 'how much the new one takes, in kWh').makeOptionMandatory(),
    ...keys('holder'),
  ],
  examples: [
    { command: 'gtx certificates split --serial 1 --kwh 4', shows: '4 kWh of MTR-001/1 are MTR-001/2 now.' },
  ],
  action: ({ serial: number, kwh, ...common }, context) =>
    run(context, common, (actions, targets) =>
      actions.splitCertificate(targets, {
        ...signers(common),
        meterId: common.meterId,
        serial: number,
        energy: kwh,
      }),
    ),
};

const transfer: CommandDefinition<Common & { serial: bigint; kwh?: bigint; to: string }> = {
  name: 'transfer',
  summary: 'Give a certificate, or a part of it, to another wallet.',
  description: 'Signed by the holder. It does not move any GRID.',
  options: [
    meterId(),
    serial(),
    valueOption('--to <pubkey>', 'the new holder').makeOptionMandatory(),
    kwhOption('--kwh <kwh>', 'only this much of it, in kWh'),
    ...keys('holder'),
  ],
  examples: [
    {
      command:
        'gtx certificates transfer --serial 1 --kwh 5 --to 7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy',
      shows: 'Certificate MTR-001/2 (5 kWh) belongs to 7cVf… now.',
    },
  ],
  action: ({ serial: number, kwh, to, ...common }, context) =>
    run(context, common, (actions, targets) =>
      actions.transferCertificate(targets, {
        ...signers(common),
        meterId: common.meterId,
        serial: number,
        energy: kwh,
        to,
      }),
    ),
};

const retire: CommandDefinition<
  Common & { serial: bigint; kwh?: bigint; beneficiary: string; reason: string }
> = {
  name: 'retire',
  summary: 'Retire a certificate, or a part of it, for somebody’s consumption: for good.',
  description: `Signed by the holder. The record, with both texts, stays on the chain for ever and can be read by anybody: name
no private person in it.`,
  options: [
    meterId(),
    serial(),
    valueOption('--beneficiary <text>', 'for whom, at most 96 bytes').makeOptionMandatory(),
    valueOption('--reason <text>', 'for what, at most 128 bytes').default('', 'none'),
    kwhOption('--kwh <kwh>', 'only this much of it, in kWh'),
    ...keys('holder'),
  ],
  examples: [
    {
      command:
        'gtx certificates retire --serial 1 --beneficiary "Household 7" --reason "Consumption in May 2026"',
      shows: 'Retired 10 kWh (MTR-001/1) for Household 7, and the record’s address.',
    },
  ],
  action: ({ serial: number, kwh, beneficiary, reason, ...common }, context) =>
    run(context, common, (actions, targets) =>
      actions.retireCertificate(targets, {
        ...signers(common),
        meterId: common.meterId,
        serial: number,
        energy: kwh,
        beneficiary,
        reason,
      }),
    ),
};

export function addCertificateCommands(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(program, 'certificates', 'Renewable-energy certificates for settled energy.');
  addCommand(group, list, environment);
  addCommand(group, optIn, environment);
  addCommand(group, fund, environment);
  addCommand(group, issue, environment);
  addCommand(group, split, environment);
  addCommand(group, transfer, environment);
  addCommand(group, retire, environment);
}
