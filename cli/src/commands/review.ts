import { assertMeterId, GtxError } from '@gridtokenx/protocol';
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
import { EXIT } from '../exit-codes.js';
import { resolveTargets, type Targets } from '../targets.js';
import { explainFunds, rpc } from './acting.js';

type Actions = typeof import('../review-actions.js');
type Api = import('../operator-api.js').OperatorApi;
type Result = import('../chain-actions.js').Result;

const url = () =>
  valueOption(
    '--url <url>',
    'the collector (default: GTX_COLLECTOR_URL, else what gtx up runs, else http://127.0.0.1:8080)',
  );
const reason = () =>
  valueOption('--reason <text>', 'why; kept for good with who and when').makeOptionMandatory();
const limit = () => integerOption('--limit <number>', 'most rows', 1, 500).default(50);
const cursor = () => valueOption('--cursor <text>', 'go on where an earlier page ended');

const LOGIN = `The operator login comes from GTX_OPERATOR_USERNAME and GTX_OPERATOR_PASSWORD, else from the data folder.`;

interface Flags {
  readonly url?: string;
  readonly rpc?: string;
}

/** @throws GtxError VALUE_INVALID */
function idOf({ words }: Context): string {
  const [id = ''] = words;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id;
  throw new GtxError(
    'VALUE_INVALID',
    `${JSON.stringify(id)} is not an id: gtx review list and gtx alerts list show them`,
  );
}

/** Asks the collector as its operator and prints what it says. */
async function ask<R extends Result>(
  { out, dataDirFlag, env }: Context,
  flags: Flags,
  act: (actions: Actions, api: Api, targets: Targets) => Promise<R>,
): Promise<R> {
  const targets = resolveTargets(dataDirFlag, env, flags);
  const { OperatorApi } = await import('../operator-api.js');
  const result = await act(await import('../review-actions.js'), new OperatorApi(targets, env), targets);
  out.result(result.json, result.text);
  return result;
}

interface ListOptions extends Flags {
  readonly kind?: string;
  readonly status?: string;
  readonly meterId?: string;
  readonly limit: number;
  readonly cursor?: string;
}
const list: CommandDefinition<ListOptions> = {
  name: 'list',
  isDefault: true,
  summary: 'Show what waits for a person.',
  description: `Held readings and energy, mints and matches that failed ten times, differences that the audit found, production that
is not plausible; newest first. ${LOGIN}`,
  options: [
    valueOption('--kind <kind>', 'only these: held_amount, energy_held, settlement_failed, ...'),
    new Option('--status <status>', 'those in this state')
      .choices(['open', 'released', 'written_off', 'dismissed', 'retried', 'resolved', 'all'])
      .default('open'),
    parsedOption('--meter-id <id>', 'of this meter', (text: string) => {
      assertMeterId(text);
      return text;
    }),
    limit(),
    cursor(),
    url(),
  ],
  examples: [
    { command: 'gtx review list', shows: 'Each open review with its id, what it is about and why.' },
    { command: 'gtx review list --kind energy_held --json', shows: '{"items":[…],"next_cursor":null}' },
  ],
  async action({ kind, status, meterId, limit: most, cursor: from, ...flags }, context) {
    await ask(context, flags, (actions, api) =>
      actions.listReviews(api, {
        ...(kind !== undefined && { kind }),
        ...(status !== undefined && { status }),
        ...(meterId !== undefined && { meter_id: meterId }),
        ...(from !== undefined && { cursor: from }),
        limit: String(most),
      }),
    );
    return undefined;
  },
};

const ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const word = { syntax: '<id>', description: 'the review’s id, as `gtx review list` shows it' };

const show: CommandDefinition<Flags> = {
  name: 'show',
  summary: 'Show a review with its history.',
  description: `Reason, details, what can be done with it, and everything that was done: by whom, why and when. ${LOGIN}`,
  words: word,
  options: [url()],
  examples: [{ command: `gtx review show ${ID}`, shows: 'The review and its history.' }],
  async action(flags, context) {
    await ask(context, flags, (actions, api) => actions.showReview(api, idOf(context)));
    return undefined;
  },
};

function decision(
  action: 'retry' | 'accept' | 'dismiss',
  summary: string,
  description: string,
): CommandDefinition<Flags & { reason: string }> {
  return {
    name: action,
    summary,
    description: `${description} Of two who decide at once the first wins; the other ends with exit code 4. ${LOGIN}`,
    words: word,
    options: [reason(), url()],
    examples: [
      { command: `gtx review ${action} ${ID} --reason 'asked the owner'`, shows: 'The review, ended.' },
    ],
    async action({ reason: why, ...flags }, context) {
      await ask(context, flags, (actions, api) => actions.decide(api, idOf(context), action, why));
      return undefined;
    },
  };
}

const DECISIONS = [
  decision(
    'retry',
    'Let what failed ten times be tried again.',
    'For settlement_failed, match_failed and audit_difference.',
  ),
  decision(
    'accept',
    'Take it as it is.',
    'A reading above the limit is released and settles like any other; implausible production is found plausible.',
  ),
  decision(
    'dismiss',
    'Put it aside.',
    'A reading above the limit is written off: it is not settled by itself, and the meter’s next reading carries its energy.',
  ),
];

interface ChainOptions extends Flags {
  readonly reason: string;
  readonly authorityKey?: string;
  readonly wait: number;
}
function onChain(release: boolean): CommandDefinition<ChainOptions> {
  return {
    name: release ? 'release' : 'write-off',
    summary: release
      ? 'Let energy that the chain holds back count after all.'
      : 'Give up energy that the chain holds back.',
    description: `For energy_held. The collector prepares the transaction and cannot sign it; this command compares it with what you
asked for, signs it with the registrar’s or admin’s key on this machine, sends it to the chain, and waits until the
collector has seen it. It is final. ${LOGIN}`,
    words: word,
    options: [
      reason(),
      valueOption(
        '--authority-key <file>',
        'the registrar’s or admin’s key (default: the data folder’s registrar)',
      ),
      integerOption('--wait <seconds>', 'how long to wait for the collector', 0, 3600).default(60),
      url(),
      rpc(),
    ],
    examples: [
      {
        command: `gtx review ${release ? 'release' : 'write-off'} ${ID} --reason '${release ? 'more panels since May' : 'wrong conversion factor'}'`,
        shows: `${release ? 'Released' : 'Wrote off'} 3.9 kWh of MTR-001 held under sequence 7, and the transaction.`,
      },
    ],
    async action({ reason: why, authorityKey, wait, ...flags }, context) {
      try {
        await ask(context, flags, (actions, api, targets) =>
          actions.decideOnChain(api, targets, {
            id: idOf(context),
            decision: release ? 'release' : 'write_off',
            reason: why,
            authorityKey,
            patienceMs: wait * 1000,
            progress: (text) => context.out.progress(text),
          }),
        );
        return undefined;
      } catch (error) {
        throw explainFunds(error);
      }
    },
  };
}

interface AlertOptions extends Flags {
  readonly kind?: string;
  readonly status: string;
  readonly minSeverity: string;
  readonly limit: number;
  readonly cursor?: string;
}
const alertList: CommandDefinition<AlertOptions> = {
  name: 'list',
  isDefault: true,
  summary: 'Show alerts.',
  description: `Newest first. The runbook (docs/runbook.md) says what each kind means and what to do. ${LOGIN}`,
  options: [
    valueOption('--kind <kind>', 'only these'),
    new Option('--status <status>', 'those in this state')
      .choices(['open', 'resolved', 'all'])
      .default('open'),
    new Option('--min-severity <severity>', 'at least so severe')
      .choices(['info', 'warning', 'critical'])
      .default('info'),
    limit(),
    cursor(),
    url(),
  ],
  examples: [
    { command: 'gtx alerts list', shows: 'Each open alert: since when, how often, who looks after it.' },
  ],
  async action({ kind, status, minSeverity, limit: most, cursor: from, ...flags }, context) {
    await ask(context, flags, (actions, api) =>
      actions.listAlerts(api, {
        ...(kind !== undefined && { kind }),
        ...(from !== undefined && { cursor: from }),
        status,
        min_severity: minSeverity,
        limit: String(most),
      }),
    );
    return undefined;
  },
};

const alertAcknowledge: CommandDefinition<Flags & { reason: string }> = {
  name: 'acknowledge',
  summary: 'Say that somebody looks after an alert.',
  description: `It is not repeated any more, on no channel, and stays open until its cause is gone. ${LOGIN}`,
  words: { syntax: '<id>', description: 'the alert’s id, as `gtx alerts list` shows it' },
  options: [reason(), url()],
  examples: [
    {
      command: `gtx alerts acknowledge ${ID} --reason 'SOL is on its way'`,
      shows: 'Acknowledged fee_payer 9ykP…',
    },
  ],
  async action({ reason: why, ...flags }, context) {
    await ask(context, flags, (actions, api) => actions.acknowledgeAlert(api, idOf(context), why));
    return undefined;
  },
};

const alertTest: CommandDefinition<Flags> = {
  name: 'test',
  summary: 'Send a test notice over every channel of the collector.',
  description: `Webhook, e-mail and log, as far as they are configured, whatever their least severity. Exit code 1 when one did not
take it. ${LOGIN}`,
  options: [url()],
  examples: [{ command: 'gtx alerts test', shows: 'Each channel, and whether the notice was delivered.' }],
  async action(flags, context) {
    const { delivered } = await ask(context, flags, (actions, api) => actions.testAlerts(api));
    return delivered ? EXIT.ok : EXIT.failed;
  },
};

/** `gtx review ...` and `gtx alerts ...` */
export function addReviewCommands(program: Command, environment: ProgramEnvironment): void {
  const review = addGroup(program, 'review', 'What waits for a person: look, decide, sign.');
  addCommand(review, list, environment);
  addCommand(review, show, environment);
  for (const definition of DECISIONS) addCommand(review, definition, environment);
  addCommand(review, onChain(true), environment);
  addCommand(review, onChain(false), environment);
  const alerts = addGroup(
    program,
    'alerts',
    'Alerts of the collector: look, acknowledge, test the channels.',
  );
  addCommand(alerts, alertList, environment);
  addCommand(alerts, alertAcknowledge, environment);
  addCommand(alerts, alertTest, environment);
}
