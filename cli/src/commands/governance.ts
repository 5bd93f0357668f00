import { parseU64 } from '@gridtokenx/protocol';
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
import { parseTokens } from '../market/amount.js';
import { actionRunner, rpc } from './acting.js';

const gov = (flags: string, description: string) => parsedOption(flags, description, parseTokens);
const proposalId = () =>
  parsedOption('--id <number>', 'the proposal’s number', (text: string) =>
    parseU64(text, 'proposal id'),
  ).makeOptionMandatory();
const signer = () => [
  valueOption(
    '--keypair <file>',
    'the wallet’s key, in Solana’s own format (default: the data folder’s owner)',
  ),
  valueOption(
    '--payer-key <file>',
    'key that pays fees and rent (default: with --keypair the wallet, else the data folder’s fee payer)',
  ),
  rpc(),
];
const anybody = () => [
  valueOption('--payer-key <file>', 'key that pays the fee (default: the data folder’s fee payer)'),
  rpc(),
];

interface Signing {
  readonly rpc?: string;
  readonly keypair?: string;
  readonly payerKey?: string;
}

const run = actionRunner(() => import('../governance-actions.js'));
const signing = ({ keypair, payerKey }: Signing) => ({ keypair, payerKey });

interface InitOptions {
  readonly rpc?: string;
  readonly supply: bigint;
  readonly owner?: string;
  readonly guardian?: string;
  readonly proposalDeposit: bigint;
  readonly votingSeconds: number;
  readonly timelockSeconds: number;
  readonly executionSeconds: number;
  readonly pauseSeconds: number;
  readonly quorumBps: number;
  readonly thresholdBps: number;
  readonly authorityKey?: string;
}
const ONE = 1_000_000_000n;
const DAY = 86_400;
const init: CommandDefinition<InitOptions> = {
  name: 'init',
  summary: 'Set governance up and mint all GOV there will ever be.',
  description: `Signed by the program's upgrade authority. Repeating it changes nothing; the settings are changed by proposals from then
on. docs/programs.md says what each of them does.`,
  options: [
    gov('--supply <gov>', 'how much GOV').default(1_000_000n * ONE, '1000000'),
    valueOption('--owner <pubkey>', 'the wallet that gets it (default: the data folder’s owner)'),
    valueOption('--guardian <pubkey>', 'who can pause governance (default: the data folder’s guardian)'),
    gov('--proposal-deposit <gov>', 'what whoever proposes has deposited').default(1_000n * ONE, '1000'),
    integerOption('--voting-seconds <s>', 'how long is voted', 1, 4_294_967_295).default(3 * DAY),
    integerOption('--timelock-seconds <s>', 'how long a passed proposal waits', 0, 4_294_967_295).default(
      2 * DAY,
    ),
    integerOption('--execution-seconds <s>', 'how long it can be executed then', 1, 4_294_967_295).default(
      7 * DAY,
    ),
    integerOption('--pause-seconds <s>', 'how long the guardian’s pause lasts', 1, 4_294_967_295).default(
      7 * DAY,
    ),
    integerOption('--quorum-bps <number>', 'share of all GOV that has to take part', 1, 10_000).default(400),
    integerOption('--threshold-bps <number>', 'more than this share says yes', 5_000, 9_999).default(5_000),
    valueOption('--authority-key <file>', 'key file (default: the data folder’s upgrade authority)'),
    rpc(),
  ],
  examples: [
    {
      command: 'gtx governance init --supply 1000000',
      shows: 'The GOV mint, and the address to hand over to.',
    },
  ],
  action: (options, context) =>
    run(context, options.rpc === undefined ? {} : { rpc: options.rpc }, (actions, targets) =>
      actions.initialiseGovernance(targets, {
        supply: options.supply,
        owner: options.owner,
        guardian: options.guardian,
        settings: {
          proposalDeposit: options.proposalDeposit,
          votingSeconds: options.votingSeconds,
          timelockSeconds: options.timelockSeconds,
          executionSeconds: options.executionSeconds,
          pauseSeconds: options.pauseSeconds,
          quorumBps: options.quorumBps,
          thresholdBps: options.thresholdBps,
        },
        authorityKey: options.authorityKey,
      }),
    ),
};

const move = (deposit: boolean): CommandDefinition<Signing & { amount: bigint }> => ({
  name: deposit ? 'deposit' : 'withdraw',
  summary: deposit ? 'Deposit GOV: only what is deposited votes.' : 'Take deposited GOV back.',
  description: deposit
    ? 'It stays the wallet’s own, and comes back with gtx governance withdraw.'
    : 'Not while a vote or proposal of the wallet holds it.',
  options: [gov('--amount <gov>', 'how much').makeOptionMandatory(), ...signer()],
  examples: [
    {
      command: `gtx governance ${deposit ? 'deposit' : 'withdraw'} --amount 5000`,
      shows: 'How much is deposited now.',
    },
  ],
  action: ({ amount, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.moveGov(targets, { ...signing(flags), amount, deposit }),
    ),
});

const propose: CommandDefinition<
  Signing & { title: string; uri: string; description?: string; actions: string }
> = {
  name: 'propose',
  summary: 'Propose something, and begin the voting.',
  description: `What is proposed comes from a JSON file: an array of one to eight actions such as
{"do":"set-market-fee","fee_bps":25}, {"do":"set-market-paused","paused":true},
{"do":"set-market-band","feed":"...","band_bps":2000}, {"do":"accept-market-admin"}, {"do":"accept-registry-admin"},
{"do":"accept-oracle-authority"}, {"do":"set-governance-guardian","guardian":"..."}, or any instruction:
{"do":"instruction","program":"...","accounts":[{"address":"...","signer":false,"writable":true}],"data":"base64"}.
Killed half-way and repeated with the same words it goes on where it was.`,
  options: [
    valueOption('--title <text>', 'at most 64 bytes').makeOptionMandatory(),
    valueOption('--actions <file>', 'what is to be done').makeOptionMandatory(),
    valueOption('--uri <uri>', 'where the description is').default('', 'none'),
    valueOption('--description <file>', 'the description, whose hash goes to the chain'),
    ...signer(),
  ],
  examples: [
    {
      command: 'gtx governance propose --title Fee --actions actions.json',
      shows: 'The proposal’s number, and until when is voted.',
    },
  ],
  action: ({ title, uri, description, actions: file, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.propose(targets, {
        ...signing(flags),
        title,
        uri,
        description,
        actions: file,
        progress: (text) => context.out.progress(text),
      }),
    ),
};

const vote: CommandDefinition<Signing & { id: bigint; choice: 'yes' | 'no' | 'abstain' }> = {
  name: 'vote',
  summary: 'Vote on a proposal with all that is deposited.',
  description: 'It can be changed until the voting ends. Repeating it changes nothing.',
  options: [
    proposalId(),
    new Option('--choice <choice>', 'abstain counts for the quorum alone')
      .choices(['yes', 'no', 'abstain'])
      .makeOptionMandatory(),
    ...signer(),
  ],
  examples: [
    { command: 'gtx governance vote --id 1 --choice yes', shows: 'Voted yes on proposal 1 with 5000 GOV.' },
  ],
  action: ({ id, choice, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.vote(targets, { ...signing(flags), id, choice })),
};

const release: CommandDefinition<Signing & { id: bigint }> = {
  name: 'release-vote',
  summary: 'Free the deposit of a vote whose proposal is no longer voted on.',
  description: 'Before GOV can be withdrawn. The rent of the vote comes back to whoever paid it.',
  options: [proposalId(), ...signer()],
  examples: [
    { command: 'gtx governance release-vote --id 1', shows: 'The vote holds the deposit no longer.' },
  ],
  action: ({ id, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.releaseVote(targets, { ...signing(flags), id })),
};

const cancel: CommandDefinition<Signing & { id: bigint }> = {
  name: 'cancel',
  summary: 'Give up a proposal of this wallet that is a draft or still voted on.',
  description:
    'Only whoever proposed it can. The deposit that it held is free again; who has voted frees theirs with gtx governance release-vote. Repeating it changes nothing.',
  options: [proposalId(), ...signer()],
  examples: [
    { command: 'gtx governance cancel --id 1', shows: 'Proposal 1: Fee (cancelled), and its votes.' },
  ],
  action: ({ id, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.cancel(targets, { ...signing(flags), id })),
};

const finalize: CommandDefinition<{ rpc?: string; id: bigint; payerKey?: string }> = {
  name: 'finalize',
  summary: 'Say whether a proposal has passed, once its voting has ended.',
  description: 'Anybody can. Repeating it changes nothing.',
  options: [proposalId(), ...anybody()],
  examples: [
    { command: 'gtx governance finalize --id 1', shows: 'Proposal 1: Fee (timelocked), and its votes.' },
  ],
  action: ({ id, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.finalise(targets, { id, payerKey })),
};

const execute: CommandDefinition<{ rpc?: string; id: bigint; payerKey?: string }> = {
  name: 'execute',
  summary: 'Execute a proposal that has passed.',
  description:
    'Anybody can, after the timelock and before it expires. Killed half-way and repeated, it goes on with the next instruction.',
  options: [proposalId(), ...anybody()],
  examples: [{ command: 'gtx governance execute --id 1', shows: 'Executed proposal 1: Fee' }],
  action: ({ id, payerKey, ...flags }, context) =>
    run(context, flags, (actions, targets) =>
      actions.execute(targets, { id, payerKey, progress: (text) => context.out.progress(text) }),
    ),
};

const list: CommandDefinition<{ rpc?: string; limit: number }> = {
  name: 'list',
  summary: 'Show proposals, newest first.',
  description: 'From the chain: those that are not closed.',
  options: [integerOption('--limit <number>', 'at most this many', 1, 1_000).default(20), rpc()],
  examples: [{ command: 'gtx governance list', shows: 'Number, title, phase and votes.' }],
  action: ({ limit, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.listProposals(targets, { limit })),
};

const show: CommandDefinition<{ rpc?: string; id: bigint }> = {
  name: 'show',
  summary: 'Show a proposal and what it would do.',
  description: 'Look before you vote: the instructions are those that will run.',
  options: [proposalId(), rpc()],
  examples: [{ command: 'gtx governance show --id 1', shows: 'Votes, times, and each instruction.' }],
  action: ({ id, ...flags }, context) =>
    run(context, flags, (actions, targets) => actions.showProposal(targets, { id })),
};

export function addGovernanceCommands(program: Command, environment: ProgramEnvironment): void {
  const group = addGroup(program, 'governance', 'Proposals, votes and what they lead to.');
  addCommand(group, init, environment);
  addCommand(group, move(true), environment);
  addCommand(group, move(false), environment);
  addCommand(group, propose, environment);
  addCommand(group, vote, environment);
  addCommand(group, release, environment);
  addCommand(group, cancel, environment);
  addCommand(group, finalize, environment);
  addCommand(group, execute, environment);
  addCommand(group, list, environment);
  addCommand(group, show, environment);
}
