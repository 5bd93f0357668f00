import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  CERTIFICATES_PROGRAM_ID,
  chainTime,
  decodeProposal,
  ENERGY_TOKEN_PROGRAM_ID,
  fetchGovernanceConfig,
  fetchProposal,
  fetchProposalInstructions,
  fetchSome,
  fetchVote,
  fetchVoter,
  GOVERNANCE_PROGRAM_ID,
  type GovernanceConfig,
  type GovernanceProposal,
  type GovernanceSettings,
  governanceAddress,
  govMintAddress,
  instructions,
  nextProposalId,
  ORACLE_PROGRAM_ID,
  type ProposalCall,
  ProposalStatus,
  proposalAddress,
  proposalCall,
  proposalCarries,
  proposalPasses,
  proposalPhase,
  REGISTRY_PROGRAM_ID,
  sendAndConfirm,
  TRADING_PROGRAM_ID,
  VoteChoice,
} from '@gridtokenx/chain';
import { GtxError, parseWith } from '@gridtokenx/protocol';
import { type Connection, type Keypair, type PublicKey, TransactionInstruction } from '@solana/web3.js';
import { z } from 'zod';
import { connectTo, loadKey, loadPayer, parsePublicKey, type Result } from './chain-actions.js';
import { decimal } from './market/amount.js';
import { askOnce } from './market/journal.js';
import { findMarket, isoTime } from './market/view.js';
import type { MarketResult } from './market-actions.js';
import type { Json } from './output.js';
import type { Targets } from './targets.js';

export interface Signer {
  readonly keypair: string | undefined;
  readonly payerKey: string | undefined;
}

function signing(
  targets: Targets,
  { keypair, payerKey }: Signer,
): { connection: Connection; wallet: Keypair; payer: Keypair } {
  const wallet = loadKey(targets.layout, 'owner', keypair);
  const payer =
    payerKey === undefined && keypair !== undefined
      ? wallet
      : loadPayer(targets.layout, payerKey, ['feePayer', 'owner']);
  return { connection: connectTo(targets), wallet, payer };
}

const transaction = (signature: string): string => `  transaction ${signature}`;

async function configOf(connection: Connection): Promise<GovernanceConfig> {
  const config = await fetchGovernanceConfig(connection);
  if (!config)
    throw new GtxError(
      'NOT_FOUND',
      'governance is not initialised on this chain: gtx governance init makes its token',
    );
  return config;
}

async function proposalOf(connection: Connection, id: bigint): Promise<GovernanceProposal> {
  const proposal = await fetchProposal(connection, id);
  if (!proposal)
    throw new GtxError('NOT_FOUND', `there is no proposal ${id}: never made, or closed since`, {
      id: id.toString(),
    });
  return proposal;
}

export async function initialiseGovernance(
  targets: Targets,
  options: {
    supply: bigint;
    owner: string | undefined;
    guardian: string | undefined;
    settings: GovernanceSettings;
    authorityKey: string | undefined;
  },
): Promise<Result> {
  const { layout } = targets;
  const connection = connectTo(targets);
  const authority = loadKey(layout, 'upgradeAuthority', options.authorityKey);
  let signature: string | undefined;
  if (!(await fetchGovernanceConfig(connection))) {
    ({ signature } = await sendAndConfirm(connection, {
      payer: authority,
      instructions: [
        instructions.initializeGovernance({
          authority: authority.publicKey,
          owner:
            options.owner === undefined
              ? loadKey(layout, 'owner', undefined).publicKey
              : parsePublicKey(options.owner),
          guardian:
            options.guardian === undefined
              ? loadKey(layout, 'guardian', undefined).publicKey
              : parsePublicKey(options.guardian),
          supply: options.supply,
          settings: options.settings,
        }),
      ],
    }));
  }
  const config = await configOf(connection);
  return {
    json: {
      changed: signature !== undefined,
      mint: govMintAddress().toBase58(),
      governance: governanceAddress().toBase58(),
      guardian: config.guardian.toBase58(),
      supply: decimal(config.supply),
      deposited: decimal(config.deposited),
      proposals: config.proposals.toString(),
      proposal_deposit: decimal(config.proposalDeposit),
      voting_seconds: config.votingSeconds,
      timelock_seconds: config.timelockSeconds,
      execution_seconds: config.executionSeconds,
      pause_seconds: config.pauseSeconds,
      quorum_bps: config.quorumBps,
      threshold_bps: config.thresholdBps,
      ...(signature === undefined ? {} : { signature }),
    },
    text: [
      signature === undefined
        ? 'Governance is initialised already; nothing was changed.'
        : `Initialised governance; ${decimal(config.supply)} GOV were minted, all there will ever be.`,
      `  GOV mint    ${govMintAddress().toBase58()}`,
      `  governance  ${governanceAddress().toBase58()} (hand authorities over to it)`,
      `  a proposal needs a deposit of ${decimal(config.proposalDeposit)} GOV, a turnout of ${config.quorumBps / 100} % and more than ${config.thresholdBps / 100} % yes`,
      `  votes for ${config.votingSeconds} s, then waits ${config.timelockSeconds} s and can be executed for ${config.executionSeconds} s`,
      ...(signature === undefined ? [] : [transaction(signature)]),
    ].join('\n'),
  };
}

/** Deposits GOV, or takes it back. */
export async function moveGov(
  targets: Targets,
  options: Signer & { amount: bigint; deposit: boolean },
): Promise<Result> {
  const { amount, deposit } = options;
  const { connection, wallet, payer } = signing(targets, options);
  await configOf(connection);
  const voter = await fetchVoter(connection, wallet.publicKey);
  if (!deposit && (voter?.deposited ?? 0n) < amount)
    throw new GtxError(
      'BALANCE_TOO_LOW',
      `${decimal(voter?.deposited ?? 0n)} GOV are deposited, not ${decimal(amount)}`,
    );
  if (!deposit && voter !== undefined && voter.locks > 0)
    throw new GtxError(
      'CONFLICT',
      `${voter.locks} votes or proposals of this wallet hold its deposit: gtx governance release-vote --id N frees it once the voting has ended`,
    );
  const args = { payer: payer.publicKey, wallet: wallet.publicKey, amount };
  const { signature } = await sendAndConfirm(connection, {
    payer,
    signers: [wallet],
    instructions: [deposit ? instructions.depositGov(args) : instructions.withdrawGov(args)],
  });
  const after = await fetchVoter(connection, wallet.publicKey);
  const deposited = decimal(after?.deposited ?? 0n);
  return {
    json: { wallet: wallet.publicKey.toBase58(), deposited, signature },
    text: `${deposit ? 'Deposited' : 'Took back'} ${decimal(amount)} GOV; ${deposited} GOV are deposited and vote.\n${transaction(signature)}`,
  };
}

// --- what a proposal does

const address = z.string().transform((text, context) => {
  try {
    return parsePublicKey(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not an address' });
    return z.NEVER;
  }
});
const market = z.string().optional();
const bps = z.int().min(0).max(10_000);
const Action = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('accept-registry-admin') }),
  z.strictObject({ do: z.literal('accept-oracle-authority') }),
  z.strictObject({ do: z.literal('accept-market-admin'), market }),
  z.strictObject({ do: z.literal('set-market-fee'), market, fee_bps: bps }),
  z.strictObject({ do: z.literal('set-market-paused'), market, paused: z.boolean() }),
  z.strictObject({ do: z.literal('set-market-band'), market, feed: address, band_bps: bps }),
  z.strictObject({ do: z.literal('set-governance-guardian'), guardian: address }),
  z.strictObject({
    do: z.literal('instruction'),
    program: address,
    accounts: z.array(
      z.strictObject({ address, signer: z.boolean().default(false), writable: z.boolean().default(false) }),
    ),
    data: z.base64(),
  }),
]);
const Actions = z.array(Action).min(1).max(8);

/** The instructions of a file of actions, as a proposal carries them. */
async function callsOf(targets: Targets, connection: Connection, file: string): Promise<ProposalCall[]> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `cannot read the actions in ${file}: ${(error as Error).message}`);
  }
  const actions = parseWith(Actions, value, 'CONFIG_INVALID');
  const by = governanceAddress();
  const calls: ProposalCall[] = [];
  for (const action of actions) {
    const at = async (named: string | undefined) =>
      (await findMarket(connection, targets.layout, named)).address;
    const instruction = await (async (): Promise<TransactionInstruction> => {
      switch (action.do) {
        case 'accept-registry-admin':
          return instructions.acceptAdmin({ newAdmin: by });
        case 'accept-oracle-authority':
          return instructions.acceptOracleAuthority({ newAuthority: by });
        case 'accept-market-admin':
          return instructions.acceptMarketAdmin({ newAdmin: by, market: await at(action.market) });
        case 'set-market-fee':
          return instructions.setMarketFee({
            admin: by,
            market: await at(action.market),
            feeBps: action.fee_bps,
          });
        case 'set-market-paused':
          return instructions.setMarketPaused({
            authority: by,
            market: await at(action.market),
            paused: action.paused,
          });
        case 'set-market-band':
          return instructions.setMarketBand({
            admin: by,
            market: await at(action.market),
            feed: action.feed,
            bandBps: action.band_bps,
          });
        case 'set-governance-guardian':
          return instructions.setGovernanceGuardian({ guardian: action.guardian });
        case 'instruction':
          return new TransactionInstruction({
            programId: action.program,
            keys: action.accounts.map(({ address: pubkey, signer, writable }) => ({
              pubkey,
              isSigner: signer,
              isWritable: writable,
            })),
            data: Buffer.from(action.data, 'base64'),
          });
      }
    })();
    calls.push(proposalCall(instruction));
  }
  return calls;
}

export async function propose(
  targets: Targets,
  options: Signer & {
    title: string;
    uri: string;
    description: string | undefined;
    actions: string;
    progress: (text: string) => void;
  },
): Promise<MarketResult> {
  const { title, uri, progress } = options;
  const { connection, wallet, payer } = signing(targets, options);
  const config = await configOf(connection);
  const calls = await callsOf(targets, connection, options.actions);
  const voter = await fetchVoter(connection, wallet.publicKey);
  if ((voter?.deposited ?? 0n) < config.proposalDeposit)
    throw new GtxError(
      'BALANCE_TOO_LOW',
      `whoever proposes has ${decimal(config.proposalDeposit)} GOV deposited; this wallet has ${decimal(voter?.deposited ?? 0n)}`,
    );
  let text = Buffer.alloc(0);
  if (options.description !== undefined) {
    try {
      text = readFileSync(options.description);
    } catch (error) {
      throw new GtxError('CONFIG_INVALID', `cannot read the description: ${(error as Error).message}`);
    }
  }
  const descriptionHash = createHash('sha256').update(text).digest();
  const about = { payer: payer.publicKey, proposer: wallet.publicKey, title, uri, descriptionHash };
  const send = (some: TransactionInstruction[]) =>
    sendAndConfirm(connection, { payer, signers: [wallet], instructions: some });
  const draft = await draftLike(connection, config, wallet.publicKey, about);
  let id: bigint;
  let signature: string;
  let shown: (() => void) | undefined;
  let repeated = false;
  if (draft !== undefined) {
    // A draft of several transactions that was interrupted.
    id = draft.id;
    progress(
      `going on with the draft ${id}, which has ${draft.instructions} of ${calls.length} instructions`,
    );
    signature = await finishDraft(draft.instructions);
  } else {
    id = await nextProposalId(connection);
    const whole = instructions.proposeInstructions({ ...about, id, calls });
    const asked = await askOnce({
      connection,
      folder: targets.layout.market,
      wallet: wallet.publicKey.toBase58(),
      intent: {
        command: 'governance propose',
        title,
        uri,
        description: descriptionHash.toString('hex'),
        actions: createHash('sha256').update(readFileSync(options.actions)).digest('hex'),
      },
      progress,
      send: async (onSigned) => {
        try {
          return await sendAndConfirm(connection, {
            payer,
            signers: [wallet],
            instructions: whole,
            onSigned,
          });
        } catch (error) {
          if (!(error instanceof GtxError) || error.details?.reason !== 'TransactionTooLarge') throw error;
          await send([instructions.createProposal({ ...about, id })]);
          return { signature: await finishDraft(0) };
        }
      },
    });
    ({ signature, shown, repeated } = asked);
    // An earlier, interrupted command had made it: under the number before the one that comes next.
    if (repeated) id = await proposalMade(connection, config, wallet.publicKey, about);
  }
  const proposal = await proposalOf(connection, id);
  return {
    ...(shown === undefined ? {} : { shown }),
    json: {
      changed: !repeated,
      ...proposalJson(proposal, await chainTime(connection)),
      signature,
    },
    text: [
      `Proposal ${id}: ${title}`,
      `  ${calls.length} instruction${calls.length === 1 ? '' : 's'}; votes until ${isoTime(proposal.votingEndsAt)}: gtx governance vote --id ${id} --choice yes`,
      ...(repeated ? ['  (an earlier, interrupted command had made it; nothing was done twice)'] : []),
      transaction(signature),
    ].join('\n'),
  };

  async function finishDraft(from: number): Promise<string> {
    for (let index = from; index < calls.length; index++) {
      const call = calls[index] as ProposalCall;
      await send([
        instructions.addProposalInstruction({
          payer: payer.publicKey,
          proposer: wallet.publicKey,
          id,
          index,
          call,
        }),
      ]);
    }
    const done = await send([instructions.activateProposal({ proposer: wallet.publicKey, id, calls })]);
    return done.signature;
  }
}

type About = { title: string; uri: string; descriptionHash: Uint8Array };

async function newestFirst(
  connection: Connection,
  { proposals }: Pick<GovernanceConfig, 'proposals'>,
  most: number,
): Promise<GovernanceProposal[]> {
  const ids: bigint[] = [];
  for (let id = proposals; id >= 1n && ids.length < most; id--) ids.push(id);
  const found = await fetchSome(
    connection,
    GOVERNANCE_PROGRAM_ID,
    ids.map((id) => proposalAddress(id)),
    decodeProposal,
  );
  return found.filter((proposal) => proposal !== undefined);
}

const isLike = (proposal: GovernanceProposal, proposer: PublicKey, about: About): boolean =>
  proposal.proposer.equals(proposer) &&
  proposal.title === about.title &&
  proposal.uri === about.uri &&
  Buffer.from(proposal.descriptionHash).equals(Buffer.from(about.descriptionHash));

async function draftLike(
  connection: Connection,
  config: GovernanceConfig,
  proposer: PublicKey,
  about: About,
): Promise<GovernanceProposal | undefined> {
  const some = await newestFirst(connection, config, 100);
  return some.find((one) => one.status === ProposalStatus.Draft && isLike(one, proposer, about));
}

async function proposalMade(
  connection: Connection,
  config: GovernanceConfig,
  proposer: PublicKey,
  about: About,
): Promise<bigint> {
  const found = (await newestFirst(connection, config, 100)).find((one) => isLike(one, proposer, about));
  if (!found) throw new GtxError('NOT_FOUND', 'the proposal was made and is closed already');
  return found.id;
}

export async function vote(
  targets: Targets,
  options: Signer & { id: bigint; choice: 'yes' | 'no' | 'abstain' },
): Promise<Result> {
  const { id, choice } = options;
  const { connection, wallet, payer } = signing(targets, options);
  const proposal = await proposalOf(connection, id);
  const phase = proposalPhase(proposal, await chainTime(connection));
  if (phase !== 'voting')
    throw new GtxError('CONFLICT', `proposal ${id} is ${phase}: nobody votes on it now`);
  const voter = await fetchVoter(connection, wallet.publicKey);
  if (!voter || voter.deposited === 0n)
    throw new GtxError('BALANCE_TOO_LOW', 'only deposited GOV votes: gtx governance deposit --amount N');
  const code = { yes: VoteChoice.Yes, no: VoteChoice.No, abstain: VoteChoice.Abstain }[choice];
  const before = await fetchVote(connection, proposalAddress(id), wallet.publicKey);
  let signature: string | undefined;
  // The same vote with the same weight is there already: repeating it changes nothing.
  if (before?.choice !== code || before.weight !== voter.deposited) {
    ({ signature } = await sendAndConfirm(connection, {
      payer,
      signers: [wallet],
      instructions: [
        instructions.castVote({ payer: payer.publicKey, wallet: wallet.publicKey, id, choice: code }),
      ],
    }));
  }
  return {
    json: {
      id: id.toString(),
      changed: signature !== undefined,
      choice,
      weight: decimal(voter.deposited),
      ...(signature === undefined ? {} : { signature }),
    },
    text: [
      signature === undefined
        ? `This wallet has voted ${choice} with ${decimal(voter.deposited)} GOV already.`
        : `Voted ${choice} on proposal ${id} with ${decimal(voter.deposited)} GOV.`,
      ...(signature === undefined ? [] : [transaction(signature)]),
    ].join('\n'),
  };
}

/** Frees the deposit of a vote once its proposal is no longer voted on. */
export async function releaseVote(targets: Targets, options: Signer & { id: bigint }): Promise<Result> {
  const { id } = options;
  const { connection, wallet, payer } = signing(targets, options);
  const found = await fetchVote(connection, proposalAddress(id), wallet.publicKey);
  if (!found) throw new GtxError('NOT_FOUND', `this wallet has no vote on proposal ${id}`);
  const { signature } = await sendAndConfirm(connection, {
    payer,
    instructions: [instructions.closeVote({ wallet: wallet.publicKey, id, rentPayer: found.rentPayer })],
  });
  return {
    json: { id: id.toString(), signature },
    text: `The vote on proposal ${id} holds the deposit no longer.\n${transaction(signature)}`,
  };
}

/** Gives a proposal up: a draft, or one whose voting has not ended. Only whoever proposed it can. */
export async function cancel(targets: Targets, options: Signer & { id: bigint }): Promise<Result> {
  const { id } = options;
  const { connection, wallet, payer } = signing(targets, options);
  const before = await proposalOf(connection, id);
  if (!before.proposer.equals(wallet.publicKey))
    throw new GtxError(
      'FORBIDDEN',
      `proposal ${id} is ${before.proposer.toBase58()}'s: nobody else can give it up`,
    );
  const phase = proposalPhase(before, await chainTime(connection));
  let signature: string | undefined;
  if (phase === 'draft' || phase === 'voting')
    ({ signature } = await sendAndConfirm(connection, {
      payer,
      signers: [wallet],
      instructions: [instructions.cancelProposal({ proposer: wallet.publicKey, id })],
    }));
  else if (phase !== 'cancelled')
    throw new GtxError(
      'CONFLICT',
      `proposal ${id} is ${phase}: only a draft or a running vote can be given up`,
    );
  const proposal = await proposalOf(connection, id);
  const now = await chainTime(connection);
  return {
    json: {
      changed: signature !== undefined,
      ...proposalJson(proposal, now),
      ...(signature === undefined ? {} : { signature }),
    },
    text: [proposalText(proposal, now), ...(signature === undefined ? [] : [transaction(signature)])].join(
      '\n',
    ),
  };
}

export async function finalise(
  targets: Targets,
  options: { id: bigint; payerKey: string | undefined },
): Promise<Result> {
  const { id } = options;
  const connection = connectTo(targets);
  const payer = loadPayer(targets.layout, options.payerKey, ['feePayer', 'owner']);
  const before = await proposalOf(connection, id);
  const phase = proposalPhase(before, await chainTime(connection));
  if (phase === 'voting' || phase === 'draft')
    throw new GtxError(
      'CONFLICT',
      phase === 'draft'
        ? `proposal ${id} is a draft`
        : `proposal ${id} is voted on until ${isoTime(before.votingEndsAt)}`,
    );
  let signature: string | undefined;
  if (phase === 'undecided')
    ({ signature } = await sendAndConfirm(connection, {
      payer,
      instructions: [instructions.finalizeProposal({ proposal: before })],
    }));
  const proposal = await proposalOf(connection, id);
  const now = await chainTime(connection);
  return {
    json: {
      changed: signature !== undefined,
      ...proposalJson(proposal, now),
      ...(signature === undefined ? {} : { signature }),
    },
    text: [proposalText(proposal, now), ...(signature === undefined ? [] : [transaction(signature)])].join(
      '\n',
    ),
  };
}

export async function execute(
  targets: Targets,
  options: { id: bigint; payerKey: string | undefined; progress: (text: string) => void },
): Promise<Result> {
  const { id, progress } = options;
  const connection = connectTo(targets);
  const payer = loadPayer(targets.layout, options.payerKey, ['feePayer', 'owner']);
  const before = await proposalOf(connection, id);
  const phase = proposalPhase(before, await chainTime(connection));
  if (phase !== 'executable' && phase !== 'executed')
    throw new GtxError(
      'CONFLICT',
      phase === 'timelocked'
        ? `proposal ${id} can be executed from ${isoTime(before.executableAt)} on`
        : `proposal ${id} is ${phase}: it cannot be executed`,
    );
  const signatures: string[] = [];
  if (phase === 'executable') {
    const calls = await fetchProposalInstructions(connection, before);
    if (!proposalCarries(before, calls))
      throw new GtxError('CHAIN_REFUSED', `what the node shows of proposal ${id} is not what was voted on`);
    // From the first that was not executed: a killed command is simply repeated.
    for (let index = before.executed; index < calls.length; index++) {
      const call = calls[index] as ProposalCall;
      const { signature } = await sendAndConfirm(connection, {
        payer,
        instructions: [instructions.executeInstruction({ id, index, call })],
      });
      signatures.push(signature);
      progress(`executed instruction ${index + 1} of ${calls.length}`);
    }
  }
  const proposal = await proposalOf(connection, id);
  return {
    json: {
      changed: signatures.length > 0,
      ...proposalJson(proposal, await chainTime(connection)),
      signatures,
    },
    text: [
      signatures.length === 0
        ? `Proposal ${id} is executed already.`
        : `Executed proposal ${id}: ${proposal.title}`,
      ...signatures.map(transaction),
    ].join('\n'),
  };
}

function proposalJson(proposal: GovernanceProposal, now: bigint): { readonly [key: string]: Json } {
  const time = (seconds: bigint) => (seconds === 0n ? null : isoTime(seconds));
  return {
    id: proposal.id.toString(),
    address: proposalAddress(proposal.id).toBase58(),
    title: proposal.title,
    uri: proposal.uri,
    description_hash: Buffer.from(proposal.descriptionHash).toString('hex'),
    proposer: proposal.proposer.toBase58(),
    phase: proposalPhase(proposal, now),
    yes: decimal(proposal.yes),
    no: decimal(proposal.no),
    abstain: decimal(proposal.abstain),
    quorum: decimal(proposal.quorum),
    threshold_bps: proposal.thresholdBps,
    passes_now: proposal.status === ProposalStatus.Draft ? null : proposalPasses(proposal),
    instructions: proposal.instructions,
    executed: proposal.executed,
    voting_ends_at: time(proposal.votingEndsAt),
    executable_at: time(proposal.executableAt),
    expires_at: time(proposal.expiresAt),
  };
}

function proposalText(proposal: GovernanceProposal, now: bigint): string {
  const phase = proposalPhase(proposal, now);
  return [
    `Proposal ${proposal.id}: ${proposal.title} (${phase})`,
    `  yes ${decimal(proposal.yes)}, no ${decimal(proposal.no)}, abstain ${decimal(proposal.abstain)} GOV; needs ${decimal(proposal.quorum)} and more than ${proposal.thresholdBps / 100} % yes`,
    ...(phase === 'voting' ? [`  votes until ${isoTime(proposal.votingEndsAt)}`] : []),
    ...(phase === 'timelocked' ? [`  can be executed from ${isoTime(proposal.executableAt)} on`] : []),
    ...(phase === 'executable' ? [`  can be executed until ${isoTime(proposal.expiresAt)}`] : []),
  ].join('\n');
}

export async function listProposals(targets: Targets, options: { limit: number }): Promise<Result> {
  const connection = connectTo(targets);
  const config = await configOf(connection);
  const now = await chainTime(connection);
  const found = await newestFirst(connection, config, options.limit);
  return {
    json: {
      made: config.proposals.toString(),
      proposals: found.map((proposal) => proposalJson(proposal, now)),
    },
    text:
      found.length === 0
        ? 'There are no proposals.'
        : found.map((proposal) => proposalText(proposal, now)).join('\n'),
  };
}

const NAMES: readonly (readonly [PublicKey, string])[] = [
  [REGISTRY_PROGRAM_ID, 'registry'],
  [ENERGY_TOKEN_PROGRAM_ID, 'energy-token'],
  [TRADING_PROGRAM_ID, 'trading'],
  [ORACLE_PROGRAM_ID, 'oracle'],
  [CERTIFICATES_PROGRAM_ID, 'certificates'],
  [GOVERNANCE_PROGRAM_ID, 'governance'],
];

export async function showProposal(targets: Targets, options: { id: bigint }): Promise<Result> {
  const connection = connectTo(targets);
  const proposal = await proposalOf(connection, options.id);
  const now = await chainTime(connection);
  const calls = await fetchProposalInstructions(connection, proposal);
  const nameOf = (program: PublicKey) => NAMES.find(([id]) => id.equals(program))?.[1] ?? program.toBase58();
  return {
    json: {
      ...proposalJson(proposal, now),
      calls: calls.map(({ programId, accounts, data }) => ({
        program: programId.toBase58(),
        accounts: accounts.map(({ address: account, flags }) => ({
          address: account.toBase58(),
          signer: (flags & 1) !== 0,
          writable: (flags & 2) !== 0,
        })),
        data: Buffer.from(data).toString('base64'),
      })),
    },
    text: [
      proposalText(proposal, now),
      ...calls.map(
        ({ programId, accounts, data }, index) =>
          `  ${index + 1}. ${nameOf(programId)}, ${accounts.length} accounts, data ${Buffer.from(data).toString('base64')}`,
      ),
    ].join('\n'),
  };
}
